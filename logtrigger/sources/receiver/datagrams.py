"""Receiving datagrams, each of which is one message: what UDP and Unix sockets have in common."""

from __future__ import annotations

import errno
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Generic, TypeVar

from logtrigger.durations import amount
from logtrigger.model import Chunk, Position
from logtrigger.sources.base import Host
from logtrigger.sources.receiver.framing import lines_of
from logtrigger.sources.tail import new_stream

BATCH = 1 << 16  # bytes of a chunk, about; and as many datagrams as fit, before others get their turn
OVERHEAD = 64  # bytes that a datagram counts besides its text: an empty one takes its time, too
_SO_RCVBUFFORCE = getattr(socket, "SO_RCVBUFFORCE", 33)  # asm-generic/socket.h; beyond net.core.rmem_max, for root

Who = TypeVar("Who")


class Datagrams(ABC, Generic[Who]):
    """One socket, read a batch a turn. While it is paused, what comes is dropped and counted: datagrams cannot wait."""

    def __init__(self, host: Host, name: str, origin: str, longest: int) -> None:
        self.name = name
        self._host = host
        self._origin = origin
        self._socket: socket.socket | None = None
        self._buffer = bytearray(longest)
        self._view = memoryview(self._buffer)
        self._stream = new_stream()
        self._offset = 0
        self._paused = False
        self._dropped = 0

    def close(self) -> None:
        if self._socket is not None:
            self._host.loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        if self._dropped:
            self._host.report(
                0,
                f"{self.name}: {amount(self._dropped, 'message')} to {self._origin}"
                f" {'was' if self._dropped == 1 else 'were'} dropped, as what was read before had to be stored",
            )
            self._dropped = 0

    def positions(self) -> Iterable[Position]:
        return ()

    # For each kind to fill in

    @abstractmethod
    def _next(self, sock: socket.socket) -> tuple[Who, bytes] | None:
        """The next datagram and who sent it; None: it is not for us. Raises OSError where there is none."""

    def _in_order(self, batch: list[tuple[Who, bytes]]) -> Iterable[tuple[Who, bytes]]:
        """The datagrams of a turn, so that those of one sender stand together as far as their order allows."""
        return batch

    @abstractmethod
    def _chunk(self, who: Who, offset: int, data: bytes) -> Chunk:
        """Lines that one sender has sent, which begin at this offset of what came in all."""

    # One turn

    def _serve(self, sock: socket.socket, buffer: int) -> None:
        """Receive from now on, with room in the kernel for so many bytes."""
        for option in (socket.SO_RCVBUF, _SO_RCVBUFFORCE):
            try:
                sock.setsockopt(socket.SOL_SOCKET, option, buffer)
            except OSError:
                pass  # the usual size does, too
        self._socket = sock
        self._host.loop.watch(sock.fileno(), self._receive)

    def _receive(self) -> None:
        batch = self._batch()
        if self._paused:
            self._dropped += len(batch)
            return
        for who, group in groupby(self._in_order(batch), itemgetter(0)):
            self._deliver(who, [message for _, message in group])

    def _batch(self) -> list[tuple[Who, bytes]]:
        """What waits in the socket, up to a batch."""
        batch: list[tuple[Who, bytes]] = []
        taken, sock, receive = 0, self._socket, self._next
        try:
            while sock is not None and taken < BATCH:
                taken += OVERHEAD
                if found := receive(sock):
                    batch.append(found)
                    taken += len(found[1])
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR):
                self._host.report(1, f"{self.name}: {self._origin} cannot be read: {os.strerror(error.errno or 0)}")
        return batch

    def _deliver(self, who: Who, messages: Sequence[bytes]) -> None:
        data = lines_of(messages, self._host.max_line)
        offset, self._offset = self._offset, self._offset + len(data)
        self._host.deliver(self._chunk(who, offset, data))
