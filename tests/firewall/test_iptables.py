"""The iptables firewall, both flavours, in a network namespace: real packets, the kernel's clock, other people's commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logtrigger.errors import FirewallError
from logtrigger.firewall import chains, iptables, iptables_library
from logtrigger.firewall.base import Entry
from logtrigger.firewall.iptables import Iptables
from logtrigger.rule import FirewallOptions
from tests.firewall import traffic
from tests.firewall.conftest import FakeHost, without_network_admin
from tests.scripts.netns import PEER, Namespace, answers, family_of

DEFAULTS = FirewallOptions()
ROOT = Path(__file__).parents[2]
Make = Callable[..., Iptables]
Pair = tuple[Namespace, Namespace]
pytestmark = [pytest.mark.root, pytest.mark.tool("ip", "ipset")]
VARIANTS = [
    pytest.param(("-nft", False), id="nft", marks=pytest.mark.tool("iptables-nft", "ip6tables-nft")),
    pytest.param(("-legacy", False), id="legacy", marks=pytest.mark.tool("iptables-legacy", "ip6tables-legacy")),
    pytest.param(("-legacy", True), id="library", marks=[pytest.mark.tool("iptables-legacy"), pytest.mark.package("iptc")]),
]


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What follows the tools' names."""
    name, with_library = request.param
    monkeypatch.setattr(iptables_library, "is_installed", lambda: with_library)
    monkeypatch.setattr(iptables, "EVERY", 0.05)
    return str(name)


@pytest.fixture
def make(network: Pair, host: FakeHost, variant: str) -> Iterator[Make]:
    """Makes firewalls that are closed in the end."""
    made: list[Iptables] = []

    def make(options: FirewallOptions = DEFAULTS, open: bool = True) -> Iptables:
        firewall = Iptables(options, host, variant)
        made.append(firewall)
        if open:
            firewall.open()
        return firewall

    yield make
    for firewall in made:
        firewall.close()


@pytest.mark.parametrize("version", [4, 6])
def test_blocks(make: Make, host: FakeHost, network: Pair, version: int) -> None:
    traffic.blocks_and_lets_through(make(), host, network[1], version)


def test_never_blocks_loopback(make: Make, network: Pair) -> None:
    traffic.loopback_stays_open(make(), network[0])


def test_bans_end_by_themselves(make: Make, host: FakeHost, network: Pair) -> None:
    traffic.ends_by_itself(make(), host, network[1])


def seconds_left(network: Namespace, address: str) -> float | None:
    """What the kernel says of an entry; None: for ever."""
    for line in network.run("ipset", "save", "logtrigger4").splitlines():
        if line.startswith(f"add logtrigger4 {address} timeout "):
            return float(line.split()[-1]) or None
    raise AssertionError(f"{address} is not banned")


def test_the_latest_time_counts(make: Make, host: FakeHost, network: Pair) -> None:
    traffic.takes_the_latest_time(make(), host, lambda address: seconds_left(network[0], address))


def test_many_at_once(make: Make, host: FakeHost) -> None:
    traffic.takes_many_at_once(make(), host)


def test_bans_outlive_the_daemon(make: Make, host: FakeHost, network: Pair, variant: str) -> None:
    traffic.outlives_its_maker(lambda: make(open=False), host, network[1])
    assert network[0].run("ipset", "list", "-n") == ""
    for tool in ("iptables", "ip6tables"):
        assert "LOGTRIGGER" not in network[0].run(f"{tool}{variant}", "-S")


@pytest.mark.parametrize("version", [4, 6])
def test_established_connections_are_blocked(make: Make, network: Pair, variant: str, version: int) -> None:
    """Ours is the first rule, before the one that lets them through."""
    tool = "iptables" if version == 4 else "ip6tables"
    network[0].run(f"{tool}{variant}", "-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT")
    traffic.established_connection_is_blocked(make(), *network, version)


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
    many = tuple(range(100, 120))  # more than fit into one rule
    make(FirewallOptions(protocol="tcp", ports=(*many, traffic.PORT))).add([Entry(PEER[4], 600.0)])
    assert traffic.is_blocked(network[1], 4)
    assert answers(network[1], 4, traffic.PORT + 1, 30)


def test_docker_is_no_way_round(make: Make, network: Pair, variant: str, host: FakeHost) -> None:
    """Its chain for users is jumped to us from, wherever it stands; and where it comes later, that is seen."""
    tool = f"iptables{variant}"
    network[0].run(tool, "-N", "DOCKER-USER")
    network[0].run(tool, "-A", "DOCKER-USER", "-j", "RETURN")
    firewall = make()
    assert network[0].run(tool, "-S", "DOCKER-USER", "1") == "-A DOCKER-USER -j LOGTRIGGER\n"
    network[0].run(tool, "-F", "DOCKER-USER")
    host.until(lambda: host.losses == 1, "the loss is told")
    firewall.open()
    assert network[0].run(tool, "-S", "DOCKER-USER", "1") == "-A DOCKER-USER -j LOGTRIGGER\n"
    firewall.tear_down()
    network[0].run(tool, "-X", "DOCKER-USER")
    firewall.open()
    network[0].run(tool, "-N", "DOCKER-USER")
    if variant == "-legacy":  # of which the kernel does not tell what has changed
        host.until(lambda: host.losses == 2, "the chain is seen")
        firewall.open()
    host.until(lambda: "-j LOGTRIGGER" in network[0].run(tool, "-S", "DOCKER-USER"), "the chain leads to ours")
    assert host.losses == (2 if variant == "-legacy" else 1)
    network[0].run(tool, "-F", "DOCKER-USER")
    host.until(lambda: host.losses == (3 if variant == "-legacy" else 2), "the loss is told")


