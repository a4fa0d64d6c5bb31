"""Bans of one network grow, and are forgiven after a while."""

from __future__ import annotations

import ipaddress
import math
import tracemalloc

import pytest

from logtrigger.escalation import Offenders, lasting
from logtrigger.model import Offender
from logtrigger.rule import Escalation

NOW = 1_000_000.0
DAY = 86_400.0
NET = "192.0.2.7"


@pytest.mark.parametrize(
    ("escalation", "before", "chance", "seconds"),
    [
        (Escalation(factor=2.0), 0, 0.9, 60.0),
        (Escalation(factor=2.0), 3, 0.9, 480.0),
        (Escalation(factor=1.5), 2, 0.0, 135.0),
        (Escalation(factor=2.0, longest=100.0), 1, 0.0, 100.0),
        (Escalation(factor=2.0, longest=100.0, part=0.1), 1, 0.5, 105.0),
        (Escalation(extra=30.0), 5, 0.5, 75.0),
        (Escalation(factor=100.0), 10**9, 0.0, 365 * DAY),
    ],
)
def test_how_long_it_lasts(escalation: Escalation, before: int, chance: float, seconds: float) -> None:
    assert lasting(60.0, escalation, before, chance) == seconds


def test_first_ban_may_be_longer_than_bans_grow() -> None:
    assert lasting(500 * DAY, Escalation(factor=2.0), 3, 0.0) == 500 * DAY


@pytest.mark.parametrize(("quiet", "left"), [(0.0, 5), (9.9, 5), (10.0, 2), (20.0, 1), (29.9, 1), (30.0, 0), (1e9, 0)])
def test_quiet_time_halves(quiet: float, left: int) -> None:
    """It is counted from the end of the last ban on."""
    offenders = Offenders()
    offenders.note(NET, "", 5, NOW + 100, 10.0)
    assert offenders.count(NET, "", NOW) == 5
    assert offenders.count(NET, "", NOW + 100 + quiet) == left


def test_scopes_are_counted_apart() -> None:
    offenders = Offenders()
    offenders.note(NET, "", 5, NOW, 10.0)
    offenders.note(NET, "rule", 2, NOW, 10.0)
    assert [offenders.count(NET, scope, NOW) for scope in ("", "rule", "other")] == [5, 2, 0]
    offenders.forget([NET])
    assert [offenders.count(NET, scope, NOW) for scope in ("", "rule")] == [0, 0]


def test_longer_ban_begins_the_quiet_time_later() -> None:
    offenders = Offenders()
    offenders.note(NET, "", 1, NOW, 10.0)
    offenders.until(NET, "", NOW + 50)
    offenders.until(NET, "", NOW + 20)
    offenders.until("192.0.2.8", "", NOW + 20)
    assert offenders.count(NET, "", NOW + 59) == 1 and len(offenders) == 1


def test_what_changes_is_told_and_can_be_put_back() -> None:
    offenders = Offenders(2)
    for number in range(3):
        offenders.note(f"192.0.2.{number}", "", 1, NOW + number, 10.0)
    assert [(one.network, one.count) for one in offenders.changed] == [
        ("192.0.2.0", 1),
        ("192.0.2.1", 1),
        ("192.0.2.2", 1),
        ("192.0.2.0", 0),
    ]
    again = Offenders()
    again.restore([one for one in offenders.changed if one.network != "192.0.2.0"])
    again.expire(NOW + 11.5)
    assert [one.network for one in again.changed] == ["192.0.2.1"] and len(again) == 1
    again.shift(1000.0)
    assert again.count("192.0.2.2", "", NOW + 1000) == 1


def test_ban_for_ever_is_never_forgiven() -> None:
    offenders = Offenders()
    offenders.restore([Offender(NET, "", 1, math.inf, 1.0)])
    assert offenders.count(NET, "", NOW + 1e9) == 1


def test_flood_of_newcomers_does_not_push_out_who_comes_again() -> None:
    offenders = Offenders(100)
    for number in range(50):
        offenders.note(f"192.0.2.{number}", "", 3, NOW, 10.0)
    for number in range(1_000):
        offenders.note(f"10.0.{number >> 8}.{number & 255}", "", 1, NOW, 10.0)
    assert len(offenders) == 100
    assert all(offenders.count(f"192.0.2.{number}", "", NOW) == 3 for number in range(50))


def test_those_who_come_again_do_not_push_out_all_newcomers() -> None:
    """Else nobody new would ever be known when he comes again."""
    offenders = Offenders(100)
    for number in range(1_000):
        offenders.note(f"192.0.{number >> 8}.{number & 255}", "", 2, NOW, 10.0)
    for number in range(30):
        offenders.note(f"10.0.0.{number}", "", 1, NOW, 10.0)
    assert all(offenders.count(f"10.0.0.{number}", "", NOW) == 1 for number in range(30))
    assert len(offenders) == 100


def test_all_within_a_prefix_is_forgotten() -> None:
    offenders = Offenders()
    for network in ("192.0.2.1", "192.0.3.1", "192.0.2.0/24", "192.0.0.0/16"):
        offenders.note(network, "", 1, NOW, 10.0)
    offenders.forget(["192.0.0.0/16"], [ipaddress.ip_network("192.0.2.0/24")])
    assert [bool(offenders.count(n, "", NOW)) for n in ("192.0.2.1", "192.0.2.0/24", "192.0.0.0/16")] == [False] * 3
    assert offenders.count("192.0.3.1", "", NOW) == 1


def test_memory_is_bounded() -> None:
    tracemalloc.start()
    try:
        offenders = Offenders(10_000)
        for number in range(30_000):
            offenders.note(f"10.0.{number >> 8}.{number & 255}", "", 1, NOW + number, 10.0)
            offenders.changed.clear()
        assert len(offenders) == 10_000
        assert tracemalloc.get_traced_memory()[0] < 5_000_000
    finally:
        tracemalloc.stop()
