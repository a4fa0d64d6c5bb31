"""What a source is to the daemon, and what it gets from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from logtrigger.loop import Loop
from logtrigger.model import Chunk, Position


class Host(Protocol):
    """The daemon as a source sees it."""

    loop: Loop
    max_line: int  # bytes

    def deliver(self, chunk: Chunk) -> None:
        """Take a chunk; when this returns, its lines have been counted and its end is the stream's position."""

    def register(self, position: Position) -> None:
        """Make a new stream durable. To be called before its first chunk, so that a crash cannot forget the file."""

    def forget(self, stream: str) -> None:
        """The stream is over (rotated away and read to its end): it need not be remembered."""

    def positions(self, source: str) -> Iterable[Position]:
        """What the store knew of this source's streams when the daemon started."""

    def is_own(self, pid: int) -> bool:
        """Whether this process is ourselves or belongs to a script that we run; False where that can no longer be told."""

    def report(self, level: int, text: str) -> None:
        """Say something to the operator at debug level 0 (errors) to 4."""


class Source(Protocol):
    """Where lines come from. A source knows nothing of rules.

    Some have more, which is asked for where it is there: `reading`, what it reads, where it was left to choose that;
    `tells_senders`, whether its chunks say who wrote them; `unreadable()`, what of it cannot be read, and why; `reload()`,
    which reads its certificates again; `abandon()`, which closes it and forgets all its positions.
    """

    name: str  # selects the rules that see its lines

    def open(self) -> None:
        """Start to deliver. Raises SourceError where that is impossible and waiting would not help."""

    def close(self) -> None:
        """Stop; release every descriptor, process and path that is ours."""

    def pause(self) -> None:
        """Deliver nothing more until `resume`; sources that cannot wait drop and count."""

    def resume(self) -> None:
        """Go on after `pause`."""

    def positions(self) -> Iterable[Position]:
        """Where each replayable stream stands now; empty for sources that cannot be reread."""
