"""Counting different values: lines and times in, triggers out; and the counters by themselves."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.counters import Counters
from logtrigger.distinct import DistinctWindows
from logtrigger.engine import Engine
from logtrigger.model import Chunk
from logtrigger.rule import Distinct, Settings
from logtrigger.wallclock import Step
from logtrigger.windowrows import from_row, to_row
from tests.script import NOW, SSHD, Script, failed, rule

FIELDS = "user ip port"
USERS = rule(SSHD, FIELDS, maxfail=3, time=60.0, distinct=Distinct("user"))
ADDRESSES = rule(SSHD, FIELDS, maxfail=3, time=60.0, key=("user",), distinct=Distinct("ip", 32, 64))


def test_same_value_again_counts_nothing() -> None:
    script = Script(USERS)
    assert script.feed(*[failed(user="bob")] * 10) == []
    assert script.feed(failed(user="ann"), failed(user="bob")) == []
    [trigger] = script.feed(failed(user="eve"))
    assert (trigger.key, trigger.count, trigger.fields["user"]) == (("192.0.2.7",), 3, "eve")
    assert script.feed(failed(user="bob"), failed(user="ann")) == [], "the counter is empty after a trigger"


def test_values_are_forgotten_when_their_last_event_is_too_old() -> None:
    script = Script(USERS)
    script.feed(failed(user="a"), at=0)
    script.feed(failed(user="b"), at=30)
    script.feed(failed(user="a"), at=50)
    assert script.feed(failed(user="c"), at=91) == [], "b is over, a was seen again"
    assert script.names(failed(user="d"), at=110) == ["r"], "both ends are included"


def test_one_account_from_many_addresses() -> None:
    script = Script(ADDRESSES)
    assert script.feed(failed(ip="192.0.2.1"), failed(ip="192.0.2.2"), failed(ip="192.0.2.3", user="ann")) == []
    [trigger] = script.feed(failed(ip="192.0.2.9"))
    assert trigger.key == ("root",)


def test_addresses_of_one_prefix_are_one() -> None:
    script = Script(ADDRESSES)
    assert script.feed(*[failed(ip=f"2001:db8::{n}") for n in range(1, 9)]) == []
    assert script.names(failed(ip="2001:db8:1::1"), failed(ip="2001:db8:2::1")) == ["r"]


def test_change_of_country(tmp_path: Path) -> None:
    """With two values of a place it is a check of travels; where no place is known there is no value."""
    known = {"192.0.2.1": {"country": "FI"}, "192.0.2.2": {"country": "FI"}, "198.51.100.1": {"country": "SE"}}
    travel = rule("login of %s from %s", "user ip", key=("user",), maxfail=2, time=7200.0, distinct=Distinct("country"))
    settings = Settings(path=tmp_path, rules=(travel,), state=tmp_path / "state")
    engine = Engine(settings, look=lambda address: known.get(address, {}))

    def feed(at: float, address: str) -> int:
        data = f"login of bob from {address}\n".encode()
        return len(engine.feed(Chunk(travel.source, "log", "s", 0, len(data), data), NOW + at))

    assert [feed(0, "192.0.2.1"), feed(60, "192.0.2.2"), feed(120, "203.0.113.1"), feed(3600, "198.51.100.1")] == [0, 0, 0, 1]
    assert [feed(4000, "192.0.2.1"), feed(4000 + 7201, "198.51.100.1")] == [0, 0], "there was time to travel"


def test_host_of_the_header_is_a_value() -> None:
    script = Script(replace(USERS, maxfail=2, distinct=Distinct("host")))
    assert script.feed(failed(), failed()) == []
    assert script.names(failed(header="Nov 14 22:00:00 other sshd[7]: ")) == ["r"]


def test_suppressed_key_counts_nothing() -> None:
    script = Script(replace(USERS, suppress=100.0))
    assert script.names(*[failed(user=name) for name in "abc"]) == ["r"]
    assert script.feed(*[failed(user=name) for name in "defg"], at=99) == []
    assert script.names(*[failed(user=name) for name in "hij"], at=100) == ["r"]


def test_reset_by_another_rule() -> None:
    script = Script(replace(USERS, reset_by=("good",)), rule("Accepted for %s from %s", "user ip", name="good"))
    script.feed(failed(user="a"), failed(user="b"), "Nov 14 22:00:00 h sshd[7]: Accepted for c from 192.0.2.7")
    assert script.feed(failed(user="c")) == []


def test_old_lines_count_among_those_of_their_time() -> None:
    windows = DistinctWindows(3, 60.0, 10)
    assert windows.see("k", b"a", 100.0) == (1, False)
    assert windows.see("k", b"b", 300.0) == (1, False)
    assert windows.see("k", b"c", 290.0) == (2, False)
    assert windows.see("k", b"d", 250.0) == (3, True)


def test_counters_survive_a_restart_and_a_reload() -> None:
    """Through the store's rows; where something else is counted now, they begin anew."""
    counters = Counters([USERS], 10)
    windows = counters.of(USERS)
    assert isinstance(windows, DistinctWindows)
    windows.see("k", b"a", 1.0)
    windows.see("k", b"b", 2.0)
    states = [from_row(to_row(state)) for state in counters.changes()]
    again = Counters([USERS], 10)
    assert again.restore(states) == []
    reloaded = Counters([replace(USERS, maxfail=5)], 10)
    assert reloaded.adopt(again) == []
    for kept in (again, reloaded):
        found = kept.of(USERS)
        assert isinstance(found, DistinctWindows)
        assert found.see("k", b"b", 3.0)[0] == 2 and found.see("k", b"c", 3.0)[0] == 3
    for other in (replace(USERS, distinct=None), replace(USERS, distinct=Distinct("port"))):
        assert Counters([other], 10).restore(states) == states


