"""When it is looked for what is missing: in time, never while old lines come, and at least once a minute."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from logtrigger.loop import Loop, Timer
from logtrigger.model import Trigger
from logtrigger.overdue import LONGEST, SETTLED, Overdue
from tests.script import NOW, Script, rule


class Bench:
    """An engine that waits for a backup, a clock that is set by hand, and the one timer."""

    def __init__(self, absent: float) -> None:
        self.script = Script(rule("backup of %s done", "machine", name="Backup", absent=absent, key=("machine",)))
        self.now = 0.0  # seconds since the start
        self.set = 0.0  # by which somebody has set the clock
        self.reads = True
        self.told: list[Trigger] = []
        self.timer: Timer | None = None
        self.overdue = Overdue(
            self,  # type: ignore[arg-type]  # as much of a loop as is used
            lambda: self.script.engine,
            self.told.extend,
            lambda: self.reads,
            lambda: NOW + self.now + self.set,
            lambda: self.now,
        )

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        self.timer = Timer(self.now + seconds, callback)
        return self.timer

    def backup(self, machine: str, *, old: bool = False) -> None:
        self.script.feed(f"backup of {machine} done", at=self.now + self.set, old=old)
        self.overdue.read(old=old)

    def sleep(self, until: float) -> list[float]:
        """The moments at which it woke up."""
        moments = []
        while (timer := self.timer) is not None and timer.due <= until:
            self.timer, self.now = None, timer.due
            moments.append(self.now)
            if timer.callback is not None:
                timer.callback()
        self.now = until
        return moments

    @property
    def names(self) -> list[str]:
        return [f"{trigger.key[0]} {trigger.state}" for trigger in self.told]


def test_nothing_to_wait_for() -> None:
    bench = Bench(30.0)
    bench.overdue.look_ahead()
    assert bench.timer is None


def test_in_time() -> None:
    bench = Bench(30.0)
    bench.now = 10.0
    bench.backup("a")
    assert bench.sleep(39.9) == []
    bench.sleep(40.1)
    assert bench.names == ["a absent"]
    assert bench.told[0].time == pytest.approx(NOW + 40.0, abs=0.05)
    assert bench.sleep(1000.0) == []


def test_a_shorter_wait_comes_up() -> None:
    bench = Bench(3.0)
    bench.now = 100.0
    bench.backup("a")
    bench.sleep(102.0)
    bench.backup("a")
    bench.backup("b")
    bench.sleep(104.9)
    assert bench.names == []
    bench.sleep(105.1)
    assert bench.names == ["a absent", "b absent"]


def test_old_lines_come_first() -> None:
    bench = Bench(1.0)
    bench.backup("a")
    for second in range(1, 20):
        bench.sleep(float(second))
        bench.overdue.read(old=True)
    assert bench.names == []
    bench.backup("a", old=True)
    bench.sleep(19.0 + SETTLED + 0.1)
    assert bench.names == ["a absent"]


def test_nothing_is_missing_while_nothing_is_read() -> None:
    bench = Bench(10.0)
    bench.backup("a")
    bench.reads = False
    bench.sleep(30.0)
    assert bench.names == []
    bench.reads = True
    bench.sleep(31.0)
    assert bench.names == ["a absent"]


def test_reading_begins_again() -> None:
    """After a pause of the sources: what waited in them is read first."""
    bench = Bench(10.0)
    bench.backup("a")
    bench.sleep(9.0)
    bench.overdue.begin()
    bench.sleep(9.0 + SETTLED - 0.1)
    assert bench.names == []
    bench.sleep(9.0 + SETTLED + 0.1)
    assert bench.names == ["a absent"]


def test_who_has_slept_reads_first() -> None:
    """Stopped for an hour, say: the lines of that hour are there, and unread."""
    bench = Bench(10.0)
    bench.backup("a")
    timer, bench.timer, bench.now = bench.timer, None, 3600.0
    assert timer is not None and timer.callback is not None
    timer.callback()
    assert bench.names == []
    bench.backup("a", old=True)
    bench.sleep(3600.0 + SETTLED + 1.0)
    assert bench.names == []
    bench.sleep(3620.0)
    assert bench.names == ["a absent"]


def test_clock_that_is_set() -> None:
    bench = Bench(90_000.0)
    bench.now = 50.0
    bench.backup("a")
    moments = [50.0, *bench.sleep(600.0)]
    assert len(moments) > 9
    assert all(later - earlier <= LONGEST + 1 for earlier, later in pairwise(moments))
    bench.set = 100_000.0
    bench.sleep(600.0 + LONGEST + 1)
    assert bench.names == ["a absent"]


def test_many_at_once() -> None:
    bench = Bench(10.0)
    bench.script.engine.counters.of(bench.script.engine._watches[0].rule)._most = 3000
    bench.script.feed(*(f"backup of {number} done" for number in range(2500)))
    bench.overdue.read(old=False)
    bench.sleep(11.0)
    assert len(bench.told) == len({trigger.id for trigger in bench.told}) == 2500


def test_with_a_real_loop() -> None:
    loop, told = Loop(), list[Trigger]()
    script = Script(rule("backup of %s done", "machine", name="Backup", absent=0.02, key=("machine",)))
    script.feed("backup of a done")
    overdue = Overdue(loop, lambda: script.engine, told.extend, lambda: True, lambda: NOW + 1.0)
    overdue._settled = 0.0
    overdue.look_ahead()
    for _ in range(50):
        loop.turn(0.01)
    loop.close()
    assert len(told) == 1
