"""Windows count as one would by hand, and their memory is bounded in the order that is promised."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logtrigger.wallclock import Step
from logtrigger.window import Windows


@dataclass
class Plain:
    """Counting by hand: every event of a key is kept in a list, and what is too old is struck out."""

    limit: int
    time: float | None
    events: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    suppressed: dict[str, float] = field(default_factory=dict)

    def add(self, key: str, at: float, weight: int, suppress: float) -> tuple[int, bool]:
        if key in self.suppressed and at < self.suppressed[key]:
            return 0, False
        self.suppressed.pop(key, None)
        events = self.events.setdefault(key, [])
        if weight:
            events[:] = [event for event in events if self.time is None or at - event[0] <= self.time]
            events.append((at, weight))
        total = self.held(events, at)
        if total < self.limit:
            return total, False
        events.clear()
        if suppress:
            self.suppressed[key] = at + suppress
        return total, True

    def held(self, events: list[tuple[float, int]], at: float) -> int:
        """The most that any span of this length holds which `at` lies in."""
        length = float("inf") if self.time is None else self.time
        begins = [then for then, _ in events if 0 <= at - then <= length] + [at]
        return max(sum(w for then, w in events if begin <= then <= begin + length) for begin in begins)

    def reset(self, key: str) -> None:
        self.events.pop(key, None)


# (what, key, seconds since the last step - or before it -, weight)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add"] * 6 + ["reset"]),
        st.sampled_from(["a", "b", ""]),
        st.sampled_from([0, 0, 1, 2, 5, 10, 11, -1, -3]),
        st.sampled_from([1, 1, 1, 0, 2, 5]),
    ),
    max_size=40,
)


@settings(max_examples=600)
@given(st.integers(1, 6), st.sampled_from([None, 1.0, 5.0, 10.0]), st.sampled_from([0.0, 0.0, 3.0]), STEPS)
@example(3, 10.0, 0.0, [("add", "a", 0, 1), ("add", "a", 10, 1), ("add", "a", 0, 1)])  # both ends of the time are in it
@example(3, 10.0, 0.0, [("add", "a", 0, 1), ("add", "a", 11, 1), ("add", "a", 0, 1)])
@example(2, 10.0, 3.0, [("add", "a", 0, 2), ("add", "a", 2, 2), ("add", "a", 1, 2)])  # suppressed for 3 seconds, not longer
def test_windows_count_as_by_hand(
    limit: int, time: float | None, suppress: float, steps: list[tuple[str, str, int, int]]
) -> None:
    """At a sum of `limit` or more there is one trigger, and the counter is empty."""
    windows, plain, at = Windows(limit, time, 100), Plain(limit, time), 1000.0
    for what, key, seconds, weight in steps:
        at += seconds
        if what == "reset":
            windows.reset(key)
            plain.reset(key)
        else:
            assert windows.add(key, at, weight, suppress=suppress) == plain.add(key, at, weight, suppress)


@settings(max_examples=600)
@given(
    st.integers(1, 6),
    st.sampled_from([None, 1.0, 5.0, 10.0]),
    st.sampled_from([0.0, 0.0, 3.0]),
    st.sampled_from([1, 1, 2]),
    st.sampled_from([2, 3, 100]),
    st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0, 0, 1, 1, 2, 5, 11, -1])), max_size=9), max_size=6),
)
def test_many_at_once_count_as_one_by_one(
    limit: int, time: float | None, suppress: float, weight: int, most: int, batches: list[list[tuple[str, int]]]
) -> None:
    one, all_, at = Windows(limit, time, most), Windows(limit, time, most), 1000.0
    for number, batch in enumerate(batches):
        times = [at := at + seconds for _, seconds in batch]
        keys = [key for key, _ in batch]
        sums = [one.add(key, when, weight, suppress=suppress) for key, when in zip(keys, times, strict=True)]
        full = [(index, total) for index, (total, filled) in enumerate(sums) if filled]
        assert all_.add_all(keys, times, weight, suppress=suppress) == full
        if number == 2:  # one that weighs more in between
            assert one.add("a", at, 3) == all_.add("a", at, 3)
        assert {key: one.state(key) for key in one.keys()} == {key: all_.state(key) for key in all_.keys()}
        assert (sorted(one.changed), one.evicted) == (sorted(all_.changed), all_.evicted)


@settings(max_examples=200)
@given(st.integers(2, 6), st.sampled_from([None, 5.0]), STEPS, STEPS)
def test_restored_counters_go_on_where_they_stopped(
    limit: int, time: float | None, before: list[tuple[str, str, int, int]], behind: list[tuple[str, str, int, int]]
) -> None:
    """What `changed` names and `state` gives is all there is to know: restored, it counts on like the original."""
    old, at, stored = Windows(limit, time, 100), 1000.0, {}
    for _, key, seconds, weight in before:
        at += seconds
        old.add(key, at, weight, suppress=3.0)
        if seconds == 5:  # a commit now and then
            stored.update({key: old.state(key) for key in old.changed})
            old.take_changed()
    stored.update({key: old.state(key) for key in old.changed})
    new = Windows(limit, time, 100)
    for key, (events, suppressed) in stored.items():
        new.restore(key, events, suppressed)
    for _, key, seconds, weight in behind:
        at += seconds
        assert new.add(key, at, weight, suppress=3.0) == old.add(key, at, weight, suppress=3.0)


def test_counter_that_filled_and_emptied_leaves_nothing() -> None:
    """What is to be forgotten is said: it changed, and its state is empty."""
    windows = Windows(2, 10.0, 100)
    windows.add("a", 1.0)
    windows.take_changed()
    assert windows.add("a", 2.0) == (2, True)
    assert list(windows.changed) == ["a"]
    assert windows.state("a") == ([], 0.0)
    assert len(windows) == 0


def test_maxfail_one_keeps_nothing() -> None:
    windows = Windows(1, None, 100)
    assert [windows.add("a", 1.0), windows.add("a", 1.0)] == [(1, True), (1, True)]
    assert not windows.changed
    assert not list(windows.keys())


def kept(windows: Windows) -> list[str]:
    return sorted(windows.keys())


def test_lowest_counter_goes_first() -> None:
    windows = Windows(9, 100.0, 3)
    for at, key in enumerate(["a", "a", "a", "b", "b", "c", "c", "c", "c", "new"]):
        windows.add(key, float(at))
    assert kept(windows) == ["a", "b", "c"]  # the newcomer was the lowest itself
    windows.add("new", 20.0, 3)
    assert kept(windows) == ["a", "c", "new"]
    assert windows.evicted == 2


@pytest.mark.parametrize("weight", [1, 2])
def test_oldest_goes_first_among_equals(weight: int) -> None:
    windows = Windows(9, 100.0, 3)
    for at, key in enumerate(["", "b", "c", "b", "", "d"]):
        windows.add(key, float(at), weight if key != "b" else 1)
    assert kept(windows) == ["", "b", "d"] if weight == 1 else ["", "d"]


def test_counter_of_no_key_goes_in_its_turn() -> None:
    """The empty key is one like any other."""
    windows = Windows(9, 100.0, 2)
    for at, key in enumerate(["", "b", "c"]):
        windows.add(key, float(at))
    assert kept(windows) == ["b", "c"]


@pytest.mark.parametrize("at_once", [1, 50])
def test_flood_of_keys_leaves_nothing_to_be_told_of_what_nobody_stored(at_once: int) -> None:
    windows = Windows(3, 100.0, 10)
    windows.add("first", 0.0)
    assert windows.take_changed() == [("first", [(0.0, 1)], 0.0)]
    for begin in range(0, 1_000, at_once):
        keys = [f"key {number}" for number in range(begin, begin + at_once)]
        windows.add_all(keys, [1.0] * at_once) if at_once > 1 else windows.add(keys[0], 1.0)
        assert len(windows.changed) <= 11
    taken = windows.take_changed()
    assert ("first", [], 0.0) in taken and len(taken) == 11 and not windows.changed


def test_evicted_counter_is_to_be_forgotten() -> None:
    windows = Windows(9, 100.0, 1)
    windows.add("a", 1.0)
    windows.take_changed()
    windows.add("b", 2.0)
    assert sorted(windows.changed) == ["a", "b"]
    assert windows.state("a") == ([], 0.0)


def test_too_old_counters_go_before_any_other() -> None:
    """A counter whose events are all too old is none, however high it was."""
    windows = Windows(9, 10.0, 2)
    windows.add("old", 0.0, 5)
    windows.add("a", 20.0)
    windows.add("b", 20.0)
    assert kept(windows) == ["a", "b"]
    assert windows.evicted == 0


@pytest.mark.parametrize("weight", [1, 2])
def test_flood_of_spoofed_keys_pushes_out_no_higher_counter(weight: int) -> None:
    """Nor does it cost more than a little for each."""
    windows = Windows(100, 600.0, 1000)
    for _ in range(4):
        windows.add("hammering", 0.0, weight)
    for number in range(100_000):
        windows.add(f"spoofed {number}", number / 1000, weight)
    assert len(windows) == 1000
    assert windows.add("hammering", 100.0, weight) == (5 * weight, False)


def test_flood_over_high_counters() -> None:
    """The same where every other counter is higher than what the flood brings."""
    windows = Windows(100, 600.0, 1000)
    for number in range(1000):
        windows.add(f"high {number}", 0.0, 3)
    for number in range(50_000):
        windows.add(f"spoofed {number}", 1.0, 2)
    assert sorted(windows.keys()) == sorted(f"high {number}" for number in range(1000))


def test_suppressions_are_bounded_too() -> None:
    """The one that is over soonest goes first."""
    windows = Windows(1, None, 10)
    for number in range(100):
        windows.add(str(number), float(number), suppress=1000.0)
    assert kept(windows) == sorted(str(number) for number in range(90, 100))


def test_expiry_forgets_what_no_event_can_need() -> None:
    """Events exactly `time` seconds old still count; a suppression ends at its second."""
    windows = Windows(3, 10.0, 100)
    windows.add("one", 0.0)
    windows.add("two", 0.0)
    windows.add("two", 1.0)
    windows.add("quiet", 0.0, 3, suppress=10.0)
    windows.take_changed()
    windows.expire(10.0)
    assert kept(windows) == ["one", "two"]
    windows.expire(10.5)
    assert kept(windows) == ["two"]
    windows.expire(12.0)
    assert not kept(windows)
    assert set(windows.changed) == {"one", "two", "quiet"}


def test_an_old_event_does_not_count_with_newer_ones_that_are_far_from_it() -> None:
    """As when a second file is caught up with: its lines are older than what was read before."""
    windows = Windows(5, 600.0, 100)
    for at in (36_000.0, 36_001.0, 36_002.0, 36_003.0):
        windows.add("a", at)
    assert windows.add("a", 18_000.0) == (1, False)
    assert windows.add("a", 36_000.5) == (5, True)


# A clock that is set

BOOTED, SET = 1e9, 1e9 + 500.0


@pytest.mark.parametrize("by", [-1e8, -30.0, 30.0, 1e8])
def test_clock_that_is_set_changes_no_counter(by: float) -> None:
    windows = Windows(4, 60.0, 10)
    for key, events in {"one": [(1, 1)], "two": [(1, 1), (1, 1)], "heavy": [(1, 2)], "old": [(-700, 1)]}.items():
        for at, weight in events:
            assert not windows.add(key, SET - 20.0 + at, weight)[1]
    windows.take_changed()
    windows.shift(Step(BOOTED, SET, by))
    states = {key: (entry, suppressed) for key, entry, suppressed in windows.take_changed()}
    assert states["two"] == ([(SET - 19.0 + by, 1)] * 2, 0.0)
    assert states["old"] == ([(SET - 720.0, 1)], 0.0), "from before the boot"
    now = SET + by + 1.0
    assert [windows.add(key, now)[0] for key in ("one", "two", "heavy")] == [2, 3, 3]
    windows.expire(now + 61.0)
    assert [key for key in windows.keys() if key != "old"] == []


def test_clock_that_is_set_back_suppresses_nobody_for_longer() -> None:
    windows = Windows(1, None, 10)
    assert windows.add("a", SET - 10.0, suppress=60.0) == (1, True)
    windows.shift(Step(BOOTED, SET, -1e8))
    assert windows.add("a", SET - 1e8 + 49.0, suppress=60.0) == (0, False)
    assert windows.add("a", SET - 1e8 + 51.0, suppress=60.0) == (1, True)


def test_clock_that_is_set_forward_suppresses_nobody_for_longer() -> None:
    """Also not where the suppression is of an earlier run, when the clock was right."""
    windows = Windows(1, None, 10)
    windows.restore("a", [], 1.7e9)
    windows.shift(Step(0.0, 30.0, 1.7e9))
    assert windows.add("a", 1.7e9 + 31.0) == (1, True)