def test_flood_of_keys_leaves_nothing_to_be_told_of_what_nobody_stored() -> None:
    windows = DistinctWindows(3, 100.0, 10)
    windows.restore("first", [(0.0, 1)], 0.0)
    for number in range(1_000):
        windows.see(f"key {number}", b"a", 1.0)
        assert len(windows.changed) <= 11
    assert ("first", [], 0.0) in windows.take_changed()


def test_change_is_told_also_where_nothing_is_left() -> None:
    windows = DistinctWindows(3, 10.0, 10)
    windows.see("k", b"a", 1.0)
    windows.take_changed()
    windows.see("k", b"", 100.0)
    assert list(windows.changed) == ["k"] and windows.state("k") == ([], 0.0)


def test_lowest_counter_goes_first() -> None:
    windows = DistinctWindows(9, 1000.0, 3)
    for at, (key, value) in enumerate([("a", b"1"), ("a", b"2"), ("b", b"1"), ("c", b"1"), ("d", b"1"), ("e", b"1")]):
        windows.see(key, value, float(at))
    assert sorted(windows.keys()) == ["a", "d", "e"] and windows.evicted == 2
    windows.expire(5000.0)
    assert len(windows) == 0


def test_counter_is_bounded_whatever_the_order() -> None:
    windows = DistinctWindows(5, 1.0, 10)
    for at in range(1000, 0, -3):
        windows.see("k", str(at).encode(), float(at))
    assert len(windows.state("k")[0]) <= 10


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcdef")), max_size=60))
def test_as_counted_by_hand(steps: list[tuple[int, str]]) -> None:
    windows, seen, now = DistinctWindows(4, 5.0, 10), dict[str, float](), 0.0
    for pause, value in steps:
        now += pause
        seen[value] = now
        number = sum(at >= now - 5.0 for at in seen.values())
        assert windows.see("k", value.encode(), now) == (number, number >= 4)
        if number >= 4:
            seen.clear()


_FILL = """
import resource
from logtrigger.distinct import DistinctWindows
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
windows = DistinctWindows(21, 600.0, 100_000, stored=False)
for value in range(20):
    text = b"user%d" % value
    for key in range(100_000):
        windows.see(f"10.{key >> 16}.{key >> 8 & 255}.{key & 255}", text, float(value))
assert len(windows) == 100_000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.timeout(120)
def test_memory() -> None:
    """100,000 keys with 20 values each."""
    megabytes = int(subprocess.check_output([sys.executable, "-c", _FILL], text=True))
    assert megabytes < 200


def test_clock_that_is_set_changes_no_counter() -> None:
    windows = DistinctWindows(3, 60.0, 10)
    windows.see("a", b"before the boot", 900.0)
    for at, value in ((1_000.0, b"x"), (1_010.0, b"y")):
        windows.see("b", value, at)
    windows.shift(Step(950.0, 1_020.0, -500.0))
    assert windows.state("a")[0][0][0] == 900.0
    assert [at for at, _ in windows.state("b")[0]] == [500.0, 510.0]
    assert windows.see("b", b"z", 521.0) == (3, True)