LOSSES = [
    "{tool} -F",
    "{tool} -F LOGTRIGGER",
    "{tool} -D INPUT -j LOGTRIGGER",
    "{tool6} -D FORWARD -j LOGTRIGGER",
    "ipset flush logtrigger6",
    "ipset flush",
]


@pytest.mark.parametrize("command", LOSSES)
def test_a_loss_is_told_once_and_can_be_made_good(
    make: Make, host: FakeHost, network: Pair, variant: str, command: str
) -> None:
    firewall = make()
    firewall.add([Entry("203.0.113.1", None), Entry("203.0.113.2", 600.0), Entry("2001:db8::/64", 600.0)])
    network[0].run(*command.format(tool=f"iptables{variant}", tool6=f"ip6tables{variant}").split())
    host.until(lambda: host.losses, "the loss is told")
    host.settle()
    assert host.losses == 1
    firewall.open()
    firewall.add([Entry(PEER[4], None)])
    assert traffic.is_blocked(network[1], 4)
    network[0].run("ipset", "flush", "logtrigger4")
    host.until(lambda: host.losses == 2, "another loss is told")


def test_a_loss_that_could_not_be_seen_is_seen_later(make: Make, host: FakeHost, network: Pair, variant: str) -> None:
    """While another holds the lock of iptables nothing can be told."""
    firewall = make()
    assert firewall._chains is not None
    look, asked = firewall._chains.look, list[Callable[[bool | None], None]]()

    def locked_at_first(done: Callable[[bool | None], None]) -> None:
        asked.append(done)
        if len(asked) == 1:
            done(None)
        else:
            look(done)

    firewall._chains.look = locked_at_first  # type: ignore[method-assign]
    network[0].run(f"iptables{variant}", "-F", chains.CHAIN)
    host.until(lambda: host.losses, "the loss is told")
    assert len(asked) > 1


def test_a_set_that_is_destroyed(make: Make, host: FakeHost, network: Pair, variant: str) -> None:
    firewall = make()
    for tool in ("iptables", "ip6tables"):
        network[0].run(f"{tool}{variant}", "-F", "LOGTRIGGER")
    network[0].run("ipset", "destroy")
    host.until(lambda: host.losses, "the loss is told")
    firewall.open()
    firewall.add([Entry(PEER[4], None)])
    assert traffic.is_blocked(network[1], 4)
    assert host.losses == 1


def test_rules_of_others_are_no_concern(make: Make, host: FakeHost, network: Pair, variant: str) -> None:
    firewall = make()
    network[0].run(f"iptables{variant}", "-A", "INPUT", "-s", "203.0.113.9", "-j", "DROP")
    network[0].run(f"iptables{variant}", "-F", "OUTPUT")
    network[0].run(f"iptables{variant}", "-D", "INPUT", "-s", "203.0.113.9", "-j", "DROP")
    looked: list[bool | None] = []
    assert firewall._chains is not None
    host.until(lambda: firewall._sign is None, "it has looked")
    firewall._chains.look(looked.append)
    host.until(lambda: looked, "an answer")
    assert (looked, host.losses) == ([True], 0)


def test_a_set_of_somebody_else(make: Make, network: Pair) -> None:
    network[0].run("ipset", "create", "logtrigger6", "hash:ip")
    with pytest.raises(FirewallError, match="ipset destroy logtrigger6"):
        make()


def test_closed_it_says_so(make: Make, host: FakeHost) -> None:
    firewall = make()
    firewall.present(lambda networks: pytest.fail("nobody waits for it any more"))
    firewall.close()
    firewall.close()
    with pytest.raises(FirewallError, match="not open"):
        firewall.add([Entry("192.0.2.9", 600.0)])
    host.settle()


@pytest.mark.tool("setpriv", "iptables")
def test_without_permission_the_capability_is_named(network: Pair) -> None:
    program = "from logtrigger.firewall import iptables; print(iptables.why_not())"
    command = without_network_admin(sys.executable, "-c", program)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "not permitted: this needs root, or the capability CAP_NET_ADMIN" in done.stdout


@pytest.mark.tool("iptables")
def test_usable_here(network: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    assert iptables.why_not() == ""
    monkeypatch.setattr(iptables, "has_program", lambda name: False)
    assert "install the package iptables" in iptables.why_not()
