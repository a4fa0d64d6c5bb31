"""Bans come back with what led to them, in the order in which they came about."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from logtrigger.errors import StoreError
from logtrigger.model import Offender, Trust, Unban
from logtrigger.store import About, Batch, Done, Recorded, Store
from tests.store.given import a_ban, a_trigger


def test_bans_come_back_with_what_led_to_them(path: Path) -> None:
    bans = [a_ban("192.0.2.7"), a_ban("2001:db8::/64", 1_001.0, None, by="root", times=3, trigger="", lines=())]
    with closing(Store(path)) as store:
        store.commit_now(Batch(bans=bans))
    with closing(Store(path)) as store:
        assert store.load_bans(1_500.0)[0] == bans
        assert store.load_bans(2_000.0) == (bans[1:], ["192.0.2.7"])
        [(found, end)] = store.ban_history("192.0.2.7", 10)
    assert (found, end) == (bans[0], Unban("192.0.2.7", 2_000.0, "expired"))


def test_ban_that_lasts_longer_keeps_its_lines(path: Path) -> None:
    with closing(Store(path)) as store:
        store.commit_now(Batch(bans=[a_ban()]))
        store.commit_now(Batch(bans=[a_ban(until=3_000.0, times=2, trigger="", lines=())]))
        store.commit_now(Batch(bans=[a_ban(until=3_000.0, times=3, lines=("a", "b"))]))
        assert store.load_bans(1_500.0)[0] == [a_ban(until=3_000.0, times=3, lines=("a", "b"))]


def test_bans_and_their_ends_count_in_their_order(path: Path) -> None:
    lifted = Unban("192.0.2.7", 1_100.0, "root")
    with closing(Store(path)) as store:
        store.commit_now(Batch(bans=[a_ban(), lifted, a_ban(since=1_200.0)]))
        assert [found.since for found in store.load_bans(1_500.0)[0]] == [1_200.0]
        assert [(found.since, end) for found, end in store.ban_history("192.0.2.7", 10)] == [(1_200.0, None), (1_000.0, lifted)]
        later = Batch(bans=[Unban("192.0.2.7", 1_300.0, "root")]).then(Batch(bans=[a_ban(since=1_400.0)]))
        store.commit_now(later)
        assert [found.since for found in store.load_bans(1_500.0)[0]] == [1_400.0]


def test_old_bans_are_loaded_without_their_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logtrigger.store.bans._DETAILED", 2)
    bans = [a_ban(f"192.0.2.{number}", 1_000.0 + number) for number in range(4)]
    with closing(Store(path)) as store:
        store.commit_now(Batch(bans=bans))
        found, _ = store.load_bans(1_500.0)
    assert found == [replace(ban, lines=(), trigger="") for ban in bans[:2]] + bans[2:]


def test_what_is_known_of_an_address(path: Path) -> None:
    known = replace(a_trigger(1), key=("192.0.2.7",))
    other = replace(a_trigger(2), fields={"ip": "192.0.2.77"})
    ban, over = replace(a_ban(), trigger=known.id), Unban("192.0.2.7", 1_100.0, "root")
    found: SimpleQueue[About | StoreError] = SimpleQueue()
    with closing(Store(path)) as store:
        results = [Done(1, "script", "exit 3", 0.5, ("out", "err"))]
        store.commit_now(Batch(triggers=[(1, known, ("script",)), (2, other, ())], results=results, bans=[ban, over]))
        store.about(["192.0.2.7", "192.0.2.0/24"], "192.0.2.7", 5, found.put)
        about = found.get()
    assert isinstance(about, About)
    cause = Recorded(1, known, [("script", "done", "exit 3", 0.5)], {"script": ["out", "err"]})
    assert about == About([(ban, over, cause)], [cause])


def test_who_was_banned_before(path: Path) -> None:
    first, second = Offender("192.0.2.7", "", 3, 1_000.0, 60.0), Offender("2001:db8::/64", "r", 1, math.inf, 60.0)
    with closing(Store(path)) as store:
        store.commit_now(Batch(offenders=[replace(first, count=2), second]))
        store.commit_now(Batch(offenders=[first]).then(Batch(offenders=[replace(second, count=2)])))
    with closing(Store(path)) as store:
        assert store.load_offenders() == [first, replace(second, count=2)]
        store.commit_now(Batch(offenders=[replace(second, count=0)]))
        assert store.load_offenders() == [first]


def test_good_logins(path: Path) -> None:
    first, second = Trust("192.0.2.7", "bob", 1_000.0), Trust("192.0.2.7", "", 2_000.0)
    with closing(Store(path)) as store:
        store.commit_now(Batch(trusts=[second, first]).then(Batch(trusts=[replace(second, until=3_000.0)])))
    with closing(Store(path)) as store:
        assert store.load_trusts() == [first, replace(second, until=3_000.0)]
        store.commit_now(Batch(trusts=[replace(first, until=0.0)]))
        assert store.load_trusts() == [replace(second, until=3_000.0)]
