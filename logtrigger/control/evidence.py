"""What is known of a ban's cause and of an address: from the store, from what waits for it, and from the logs themselves."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from logtrigger.control import lookback
from logtrigger.control.protocol import Row, Wait
from logtrigger.errors import StoreError
from logtrigger.model import Ban, Position, Trigger
from logtrigger.rule import Rule
from logtrigger.store import About, Recorded

if TYPE_CHECKING:
    from logtrigger.daemon import Daemon

MOST = 5  # bans, and triggers that banned nobody
LINES = 50  # of one counter
_KEYS = 10  # of a rule that are looked up in the log


def breath(daemon: Daemon) -> Wait:
    """Others get their turn."""
    return Wait(lambda bring: daemon.loop.call_soon(lambda: bring(None)))


def about(daemon: Daemon, names: Sequence[str], text: str) -> Wait:
    """Ask the store: brings an About, or a StoreError."""

    def ask(bring: Callable[[Any], None]) -> None:
        def done(about: About | StoreError) -> None:
            daemon.loop.call_threadsafe(lambda: bring(about))

        daemon.store.about(names, text, MOST, done)

    return Wait(ask)


def waiting(daemon: Daemon, text: str = "") -> list[Recorded]:
    """The newest triggers, which the store has not been given yet; with a text those that name it."""
    found = [
        Recorded(seq, trigger, [(name, "undone", None, None) for name in names])
        for seq, trigger, names in daemon.commits.waiting
    ]
    return [one for one in reversed(found) if not text or text in (*one.trigger.key, *one.trigger.fields.values())]


def lines(daemon: Daemon, ban: Ban, cause: Recorded | None) -> Generator[Wait, Any, list[Row]]:
    """The lines that a ban was for, oldest first: of the last trigger those that the log still has, else what was kept."""
    found = list[lookback.Counted]()
    position = _position(daemon, cause.trigger) if cause is not None else None
    if cause is not None and position is not None:
        rule = daemon.dispatch.rules.get(cause.trigger.rule)
        names = [one.name for one in daemon.settings.rules if rule is one or (rule and rule.group and rule.group == one.group)]
        recognisers = [made for name in names if (made := daemon.engine.recogniser(name)) is not None]
        try:
            for line in lookback.counted(cause.trigger, position, recognisers, daemon.clock()):
                if line is None:
                    yield breath(daemon)
                elif len(found) < LINES:
                    found.append(line)
        except OSError:
            pass  # the file is gone: what was kept has to do
    last = cause.trigger.message if cause is not None else ""
    kept: list[Row] = [] if found else [{"line": line, "time": None} for line in ban.lines]
    if found or not kept:
        kept = [{"line": one.text, "time": one.time} for one in reversed(found)]
        kept += [{"line": last, "time": cause.trigger.time}] if cause is not None else []
    return kept


def keys(daemon: Daemon, rule: Rule, address: str) -> Generator[Wait, Any, list[tuple[str, ...]]]:
    """By what a rule has counted an address lately, as far as the ends of its logs tell."""
    recogniser = daemon.engine.recogniser(rule.name)
    found = dict[tuple[str, ...], None]()
    for position in _positions(daemon, rule.source) if recogniser is not None else ():
        try:
            for key in lookback.keys(address, position, recogniser):  # type: ignore[arg-type]
                if key is None:
                    yield breath(daemon)
                elif len(found) < _KEYS:
                    found[key] = None
        except OSError:
            pass  # gone
    return list(found)


def _position(daemon: Daemon, trigger: Trigger) -> Position | None:
    """Where the file of a trigger's line stands; None: it was no file, or it is gone."""
    name = lookback.stream(trigger)
    return next((position for position in _positions(daemon) if position.stream == name), None)


def _positions(daemon: Daemon, source: str | None = None) -> list[Position]:
    """Where the files of a source stand, or of all."""
    standings = [one for one in daemon.feeds.standings() if source in (None, one.name)]
    return [position for one in standings for position in one.positions if position.path]
