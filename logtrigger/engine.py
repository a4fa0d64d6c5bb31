"""The pure core: chunks and clock values in, triggers out. It reads no clock, opens nothing and starts nothing.

The daemon, `replay` and the tests all drive this same object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from logtrigger.counters import Counters
from logtrigger.headers import Stamps
from logtrigger.matcher import LiteralMatcher, Matcher
from logtrigger.model import Chunk, Event, Trigger
from logtrigger.patterns.pattern import Pattern
from logtrigger.recognise import KEY_JOINT, MAX_VALUE, Captures, Line, Match, Recogniser, Widening
from logtrigger.repeats import Repeats
from logtrigger.rule import Rule, Settings
from logtrigger.text import WHITE, safe_start
from logtrigger.together import together
from logtrigger.window import Windows

OWN_PROGRAM = "logtrigger"  # lines of ours are for rules that ask for them only, so that no rule can set itself off
_OWN_MARK = OWN_PROGRAM.encode("ascii")

MatcherFactory = Callable[[Sequence[Sequence[Pattern]]], Matcher]


class _Clock:
    """The latest time that rules which count together have seen in a replay: their events never go back behind it.

    Other rules have no part in it, so that what a rule finds does not depend on which others there are.
    """

    __slots__ = ("latest",)

    def __init__(self) -> None:
        self.latest = 0.0


class _Watch:
    """One rule at work: what recognises its lines, and where they are counted."""

    def __init__(self, rule: Rule, windows: Windows, clock: _Clock) -> None:
        self.rule = rule
        self.clock = clock
        self.recogniser = Recogniser(rule)
        self.add = windows.add
        self.key = self.recogniser.first.raw_key  # of what `quick` found
        self.windows = windows
        self.weight, self.suppress = rule.weight, rule.suppress
        # The windows that an event of this rule empties, their key's fields, and how those are counted.
        self.resets: list[tuple[Windows, tuple[str, ...], Widening]] = []
        self.events = 0
        self.sees_own_lines = OWN_PROGRAM in rule.programs

    def may_see(self, chunk: Chunk) -> bool:
        """Whether the rule is for lines of this sender. Where the source does not tell who sent them, it is not."""
        if chunk.own and not self.sees_own_lines:
            return False
        wanted, sender = self.rule.senders, chunk.sender
        return not wanted or (
            sender is not None and any(w.uid == sender.uid and w.program in ("", sender.program) for w in wanted)
        )

    @cached_property
    def quick(self) -> Captures | None:
        """What finds an event's captures quickly; None: each line needs a thorough look."""
        return None if self.resets else self.recogniser.quick


@dataclass(frozen=True, slots=True)
class _Full:
    """An event that filled its window."""

    watch: _Watch
    found: Match
    line: Line
    offset: int  # of the line in its stream
    time: float
    count: int


class _Lane:
    """The rules that see one source, and their matcher."""

    def __init__(self, watches: Sequence[_Watch], build: MatcherFactory) -> None:
        self.watches = watches
        self.matcher = build([watch.rule.patterns for watch in watches])
        self.asks_for_senders = any(watch.rule.senders for watch in watches)


