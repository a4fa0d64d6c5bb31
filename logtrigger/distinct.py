"""Counting the different values that a key was seen with, in windows of time and bounded memory.

A counter is the number of values whose last event is not older than `time`. Of a value nothing is kept but a digest of 64 bits.
"""

from __future__ import annotations

from array import array
from heapq import heapify, heappop, heappush

from logtrigger.digests import blake2b
from logtrigger.wallclock import Step
from logtrigger.window import Entry, Windows

MOST_VALUES = 1_000  # maxfail of a rule that counts values: looking one up takes as many steps
_SPARE = 2  # times maxfail: what a counter holds at most, where old lines are read after newer ones


def digest(value: bytes) -> int:
    """What stands for a value: the same in every run, so that counters can be stored."""
    return int.from_bytes(blake2b(value, digest_size=8).digest())


class _Values:
    """The values of one key, each with the time of its last event; in the order of these times."""

    __slots__ = ("digests", "times")

    def __init__(self) -> None:
        self.digests = array("Q")
        self.times = array("d")

    def put(self, value: int, at: float) -> None:
        if value in self.digests:
            index = self.digests.index(value)
            at = max(at, self.times[index])
            del self.digests[index], self.times[index]
        index = len(self.times)
        while index and self.times[index - 1] > at:
            index -= 1
        self.digests.insert(index, value)
        self.times.insert(index, at)

    def drop_before(self, oldest: float) -> None:
        over = 0
        while over < len(self.times) and self.times[over] < oldest:
            over += 1
        self.drop(over)

    def drop(self, oldest: int) -> None:
        if oldest > 0:
            del self.digests[:oldest], self.times[:oldest]

    def most_around(self, at: float, time: float) -> int:
        """The highest number of values that one window of this length can hold together with a moment."""
        near = [when for when in self.times if abs(when - at) <= time]
        begins = [when for when in near if when <= at] or [at]
        return max(sum(begin <= when <= begin + time for when in near) for begin in begins)


class DistinctWindows(Windows):
    """The counters of one rule, or of the rules of one group, that count values.

    The sums of `Windows` are numbers of values here, and its `Entry` lists of (time, digest). `see` takes the place of `add`.
    """

    def __init__(self, limit: int, time: float | None, most: int, *, stored: bool = True) -> None:
        super().__init__(limit, time, most, stored=stored)
        self._values: dict[str, _Values] = {}  # the one that was added to last stands last
        self._ranks: list[tuple[int, float, str]] = []  # a heap of them by number and age, made when it is needed first

    def __len__(self) -> int:
        return len(self._values)

    def see(self, key: str, value: bytes, at: float, *, suppress: float = 0.0) -> tuple[int, bool]:
        """Note a value of this key that was seen at `at`; an empty one is none, and counts nothing.

        Returns the number of different values it brings the counter to, and whether that fills the window. A full window is
        empty afterwards, and stays so for `suppress` seconds, as in `Windows.add`.
        """
        if self._suppressed and self._is_suppressed(key, at):
            return 0, False
        known = self._values.pop(key, None)
        values = known or _Values()
        values.drop_before(at - self._time)
        if value:
            values.put(digest(value), at)
        if value or known is not None:
            self._note(key)
        total = len(values.times) if not values.times or values.times[-1] <= at else values.most_around(at, self._time)
        if total >= self._limit:
            if suppress:
                self._suppress(key, at, at + suppress)
            else:
                self._note_gone(key)
            return total, True
        if values.times:
            values.drop(len(values.times) - _SPARE * self._limit)
            self._keep(key, values)
            if len(self._values) > self._most:
                self._give_up(at)
        return total, False

    def state(self, key: str) -> tuple[Entry, float]:
        values = self._values.get(key)
        events = list(zip(values.times, values.digests, strict=True)) if values is not None else []
        return events, self._suppressed.get(key, 0.0)

    def restore(self, key: str, entry: Entry, suppressed: float) -> None:
        self._in_store.add(key)
        if entry:
            values = _Values()
            for at, value in entry:
                values.put(value, at)
            self._keep(key, values)
        if suppressed:
            self._suppressed[key] = suppressed

    def keys(self) -> dict[str, None]:
        return dict.fromkeys([*self._values, *self._suppressed])

    def expire(self, at: float) -> None:
        self._forget(self._suppressed, [key for key, until in self._suppressed.items() if until <= at])
        oldest, over = at - self._time, []
        for key, values in self._values.items():
            if values.times[-1] >= oldest:
                break
            over.append(key)
        for key in over:
            self.reset(key)

    def _shift_events(self, step: Step) -> None:
        for values in self._values.values():
            noted = list(zip(values.times, values.digests, strict=True))
            values.drop(len(noted))
            for at, value in noted:
                values.put(value, step.carried(at))
        self._ranks = []

    def _remove(self, key: str) -> bool:
        return self._values.pop(key, None) is not None

    def _keep(self, key: str, values: _Values) -> None:
        self._values[key] = values
        if len(self._ranks) > 4 * self._most:
            self._ranks = []  # mostly of counters that have changed since
        if self._ranks:
            heappush(self._ranks, _rank(key, values))

    def _give_up(self, at: float) -> None:
        """Make room: what is over goes first, then the lowest counter, the oldest among equals."""
        oldest = next(iter(self._values.values()))
        if oldest.times[-1] < at - self._time:
            self.expire(at)
        while len(self._values) > self._most:
            if not self._ranks:
                self._ranks = [_rank(key, values) for key, values in self._values.items()]
                heapify(self._ranks)
            rank = heappop(self._ranks)
            values = self._values.get(rank[2])
            if values is not None and _rank(rank[2], values) == rank:  # else it has changed since, and stands there again
                self.reset(rank[2])
                self.evicted += 1


def _rank(key: str, values: _Values) -> tuple[int, float, str]:
    return len(values.times), values.times[-1], key
