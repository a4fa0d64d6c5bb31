"""Hearing a far end out, but not for ever: a socket's own time limit begins anew with each byte that comes."""

from __future__ import annotations

import io
import socket
import time
from math import inf
from typing import Any

from logtrigger.actions.senders.base import TIMEOUT


def hear(sock: socket.socket, until: float, most: float = inf) -> io.BufferedReader:
    """A file to read what is said over a connected socket, which is open for as long as this is.

    Args:
        until: when it is to have been said, monotonic; reading raises TimeoutError from then on.
        most: bytes that may be said; reading raises OSError beyond.
    """
    return io.BufferedReader(_Said(sock, until, most))


class _Said(io.RawIOBase):
    def __init__(self, sock: socket.socket, until: float, most: float) -> None:
        self._sock, self._until, self._left = sock, until, most
        self._file: Any = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._until - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(min(remaining, TIMEOUT))
        read: int | None = self._file.readinto(buffer)
        self._left -= read or 0
        if self._left < 0:
            raise OSError("it says too much")
        return read

    def close(self) -> None:
        self._file.close()
        super().close()
