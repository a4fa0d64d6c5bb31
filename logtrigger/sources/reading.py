"""Reading many files in turns: a little of each, earlier generations before later ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from logtrigger.loop import Loop
from logtrigger.sources.tail import Tail


class Reading:
    """Calls read(tail) for each queued file, one in each turn of the loop, but none before those it waits for."""

    def __init__(self, loop: Loop, read: Callable[[Tail], None]) -> None:
        self._loop = loop
        self._read = read
        self._ready: deque[Tail] = deque()
        self._turning = False
        self.paused = False

    def queue(self, tail: Tail) -> None:
        """Read this file when its turn comes."""
        if not tail.queued and tail.content is not None:
            tail.queued = True
            self._ready.append(tail)
        self._schedule()

    def read_first(self, old: Tail, new: Tail) -> None:
        """Read old to its end before new; what new waited for already comes before both."""
        if old.content is None or old.waits_for(new):
            return
        if old.after is None and new.after is not None and not new.after.waits_for(old):
            old.after = new.after
        old.at_end = False
        new.after = old
        self.queue(old)

    def resume(self) -> None:
        """Go on after `paused`."""
        self.paused = False
        self._schedule()

    def clear(self) -> None:
        """Read none of them."""
        self._ready.clear()

    def _schedule(self) -> None:
        if self._ready and not self.paused and not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turning = False
        if self.paused or not self._ready:
            return
        tail = self._ready.popleft()
        tail.queued = False
        if tail.after is not None and not tail.after.at_end:
            self.queue(tail.after)
            self.queue(tail)
        elif tail.content is not None:
            tail.after = None
            self._read(tail)
        self._schedule()
