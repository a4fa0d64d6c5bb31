"""Lines of our own making that rules may read: bans that begin, and what the scripts of actions print.

They are streams of their own, named after the trigger that caused them: where it comes about again after a crash, the same
lines cause the same triggers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from logtrigger.engine import Engine
from logtrigger.model import Ban, Chunk, Trigger
from logtrigger.rule import BANS, FED


class Feedback:
    """Feeds such lines to the engine, where a rule reads them.

    Args:
        engine: gives the one that is at work now.
        deliver: takes a chunk, as from a source.
        clock: epoch seconds.
    """

    def __init__(self, engine: Callable[[], Engine], deliver: Callable[[Chunk], None], clock: Callable[[], float]) -> None:
        self._engine, self._deliver, self._clock = engine, deliver, clock
        self._begun: list[tuple[Ban, str]] = []  # bans that rules are to read about, and whom each is about

    def note(self, ban: Ban, whom: str, trigger: Trigger) -> None:
        """A trigger has begun a ban. One that such a line has caused is told nobody: one level deep is enough."""
        if BANS in self._engine().sources and trigger.source != BANS:
            self._begun.append((ban, whom))

    def bans(self) -> None:
        """Feed what was noted, within the same turn: a ban and what it counted for are stored together."""
        if not self._begun:
            return
        from logtrigger import banlines  # few configurations have such rules

        begun, self._begun = self._begun, []
        for ban, whom in begun:
            self._feed(banlines.chunk(ban, whom, self._clock()))

    def output(self, name: str, trigger: Trigger, lines: Sequence[str]) -> None:
        """Feed what a script of this action has printed about a trigger."""
        source = f"{FED}{name}"
        if source in self._engine().sources:
            data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
            self._feed(Chunk(source, source, f"{source} {trigger.id}", 0, len(data), data))

    def _feed(self, chunk: Chunk) -> None:
        self._deliver(chunk)
        self._engine().forget(chunk.stream)
