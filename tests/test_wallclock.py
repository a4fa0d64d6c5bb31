"""Steps of the clock are seen, small differences are not; times noted since the boot go along, older ones stay."""

from __future__ import annotations

import pytest

from logtrigger.wallclock import FLOOR, MOST, STEP, Step, WallClock

YEAR = 365 * 86_400.0


class Bench:
    """A machine that was started a minute ago, whose clock somebody sets."""

    def __init__(self) -> None:
        self.up, self.set = 60.0, 0.0
        self.clock = WallClock(lambda: self.up + self.set, lambda: self.up)

    def step(self, by: float) -> float:
        self.set += by
        return self.clock()


def test_time_goes_on() -> None:
    bench = Bench()
    for _ in range(3):
        bench.up += YEAR  # asleep, perhaps
        assert bench.clock() == bench.up
    bench.step(STEP)
    bench.step(-STEP)
    assert bench.clock.number == 0 and bench.clock.present(61.0) == 61.0


def test_a_router_that_is_told_the_time() -> None:
    bench = Bench()
    noted = bench.clock()
    bench.up += 5.0
    assert bench.step(56 * YEAR) == 65.0 + 56 * YEAR
    assert bench.clock.since(0) == [Step(0.0, 65.0, 56 * YEAR)]
    assert bench.clock.present(noted) == noted + 56 * YEAR
    assert bench.clock.present(bench.clock()) == bench.clock()
    assert bench.clock.present(FLOOR + 1.0) == FLOOR + 1.0  # before this boot


def test_what_was_noted_while_no_clock_was_right() -> None:
    """In an earlier boot, or by an earlier process of this one: nobody knows when that was."""
    bench = Bench()
    bench.step(56 * YEAR)
    (step,) = bench.clock.since(0)
    assert step.shifted(90_000.0) == step.until + step.by
    assert step.shifted(FLOOR) == FLOOR
    bench.up += 10.0
    later = WallClock(lambda: bench.up + bench.set, lambda: bench.up)
    assert later.present(30.0) == later() - bench.up
    assert later.present(FLOOR) == FLOOR


def test_steps_add_up() -> None:
    bench = Bench()
    bench.step(100.0)
    bench.step(1_000.0)
    assert bench.clock.present(50.0) == 1_150.0
    assert bench.clock.number == 2 and [step.by for step in bench.clock.since(1)] == [1_000.0]
    assert bench.clock.since(2) == []


def test_small_steps_that_add_up_are_one() -> None:
    bench = Bench()
    for _ in range(4):
        bench.step(0.6)
    assert [step.by for step in bench.clock.since(0)] == [pytest.approx(2.4)]


def test_a_clock_that_is_set_back() -> None:
    """What was noted before would lie in the future."""
    bench = Bench()
    bench.step(-30.0)
    (step,) = bench.clock.since(0)
    assert step.shifted(59.0) == 29.0
    assert bench.clock.present(29.0) == 29.0


def test_a_clock_that_never_rests_costs_no_memory() -> None:
    bench = Bench()
    for _ in range(MOST + 10):
        bench.step(10.0)
    assert bench.clock.number == MOST + 10
    assert len(bench.clock.since(0)) == MOST
