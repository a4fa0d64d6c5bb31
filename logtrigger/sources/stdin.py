"""Lines from a descriptor that was given to us, until its end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from logtrigger.model import Chunk, Position
from logtrigger.sources.base import Host
from logtrigger.sources.lines import Lines, Piece
from logtrigger.sources.tail import new_stream

READ = 1 << 18  # bytes a turn


class StdinSource:
    """Reads a pipe, a terminal or a file; `on_end` is called once, after the last line has been delivered.

    The descriptor's flags stay as they are, as others may share them (the shell its terminal): it is read only when the
    loop says that something is there. A plain file, which no loop can watch, is read a turn at a time.
    """

    def __init__(self, host: Host, name: str, on_end: Callable[[], None], fd: int = 0, origin: str = "standard input") -> None:
        self.name = name
        self._host = host
        self._on_end = on_end
        self._fd = fd
        self._origin = origin
        self._stream = new_stream()
        self._lines = Lines(host.max_line)
        self._watching = self._ended = self._paused = False
        self._is_plain = self._turning = False

    def open(self) -> None:
        if not self._paused:
            self.resume()

    def close(self) -> None:
        """Stop; the descriptor is not ours to close."""
        self.pause()
        self._ended = True

    def pause(self) -> None:
        self._paused = True
        if self._watching:
            self._host.loop.unwatch(self._fd)
            self._watching = False

    def resume(self) -> None:
        self._paused = False
        if self._ended or self._watching or self._is_plain:
            self._go_on()
            return
        try:
            self._host.loop.watch(self._fd, self._read)
            self._watching = True
        except PermissionError:  # epoll_ctl(2): EPERM for a regular file or a directory
            self._is_plain = True
            self._go_on()

    def positions(self) -> Iterable[Position]:
        return ()

    def _go_on(self) -> None:
        if self._is_plain and not self._ended and not self._paused and not self._turning:
            self._turning = True
            self._host.loop.call_soon(self._read)

    def _read(self) -> None:
        self._turning = False
        if self._ended or self._paused:
            return
        try:
            data = os.read(self._fd, READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._host.report(0, f"{self.name}: {self._origin} cannot be read: {error.strerror}; taken as its end")
            data = b""
        if data:
            self._deliver(self._lines.feed(data))
            self._go_on()
        else:
            self._deliver(self._lines.finish())
            self.close()
            self._on_end()

    def _deliver(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._host.deliver(Chunk(self.name, self._origin, self._stream, piece.offset, piece.end, piece.data))
