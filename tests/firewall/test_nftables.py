"""The nftables firewall in a network namespace: real packets, the kernel's clock, other people's commands."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from logtrigger.errors import FirewallError
from logtrigger.firewall import nft_commands, nftables
from logtrigger.firewall.base import Entry
from logtrigger.firewall.nftables import Nftables
from logtrigger.rule import FirewallOptions
from tests.firewall import traffic
from tests.firewall.conftest import FakeHost, without_network_admin
from tests.scripts.netns import HOST, PEER, Namespace, answers, family_of, namespace

pytestmark = [pytest.mark.root, pytest.mark.tool("ip", "nft"), pytest.mark.package("nftables")]

# To a third machine: its network, the router's address in it, its own, and the way back.
WAYS = {
    4: ("198.51.100.0/24", "198.51.100.1/24", "198.51.100.2", "192.0.2.0/24"),
    6: ("fd00:2::/64", "fd00:2::1/64", "fd00:2::2", "fd00:1::/64"),
}
NODAD = {4: (), 6: ("nodad",)}
TRACKING = "add table inet other { chain input { type filter hook input priority 0; ct state established accept; }; }"
DEFAULTS = FirewallOptions()
ROOT = Path(__file__).parents[2]
Make = Callable[..., Nftables]
Pair = tuple[Namespace, Namespace]


@pytest.fixture
def make(network: Pair, host: FakeHost) -> Iterator[Make]:
    """Makes firewalls that are closed in the end."""
    made: list[Nftables] = []

    def make(options: FirewallOptions = DEFAULTS, open: bool = True) -> Nftables:
        firewall = nftables.make(options, host)
        made.append(firewall)
        if open:
            firewall.open()
        return firewall

    yield make
    for firewall in made:
        firewall.close()


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("tool", [False, True], ids=["library", "tool"])
def test_blocks(make: Make, host: FakeHost, network: Pair, version: int, tool: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if tool:
        monkeypatch.setattr(nft_commands, "find", lambda: (nft_commands.Tool(), ""))
    traffic.blocks_and_lets_through(make(), host, network[1], version)


def test_never_blocks_loopback(make: Make, network: Pair) -> None:
    traffic.loopback_stays_open(make(), network[0])


def test_bans_end_by_themselves(make: Make, host: FakeHost, network: Pair) -> None:
    traffic.ends_by_itself(make(), host, network[1])


def seconds_left(network: Namespace, address: str) -> float | None:
    """What the kernel says of an element of ban4; None: for ever."""
    listed = json.loads(network.run("nft", "-j", "list", "set", "inet", "logtrigger", "ban4"))
    for element in listed["nftables"][1]["set"]["elem"]:
        if element == address:
            return None
        if isinstance(element, dict) and element["elem"]["val"] == address:
            return float(element["elem"]["expires"])
    raise AssertionError(f"{address} is not banned")


def test_the_latest_time_counts(make: Make, host: FakeHost, network: Pair) -> None:
    traffic.takes_the_latest_time(make(), host, lambda address: seconds_left(network[0], address))


def test_longest_times(make: Make, network: Pair) -> None:
    firewall = make()
    firewall.add([Entry("192.0.2.9", 1e12), Entry("192.0.2.8", 5e8)])
    assert seconds_left(network[0], "192.0.2.9") == pytest.approx(9999 * 86_400, abs=100)
    assert seconds_left(network[0], "192.0.2.8") == pytest.approx(5e8, abs=86_400)


def test_many_at_once(make: Make, host: FakeHost) -> None:
    traffic.takes_many_at_once(make(), host)


def test_bans_outlive_the_daemon(make: Make, host: FakeHost, network: Pair) -> None:
    traffic.outlives_its_maker(lambda: make(open=False), host, network[1])
    assert network[0].run("nft", "list", "ruleset") == ""


@pytest.mark.parametrize("version", [4, 6])
def test_established_connections_are_blocked(make: Make, network: Pair, version: int) -> None:
    network[0].run("nft", TRACKING)
    traffic.established_connection_is_blocked(make(), *network, version)


@pytest.mark.parametrize("version", [4, 6])
def test_forwarded_packets_are_blocked(make: Make, host: FakeHost, network: Pair, version: int) -> None:
    """What the peer sends to somebody behind this machine."""
    here, peer = network
    here.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    with namespace() as beyond:
        here.run("ip", "link", "add", "veth1", "type", "veth", "peer", "name", "veth1", "netns", beyond.name)
        here.run("ip", "link", "set", "veth1", "up")
        beyond.run("ip", "link", "set", "veth1", "up")
        for one, (way, router, address, home) in WAYS.items():
            here.run("ip", "address", "add", router, "dev", "veth1", *NODAD[one])
            beyond.run("ip", "address", "add", f"{address}/{router.partition('/')[2]}", "dev", "veth1", *NODAD[one])
            peer.run("ip", f"-{one}", "route", "add", way, "via", HOST[one])
            beyond.run("ip", f"-{one}", "route", "add", home, "via", router.partition("/")[0])

        def connects(seconds: float) -> bool:
            with peer.socket(family_of(version)) as client:
                client.settimeout(seconds)
                return client.connect_ex((WAYS[version][2], 80)) == errno.ECONNREFUSED

        host.until(lambda: connects(1), "the way is there")
        make().add([Entry(PEER[version], 600.0)])
        assert not connects(0.3)


@pytest.mark.parametrize("version", [4, 6])
def test_reject_answers_at_once(make: Make, network: Pair, version: int) -> None:
    with network[0].socket(family_of(version)) as listener:
        listener.bind(("0.0.0.0" if version == 4 else "::", traffic.PORT))
        listener.listen()
        make(FirewallOptions(reject=True)).add([Entry(PEER[version], 600.0)])
        with network[1].socket(family_of(version)) as client, pytest.raises(ConnectionRefusedError):
            client.settimeout(30)
            client.connect(({4: "192.0.2.1", 6: "fd00:1::1"}[version], traffic.PORT))


def test_only_some_ports(make: Make, network: Pair) -> None:
    make(FirewallOptions(protocol="tcp", ports=(traffic.PORT, 23))).add([Entry(PEER[4], 600.0)])
    assert traffic.is_blocked(network[1], 4)
    assert answers(network[1], 4, traffic.PORT + 1, 30)


def test_other_options_take_the_place_of_the_earlier(make: Make, network: Pair) -> None:
    make(FirewallOptions(hooks=("input", "forward", "prerouting"), priority=-300)).add([Entry(PEER[4], 600.0)])
    make(FirewallOptions(hooks=("input",), priority=-20))
    listed = network[0].run("nft", "list", "table", "inet", "logtrigger")
    assert "hook input" in listed and "- 20;" in listed.replace("-20", "- 20")
    assert "forward" not in listed and "prerouting" not in listed
    assert traffic.is_blocked(network[1], 4)


LOSSES = [
    "flush ruleset",
    "delete table inet logtrigger",
    "flush set inet logtrigger ban4",
    "flush chain inet logtrigger input",
    "delete chain inet logtrigger forward",
    "delete element inet logtrigger ban4 { 203.0.113.1 }",
]


@pytest.mark.parametrize("command", LOSSES)
def test_a_loss_is_told_once_and_can_be_made_good(make: Make, host: FakeHost, network: Pair, command: str) -> None:
    firewall = make()
    firewall.add([Entry("203.0.113.1", None), Entry("203.0.113.2", 600.0), Entry("2001:db8::/64", 600.0)])
    network[0].run("nft", command)
    network[0].run("nft", "add table inet other; delete table inet other")
    host.until(lambda: host.losses, "the loss is told")
    host.settle()
    assert host.losses == 1
    firewall.open()
    firewall.add([Entry(PEER[4], None)])
    assert traffic.is_blocked(network[1], 4)
    host.settle()
    assert host.losses == 1
    network[0].run("nft", "flush ruleset")
    host.until(lambda: host.losses == 2, "another loss is told")


def test_other_tables_are_no_concern(make: Make, host: FakeHost, network: Pair) -> None:
    make()
    for family in ("inet", "ip"):
        network[0].run("nft", f"add table {family} logtrigger2; add table {family} other; delete table {family} logtrigger2")
    network[0].run("nft", "add table ip logtrigger; delete table ip logtrigger")
    host.settle()
    assert host.losses == 0


def test_a_loss_among_too_much_news_is_found(make: Make, host: FakeHost, network: Pair) -> None:
    """Where the kernel has more news than fits, it is looked whether everything is there."""
    firewall = make()
    firewall.add([Entry(PEER[4], None)])
    firewall._look()
    host.settle()
    assert host.losses == 0
    assert firewall._news is not None
    host.loop.unwatch(firewall._news.fileno())
    firewall._news.close()
    firewall._news = None
    network[0].run("nft", "flush chain inet logtrigger input")
    firewall._look()
    host.settle()
    assert host.losses == 1


def test_a_ban_into_a_lost_table_is_refused_and_the_loss_told(make: Make, host: FakeHost, network: Pair) -> None:
    firewall = make()
    network[0].run("nft", "flush ruleset")
    with pytest.raises(FirewallError, match="somebody has removed it"):
        firewall.add([Entry("192.0.2.9", 600.0)])
    host.settle()
    assert host.losses == 1


@pytest.mark.parametrize(
    "kind",
    ["type inet_service;", "type ipv4_addr;", "type ipv4_addr; flags interval, timeout;", "type ipv6_addr; flags timeout;"],
)
def test_a_set_of_somebody_else(make: Make, network: Pair, kind: str) -> None:
    network[0].run("nft", f"add table inet logtrigger; add set inet logtrigger ban4 {{ {kind} }}")
    with pytest.raises(FirewallError, match=r"the set ban4 .* is not one of ours.*nft delete table inet logtrigger"):
        make()
    network[0].run("nft", "delete table inet logtrigger")
    make()


def test_a_chain_of_somebody_else(make: Make, network: Pair) -> None:
    network[0].run("nft", "add table inet logtrigger { chain input { }; chain mine { jump input; }; }")
    with pytest.raises(FirewallError, match="nft delete table inet logtrigger"):
        make()


def test_a_full_set(make: Make) -> None:
    firewall = make(FirewallOptions(max_bans=2))
    with pytest.raises(FirewallError, match="max_bans"):
        firewall.add([Entry(f"192.0.2.{i}", 600.0) for i in range(1, 9)])


def test_what_is_over_takes_nobodys_place(make: Make) -> None:
    """The kernel counts it until it comes round to clear it away."""
    firewall = make(FirewallOptions(max_bans=3))
    for batch in range(2):
        firewall.add([Entry(f"192.0.{batch}.{i}", 0.1) for i in range(3)])
        time.sleep(0.11)


def test_what_is_no_network_never_reaches_nft(make: Make, network: Pair) -> None:
    firewall = make()
    with pytest.raises(FirewallError, match="not a network"):
        firewall.add([Entry("192.0.2.7 }; flush ruleset; #", 600.0)])
    assert "table inet logtrigger" in network[0].run("nft", "list", "ruleset")


def test_closed_it_says_so(make: Make, host: FakeHost) -> None:
    firewall = make()
    firewall.present(lambda networks: pytest.fail("nobody waits for it any more"))
    firewall.close()
    firewall.close()
    with pytest.raises(FirewallError, match="not open"):
        firewall.add([Entry("192.0.2.9", 600.0)])
    host.settle()


@pytest.mark.tool("conntrack")
def test_cut_ends_connections(make: Make, network: Pair, host: FakeHost) -> None:
    here, peer = network
    here.run("nft", TRACKING)
    with ExitStack() as sockets:
        for version in (4, 6):
            listener = sockets.enter_context(here.socket(family_of(version)))
            listener.bind((HOST[version], traffic.PORT))
            listener.listen()
            client = sockets.enter_context(peer.socket(family_of(version)))
            client.settimeout(30)
            client.connect((HOST[version], traffic.PORT))
            assert PEER[version] in here.run("conntrack", "-L", "-f", f"ipv{version}")
        firewall = make(FirewallOptions(cut=True))
        firewall.add([Entry(PEER[4], 600.0), Entry("fd00:1::/64", 600.0), Entry("203.0.113.1", 600.0)])
        for version in (4, 6):
            listing = ["conntrack", "-L", "-f", f"ipv{version}"]
            host.until(lambda version=version, listing=listing: PEER[version] not in here.run(*listing), "it is forgotten")  # type: ignore[misc]
    assert host.reports == []


@pytest.mark.tool("setpriv")
def test_without_permission_the_capability_is_named(network: Pair) -> None:
    program = "from logtrigger.firewall import nftables; print(nftables.why_not())"
    command = without_network_admin(sys.executable, "-c", program)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "nftables: not permitted: this needs root, or the capability CAP_NET_ADMIN\n"


def test_usable_here(network: Pair) -> None:
    assert nftables.why_not() == ""
