"""Rates and rows out of two looks at a daemon."""

from __future__ import annotations

from typing import Any

import pytest

from logtrigger.top.figures import Figures, Look, left
from tests.script import NOW


def row(rule: str, events: int, **more: Any) -> dict[str, Any]:
    return {"rule": rule, "events": events, "triggers": 0, "last": None, "keys": 1, "state": "running", "actions": []} | more


def look(time: float, *rules: dict[str, Any], started: float = NOW - 60, **more: Any) -> Look:
    status = {
        "version": "1",
        "started": started,
        "events": sum(one["events"] for one in rules),
        "triggers": sum(one["triggers"] for one in rules),
        "rules": {"running": len(rules)},
        "bans": {"number": 1, "backend": "nftables", "error": ""},
        "store": {"error": ""},
        "sources": [],
        "queue": {"running": 0, "waiting": 2},
        "actions": [],
    }
    bans = [{"network": "192.0.2.7", "country": "FI", "until": NOW + 3661, "rule": "a", "by": ""}]
    return Look(time, status | more, rules, bans)


def test_rates_and_order() -> None:
    figures = Figures()
    figures.take(look(NOW, row("a", 100), row("b", 5), row("c", 5)))
    assert [one[:3] for one in figures.rules()] == [("a", "-", "100"), ("b", "-", "5"), ("c", "-", "5")]
    figures.take(look(NOW + 2, row("a", 101), row("b", 25), row("c", 5, state="paused")))
    assert [one[:3] for one in figures.rules()] == [("b", "10", "25"), ("a", "0.5", "101"), ("c", "-", "5")]
    assert list(figures.events) == [10.5]
    assert figures.is_paused("c")
    assert not figures.is_paused("a")
    assert figures.rules("C")[0][-1] == "paused"


def test_a_daemon_that_was_started_anew_begins_from_nothing() -> None:
    figures = Figures()
    figures.take(look(NOW, row("a", 100)))
    figures.take(look(NOW + 1, row("a", 3), started=NOW + 0.5))
    assert (list(figures.events), figures.rate("a")) == ([], 0.0)
    figures.take(look(NOW + 2, row("a", 5), started=NOW + 0.5))
    assert list(figures.events) == [2.0]


def test_bans_and_headline() -> None:
    figures = Figures()
    assert (figures.bans(), figures.rules(), figures.headline()) == ([], [], "")
    figures.take(look(NOW, row("a", 1), store={"error": "disk full"}))
    assert figures.bans() == [("192.0.2.7", "FI", "1h1m", "a")]
    assert figures.bans("fi") and not figures.bans("SE")
    assert figures.headline() == "logtrigger 1  store: disk full  up 1m  1 banned (nftables)  1 rules"
    assert left(NOW, None) == "for ever"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ({}, "log, last line 1m ago"),
        ({"last": None}, "log, no line yet"),
        (
            {"lag": 2048, "ahead": -3600.0, "paused": True},
            "log, last line 1m ago, 2 KiB behind, clock 1h behind, waits for the store",
        ),
        ({"fault": "it is in use"}, "log: it is in use"),
    ],
)
def test_sources(source: dict[str, Any], line: str) -> None:
    figures = Figures()
    facts = {"source": "log", "last": NOW - 60, "lag": 0, "ahead": None, "paused": False, "fault": "", **source}
    action = {
        "action": "mail",
        "sent": 5,
        "waiting": 12_000,
        "last_error": "refused",
        "last_error_at": NOW,
        "last_success": None,
    }
    figures.take(look(NOW, sources=[facts], actions=[action]))
    assert figures.sources(3) == [line]
    assert figures.queues() == ["scripts 0 running, 2 waiting", "mail 5 sent, 12.0k waiting: refused"]


def test_sources_in_trouble_come_first() -> None:
    figures = Figures()
    plain = {"last": None, "lag": 0, "ahead": None, "paused": False, "fault": ""}
    figures.take(look(NOW, sources=[{**plain, "source": str(n), "lag": n * 1024} for n in range(5)]))
    assert figures.sources(3) == ["4, no line yet, 4 KiB behind", "3, no line yet, 3 KiB behind", "and 3 more sources"]
    assert len(figures.sources(5)) == 5
