"""The bytes of a file, plain or packed: the same ones, at the same offsets."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import IO, Protocol

SUFFIXES = (".gz", ".xz", ".bz2", ".zst", ".lz4", ".Z")  # what rotation makes of a log
_UNPACKERS = {  # by suffix: module and class
    ".gz": ("gzip", "GzipFile"),
    ".xz": ("lzma", "LZMAFile"),
    ".bz2": ("bz2", "BZ2File"),
    ".zst": ("compression.zstd", "ZstdFile"),  # Python 3.14
}
STEP = 1 << 20  # bytes unpacked at a time


class Unfinished(OSError):
    """The end of a packed file is missing: whoever packs it is still at work, or has died."""


class Content(Protocol):
    """An open file that can be read at any place."""

    fd: int
    is_packed: bool

    def read_at(self, size: int, offset: int) -> bytes:
        """Up to size bytes from offset on. Raises OSError."""

    def close(self) -> None: ...


class Plain:
    """A file as it is."""

    is_packed = False

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def read_at(self, size: int, offset: int) -> bytes:
        return os.pread(self.fd, size, offset)

    def close(self) -> None:
        os.close(self.fd)


class Packed:
    """What a compressed file unpacks to. Going on is cheap, going back begins anew; nothing is kept in memory or on disk."""

    is_packed = True

    def __init__(self, fd: int, unpack: Callable[[IO[bytes]], IO[bytes]]) -> None:
        self.fd = fd
        self._unpack = unpack
        self._file: IO[bytes] | None = None
        self._at = 0

    def read_at(self, size: int, offset: int) -> bytes:
        if self._file is None or offset < self._at:
            self._restart()
        while self._at < offset:
            if not self._read(min(STEP, offset - self._at)):
                return b""
        parts = []
        while size > 0 and (part := self._read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def is_near(self, offset: int) -> bool:
        """Go on towards offset for a moment; whether reading there would be quick now."""
        if self._at >= offset:
            return True
        return len(self.read_at(min(STEP, offset - self._at), self._at)) < STEP or self._at >= offset

    def close(self) -> None:
        self._end()
        os.close(self.fd)

    def _restart(self) -> None:
        self._end()
        os.lseek(self.fd, 0, os.SEEK_SET)
        self._file, self._at = self._unpack(open(self.fd, "rb", closefd=False)), 0

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _read(self, size: int) -> bytes:
        assert self._file is not None
        try:
            data = self._file.read(size)
        except EOFError as error:
            raise Unfinished(0, "its end is missing") from error
        except Exception as error:  # each module has exceptions of its own for damage: zlib.error, LZMAError, ZstdError
            raise OSError(0, f"damaged ({error})") from error
        self._at += len(data)
        return data


def open_file(path: str) -> int:
    """A descriptor to read from; opening never waits, whatever the path turns out to be."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def open_content(path: str) -> Content:
    """The content of a file that rotation has left. Raises OSError, also where nothing here can unpack it."""
    if not path.endswith(SUFFIXES):
        return Plain(open_file(path))
    unpack = _unpacker(path)
    return Packed(open_file(path), unpack)


def unpacked_size(content: Content) -> int | None:
    """What the end of a .gz says of its size, modulo 2**32 (RFC 1952, ISIZE); None where nothing does."""
    if os.pread(content.fd, 2, 0) != b"\x1f\x8b":
        return None
    return int.from_bytes(os.pread(content.fd, 4, max(0, os.fstat(content.fd).st_size - 4)), "little")


def _unpacker(path: str) -> Callable[[IO[bytes]], IO[bytes]]:
    """Modules are loaded when they are needed; a small Python may lack some."""
    module, name = _UNPACKERS.get(os.path.splitext(path)[1], ("", ""))
    if not module:
        raise OSError(0, "cannot be unpacked here: no module of Python knows its form")
    try:
        kind = getattr(import_module(module), name)
    except ImportError as error:
        raise OSError(0, f"cannot be unpacked here ({error})") from error

    def unpack(raw: IO[bytes]) -> IO[bytes]:
        unpacked: IO[bytes] = kind(fileobj=raw) if name == "GzipFile" else kind(raw)
        return unpacked

    return unpack
