"""The first kind that can be used is taken; where none can, it is said what each lacks. And kinds are made by their names."""

from __future__ import annotations

import pytest

from logtrigger import firewall
from logtrigger.errors import FirewallError
from logtrigger.firewall import auto
from logtrigger.rule import FirewallOptions
from tests.firewall.conftest import FakeHost


@pytest.mark.parametrize(
    ("nftables", "iptables", "chosen"),
    [
        ("", "", ("nftables", "nftables can be used")),
        ("", "broken", ("nftables", "nftables can be used")),
        ("no library", "", ("iptables", "nftables cannot be used: no library")),
    ],
)
def test_choice(nftables: str, iptables: str, chosen: tuple[str, str]) -> None:
    assert auto.choose({"nftables": lambda: nftables, "iptables": lambda: iptables}) == chosen


def test_none() -> None:
    with pytest.raises(FirewallError) as caught:
        auto.choose({"nftables": lambda: "nftables: no library", "iptables": lambda: "no tool"})
    assert str(caught.value) == (
        "no firewall can be used here: nftables cannot be used: no library; iptables cannot be used: no tool"
    )


@pytest.mark.parametrize("kind", firewall.KINDS)
def test_each_kind_is_made_by_its_name(kind: str, host: FakeHost) -> None:
    made = firewall.make(FirewallOptions(backend=kind), host)
    assert made.name == kind
    made.close()


def test_auto_says_what_it_takes(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "choose", lambda: ("null", "for a test"))
    assert firewall.make(FirewallOptions(), host).name == "null"
    assert host.reports == [(1, "firewall: null (for a test)")]


def test_another_kind(host: FakeHost) -> None:
    with pytest.raises(FirewallError, match="no firewall 'pf': one of auto, nftables, iptables, script, null"):
        firewall.make(FirewallOptions(backend="pf"), host)
