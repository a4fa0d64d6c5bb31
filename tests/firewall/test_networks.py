"""Networks are read and written as ipaddress does it; what the kernel cannot count is renewed in time."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.errors import FirewallError
from logtrigger.firewall.base import Entry
from logtrigger.firewall.networks import Network, Renewals, netmask, network_text
from tests.firewall.conftest import FakeHost

NETWORKS = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(1, 32)),
    st.tuples(st.ip_addresses(v=6), st.integers(1, 128)),
).map(lambda pair: ipaddress.ip_network(pair, strict=False))


@given(NETWORKS)
def test_as_ipaddress(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    text = str(network) if network.prefixlen < network.max_prefixlen else str(network.network_address)
    read = Network.of(text)
    assert (read.version, read.prefix) == (network.version, network.prefixlen)
    assert read.packed == network.network_address.packed
    assert network_text(read.packed, read.prefix) == text
    assert ipaddress.ip_address(netmask(read.version, read.prefix)) == network.netmask


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "1.2.3",
        "1.2.3.4/0",
        "1.2.3.4/33",
        "1.2.3.4/24",
        "::/0",
        "2001:db8::1/64",
        "1.2.3.4 }; flush",
        "::1%lo",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(FirewallError, match="not a network"):
        Network.of(text)


class Renewed:
    """Renewals whose time passes at once."""

    def __init__(self, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = host
        self.added: list[list[Entry]] = []
        self.fails = 0
        self.renewals = Renewals(host, 0.0, self.add)
        monkeypatch.setattr(Renewals, "MARGIN", 0.0)
        monkeypatch.setattr(Renewals, "AGAIN", 0.0)

    def add(self, entries: list[Entry]) -> None:
        if self.fails:
            self.fails -= 1
            raise FirewallError("no")
        self.added.append(entries)


@pytest.fixture
def renewed(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Renewed:
    return Renewed(host, monkeypatch)


def test_what_lasts_longer_is_added_again(renewed: Renewed) -> None:
    renewed.renewals.note([Entry("192.0.2.1", 1000.0), Entry("192.0.2.2", 0.0), Entry("192.0.2.3", None)])
    renewed.host.until(lambda: renewed.added, "a renewal")
    ((entry,),) = renewed.added
    assert entry.network == "192.0.2.1"
    assert entry.seconds is not None and 0 < entry.seconds <= 1000


def test_what_is_removed_or_shortened_is_not(renewed: Renewed) -> None:
    renewed.renewals.note([Entry("192.0.2.1", 1000.0), Entry("192.0.2.2", 1000.0), Entry("192.0.2.3", 1000.0)])
    renewed.renewals.forget(["192.0.2.1"])
    renewed.renewals.note([Entry("192.0.2.2", None)])
    renewed.host.until(lambda: renewed.added, "a renewal")
    assert [entry.network for entry in renewed.added[0]] == ["192.0.2.3"]


def test_where_it_fails_it_is_said_and_tried_again(renewed: Renewed) -> None:
    renewed.fails = 2
    renewed.renewals.note([Entry("192.0.2.1", 1000.0)])
    renewed.host.until(lambda: renewed.added, "a renewal")
    assert renewed.host.reports == [(0, "cannot make long bans last: no")] * 2


def test_nothing_happens_once_it_is_stopped(renewed: Renewed) -> None:
    renewed.renewals.note([Entry("192.0.2.1", 1000.0)])
    renewed.renewals.stop()
    renewed.host.settle()
    assert renewed.added == []
