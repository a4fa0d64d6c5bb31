"""The queue of work. All of it is in the store's trigger table; memory holds its head."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from logtrigger.actions.base import Action, Result
from logtrigger.errors import StoreError
from logtrigger.model import Trigger, Undone

HEAD = 1_000  # triggers

Find = Callable[[Trigger, str], Action | None]  # trigger, name of the action
Refill = Callable[[int, int, Callable[[Sequence[Undone] | StoreError], None]], None]  # after seq, limit, receiver
Finished = Callable[[int, Trigger, str, Result], None]  # seq, trigger, name of the action, how it ended


class Work:
    """Starts each trigger's actions once, in the order of the triggers, at most `parallel` at a time.

    A trigger is either taken (waiting in the head, running or done: seq up to `_last`) or spilled (in the table only:
    from there to `_newest`). As long as one is spilled, new ones are too, which keeps the order. Spilled ones are asked
    for when the head is half empty, and once they are committed.
    """

    def __init__(self, parallel: int, find: Find, refill: Refill, finished: Finished, head: int = HEAD) -> None:
        self.parallel = parallel
        self._find = find
        self._refill = refill
        self._finished = finished
        self._most = head
        self._head: deque[tuple[int, Trigger, str]] = deque()
        self._running = 0
        self._last = self._newest = self._committed = 0
        self._refilling = self._pumping = False
        self._drained: Callable[[], None] | None = None

    @property
    def running(self) -> int:
        """Actions that have been started and not ended."""
        return self._running

    @property
    def waiting(self) -> int:
        """Actions in memory that have not been started."""
        return len(self._head)

    @property
    def spilled(self) -> bool:
        """Whether there is work that only the table knows."""
        return self._last < self._newest

    def resume(self, rows: Sequence[Undone], newest: int) -> None:
        """At the start: go on with what an earlier run left undone.

        Args:
            rows: the first `head` undone triggers of the table, in order.
            newest: the highest number in use.
        """
        self._newest = self._committed = newest
        self._loaded(newest, self._most, rows)

    def add(self, seq: int, trigger: Trigger, names: Sequence[str]) -> None:
        """Take a new trigger, which is also on its way to the table. Numbers must rise."""
        spill = self.spilled or len(self._head) >= self._most
        self._newest = seq
        if not spill:
            self._take(seq, trigger, names)
            self._pump()

    def committed(self, seq: int) -> None:
        """All triggers up to this number are in the table now. Also the moment to ask again where a refill failed."""
        self._committed = max(self._committed, seq)
        self._ask()

    def drain(self, drained: Callable[[], None]) -> None:
        """Start nothing more; call `drained` when nothing runs any more. What waits stays undone in the table."""
        self._drained = drained
        if not self._running:
            drained()

    def _take(self, seq: int, trigger: Trigger, names: Sequence[str]) -> None:
        self._last = seq
        self._head.extend((seq, trigger, name) for name in names)

    def _pump(self) -> None:
        """Start what can be. An action may end while it is being started: the loop here goes on with the next then."""
        if self._pumping:
            return
        self._pumping, running = True, self._running
        try:
            while self._head and self._running < self.parallel and self._drained is None:
                running = self._running
                self._start(*self._head.popleft())
        except BaseException:
            self._running = running  # it stays undone in the table; those behind it are not to wait for it
            raise
        finally:
            self._pumping = False
        self._ask()

    def _start(self, seq: int, trigger: Trigger, name: str) -> None:
        action = self._find(trigger, name)
        self._running += 1
        if action is None:
            self._ended(seq, trigger, name, Result(False, "not configured any more", begun=False))
        else:
            action.start(trigger, partial(self._ended, seq, trigger.bare(), name))

    def _ended(self, seq: int, trigger: Trigger, name: str, result: Result | None) -> None:
        self._running -= 1
        if result is not None:
            self._finished(seq, trigger, name, result)
        if self._drained is None:
            self._pump()
        elif not self._running:
            self._drained()

    def _ask(self) -> None:
        """Load spilled triggers, if there are any in the table and there is room."""
        wanted = self._most - len(self._head)
        ready = self._last < self._committed and wanted >= (self._most + 1) // 2
        if self.spilled and ready and not self._refilling and self._drained is None:
            self._refilling = True
            self._refill(self._last, wanted, partial(self._loaded, self._committed, wanted))

    def _loaded(self, upto: int, limit: int, rows: Sequence[Undone] | StoreError) -> None:
        """Fewer rows than asked for: there is nothing undone up to what was committed when they were asked for."""
        self._refilling = False
        if isinstance(rows, StoreError):
            return
        for row in rows:
            self._take(*row)
        if len(rows) < limit:
            self._last = max(self._last, upto)
        self._pump()
