"""The sources that are open: made from the configuration, changed by a reload, paused and resumed together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from logtrigger.errors import SourceError
from logtrigger.model import Position
from logtrigger.rule import SYSTEM_LOG, Settings
from logtrigger.sources.base import Host, Source


@dataclass(frozen=True, slots=True)
class Standing:
    """How a source stands."""

    name: str
    reading: str  # what it reads, where it was left to choose
    positions: tuple[Position, ...]  # of what can be reread
    heard: float | None  # when its last lines came in, epoch seconds; None: none since the start
    paused: bool


class Feeds:
    """All open sources, by name.

    Args:
        host: what the sources deliver to.
        known: the positions that the store knew at the start.
    """

    def __init__(self, host: Host, known: Iterable[Position]) -> None:
        self._host = host
        self._known = list(known)
        self._open: dict[str, Source] = {}
        self._moved: set[str] = set()  # delivered since their positions were last asked for
        self._heard: dict[str, float] = {}  # when each delivered last, epoch seconds
        self._paused = False

    def known(self, source: str) -> list[Position]:
        """What was known of a source's streams when the daemon started, or when the source was last closed."""
        return [position for position in self._known if position.source == source]

    def open(self, names: Iterable[str], settings: Settings) -> None:
        """Open these sources. Raises SourceError for the first that cannot be opened."""
        for name in names:
            self._open_one(name, settings)

    def change(self, names: Sequence[str], settings: Settings) -> list[Position]:
        """Close what is not among these names any more, open what is new; gives where the closed ones stand."""
        left = [position for name in list(self._open) if name not in names for position in self._close_one(name)]
        for name in names:
            if name not in self._open:
                try:
                    self._open_one(name, settings)
                except SourceError as error:
                    self._host.report(0, str(error))
        return left

    def close(self) -> None:
        """Close them all."""
        for source in self._open.values():
            source.close()

    def pause(self) -> None:
        self._paused = True
        for source in self._open.values():
            source.pause()

    def resume(self) -> None:
        self._paused = False
        for source in self._open.values():
            source.resume()

    def delivered(self, source: str, now: float) -> None:
        """This source has moved on."""
        self._moved.add(source)
        self._heard[source] = now

    def moved(self) -> list[Position]:
        """Where the sources stand that have moved since this was last asked."""
        moved, self._moved = self._moved, set()
        return [position for name in moved if name in self._open for position in self._open[name].positions()]

    def standings(self) -> list[Standing]:
        """How each open source stands, for a person to look at."""
        return [
            Standing(name, getattr(source, "reading", ""), tuple(source.positions()), self._heard.get(name), self._paused)
            for name, source in self._open.items()
        ]

    def _open_one(self, name: str, settings: Settings) -> None:
        source = make(self._host, name, settings)
        if self._paused:
            source.pause()
        source.open()
        self._open[name] = source

    def _close_one(self, name: str) -> list[Position]:
        source = self._open.pop(name)
        self._heard.pop(name, None)
        left = list(source.positions())
        self._known = [position for position in self._known if position.source != name] + left
        source.close()
        return left


def make(host: Host, name: str, settings: Settings) -> Source:
    """The source of that name: the system log, or a rule's `file`. What it needs is imported only here."""
    if name == SYSTEM_LOG:
        from logtrigger.sources.syslog import SystemLogSource

        return SystemLogSource(host)
    from logtrigger.sources.file import FileSource

    return FileSource(host, name, [name])
