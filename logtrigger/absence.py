"""Noticing that events stay away: when each key was seen last, and which are known to be missing already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from math import inf

from logtrigger.wallclock import FLOOR, Step
from logtrigger.window import Entry, Windows

LONGEST_LINE = 2_048  # bytes of a last line that is kept
LINES = 1_000  # keys whose last line is kept, those seen last
AT_ONCE = 1_000  # keys that are found missing at once, at most


@dataclass(frozen=True, slots=True)
class Missing:
    """A key that has not been seen for too long."""

    key: str
    seen: float  # its last event, or where there was none since when it is waited for; epoch seconds
    ever: bool  # whether there was one
    line: bytes | None  # that event's, if it is kept


class Absences(Windows):
    """When the keys of one rule were seen last.

    Its `Entry` holds that one time, of weight 0 where there was no event yet; `suppressed` is since when the key is missing.

    Args:
        wait: seconds without an event after which a key is missing.
        forget: seconds after its last event after which a missing key is no longer waited for.
        most: how many keys are kept. Beyond it one that is missing goes first; then new ones are not taken, so that
            a flood of invented keys cannot hide the absence of a real one.
        alone: there is one key only, which is never forgotten.
        stored: whether somebody takes what is in `changed`.
    """

    def __init__(self, wait: float, forget: float, most: int, *, alone: bool = False, stored: bool = True) -> None:
        super().__init__(1, None, most, stored=stored)
        self._wait, self._forget_after = wait, inf if alone else forget
        self._alone = alone
        self._seen: dict[str, float] = {}
        self._unseen: set[str] = set()  # waited for, without an event yet
        self._missing: dict[str, float] = {}  # key -> since when; the longest first
        self._next: list[tuple[float, str]] = []  # a heap; for each key that is not missing a time no later than its last event
        self._lines: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def begin(self, at: float) -> None:
        """Wait from now on, where there is one key only and nothing is known of it, or nobody knows since when."""
        for key in [key for key, seen in self._seen.items() if seen < FLOOR <= at]:
            self._seen[key] = at
            self._missing.pop(key, None)
            self._wait_for(key, at)
            self._note(key)
        if self._alone and not self._seen:
            self._unseen.add("")
            self._wait_for("", at)
            self._note("")

    def see(self, key: str, line: bytes, at: float, *, old: bool = False) -> bool:
        """Note an event; whether its key was missing. `old`: it may be read after later ones, and then tells nothing new."""
        before = self._seen.get(key)
        if before is not None and old and at <= before and key not in self._unseen:
            return False
        if before is None and len(self._seen) >= self._most and not self._made_room():
            self.evicted += 1
            return False
        is_back = self._missing.pop(key, None) is not None
        self._unseen.discard(key)
        if before is None or is_back or at < before:
            self._wait_for(key, at)
        else:
            self._seen[key] = at
        self._keep(key, line)
        self._note(key)
        return is_back

    def next_due(self) -> float | None:
        """The last moment at which no further key is missing; None: there is none to wait for."""
        while self._next:
            at, key = self._next[0]
            seen = self._seen.get(key)
            if seen is None or key in self._missing:
                heappop(self._next)
            elif seen != at:
                heapreplace(self._next, (seen, key))
            else:
                return at + self._wait
        return None

    def missing(self, now: float, most: int = AT_ONCE) -> list[Missing]:
        """The keys that have been missing since before `now` and were not given here yet, the longest first."""
        found: list[Missing] = []
        while len(found) < most and (due := self.next_due()) is not None and due < now:
            seen, key = heappop(self._next)
            self._missing[key] = due
            self._note(key)
            found.append(Missing(key, seen, key not in self._unseen, self._lines.pop(key, None)))
        return found

    def state(self, key: str) -> tuple[Entry, float]:
        if key not in self._seen:
            return [], 0.0
        return [(self._seen[key], int(key not in self._unseen))], self._missing.get(key, 0.0)

    def restore(self, key: str, entry: Entry, suppressed: float) -> None:
        self._in_store.add(key)
        for at, weight in entry[-1:]:
            self._wait_for(key, at)
            if not weight:
                self._unseen.add(key)
            if suppressed:
                self._missing[key] = suppressed

    def keys(self) -> Iterable[str]:
        return dict.fromkeys(self._seen)

    def shift(self, step: Step) -> None:
        """Somebody has set the clock: the times noted by it go along."""
        for key, at in self._seen.items():
            if (after := step.shifted(at)) != at:
                self._seen[key] = after
                if key in self._missing:
                    self._missing[key] = step.shifted(self._missing[key])
                self._note(key)
        self._make_heap()

    def expire(self, at: float) -> None:
        """Wait no longer for what has been missing for very long."""
        for key in [key for key in self._missing if self._seen[key] < at - self._forget_after]:
            self.reset(key)

    def _remove(self, key: str) -> bool:
        self._missing.pop(key, None)
        self._unseen.discard(key)
        self._lines.pop(key, None)
        return self._seen.pop(key, None) is not None

    def _made_room(self) -> bool:
        """Give up a key that is missing, and was said to be; False: there is none."""
        longest = next(iter(self._missing), None)
        if longest is None:
            return False
        self.reset(longest)
        self.evicted += 1
        return True

    def _wait_for(self, key: str, at: float) -> None:
        self._seen[key] = at
        if len(self._next) > 2 * len(self._seen) + AT_ONCE:
            self._make_heap()
        else:
            heappush(self._next, (at, key))

    def _make_heap(self) -> None:
        self._next = [(seen, key) for key, seen in self._seen.items() if key not in self._missing]
        heapify(self._next)

    def _keep(self, key: str, line: bytes) -> None:
        self._lines.pop(key, None)
        if len(line) <= LONGEST_LINE:
            self._lines[key] = line
            if len(self._lines) > LINES:
                del self._lines[next(iter(self._lines))]
