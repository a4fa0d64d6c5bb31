"""The firewall is kept at what the bans say, through failures and changes of its kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from logtrigger import upkeep as module
from logtrigger.bans import Bans
from logtrigger.firewall.base import Entry, Firewall, Host
from logtrigger.model import Ban
from logtrigger.rule import FirewallOptions
from logtrigger.upkeep import Upkeep
from tests.fake_firewall import Fake
from tests.firewall.conftest import FakeHost

NOW = 1_700_000_000.0


class Kept:
    """An upkeep with bans and a firewall that can be broken."""

    def __init__(self) -> None:
        self.host, self.bans = FakeHost(), Bans(100)
        self.fakes: list[Fake] = []
        self.refreshed = 0
        self.upkeep = Upkeep(self.host, self.bans, FirewallOptions(), lambda: NOW, self._refresh, self._make)

    def _make(self, options: FirewallOptions, host: Host) -> Firewall:
        self.fakes.append(Fake(options, host))
        return self.fakes[-1]

    def _refresh(self) -> None:
        self.refreshed += 1

    def ban(self, *networks: str) -> None:
        for network in networks:
            self.bans.ban(Ban(network, NOW, NOW + 60.0), NOW)
        self.upkeep.add([Entry(network, 60.0) for network in networks])

    def unban(self, *networks: str) -> None:
        self.bans.lift(networks)
        self.upkeep.remove(networks)

    @property
    def held(self) -> Sequence[str]:
        return list(self.fakes[-1].held)

    def until_it_works(self) -> None:
        self.host.until(lambda: not self.upkeep.fault, "it works again")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(module, "_FIRST_RETRY", 0.02)
    one = Kept()
    yield one
    one.upkeep.close()
    one.host.loop.close()


def test_failure_is_said_once_and_made_good(kept: Kept) -> None:
    kept.ban("192.0.2.1")
    kept.fakes[-1].broken = True
    kept.ban("192.0.2.2")
    kept.ban("192.0.2.3")
    kept.unban("192.0.2.1")
    assert kept.host.reports == [(0, "no nftables here; rules, counters and scripts work on, and bans are tried again")]
    assert kept.upkeep.fault == "no nftables here"
    kept.fakes[-1].broken = False
    kept.until_it_works()
    assert kept.held == ["192.0.2.2", "192.0.2.3"] and kept.refreshed
    assert kept.host.reports[1:] == [(0, "the firewall works again: 2 bans restored")]
    kept.ban("192.0.2.4")
    assert "192.0.2.4" in kept.held


def test_fault_of_our_own_ends_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fake, "add", lambda *_: [][1])
    kept.ban("192.0.2.1")
    [(_, said)] = kept.host.reports
    assert said.startswith("the firewall fails through a fault of logtrigger's own: IndexError")
    monkeypatch.undo()
    kept.until_it_works()
    assert kept.held == ["192.0.2.1"]


def test_everything_is_let_through_as_soon_as_that_can_be(kept: Kept) -> None:
    kept.ban("192.0.2.1")
    kept.fakes[-1].broken = True
    kept.bans.unban_all()
    kept.upkeep.clear()
    kept.fakes[-1].broken = False
    kept.until_it_works()
    assert kept.held == [] and kept.fakes[-1].is_torn_down


def test_what_is_owed_and_not_banned_anew_is_let_through(kept: Kept) -> None:
    kept.upkeep.owe(["192.0.2.1", "192.0.2.2"])
    kept.ban("192.0.2.2")
    assert kept.fakes[-1].removed == ["192.0.2.1"] and kept.held == ["192.0.2.2"]


@pytest.mark.parametrize(("backend", "made"), [("auto", 2), ("nftables", 2), ("iptables", 2), ("script", 1)])
def test_sets_of_another_size_are_others(kept: Kept, backend: str, made: int) -> None:
    kept.upkeep.take_up(FirewallOptions(backend=backend))
    kept.ban("192.0.2.1")
    kept.upkeep.take_up(FirewallOptions(backend=backend, max_bans=7))
    assert len(kept.fakes) == made and kept.held == ["192.0.2.1"]


def test_what_nobody_can_tell_is_no_stray(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.ban("192.0.2.1")
    monkeypatch.setattr(Fake, "present", lambda self, done: done(None))
    kept.upkeep.let_strays_through()
    assert kept.held == ["192.0.2.1"] and kept.fakes[-1].removed == []


def test_another_firewall_takes_over(kept: Kept) -> None:
    """One that differs only in what others go by is the same."""
    assert kept.upkeep.name == ""
    kept.upkeep.take_up(FirewallOptions(reject=True))
    assert kept.fakes == [], "nothing is to be blocked yet"
    kept.ban("192.0.2.1")
    kept.upkeep.take_up(FirewallOptions(reject=True, guard=False, trial=1.0, restore=False))
    assert len(kept.fakes) == 1 and kept.upkeep.name == "fake"
    kept.upkeep.take_up(FirewallOptions(reject=False))
    first, second = kept.fakes
    assert first.is_torn_down and not first.is_open and list(second.held) == ["192.0.2.1"]
