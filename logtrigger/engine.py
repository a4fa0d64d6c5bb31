"""The pure core: chunks and clock values in, triggers out. It reads no clock, opens nothing and starts nothing.

The daemon, `replay` and the tests all drive this same object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from logtrigger import headers
from logtrigger.matcher import LiteralMatcher, Matcher
from logtrigger.model import Chunk, Event, Header, Trigger
from logtrigger.repeats import Repeats
from logtrigger.rule import Pattern, Rule, Settings
from logtrigger.text import safe, safe_start
from logtrigger.window import Entry, Windows

OWN_PROGRAM = "logtrigger"  # lines of ours are for rules that ask for them only, so that no rule can set itself off
_OWN_MARK = OWN_PROGRAM.encode("ascii")
MAX_VALUE = 16_384  # bytes of a line or field that a trigger carries; a little more tells that it was cut
_KEY_PART = 256  # bytes of a field that stand in a key as they are
_KEY_JOINT = "\x1f"  # cannot stand in a field that was made safe

MatcherFactory = Callable[[Sequence[Sequence[Pattern]]], Matcher]


@dataclass(frozen=True, slots=True)
class WindowState:
    """One counter as it is stored: whose it is, its key, its events, and until when it is suppressed (0.0: it is not)."""

    namespace: str
    signature: str
    key: str
    events: Entry
    suppressed: float


class _Line:
    """One line under the eyes of several rules: what they all need of it is found out once."""

    __slots__ = ("_header", "begin", "data", "end", "now")

    def __init__(self, data: bytes, begin: int, end: int, now: float) -> None:
        self.data, self.begin, self.end, self.now = data, begin, end, now
        self._header: Header | None = None

    @property
    def header(self) -> Header:
        if self._header is None:
            self._header = headers.parse(self.data[self.begin : self.end], self.now)
        return self._header

    @property
    def raw(self) -> bytes:
        return self.data[self.begin : self.end]

    def header_fields(self) -> dict[str, str]:
        """host, program and pid, made safe; empty where the line does not say."""
        header = self.header
        return {name: safe((getattr(header, name) or "").encode()) for name in ("host", "program", "pid")}


class _Reading:
    """What one pattern of a rule makes of its captures: fields by name, and the text a key is made of."""

    def __init__(self, rule: Rule, pattern: Pattern) -> None:
        self.pattern = pattern
        self._index = {name: i for i, name in enumerate(pattern.fields)}
        self._key = rule.key
        self._address = next((i for i, kind in enumerate(pattern.types) if kind == "ip"), -1)

    def key(self, values: Sequence[bytes], names: Sequence[str] | None = None) -> str:
        """What the event is counted by: the rule's key, or the fields of these names."""
        index = self._index
        return _KEY_JOINT.join(
            [_key_part(values[index[n]]) if n in index else "" for n in (self._key if names is None else names)]
        )

    def address(self, values: Sequence[bytes]) -> str:
        """The first field of type ip; empty where the pattern has none."""
        return values[self._address].decode("ascii") if self._address >= 0 else ""

    def fields(self, values: Sequence[bytes], names: Iterable[str]) -> dict[str, str]:
        index = self._index
        return {name: safe_start(values[index[name]], MAX_VALUE) if name in index else "" for name in names}


def _key_part(value: bytes) -> str:
    """A field as part of a key: whole, or the beginning and a digest of a long one, so that keys stay small."""
    if len(value) <= _KEY_PART:
        return safe(value)
    return f"{safe(value[:_KEY_PART])}#{hashlib.blake2s(value, digest_size=16).hexdigest()}"


@dataclass(frozen=True, slots=True)
class _Match:
    """One rule recognising one line."""

    reading: _Reading
    values: Sequence[bytes]


class _Watch:
    """One rule at work: recognises its lines and counts them in its windows."""

    def __init__(self, rule: Rule, windows: Windows) -> None:
        self.rule = rule
        self.windows = windows
        self.resets: list[tuple[Windows, tuple[str, ...]]] = []  # windows an event of this rule empties, and their key's fields
        self.events = 0
        self.own_lines = OWN_PROGRAM in rule.programs
        self._readings = [_Reading(rule, pattern) for pattern in rule.patterns]
        self._names = rule.fields

    def recognise(self, line: _Line) -> _Match | None:
        """The event this line is for this rule; None: it is none."""
        rule = self.rule
        if rule.programs and line.header.program not in rule.programs:
            return None
        for reading in self._readings:
            values = _match(reading.pattern, line)
            if values is not None:
                break
        else:
            return None
        if any(_match(pattern, line) is not None for pattern in rule.excepts):
            return None
        found = _Match(reading, values)
        if rule.when and not self._conditions_hold(found, line):
            return None
        return None if rule.ignore and reading.address(values) in rule.ignore else found

    def fields(self, found: _Match) -> dict[str, str]:
        """The event's fields, made safe; those that its alternative lacks are empty."""
        return found.reading.fields(found.values, self._names)

    def _conditions_hold(self, found: _Match, line: _Line) -> bool:
        values = {**line.header_fields(), **self.fields(found)}
        return all(condition.holds(values) for condition in self.rule.when)


def _match(pattern: Pattern, line: _Line) -> Sequence[bytes] | None:
    if not pattern.tagged:
        return pattern.match(line.data, line.begin, line.end)
    header = line.header
    return pattern.match(line.data, line.begin + header.tag, line.end) if header.program else None


