"""What goes through the pipes between processes: values, and logs that can be read only once.

Each frame has its length before it. A log ends with an empty frame, or with one whose length is an error's number.
"""

from __future__ import annotations

import io
import marshal
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from logtrigger.replay import Log

READ = 1 << 18  # bytes at a time
_SIZE = 4  # bytes of a frame's length
_FAILED = 1 << 31  # a length that is an errno


def send(descriptor: int, value: Any) -> None:
    """Write a value, of what `marshal` takes, for one who calls `received` or `taken`."""
    data = marshal.dumps(value)
    _write(descriptor, len(data).to_bytes(_SIZE, "big") + data)


def received(descriptor: int) -> Any:
    """The next value; waits for it. Raises EOFError where none will come."""
    return marshal.loads(_read_all(descriptor, int.from_bytes(_read_all(descriptor, _SIZE), "big")))


def taken(said: bytearray) -> Iterator[Any]:
    """The values that have come whole, taken off what was read so far."""
    while len(said) >= _SIZE and len(said) - _SIZE >= (size := int.from_bytes(said[:_SIZE], "big")):
        value = marshal.loads(bytes(said[_SIZE : _SIZE + size]))
        del said[: _SIZE + size]
        yield value


@dataclass(frozen=True, slots=True)
class Once(Log):
    """A log that can be read only once, such as a pipe."""


def pass_on(logs: Sequence[Log], feeds: Sequence[int]) -> None:
    """Give what each of these logs holds to every process, which read them in the same order."""
    try:
        for log in logs:
            for frame in _frames(log):
                for feed in feeds:
                    _write(feed, frame)
    except OSError:
        pass  # a process has died, which is told elsewhere
    finally:
        for feed in feeds:
            os.close(feed)


class Fed(io.RawIOBase):
    """A log that another process reads for us: frames, the last of them empty or an error."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._left = 0
        self._over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left and not self._over:
            size = int.from_bytes(_read_all(self._descriptor, _SIZE), "big")
            self._over = size == 0 or size >= _FAILED
            if size >= _FAILED:
                raise OSError(size - _FAILED, os.strerror(size - _FAILED))
            self._left = size
        data = os.read(self._descriptor, min(self._left, len(buffer))) if self._left else b""
        if self._left and not data:
            raise EOFError
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def _frames(log: Log) -> Iterator[bytes]:
    try:
        with log.open() as stream:
            while data := stream.read1(READ):
                yield len(data).to_bytes(_SIZE, "big") + data
        yield bytes(_SIZE)
    except OSError as error:
        yield (_FAILED + (error.errno or 0)).to_bytes(_SIZE, "big")


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _read_all(descriptor: int, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        data = os.read(descriptor, size - len(found))
        if not data:
            raise EOFError
        found += data
    return bytes(found)
