"""What goes into a pipe comes out of it: values whole, logs to everybody, faults as they were."""

from __future__ import annotations

import errno
import io
import marshal
import os
import threading
from collections.abc import Sequence
from io import BufferedReader

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.parallel.frames import READ, Fed, Once, pass_on, received, send, taken


def log(*lines: bytes) -> Once:
    return Once("log", lambda: BufferedReader(io.BytesIO(b"".join(lines))))


def passed_on(logs: Sequence[Once], readers: int) -> list[int]:
    """Pass the logs on to so many readers; the ends that these are to read."""
    pipes = [os.pipe() for _ in range(readers)]
    threading.Thread(target=pass_on, args=(logs, [feed for _, feed in pipes]), daemon=True).start()
    return [end for end, _ in pipes]


def read(descriptor: int) -> bytes:
    return BufferedReader(Fed(descriptor)).read()


@given(st.lists(st.binary(max_size=40)), st.integers(1, 30))
def test_values_are_taken_as_they_come(values: list[bytes], size: int) -> None:
    """However the pipe cuts them, each once and none before it is whole."""
    data = b"".join(len(one := marshal.dumps(value)).to_bytes(4, "big") + one for value in values)
    said, found = bytearray(), list[bytes]()
    for start in range(0, len(data), size):
        said += data[start : start + size]
        found += taken(said)
    assert (found, bytes(said)) == (values, b"")


def test_end_in_the_middle_of_a_value() -> None:
    out, feed = os.pipe()
    send(feed, [1, "two"])
    os.write(feed, b"\0\0\0\x09half")
    os.close(feed)
    assert received(out) == [1, "two"]
    with pytest.raises(EOFError):
        received(out)
    os.close(out)


def test_everybody_gets_every_log() -> None:
    large = b"x" * (2 * READ + 5)
    first, second = passed_on([log(b"one\n", b"two\n"), log(), log(large)], 2)
    others: list[bytes] = []
    other = threading.Thread(target=lambda: others.extend(read(first) for _ in range(3)))
    other.start()
    assert [read(second) for _ in range(3)] == [b"one\ntwo\n", b"", large]
    other.join(30)
    assert others == [b"one\ntwo\n", b"", large]
    os.close(first)
    os.close(second)


def test_fault_of_a_log_is_everybodys() -> None:
    def fails() -> BufferedReader:
        raise PermissionError(errno.EACCES, "no")

    (end,) = passed_on([Once("log", fails), log(b"next")], 1)
    with pytest.raises(PermissionError):
        read(end)
    assert read(end) == b"next"
    os.close(end)


def test_one_who_passes_nothing_on_any_more() -> None:
    out, feed = os.pipe()
    os.write(feed, b"\0\0\0\x09half")
    os.close(feed)
    with pytest.raises(EOFError):
        read(out)
    os.close(out)
