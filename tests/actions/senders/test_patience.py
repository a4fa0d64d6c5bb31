"""A socket is heard for so long, and for so many bytes, and is closed with the file."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from logtrigger.actions.senders.patience import hear


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_what_is_said_in_time(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"250-one\r\n250 two\r\n")
    theirs.close()
    file = hear(ours, time.monotonic() + 10, 18)
    ours.close()  # as http.client does: the file holds it open
    assert file.readlines() == [b"250-one\r\n", b"250 two\r\n"]
    file.close()
    assert ours.fileno() == -1


def test_what_comes_too_late(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    file = hear(ours, time.monotonic() + 0.05)
    theirs.sendall(b"x")
    with pytest.raises(TimeoutError):
        file.read(2)
    with pytest.raises(TimeoutError):
        hear(ours, time.monotonic() - 1).read(1)


def test_what_is_too_much(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"x" * 11)
    with pytest.raises(OSError, match="too much"):
        hear(ours, time.monotonic() + 10, 10).read(11)
