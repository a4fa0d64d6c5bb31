"""Rules are shared out by weight, and those that count together stay together."""

from __future__ import annotations

from pathlib import Path

from logtrigger.parallel.shares import shared_out
from logtrigger.rule import Rule, Settings
from tests.script import rule


def made(*rules: Rule) -> Settings:
    return Settings(path=Path("rules"), state=Path("state.db"), rules=rules)


def test_rules_that_count_together_stay_together() -> None:
    rules = [rule("a", name=f"r{n}", group="g" if n in (1, 4) else "", key=(), maxfail=2) for n in range(5)]
    weights = {"r0": 5.0, "r1": 2.0, "r2": 1.0, "r3": 1.0, "r4": 2.0}
    assert shared_out(made(*rules), weights, 2) == [[0, 3], [1, 2, 4]]
    assert shared_out(made(*rules), weights, 9) == [[0], [1, 4], [2], [3]]
    assert shared_out(made(rules[1], rules[4]), weights, 2) == [[0, 1]]
    assert shared_out(made(), {}, 2) == []
