"""Counters as they are stored: what is told, put back, and forgotten. The engine's tests run them."""

from __future__ import annotations

from dataclasses import replace

from logtrigger.counters import Counters, WindowState
from tests.script import rule

RULE = rule("a %s", "ip", name="a", maxfail=3)
GROUP = [rule("b %s", "ip", name="b", group="g", maxfail=3), rule("c %s", "ip", name="c", group="g", maxfail=3)]


def test_rules_of_a_group_have_the_same_windows() -> None:
    counters = Counters([RULE, *GROUP], 10)
    assert counters.of(GROUP[0]) is counters.of(GROUP[1])
    assert counters.of(RULE) is not counters.of(GROUP[0])


def test_rule_and_group_of_one_name_are_two() -> None:
    other = rule("a %s", "ip", name="x", group="a")
    counters = Counters([RULE, other], 10)
    assert counters.of(RULE) is not counters.of(other)


def test_changes_are_told_once() -> None:
    counters = Counters([RULE], 10)
    counters.of(RULE).add("k", 1.0)
    counters.of(RULE).add("k", 2.0)
    [state] = counters.changes()
    assert (state.namespace, state.key, state.events, state.suppressed) == ("rule a", "k", [(1.0, 1), (2.0, 1)], 0.0)
    assert counters.changes() == []


def test_stranger_is_given_back() -> None:
    """A counter of a rule that is gone, or has become another."""
    counters = Counters([RULE], 10)
    counters.of(RULE).add("k", 1.0)
    states = counters.changes()
    assert Counters([replace(RULE, time=5.0)], 10).restore(states) == states
    gone = WindowState("rule gone", "", "k", [(1.0, 1)], 0.0)
    assert counters.restore([gone]) == [gone]


def test_restored_counters_keep_their_order() -> None:
    """Whatever order the store has them in, the oldest of equals goes first."""
    counters = Counters([RULE], 10)
    for at, key in enumerate("zyx"):
        counters.of(RULE).add(key, float(at))
    restored = Counters([RULE], 3)
    restored.restore(sorted(counters.changes(), key=lambda state: state.key))
    restored.of(RULE).add("new", 9.0)
    assert sorted(restored.of(RULE).keys()) == ["new", "x", "y"]
    assert restored.evictions() == {"rule a": 1}


def test_change_of_one_rule_is_one_of_its_group() -> None:
    """Its counters are the group's: all of them begin anew."""
    counters = Counters(GROUP, 10)
    counters.of(GROUP[0]).add("k", 1.0)
    assert [s.key for s in Counters([GROUP[0], replace(GROUP[1], key=())], 10).adopt(counters)] == ["k"]
    assert Counters(GROUP, 10).adopt(counters) == []
