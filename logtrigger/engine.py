"""The pure core: chunks and clock values in, triggers out. It reads no clock, opens nothing and starts nothing.

The daemon, `replay` and the tests all drive this same object.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from logtrigger.absence import Absences
from logtrigger.counters import Counters
from logtrigger.fill import Absence, Fill, Reading
from logtrigger.headers import Stamps
from logtrigger.matcher import Hit, LiteralMatcher, Matcher, Owner, line_ends
from logtrigger.model import Chunk, Event, Trigger
from logtrigger.places import Look, nowhere
from logtrigger.recognise import KEY_JOINT, Line, Recogniser
from logtrigger.repeats import Repeats
from logtrigger.rule import Settings
from logtrigger.wallclock import Step
from logtrigger.watch import OWN_PROGRAM, Clock, Watch, watches_of
from logtrigger.ways import Headed

_BULK_FROM = 4096  # bytes of lines that are worth being looked at rule by rule
_OWN_MARK = OWN_PROGRAM.encode("ascii")

MatcherFactory = Callable[[Sequence[Owner]], Matcher]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Lines, where they begin in their stream, and how many events each stands for."""

    reading: Reading
    data: bytes
    begin: int
    times: int


class _Lane:
    """The rules that see one source, and their matcher."""

    def __init__(self, watches: Sequence[Watch], build: MatcherFactory, *, every_source: bool) -> None:
        self.watches = watches
        self.matcher = build([Owner(watch.rule.patterns, watch.rule.programs) for watch in watches])
        self.order = {watch.rule.name: index for index, watch in enumerate(watches)}
        self.asks_for_senders = any(watch.rule.senders for watch in watches)
        # Of a replay those that are told of absences, in the time of the logs.
        self.in_log_time = frozenset(i for i, watch in enumerate(watches) if every_source and watch.absences is not None)