class _Lane:
    """The rules that see one source, and their matcher."""

    def __init__(self, watches: Sequence[_Watch], build: MatcherFactory) -> None:
        self.watches = watches
        self.matcher = build([watch.rule.patterns for watch in watches])


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
        self._latest = 0.0
        self._repeats = Repeats()
        self._windows: dict[str, Windows] = {}
        self._signatures: dict[str, str] = {}
        self.observer: Callable[[Event], None] | None = None  # is shown every event, for those who debug
        self._watches = watches = [_Watch(rule, self._windows_of(rule)) for rule in settings.rules]
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
        triggers: list[Trigger] = []
        for data, begin, _, times in self._repeats.pieces(chunk, now):
            own = _OWN_MARK in data
            line: _Line | None = None
            for start, end, index in lane.matcher.scan(data):
                if line is None or line.begin != start:
                    line = _Line(data, start, end, now)
                watch = lane.watches[index]
                if own and line.header.program == OWN_PROGRAM and not watch.own_lines:
                    continue
                found = watch.recognise(line)
                if found is not None:
                    at = begin + (start if times == 1 else 0)
                    triggers += self._count(watch, found, line, chunk, at, times)
        return triggers

    def _count(self, watch: _Watch, found: _Match, line: _Line, chunk: Chunk, offset: int, times: int) -> Iterator[Trigger]:
        """Let an event count; the trigger, if that fills the window."""
        rule, key = watch.rule, found.reading.key(found.values)
        watch.events += times
        time = self._time(line, chunk)
        for windows, names in watch.resets:
            windows.reset(found.reading.key(found.values, names))
        count, full = watch.windows.add(key, time, rule.weight * times, suppress=rule.suppress)
        if self.observer:
            self.observer(Event(rule.name, time, tuple(key.split(_KEY_JOINT)) if rule.key else (), count, line.raw))
        if full:
            yield self._trigger(watch, found, line, chunk, offset, time, count)

    def _time(self, line: _Line, chunk: Chunk) -> float:
        """When an event happened: never later than now."""
        if not chunk.catching_up:
            return line.now
        written = line.header.time
        if not self._every_source:
            return line.now if written is None else min(written, line.now)
        self._latest = max(self._latest, min(written, line.now) if written is not None else self._latest or line.now)
        return self._latest

    def _trigger(
        self, watch: _Watch, found: _Match, line: _Line, chunk: Chunk, offset: int, time: float, count: int
    ) -> Trigger:
        rule, raw, fields, header = watch.rule, line.raw, watch.fields(found), line.header_fields()
        return Trigger(
            id=f"{rule.name}@{chunk.stream}:{offset}",
            rule=rule.name,
            time=time,
            count=count,
            key=tuple(fields[name] for name in rule.key),
            fields=fields,
            message=safe_start(raw, MAX_VALUE),
            body=safe_start(raw[line.header.body :], MAX_VALUE),
            source=chunk.origin,
            offset=offset,
            late=0 if self._every_source else max(0, int(line.now - time)),
            ignored=found.reading.address(found.values) in self._settings.ignore,
            host=header["host"],
            program=header["program"],
            pid=header["pid"],
        )

    def forget(self, stream: str) -> None:
        """A stream is over: nothing of it will come any more."""
        self._repeats.forget(stream)

    def expire(self, now: float) -> None:
        """Forget counters whose events are all too old. For the daemon to call now and then."""
        for windows in self._windows.values():
            windows.expire(now)

    def events(self) -> dict[str, int]:
        """How many events each rule has had, since the engine was made."""
        return {watch.rule.name: watch.events for watch in self._watches}

    def evictions(self) -> dict[str, int]:
        """How many counters each rule or group had to give up for others, where it had to."""
        return {name: windows.evicted for name, windows in self._windows.items() if windows.evicted}

    def changes(self) -> list[WindowState]:
        """Every counter that changed since this was last called; one without events or suppression is to be forgotten."""
        states = []
        for namespace, windows in self._windows.items():
            for key in windows.changed:
                states.append(WindowState(namespace, self._signatures[namespace], key, *windows.state(key)))
            windows.changed = {}
        return states

    def restore(self, states: Iterable[WindowState]) -> list[WindowState]:
        """Put counters back; returns those that no rule of this configuration can go on with."""
        strangers = []
        for state in states:
            if self._signatures.get(state.namespace) == state.signature:
                self._windows[state.namespace].restore(state.key, state.events, state.suppressed)
            else:
                strangers.append(state)
        return strangers

    def adopt(self, older: Engine) -> list[WindowState]:
        """Go on with the counters of another engine, as after a reload; returns those that are to be forgotten."""
        self._repeats, self._latest, self.observer = older._repeats, older._latest, older.observer
        states = [
            WindowState(namespace, older._signatures[namespace], key, *windows.state(key))
            for namespace, windows in older._windows.items()
            for key in windows.keys()
        ]
        return self.restore(states)

    def _windows_of(self, rule: Rule) -> Windows:
        """The windows of a rule, which it shares with its group."""
        namespace = f"group {rule.group}" if rule.group else f"rule {rule.name}"
        if namespace not in self._windows:
            self._windows[namespace] = Windows(rule.maxfail, rule.time, self._settings.max_keys)
            members = [r for r in self._settings.rules if r.group == rule.group] if rule.group else [rule]
            self._signatures[namespace] = _signature(members)
        return self._windows[namespace]


def _connect_resets(watches: Sequence[_Watch]) -> None:
    by_name = {watch.rule.name: watch for watch in watches}
    for watch in watches:
        for name in watch.rule.reset_by:
            if name in by_name:
                by_name[name].resets.append((watch.windows, watch.rule.key))


def _signature(rules: Sequence[Rule]) -> str:
    """What must be unchanged for counters to be gone on with: patterns, fields, key, group and time."""
    facts = [(r.name, [(p.text, p.fields, p.types) for p in r.patterns], r.key, r.group, r.time) for r in rules]
    return hashlib.blake2s(repr(facts).encode(), digest_size=8).hexdigest()
