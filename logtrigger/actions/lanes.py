"""A queue for each action, so that one that is slow or dead holds up no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from logtrigger.actions.base import Action, Result
from logtrigger.actions.queue import HEAD, Work
from logtrigger.errors import StoreError
from logtrigger.model import Trigger, Undone

MOST = 100_000  # triggers that may wait for one action; further ones are given up

Find = Callable[[Trigger, str], Action | None]  # trigger, name of the action
Refill = Callable[[str, int, int, Callable[[Sequence[Undone] | StoreError], None]], None]  # name, after seq, limit, receiver
Finished = Callable[[int, Trigger, str, Result], None]  # seq, trigger, name of the action, how it ended


class Lanes:
    """All queues of work, by the name of the action.

    Args:
        find: what is to be started for a trigger.
        refill: asks the table for what one action has still to do.
        finished: is told how each ended.
        parallel: of each action how many may run at once; of others one.
        most: of each action how many triggers may wait for it; of others MOST.
    """

    def __init__(
        self,
        find: Find,
        refill: Refill,
        finished: Finished,
        parallel: Mapping[str, int] | None = None,
        most: Mapping[str, int] | None = None,
    ) -> None:
        self._find, self._refill, self._finished = find, refill, finished
        self._parallel = dict(parallel or {})
        self._most = dict(most or {})
        self._lanes: dict[str, Work] = {}
        self._owed: dict[str, int] = {}  # triggers that wait or run
        self._turned_away: dict[str, int] = {}  # triggers that were not taken, as too many waited
        self._drained: Callable[[], None] | None = None
        self._busy = 0  # lanes in which something runs yet

    @property
    def running(self) -> int:
        """Actions that have been started and not ended."""
        return sum(lane.running for lane in self._lanes.values())

    @property
    def waiting(self) -> int:
        """Actions in memory that have not been started."""
        return sum(lane.waiting for lane in self._lanes.values())

    @property
    def spilled(self) -> bool:
        """Whether there is work that only the table knows."""
        return any(lane.spilled for lane in self._lanes.values())

    @property
    def owed(self) -> Mapping[str, int]:
        """For each action how many triggers wait for it, those that run included."""
        return self._owed

    @property
    def turned_away(self) -> Mapping[str, int]:
        """For each action how many triggers were not taken, as too many waited for it."""
        return self._turned_away

    def running_of(self, name: str) -> int:
        """How many of an action have been started and not ended."""
        return self._lanes[name].running if name in self._lanes else 0

    def most(self, name: str) -> int:
        """How many triggers may wait for an action."""
        return self._most.get(name, MOST)

    def set_limits(self, parallel: Mapping[str, int], most: Mapping[str, int]) -> None:
        """From now on so many of each action may run at once, and so many triggers may wait for it."""
        self._parallel, self._most = dict(parallel), dict(most)
        for name, lane in self._lanes.items():
            lane.parallel = self._parallel.get(name, 1)

    def resume(self, undone: Mapping[str, int], newest: int, rows: Callable[[str, int], Sequence[Undone]]) -> None:
        """At the start: go on with what an earlier run left undone.

        Args:
            undone: how many triggers each action has still to be started for.
            newest: the highest number in use.
            rows: the first undone triggers of an action: name, how many.
        """
        for name, count in undone.items():
            self._owed[name] = count
            self._lane(name).resume(rows(name, HEAD), newest)

    def add(self, seq: int, trigger: Trigger, names: Iterable[str]) -> tuple[str, ...]:
        """Take a new trigger, which is also on its way to the table. Numbers must rise.

        Gives the actions for which too many wait already: for these it is not to be stored as undone.
        """
        full = []
        for name in names:
            if self._owed.get(name, 0) >= self.most(name):
                full.append(name)
                self._turned_away[name] = self._turned_away.get(name, 0) + 1
                continue
            self._owed[name] = self._owed.get(name, 0) + 1
            self._lane(name).add(seq, trigger, (name,))
        return tuple(full)

    def committed(self, seq: int) -> None:
        """All triggers up to this number are in the table now."""
        for lane in self._lanes.values():
            lane.committed(seq)

    def drain(self, drained: Callable[[], None]) -> None:
        """Start nothing more; call `drained` once, when nothing runs any more."""
        self._drained = drained
        self._busy = len(self._lanes)
        for lane in list(self._lanes.values()):
            lane.drain(self._on_drained)
        if not self._lanes:
            drained()

    def _on_drained(self) -> None:
        self._busy -= 1
        if not self._busy and self._drained is not None:
            self._drained()

    def _lane(self, name: str) -> Work:
        if name not in self._lanes:
            made = Work(self._parallel.get(name, 1), self._find, partial(self._refill, name), self._ended)
            if self._drained is not None:
                made.drain(_nothing)
            self._lanes[name] = made
        return self._lanes[name]

    def _ended(self, seq: int, trigger: Trigger, name: str, result: Result) -> None:
        self._owed[name] -= 1
        self._finished(seq, trigger, name, result)


def _nothing() -> None:
    """There is nothing to wait for."""
