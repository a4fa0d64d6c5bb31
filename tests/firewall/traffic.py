"""What every firewall must do to real packets: the tests of nftables and iptables run these."""

from __future__ import annotations

from collections.abc import Callable

from logtrigger.firewall.base import Entry, Firewall
from tests.firewall.conftest import BOUND, FakeHost
from tests.scripts.netns import HOST, PEER, Namespace, answers, echoed, family_of

PORT = 2222
NETWORKS = {4: (PEER[4], "192.0.2.0/24"), 6: (PEER[6], "fd00:1::/64")}


def gets_through(peer: Namespace, version: int) -> bool:
    return answers(peer, version, PORT, BOUND)


def is_blocked(peer: Namespace, version: int) -> bool:
    return not answers(peer, version, PORT, 0.3)


def blocks_and_lets_through(firewall: Firewall, host: FakeHost, peer: Namespace, version: int) -> None:
    """An address, then its network; the other version is not touched."""
    assert gets_through(peer, version)
    for network in NETWORKS[version]:
        firewall.add([Entry(network, 600.0)])
        assert is_blocked(peer, version)
        assert gets_through(peer, 10 - version)
        assert host.present(firewall) == {network}
        firewall.remove([network])
        assert gets_through(peer, version)
    assert host.present(firewall) == set()
    host.settle()
    assert host.losses == 0
    assert host.reports == []


def loopback_stays_open(firewall: Firewall, here: Namespace) -> None:
    """Whatever is banned, the machine reaches itself: under its own address as well."""
    firewall.add([Entry("127.0.0.0/8", None), Entry("::1", None), Entry(HOST[4], None), Entry(HOST[6], None)])
    assert gets_through(here, 4)
    assert gets_through(here, 6)
    for version, address in ((4, "127.0.0.1"), (6, "::1")):
        with here.socket(family_of(version)) as client:
            client.settimeout(BOUND)
            assert client.connect_ex((address, PORT)) != 0  # refused: somebody has answered


def ends_by_itself(firewall: Firewall, host: FakeHost, peer: Namespace) -> None:
    """The kernel lifts a ban when its time is over, and nobody counts that as a loss."""
    firewall.add([Entry(PEER[4], 1.0), Entry(PEER[6], 0.0), Entry("198.51.100.0/24", 600.0)])
    host.until(lambda: host.present(firewall) == {"198.51.100.0/24"}, "the bans end")
    assert gets_through(peer, 4)
    assert gets_through(peer, 6)
    assert host.losses == 0


def takes_the_latest_time(firewall: Firewall, host: FakeHost, seconds_left: Callable[[str], float | None]) -> None:
    """Added again, a ban gets its new time, be it longer, shorter or without end."""
    network = "192.0.2.9"
    for wanted in (600.0, 1_000_000.0, 300.0, None, 200.0):
        firewall.add([Entry(network, 5.0), Entry("198.51.100.9", 900.0), Entry(network, wanted)])
        left = seconds_left(network)
        assert left is None if wanted is None else left is not None and wanted - 100 < left <= wanted
    firewall.remove([network, network, "203.0.113.9"])
    assert host.present(firewall) == {"198.51.100.9"}


def takes_many_at_once(firewall: Firewall, host: FakeHost) -> None:
    """100,000 in one call, and all of them told; then all taken back but one."""
    networks = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(1, 100_001)]
    firewall.add([Entry(network, 600.0) for network in networks])
    assert host.present(firewall) == set(networks)
    firewall.add([Entry(network, 600.0) for network in networks[:5000]])
    firewall.remove(networks[1:])
    assert host.present(firewall) == {networks[0]}
    assert host.losses == 0


def outlives_its_maker(make: Callable[[], Firewall], host: FakeHost, peer: Namespace) -> None:
    """What is blocked stays so when the daemon ends, and its successor finds it; torn down, nothing is left."""
    first = make()
    first.open()
    first.add([Entry(PEER[4], 600.0), Entry("203.0.113.0/24", None), Entry("2001:db8::/48", 500.0)])
    first.close()
    assert is_blocked(peer, 4)
    second = make()
    second.open()
    assert is_blocked(peer, 4)
    assert host.present(second) == {PEER[4], "203.0.113.0/24", "2001:db8::/48"}
    second.tear_down()
    assert gets_through(peer, 4)
    host.settle()
    assert host.losses == 0
    second.close()


def established_connection_is_blocked(firewall: Firewall, here: Namespace, peer: Namespace, version: int) -> None:
    """A ban holds for packets of a connection that was there before it."""
    with here.socket(family_of(version)) as listener, peer.socket(family_of(version)) as client:
        listener.bind((HOST[version], PORT))
        listener.listen()
        client.settimeout(BOUND)
        client.connect((HOST[version], PORT))
        server, _ = listener.accept()
        with server:
            assert echoed(client, server, BOUND)
            firewall.add([Entry(PEER[version], 600.0)])
            assert not echoed(client, server, 0.3)
