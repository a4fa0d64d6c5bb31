"""Counting events per key in windows of time, in bounded memory.

A counter is the sum of the weights of its events of the last `time` seconds, both ends included. Most counters of a flood hold
one event of weight one: those cost a dictionary entry and a number.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from itertools import islice

Entry = list[tuple[float, int]]  # the (time, weight) of each event still counted, oldest first


class _Counter:
    """The events of one key, and the sum of their weights."""

    __slots__ = ("events", "total")

    def __init__(self, events: Entry) -> None:
        self.events = events
        self.total = sum(weight for _, weight in events)

    def add(self, at: float, weight: int) -> None:
        if self.events and at < self.events[-1][0]:
            insort(self.events, (at, weight))
        else:
            self.events.append((at, weight))
        self.total += weight

    def drop_before(self, oldest: float) -> None:
        over = 0
        for at, weight in self.events:
            if at >= oldest:
                break
            self.total -= weight
            over += 1
        del self.events[:over]


class Windows:
    """The counters of one rule, or of the rules of one group.

    Args:
        limit: the sum at which a window is full (maxfail).
        time: seconds an event counts; None: for ever.
        most: how many keys are kept. Beyond it the lowest counter goes first, the oldest among equals.
    """

    def __init__(self, limit: int, time: float | None, most: int) -> None:
        self._limit, self._time, self._most = limit, time, most
        self._single: dict[str, float] = {}  # key -> time of its only event, of weight 1; oldest first
        self._many: dict[str, _Counter] = {}  # the others; the one that was added to last stands last
        self._lowest: list[tuple[int, float, str]] = []  # a heap of _many by total and age, made when it is needed first
        self._suppressed: dict[str, float] = {}  # key -> time up to which nothing counts; soonest first
        self.evicted = 0  # counters given up to keep the memory bounded
        self.changed: dict[str, None] = {}  # keys whose state differs from what was last taken from here

    def __len__(self) -> int:
        return len(self._single) + len(self._many)

    def add(self, key: str, at: float, weight: int = 1, *, suppress: float = 0.0) -> tuple[int, bool]:
        """Count an event of this weight that happened at `at`.

        Returns the sum it brings the counter to, and whether that fills the window. A full window is empty afterwards, and
        stays so for `suppress` seconds: what happens then is not counted, and the sum is 0.
        """
        if self._suppressed and self._is_suppressed(key, at):
            return 0, False
        if self._limit <= weight and not suppress and not self:
            return weight, True
        if not weight:
            return self._sum(key, at), False
        counter = self._take(key, at)
        total = (counter.total if counter else 0) + weight
        if total >= self._limit:
            if counter or suppress:
                self.changed[key] = None
            if suppress:
                self._suppress(key, at, at + suppress)
            return total, True
        counter = counter or _Counter([])
        counter.add(at, weight)
        self._put(key, counter)
        self.changed[key] = None
        if len(self) > self._most:
            self._evict(at)
        return total, False

    def reset(self, key: str) -> None:
        """Empty the counter of this key."""
        if self._remove(key):
            self.changed[key] = None

    def state(self, key: str) -> tuple[Entry, float]:
        """The counter of a key and until when it is suppressed (0.0: it is not), to be stored; both empty: forget it."""
        single = self._single.get(key)
        events = [(single, 1)] if single is not None else list(self._many[key].events) if key in self._many else []
        return events, self._suppressed.get(key, 0.0)

    def restore(self, key: str, entry: Entry, suppressed: float) -> None:
        """Put back what `state` gave."""
        if entry:
            self._put(key, _Counter(sorted(entry)))
        if suppressed:
            self._suppressed[key] = suppressed

    def keys(self) -> Iterable[str]:
        """Every key with a state."""
        return dict.fromkeys([*self._single, *self._many, *self._suppressed])

    def expire(self, at: float) -> None:
        """Forget the counters whose events are all too old, and the suppressions that are over."""
        self._forget(self._suppressed, _first_while(self._suppressed.items(), lambda until: until <= at))
        if self._time is None:
            return
        oldest = at - self._time
        self._forget(self._single, _first_while(self._single.items(), lambda event: event < oldest))
        for key in _first_while(((k, c.events[-1][0]) for k, c in self._many.items()), lambda event: event < oldest):
            self.reset(key)

    def _forget(self, table: dict[str, float], keys: Iterable[str]) -> None:
        for key in keys:
            del table[key]
            self.changed[key] = None

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

    def _sum(self, key: str, at: float) -> int:
        """What still counts."""
        oldest = float("-inf") if self._time is None else at - self._time
        return sum(weight for time, weight in self.state(key)[0] if time >= oldest)

    def _take(self, key: str, at: float) -> _Counter | None:
        """Remove the counter of a key and return it with what still counts; None: nothing does."""
        counter = self._remove(key)
        if counter and self._time is not None:
            counter.drop_before(at - self._time)
        return counter if counter and counter.events else None

    def _put(self, key: str, counter: _Counter) -> None:
        if counter.total == 1 and len(counter.events) == 1:
            self._single[key] = counter.events[0][0]
            return
        self._many[key] = counter
        if self._lowest:
            heappush(self._lowest, _rank(key, counter))
            if len(self._lowest) > 2 * self._most:
                self._lowest = []  # most of it is out of date; made anew when it is needed next

    def _remove(self, key: str) -> _Counter | None:
        single = self._single.pop(key, None)
        return self._many.pop(key, None) if single is None else _Counter([(single, 1)])

    def _evict(self, at: float) -> None:
        self.expire(at)
        while len(self) > self._most:
            self.reset(next(iter(self._single)) if self._single else self._lowest_of_many())
            self.evicted += 1

    def _lowest_of_many(self) -> str:
        while True:
            if not self._lowest:
                self._lowest = [_rank(key, counter) for key, counter in self._many.items()]
                heapify(self._lowest)
            rank = heappop(self._lowest)
            counter = self._many.get(rank[2])
            if counter and _rank(rank[2], counter) == rank:  # else it has changed since, and stands in the heap again
                return rank[2]


def _rank(key: str, counter: _Counter) -> tuple[int, float, str]:
    return counter.total, counter.events[-1][0], key


def _first_while(items: Iterable[tuple[str, float]], over: Callable[[float], bool]) -> list[str]:
    """The keys at the beginning of a table ordered by time that `over` holds for."""
    keys = []
    for key, value in items:
        if not over(value):
            break
        keys.append(key)
    return keys
