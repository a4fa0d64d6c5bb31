"""The lines a program prints, for as long as it runs; it is started again when it ends."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from logtrigger.model import Chunk, Position
from logtrigger.sources.base import Host
from logtrigger.sources.lines import Piece
from logtrigger.sources.program import Program, Run


class CommandSource:
    """Runs a program (an argument list, no shell) and delivers what it prints; each run is a stream of its own."""

    tells_senders = False

    def __init__(self, host: Host, name: str, argv: Sequence[str]) -> None:
        self.name = name
        self._host = host
        self._origin = shlex.join(argv)
        self._program = Program(host, name, lambda: argv, self._deliver)

    def open(self) -> None:
        """Start the program. Raises SourceError where there is no such program."""
        self._program.open()

    def close(self) -> None:
        self._program.close()

    def pause(self) -> None:
        self._program.pause()

    def resume(self) -> None:
        self._program.resume()

    def positions(self) -> Iterable[Position]:
        return ()

    def _deliver(self, run: Run, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._host.deliver(Chunk(self.name, self._origin, run.stream, piece.offset, piece.end, piece.data))