class Engine:
    """Rules and counters. `feed` is the only way in, its triggers the only way out.

    Args:
        settings: the checked configuration.
        every_source: every rule sees every chunk, and time never runs backwards, as `replay` has it.
        build: makes the matcher of a source.
    """

    def __init__(self, settings: Settings, *, every_source: bool = False, build: MatcherFactory = LiteralMatcher) -> None:
        self._settings = settings
        self._every_source = every_source
        self._is_behind = False  # has read old lines since counters were last looked over
        self._repeats = Repeats()
        self._stamps = Stamps()
        self.counters = Counters(settings.rules, settings.max_keys, stored=not every_source)
        self.observer: Callable[[Event], None] | None = None  # is shown every event, for those who debug
        clocks = [_Clock() for _ in settings.rules]
        self._watches = watches = [
            _Watch(rule, self.counters.of(rule), clocks[first])
            for rule, first in zip(settings.rules, together(settings.rules), strict=True)
        ]
        _connect_resets(watches)
        lanes: dict[str, list[_Watch]] = {}
        for watch in watches:
            lanes.setdefault("" if every_source else watch.rule.source, []).append(watch)
        self._lanes = {source: _Lane(found, build) for source, found in lanes.items()}

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that some rule sees, in the order of the configuration."""
        return tuple(self._lanes)

    def feed(self, chunk: Chunk, now: float) -> list[Trigger]:
        """What the lines of a chunk, read at `now` (epoch seconds), cause."""
        lane = self._lanes.get("" if self._every_source else chunk.source)
        if lane is None:
            return []
        self._is_behind |= chunk.catching_up
        watches, catching_up, triggers = lane.watches, chunk.catching_up, list[Trigger]()
        guarded = not self._every_source and (chunk.own or lane.asks_for_senders)  # old logs do not tell
        for data, begin, _, times in self._repeats.pieces(chunk):
            thorough = self.observer is not None or _OWN_MARK in data
            for start, end, index in lane.matcher.scan(data):
                watch = watches[index]
                if guarded and not watch.may_see(chunk):
                    continue
                quick = None if thorough else watch.quick
                stop = end
                while stop > start and data[stop - 1] in WHITE:
                    stop -= 1
                captures = quick(data, start, stop) if quick else None
                if captures is not None:
                    watch.events += times
                    time = self._time(watch.clock, data, start, end, now) if catching_up else now
                    count, full = watch.add(watch.key(captures), time, watch.weight * times, suppress=watch.suppress)
                    if not full:
                        continue
                    line = Line(data, start, end)
                    found: Match | None = watch.recogniser.captured(captures)
                else:
                    line = Line(data, start, end)
                    found, time, count = self._look(watch, line, catching_up, now, times)
                if found is not None:
                    at = begin + (start if times == 1 else 0)
                    triggers.append(self._trigger(_Full(watch, found, line, at, time, count), chunk, now))
        return triggers

    def _look(self, watch: _Watch, line: Line, catching_up: bool, now: float, times: int) -> tuple[Match | None, float, int]:
        """The thorough way for one line and rule: recognise and count. Gives what fills the window, if something does."""
        nothing = None, 0.0, 0
        if not watch.sees_own_lines and _OWN_MARK in line.raw and line.header.program == OWN_PROGRAM:
            return nothing
        found = watch.recogniser.recognise(line)
        if found is None:
            return nothing
        rule, key = watch.rule, found.reading.key(found.values)
        watch.events += times
        for windows, names, widening in watch.resets:
            windows.reset(found.reading.key(found.values, names, widening))
        time = self._time(watch.clock, line.data, line.begin, line.end, now) if catching_up else now
        count, full = watch.add(key, time, watch.weight * times, suppress=watch.suppress)
        if self.observer:
            self.observer(Event(rule.name, time, tuple(key.split(KEY_JOINT)) if rule.key else (), count, line.raw))
        return (found, time, count) if full else nothing

    def _time(self, clock: _Clock, data: bytes, begin: int, end: int, now: float) -> float:
        """When an old line says that it was written: never later than now; now, where it does not say."""
        written = self._stamps.time(data, begin, end, now)
        if not self._every_source:
            return now if written is None else min(written, now)
        if written is None:
            return clock.latest or now
        if written > clock.latest:
            clock.latest = min(written, now)
        return clock.latest

    def _trigger(self, full: _Full, chunk: Chunk, now: float) -> Trigger:
        rule, raw, header = full.watch.rule, full.line.raw, full.line.header_fields()
        fields = full.watch.recogniser.fields(full.found)
        return Trigger(
            id=f"{rule.name}@{chunk.stream}:{full.offset}",
            rule=rule.name,
            time=full.time,
            count=full.count,
            key=full.watch.recogniser.key(fields),
            fields=fields,
            message=safe_start(raw, MAX_VALUE),
            body=safe_start(raw[full.line.header.body :], MAX_VALUE),
            source=chunk.origin,
            offset=full.offset,
            late=0 if self._every_source else max(0, int(now - full.time)),
            ignored=full.found.reading.address(full.found.values) in self._settings.ignore,
            host=header["host"],
            program=header["program"],
            pid=header["pid"],
        )

    def forget(self, stream: str) -> None:
        """A stream is over: nothing of it will come any more."""
        self._repeats.forget(stream)

    def expire(self, now: float) -> None:
        """Forget counters whose events are all too old. For the daemon to call now and then.

        While old lines are read counters are kept: their time is the lines' time, not `now`.
        """
        if self._is_behind:
            self._is_behind = False
        else:
            self.counters.expire(now)

    def events(self) -> dict[str, int]:
        """How many events each rule has had, over reloads too."""
        return {watch.rule.name: watch.events for watch in self._watches}

    def take_over(self, older: Engine) -> None:
        """Go on where another engine stopped, as after a reload; the counters are adopted apart."""
        self._repeats, self._is_behind = older._repeats, older._is_behind
        events = older.events()
        for watch in self._watches:
            watch.events += events.get(watch.rule.name, 0)


def _connect_resets(watches: Sequence[_Watch]) -> None:
    by_name = {watch.rule.name: watch for watch in watches}
    for watch in watches:
        for name in watch.rule.reset_by:
            if name in by_name:
                by_name[name].resets.append((watch.windows, watch.rule.key, watch.recogniser.first.widening))
