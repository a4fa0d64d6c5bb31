"""The wall clock, and what becomes of the times noted by it when somebody sets it.

A router without a clock of its own starts in the past, and is told the time a minute later: nobody has been missing for all
those years then. So a step of the clock is taken for no time at all, as the seconds since the boot tell, which nobody sets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

STEP = 2.0  # seconds by which two clocks may differ from each other's pace and nobody has set one
MOST = 100  # steps that are remembered
FLOOR = 1_577_836_800.0  # 2020: what is noted as earlier was noted by a clock that nobody had set


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody has set the clock.

    >>> Step(booted=0.0, until=30.0, by=1e9).shifted(20.0)
    1000000020.0
    """

    booted: float  # when the machine was started, by the clock as it was
    until: float  # the last moment of the clock as it was
    by: float  # seconds that it was set forward, or back where negative

    def shifted(self, at: float) -> float:
        """What a time noted since the boot comes to. One from before stays, unless no clock was right then: it is now."""
        now = self.until + self.by
        return now if at < FLOOR <= now and not self.booted <= at <= self.until else self.carried(at)

    def carried(self, at: float) -> float:
        """The same for what counts: from before the boot it never counts as new."""
        return at + self.by if self.booted <= at <= self.until else at

    def end_carried(self, until: float) -> float:
        """The same for the end of something, which may be still to come. After a step forward it may be over too soon."""
        return until + self.by if self.by < 0 and until >= self.booted else until


class WallClock:
    """Epoch seconds, when called. May be asked by any thread.

    Args:
        wall: epoch seconds.
        uptime: seconds since the boot, which nobody sets, those included in which the machine slept.
    """

    def __init__(self, wall: Callable[[], float], uptime: Callable[[], float]) -> None:
        self._wall, self._uptime = wall, uptime
        self._lock = threading.Lock()
        self._booted = wall() - uptime()
        self._steps: list[Step] = []
        self.number = 0  # of steps since the start

    def __call__(self) -> float:
        with self._lock:
            up, now = self._uptime(), self._wall()
            by = now - up - self._booted
            if abs(by) > STEP:
                self._steps = [*self._steps, Step(self._booted, self._booted + up, by)][-MOST:]
                self._booted += by
                self.number += 1
        return now

    def since(self, number: int) -> list[Step]:
        """The steps after so many, in order."""
        with self._lock:
            return self._steps[-(self.number - number) :] if self.number > number else []

    def present(self, at: float) -> float:
        """What a time noted earlier in this boot comes to by the clock as it is now.

        Steps back are left out: a time from before one may be a time from after it, too.
        """
        for step in self._steps:
            if step.by > 0:
                at = step.shifted(at)
        return self._booted if at < FLOOR <= self._booted else at
