"""When the engine is asked what is missing: as soon as something may be, but not before all old lines have been read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from logtrigger.engine import Engine
from logtrigger.loop import Loop, Timer
from logtrigger.model import Trigger

SETTLED = 5.0  # seconds without old lines after which there are none to come
LONGEST = 60.0  # seconds between two looks: somebody may set the clock, and the machine may have slept
STALLED = 2.0  # seconds too late after which we have slept ourselves, and what was written meanwhile is still to be read
_SOON = 0.01  # seconds


class Overdue:
    """Sleeps until something may be missing, and has it told.

    Args:
        engine: gives the engine of the time.
        tell: gets what is missing.
        may_ask: whether sources are being read; where they are not, nothing can be said to be missing.
        clock, monotonic: epoch seconds; seconds that nobody sets.
    """

    def __init__(
        self,
        loop: Loop,
        engine: Callable[[], Engine],
        tell: Callable[[Sequence[Trigger]], None],
        may_ask: Callable[[], bool],
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop, self._engine, self._tell, self._may_ask = loop, engine, tell, may_ask
        self._clock, self._monotonic = clock, monotonic
        self._settled = 0.0  # when all old lines will have been read, monotonic
        self._timer: Timer | None = None
        self.begin()

    def begin(self) -> None:
        """Sources are being read from now on, or again: there may be old lines in them."""
        self._settled = self._monotonic() + SETTLED

    def read(self, *, old: bool) -> None:
        """Lines have been read, old ones perhaps: something else may be what is missing next."""
        if old:
            self.begin()
        self.look_ahead()

    def look_ahead(self) -> None:
        """See to it that we wake in time."""
        due = self._engine().next_due()
        if due is None:
            return
        now = self._monotonic()
        wait = max(min(due - self._clock(), LONGEST), self._settled - now, 0.0) + _SOON
        if self._timer is not None:
            if self._timer.callback is not None and self._timer.due <= now + wait:
                return
            self._timer.cancel()
        self._timer = self._loop.call_later(wait, self._look)

    def _look(self) -> None:
        timer, self._timer = self._timer, None
        try:
            if timer is not None and self._monotonic() - timer.due > STALLED:
                self.begin()
            if self._monotonic() >= self._settled and self._may_ask() and (found := self._engine().due(self._clock())):
                self._tell(found)
        finally:
            self.look_ahead()