class Engine:
    """Rules and counters. `feed` is the only way in, its triggers the only way out.

    Args:
        settings: the checked configuration.
        every_source: every rule sees every chunk, and time never runs backwards, as `replay` has it.
        build: makes the matcher of a source.
        look: tells where an address is.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        every_source: bool = False,
        build: MatcherFactory = LiteralMatcher,
        look: Look = nowhere,
    ) -> None:
        self.bulk_from = _BULK_FROM
        self._settings = settings
        self.ignore = settings.ignore  # whom nobody bans; may change
        self._every_source = every_source
        self._log_time = 0.0  # the latest time that a line of an old log had
        self._is_behind = False  # has read old lines since counters were last looked over
        self._repeats = Repeats()
        self._stamps = Stamps()
        self.counters = Counters(settings.rules, settings.max_keys, stored=not every_source)
        self.observer: Callable[[Event], None] | None = None  # is shown every event, for those who debug
        self.meter: Callable[[], float] | None = None  # seconds; measures what each rule's lines take, for those who ask
        self._watches = watches = watches_of(settings.rules, self.counters, look)
        self._waiting = [(watch, watch.absences) for watch in watches if watch.absences is not None]
        lanes: dict[str, list[Watch]] = {}
        for watch in watches:
            lanes.setdefault("" if every_source else watch.rule.source, []).append(watch)
        self._lanes = {source: _Lane(found, build, every_source=every_source) for source, found in lanes.items()}

    def begin(self, now: float) -> None:
        """The rules are at work: from now on those that are told of absences wait, where they did not wait before."""
        for _, absences in self._waiting:
            absences.begin(now)

    def shift(self, step: Step) -> None:
        """Somebody has set the clock: nobody is missing for that, and what counts goes on counting."""
        self.counters.shift(step)

    @property
    def waits(self) -> bool:
        """Whether some rule is told of absences."""
        return bool(self._waiting)

    def next_due(self) -> float | None:
        """When `due` has something to tell if no event comes before; None: never."""
        times = [absences.next_due() for _, absences in self._waiting]
        return min((time for time in times if time is not None), default=None)

    def due(self, now: float) -> list[Trigger]:
        """The events that have been missing for too long by now, and were not told of yet: some of them, if there are many.

        To be asked when all old lines have been read, as these may hold what is waited for.
        """
        found = list[Trigger]()
        for watch, absences in self._waiting:
            source = watch.rule.source
            reading = Reading(Chunk(source, source, "", 0, 0, b""), now, self._every_source, self.ignore)
            found += [Absence(watch.recogniser, reading, one, 0, now).trigger() for one in absences.missing(now)]
        return found

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that some rule sees, in the order of the configuration."""
        return tuple(self._lanes)

    def feed(self, chunk: Chunk, now: float) -> list[Trigger]:
        """What the lines of a chunk, read at `now` (epoch seconds), cause."""
        return [fill.trigger() for fill in self.fills(chunk, now)]

    def fills(self, chunk: Chunk, now: float) -> list[Fill]:
        """The same, for those who need to know less of a trigger."""
        lane = self._lanes.get("" if self._every_source else chunk.source)
        if lane is None:
            return []
        self._is_behind |= chunk.catching_up
        self._stamps.known.now = now
        guarded = not self._every_source and (chunk.own or lane.asks_for_senders)  # old logs do not tell
        reading = Reading(chunk, now, self._every_source, self.ignore)
        fills = list[Fill]()
        for data, begin, _, times in self._repeats.pieces(chunk):
            piece = _Piece(reading, data, begin, times)
            if times != 1 or len(data) < self.bulk_from or guarded or self.observer:
                hits = lane.matcher.scan(data)
                if lane.in_log_time:
                    hits = [hit for hit in hits if hit[2] not in lane.in_log_time]
                fills += (self._timed if self.meter else self._each)(lane, piece, hits, guarded=guarded)
            else:
                fills += self._bulk(lane, piece)
            if lane.in_log_time:
                fills += self._in_log_time(lane, piece)
        if lane.in_log_time:
            fills.sort(key=lambda fill: (fill.offset, lane.order[fill.rule]))
        return fills

    def _bulk(self, lane: _Lane, piece: _Piece) -> list[Fill]:
        """Rule after rule: those that count alone see all their lines at once."""
        fills, hits, data = list[Fill](), list[Hit](), piece.data
        for index, ends in lane.matcher.lines(data).items():
            if index in lane.in_log_time:
                continue
            watch = lane.watches[index]
            begins = [data.rfind(b"\n", 0, end) + 1 for end in ends]
            if watch.bulk is None:
                hits += [(begin, end, index) for begin, end in zip(begins, ends, strict=True)]
            else:
                since = self.meter() if self.meter else 0.0
                fills += self._all(watch, watch.bulk, piece, begins, ends)
                if self.meter:
                    watch.seconds += self.meter() - since
        if hits:
            hits.sort()
            fills += (self._timed if self.meter else self._each)(lane, piece, hits)
        fills.sort(key=lambda fill: (fill.offset, lane.order[fill.rule]))
        return fills

    def _all(self, watch: Watch, bulk: Headed, piece: _Piece, begins: list[int], ends: list[int]) -> list[Fill]:
        """All the lines of a piece that may be events of a rule that counts alone."""
        data, reading, now = piece.data, piece.reading, piece.reading.now

        def look(begin: int, end: int) -> tuple[float | None, str | None]:
            return self._stamps.time(data, begin, end, now), self._key(watch, Line(data, begin, end))

        events = bulk.many(data, begins, ends, self._stamps.known, look)
        begins, ends, keys = events.begins, events.ends, events.keys
        watch.events += len(keys)
        times = self._times(watch.clock, events.written, now) if reading.chunk.catching_up else [now] * len(keys)
        full = watch.windows.add_all(keys, times, watch.weight, suppress=watch.suppress)
        return [
            Fill(watch.recogniser, reading, (data, begins[i], ends[i]), piece.begin + begins[i], (keys[i], times[i], count))
            for i, count in full
        ]

    def _key(self, watch: Watch, line: Line) -> str | None:
        """What a line counts by; None: it is no event."""
        found = watch.recogniser.recognise(line) if self._may_see(watch, line) else None
        return None if found is None else found.reading.key(found.values)

    def _each(self, lane: _Lane, piece: _Piece, hits: Iterable[Hit], *, guarded: bool = False) -> Iterator[Fill]:
        """Line after line, and for each rule after rule."""
        data, reading, times = piece.data, piece.reading, piece.times
        now, catching_up, stamps = reading.now, reading.chunk.catching_up, self._stamps.known
        thorough = self.observer is not None or _OWN_MARK in data
        for start, end, index in hits:
            watch = lane.watches[index]
            if guarded and not watch.may_see(reading.chunk):
                continue
            way = None if thorough else watch.way
            answer = way.one(data, start, end, stamps) if way else None
            if answer is False:
                continue
            if answer is not None:
                watch.events += times
                time, key = self._time(watch.clock, data, start, end, now) if catching_up else now, answer
                count, full = watch.add(key, time, watch.weight * times, suppress=watch.suppress)
            else:
                event = self._look(watch, Line(data, start, end), catching_up, now, times)
                if event is None:
                    continue
                key, time, count, full = event
            if full:
                at = piece.begin + (start if times == 1 else 0)
                yield Fill(watch.recogniser, reading, (data, start, end), at, (key, time, count))

    def _timed(self, lane: _Lane, piece: _Piece, hits: Iterable[Hit], *, guarded: bool = False) -> Iterator[Fill]:
        """The same, with the time that it takes."""
        meter = self.meter
        assert meter is not None
        for hit in hits:
            since = meter()
            found = list(self._each(lane, piece, [hit], guarded=guarded))
            lane.watches[hit[2]].seconds += meter() - since
            yield from found

    def _in_log_time(self, lane: _Lane, piece: _Piece) -> Iterator[Fill]:
        """Of rules that are told of absences: what was missing before each line of a log, and who is back with it."""
        data, hits = piece.data, lane.matcher.lines(piece.data)
        ends = line_ends(data)
        times = self._log_times(data, ends, piece.reading.now)
        first = next((time for time in times if time), None)
        for index in sorted(lane.in_log_time):
            watch = lane.watches[index]
            assert watch.absences is not None
            if first is not None:
                watch.absences.begin(first)
            for end in hits.get(index, ()):
                number = bisect_left(ends, end)
                yield from self._missing(watch, watch.absences, piece, ends, times, number)
                watch.clock.latest = times[number]
                yield from self._each(lane, piece, [(ends[number - 1] + 1 if number else 0, end, index)])
            yield from self._missing(watch, watch.absences, piece, ends, times, len(ends) - 1)

    def _log_times(self, data: bytes, ends: Sequence[int], now: float) -> list[float]:
        """When each line was written; no earlier than any before it, and 0 where no line has said so yet."""
        times, begin = list[float](), 0
        for end in ends:
            written = self._stamps.time(data, begin, end, now)
            if written is not None and written > self._log_time:
                self._log_time = min(written, now)
            times.append(self._log_time)
            begin = end + 1
        return times

    def _missing(
        self, watch: Watch, absences: Absences, piece: _Piece, ends: Sequence[int], times: Sequence[float], last: int
    ) -> Iterator[Fill]:
        """What is missing by the line of this number, each key at the first line at which it is."""
        number = 0
        while (due := absences.next_due()) is not None:
            number = bisect_right(times, due, number, last + 1)
            if number > last:
                return
            at = piece.begin + (ends[number - 1] + 1 if number else 0)
            for one in absences.missing(times[number]):
                yield Absence(watch.recogniser, piece.reading, one, at, one.seen + (watch.rule.absent or 0.0))

    def _may_see(self, watch: Watch, line: Line) -> bool:
        return watch.sees_own_lines or _OWN_MARK not in line.raw or line.header.program != OWN_PROGRAM

    def _look(self, watch: Watch, line: Line, catching_up: bool, now: float, times: int) -> tuple[str, float, int, bool] | None:
        """The thorough way for one line and rule: recognise and count. Gives key, time, count, and whether that is full."""
        found = watch.recogniser.recognise(line) if self._may_see(watch, line) else None
        if found is None:
            return None
        rule, key = watch.rule, found.reading.key(found.values)
        watch.events += times
        for windows, names, widening in watch.resets:
            windows.reset(found.reading.key(found.values, names, widening))
        time = self._time(watch.clock, line.data, line.begin, line.end, now) if catching_up else now
        if watch.counts_events:
            count, full = watch.add(key, time, watch.weight * times, suppress=watch.suppress)
        elif watch.absences is not None:
            count, full = times, watch.absences.see(key, line.raw, time, old=catching_up)
        else:
            assert watch.distinct is not None
            value = watch.recogniser.distinct(found, line) if times else b""
            count, full = watch.distinct.see(key, value, time, suppress=watch.suppress)
        if self.observer:
            self.observer(Event(rule.name, time, tuple(key.split(KEY_JOINT)) if rule.key else (), count, line.raw))
        return key, time, count, full

    def _time(self, clock: Clock, data: bytes, begin: int, end: int, now: float) -> float:
        return self._at(clock, self._stamps.time(data, begin, end, now), now)

    def _at(self, clock: Clock, written: float | None, now: float) -> float:
        """When an event of an old line happens: as the line says, never later than now; now, where it does not say."""
        if not self._every_source:
            return now if written is None else min(written, now)
        if written is None:
            return clock.latest or now
        if written > clock.latest:
            clock.latest = min(written, now)
        return clock.latest

    def _times(self, clock: Clock, written: list[float | None], now: float) -> list[float]:
        """The same for many events, one after the other."""
        times = [time for time in written if time is not None]
        in_order = len(times) == len(written) and times == sorted(times)
        if in_order and times and clock.latest <= times[0] and times[-1] <= now:
            clock.latest = times[-1] if self._every_source else clock.latest
            return times
        return [self._at(clock, time, now) for time in written]

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

    def seconds(self) -> dict[str, float]:
        """How much time each rule's lines have taken while there was a meter, over reloads too."""
        return {watch.rule.name: watch.seconds for watch in self._watches}

    def recogniser(self, rule: str) -> Recogniser | None:
        """What recognises the lines of a rule; None: it does not run."""
        return next((watch.recogniser for watch in self._watches if watch.rule.name == rule), None)

    def take_over(self, older: Engine) -> None:
        """Go on where another engine stopped, as after a reload; the counters are adopted apart."""
        self._repeats, self._is_behind = older._repeats, older._is_behind
        events, seconds = older.events(), older.seconds()
        for watch in self._watches:
            watch.events += events.get(watch.rule.name, 0)
            watch.seconds += seconds.get(watch.rule.name, 0.0)
