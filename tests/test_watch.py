"""Rules at work: which of them see their lines in bulk, and whose counters an event empties."""

from __future__ import annotations

from logtrigger.counters import Counters
from logtrigger.watch import watches_of
from tests.script import rule

TEXT = "sshd[%d]: a %s"


def test_rules_that_count_alone_see_many_lines_at_once() -> None:
    rules = [
        rule(TEXT, "- ip", name="alone"),
        rule(TEXT, "- ip", name="a", group="g"),
        rule(TEXT, "- ip", name="b", group="g"),
        rule(TEXT, "- ip", name="reset", reset_by=("resets",)),
        rule(TEXT, "- ip", name="resets"),
        rule(TEXT, "- ip", name="only one of its group", group="h"),
        rule("a %s", "ip", name="in any line"),
    ]
    watches = watches_of(rules, Counters(rules, 9))
    assert [watch.rule.name for watch in watches if watch.bulk] == ["alone", "only one of its group"]
    assert [watch.rule.name for watch in watches if watch.way is None] == ["resets"]
    assert len({watch.clock for watch in watches}) == 5
