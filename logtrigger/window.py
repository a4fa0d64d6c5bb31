"""Counting events per key in windows of time, in bounded memory.

A counter is the sum of the weights of its events of the last `time` seconds, both ends included. Most counters of a flood hold
one event of weight one: those cost a dictionary entry and a number.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import islice

from logtrigger.wallclock import Step

Entry = list[tuple[float, int]]  # the (time, weight) of each event still counted, oldest first
Ones = list[float]  # the times of events of weight 1, oldest first


class _Counter:
    """The events of one key, and the sum of their weights."""

    __slots__ = ("events", "total")

    def __init__(self, events: Entry, total: int) -> None:
        self.events = events
        self.total = total

    @classmethod
    def of(cls, kept: _Counter | Ones) -> _Counter:
        return cls([(at, 1) for at in kept], len(kept)) if isinstance(kept, list) else kept

    def add(self, at: float, weight: int) -> None:
        if self.events and at < self.events[-1][0]:
            insort(self.events, (at, weight))
        else:
            self.events.append((at, weight))
        self.total += weight

    def most_around(self, at: float, time: float) -> int:
        """The highest sum of events that one window of this length can hold together with a moment."""
        near = [(when, weight) for when, weight in self.events if abs(when - at) <= time]
        begins = [when for when, _ in near if when <= at] + [at]
        return max(sum(weight for when, weight in near if begin <= when <= begin + time) for begin in begins)

    def drop_before(self, oldest: float) -> None:
        over = 0
        for at, weight in self.events:
            if at >= oldest:
                break
            self.total -= weight
            over += 1
        if over:
            del self.events[:over]


class Windows:
    """The counters of one rule, or of the rules of one group.

    Args:
        limit: the sum at which a window is full (maxfail).
        time: seconds an event counts; None: for ever.
        most: how many keys are kept. Beyond it the lowest counter goes first, the oldest among equals.
        stored: whether somebody takes what is in `changed`.
    """

    def __init__(self, limit: int, time: float | None, most: int, *, stored: bool = True) -> None:
        self._limit, self._most, self._stored = limit, most, stored
        self._time = math.inf if time is None else time
        self._single: dict[str, float] = {}  # key -> time of its only event, of weight 1; oldest first
        # The others, with nothing but times where all weights are 1; the one that was added to last stands last.
        self._many: dict[str, _Counter | Ones] = {}
        self._lowest: list[tuple[int, float, str]] = []  # a heap of _many by total and age, made when it is needed first
        self._suppressed: dict[str, float] = {}  # key -> time up to which nothing counts; soonest first
        self._oldest: list[tuple[str, float]] = []  # the first of _single, the very first last
        self._next_over = -math.inf  # no counter of _many is over before
        self.evicted = 0  # counters given up to keep the memory bounded
        self.changed: dict[str, None] = {}  # keys whose state differs from what was last taken from here
        self._in_store: set[str] = set()  # keys of which a state was taken or restored: when they are gone, that is to be told

    def __len__(self) -> int:
        return len(self._single) + len(self._many)

    def add(self, key: str, at: float, weight: int = 1, *, suppress: float = 0.0) -> tuple[int, bool]:
        """Count an event of this weight that happened at `at`.

        Returns the sum it brings the counter to, and whether that fills the window. A full window is empty afterwards, and
        stays so for `suppress` seconds: what happens then is not counted, and the sum is 0.
        """
        if self._suppressed and self._is_suppressed(key, at):
            return 0, False
        if not weight:
            return self._sum(key, at), False
        counter = self._take(key, at)
        if counter is None:
            total = weight
        elif counter.events[-1][0] <= at:
            total = counter.total + weight
        else:  # an old line, read after newer ones
            total = weight + counter.most_around(at, self._time)
        if total >= self._limit:
            if suppress:
                self._suppress(key, at, at + suppress)
                self._note(key)
            elif counter is not None or key in self._in_store:
                self._note_gone(key)
            return total, True
        if counter is None and weight == 1:
            self._single[key] = at
        else:
            counter = counter or _Counter([], 0)
            counter.add(at, weight)
            self._put(key, counter)
        if self._stored:
            self.changed[key] = None
        if len(self._single) + len(self._many) > self._most:
            self._evict(at)
        return total, False

    def add_all(
        self, keys: Sequence[str], times: Sequence[float], weight: int = 1, *, suppress: float = 0.0
    ) -> list[tuple[int, int]]:
        """As `add` for one event after the other, and quicker; gives the index and the sum of each that fills the window."""
        if self._suppressed or self._limit < 2 or weight != 1 or suppress:
            sums = [self.add(key, at, weight, suppress=suppress) for key, at in zip(keys, times, strict=True)]
            return [(index, total) for index, (total, filled) in enumerate(sums) if filled]
        single, many, time, limit, most = self._single, self._many, self._time, self._limit, self._most
        full: list[tuple[int, int]] = []
        room = most - len(self)  # for at least so many more keys
        last = limit - 1  # events in a counter that the next one fills
        usual = not self._lowest  # what is not an everyday matter is left to `add`
        evicting = False
        for index, (key, at) in enumerate(zip(keys, times, strict=True)):
            before = single.pop(key, None)
            if before is None:
                seen = many.pop(key, None)
                if seen is None:
                    single[key] = at
                    room -= 1
                    if room < 0:
                        if len(self) > most:
                            evicting = True
                            self._evict(at)
                            usual = not self._lowest
                        room = most - len(self)
                    continue
                if type(seen) is list and seen[-1] <= at <= seen[0] + time and usual:
                    if len(seen) >= last:
                        full.append((index, len(seen) + 1))
                    else:
                        seen.append(at)
                        many[key] = seen
                    continue
                many[key] = seen
            elif before <= at and last > 1 and usual:
                if at - before <= time:
                    many[key] = [before, at]
                else:
                    single[key] = at
                continue
            else:
                single[key] = before
            total, filled = self.add(key, at)
            usual = not self._lowest
            if filled:
                full.append((index, total))
        if self._stored:
            if not full and not evicting:
                self.changed.update(dict.fromkeys(keys))
            else:
                for key in keys:
                    self._note(key) if key in single or key in many else self._note_gone(key)
        return full

    def take_changed(self) -> list[tuple[str, Entry, float]]:
        """The changed keys, each with its `state`, to be stored now; where both parts are empty, to be forgotten."""
        taken = []
        for key in self.changed:
            entry, suppressed = self.state(key)
            if entry or suppressed:
                self._in_store.add(key)
            elif key in self._in_store:
                self._in_store.remove(key)
            else:
                continue
            taken.append((key, entry, suppressed))
        self.changed = {}
        return taken

    def reset(self, key: str) -> None:
        """Empty the counter of this key."""
        if self._remove(key):
            self._note_gone(key)

    def state(self, key: str) -> tuple[Entry, float]:
        """The counter of a key and until when it is suppressed (0.0: it is not), to be stored; both empty: forget it."""
        single = self._single.get(key)
        events = [(single, 1)] if single is not None else list(_Counter.of(self._many[key]).events) if key in self._many else []
        return events, self._suppressed.get(key, 0.0)

    def restore(self, key: str, entry: Entry, suppressed: float) -> None:
        """Put back what `state` gave."""
        self._in_store.add(key)
        if entry:
            self._put(key, _Counter(sorted(entry), sum(weight for _, weight in entry)))
        if suppressed:
            self._suppressed[key] = suppressed

    def keys(self) -> Iterable[str]:
        """Every key with a state."""
        return dict.fromkeys([*self._single, *self._many, *self._suppressed])

    def expire(self, at: float) -> None:
        """Forget the counters whose events are all too old, and the suppressions that are over."""
        self._forget(self._suppressed, _first_while(self._suppressed.items(), lambda until: until <= at))
        oldest = at - self._time
        self._forget(self._single, _first_while(self._single.items(), lambda event: event < oldest))
        for key in _first_while(((key, _last(kept)) for key, kept in self._many.items()), lambda event: event < oldest):
            self.reset(key)

    def shift(self, step: Step) -> None:
        """Somebody has set the clock: the times noted by it go along. One that was far ahead leaves nothing for years."""
        self._suppressed = {key: step.end_carried(until) for key, until in self._suppressed.items()}
        self._shift_events(step)
        if self._stored:
            self.changed.update(dict.fromkeys(self.keys()))

    def _shift_events(self, step: Step) -> None:
        self._single = {key: step.carried(at) for key, at in self._single.items()}
        for key, kept in self._many.items():
            events = sorted((step.carried(at), weight) for at, weight in _Counter.of(kept).events)
            self._many[key] = [at for at, _ in events] if isinstance(kept, list) else _Counter(events, kept.total)
        self._lowest, self._oldest, self._next_over = [], [], -math.inf

    def _forget(self, table: dict[str, float], keys: Iterable[str]) -> None:
        for key in keys:
            del table[key]
            self._note_gone(key)

    def _suppress(self, key: str, at: float, until: float) -> None:
        self._suppressed.pop(key, None)
        self._suppressed[key] = until
        if len(self._suppressed) > self._most:
            self.expire(at)
            surplus = max(0, len(self._suppressed) - self._most)
            self._forget(self._suppressed, list(islice(self._suppressed, surplus)))

    def _is_suppressed(self, key: str, at: float) -> bool:
        until = self._suppressed.get(key)
        if until is not None and at >= until:
            self._forget(self._suppressed, [key])
            return False
        return until is not None

    def _note(self, key: str) -> None:
        if self._stored:
            self.changed[key] = None

    def _note_gone(self, key: str) -> None:
        """A part of a key's state is gone. What was never stored need not be told: in a flood that would fill the memory."""
        if key in self._in_store or any(self.state(key)):
            self._note(key)
        else:
            self.changed.pop(key, None)

    def _sum(self, key: str, at: float) -> int:
        """What still counts."""
        events, _ = self.state(key)
        return _Counter(events, 0).most_around(at, self._time)

    def _take(self, key: str, at: float) -> _Counter | None:
        """Remove the counter of a key and return it with what still counts; None: nothing does."""
        single = self._single.pop(key, None)
        if single is not None:
            return _Counter([(single, 1)], 1) if at - single <= self._time else None
        kept = self._many.pop(key, None)
        if kept is None:
            return None
        counter = _Counter.of(kept)
        counter.drop_before(at - self._time)
        return counter if counter.events else None

    def _put(self, key: str, counter: _Counter) -> None:
        if counter.total == 1 and len(counter.events) == 1:
            self._single[key] = counter.events[0][0]
            return
        self._many[key] = [at for at, _ in counter.events] if counter.total == len(counter.events) else counter
        if len(self._lowest) > 4 * self._most:
            self._lowest = []  # mostly of counters that have changed since
        if self._lowest:
            heappush(self._lowest, _rank(key, self._many[key]))

    def _remove(self, key: str) -> bool:
        return self._single.pop(key, None) is not None or self._many.pop(key, None) is not None

    def _evict(self, at: float) -> None:
        """Make room: what is over goes first, then the oldest of one event, then the lowest."""
        if self._over_before(at):
            self.expire(at)
        while len(self) > self._most:
            self.reset(self._oldest_single() if self._single else self._lowest_of_many())
            self.evicted += 1

    def _over_before(self, at: float) -> bool:
        """Whether a counter of several events may be over: looked up again only after one could have become so."""
        if at < self._next_over:
            return False
        oldest = next(map(_last, self._many.values()), at)
        self._next_over = oldest + self._time
        return at > self._next_over

    def _oldest_single(self) -> str:
        """A dictionary finds its first entry slowly once many before it are gone: its first ones are noted in advance."""
        while True:
            if not self._oldest:
                self._oldest = list(islice(self._single.items(), 4096))[::-1]
            key, at = self._oldest.pop()
            if self._single.get(key) == at:
                return key

    def _lowest_of_many(self) -> str:
        while True:
            if not self._lowest:
                self._lowest = [_rank(key, kept) for key, kept in self._many.items()]
                heapify(self._lowest)
            rank = heappop(self._lowest)
            kept = self._many.get(rank[2])
            if kept and _rank(rank[2], kept) == rank:  # else it has changed since, and stands in the heap again
                return rank[2]


def _last(kept: _Counter | Ones) -> float:
    return kept[-1] if isinstance(kept, list) else kept.events[-1][0]


def _rank(key: str, kept: _Counter | Ones) -> tuple[int, float, str]:
    return len(kept) if isinstance(kept, list) else kept.total, _last(kept), key


def _first_while(items: Iterable[tuple[str, float]], over: Callable[[float], bool]) -> list[str]:
    """The keys at the beginning of a table ordered by time that `over` holds for."""
    keys = []
    for key, value in items:
        if not over(value):
            break
        keys.append(key)
    return keys
