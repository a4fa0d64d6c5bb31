"""Sets in a network namespace of their own: what goes in comes out, and somebody else's changes are seen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.errors import FirewallError
from logtrigger.firewall.base import Entry
from logtrigger.firewall.ipset import Sets
from tests.firewall.conftest import FakeHost, without_network_admin
from tests.scripts.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.tool("ip", "ipset")]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def sets(network: tuple[Namespace, Namespace]) -> Iterator[Sets]:
    sets = Sets()
    yield sets
    sets.close()


def present(sets: Sets, host: FakeHost) -> set[str] | None:
    answers: list[frozenset[str] | None] = []
    sets.present(host.loop, answers.append)
    host.until(lambda: answers, "an answer")
    return None if answers[0] is None else set(answers[0])


def test_networks_of_all_kinds(sets: Sets, host: FakeHost) -> None:
    networks = {"192.0.2.7", "198.51.100.0/24", "0.0.0.0/1", "2001:db8::/64", "2001:db8:1::1", "::/1"}
    sets.open(100)
    sets.add([Entry(network, 60.0) for network in networks])
    assert present(sets, host) == networks
    sets.remove(["192.0.2.7", "::/1", "203.0.113.1"])
    assert present(sets, host) == networks - {"192.0.2.7", "::/1"}


def test_times(sets: Sets, network: tuple[Namespace, Namespace]) -> None:
    """What is over at once still has a time: 0 would be for ever."""
    sets.open(100)
    sets.add([Entry("192.0.2.1", None), Entry("192.0.2.2", 1e9), Entry("192.0.2.3", 0.0)])
    listed = network[0].run("ipset", "save", "logtrigger4")
    assert "192.0.2.1 timeout 0\n" in listed
    assert "192.0.2.2 timeout 214748" in listed
    assert "192.0.2.3 timeout 0" not in listed


def test_opened_again_nothing_is_lost(sets: Sets, host: FakeHost) -> None:
    sets.open(100)
    sets.add([Entry("192.0.2.7", None)])
    sets.open(200)
    assert present(sets, host) == {"192.0.2.7"}


@pytest.mark.parametrize("name", ["logtrigger4", "logtrigger6"])
@pytest.mark.parametrize("command", ["flush", "destroy"])
def test_a_loss_is_seen(sets: Sets, host: FakeHost, network: tuple[Namespace, Namespace], command: str, name: str) -> None:
    sets.open(100)
    assert sets.intact()
    network[0].run("ipset", command, name)
    assert not sets.intact()
    sets.open(100)
    assert sets.intact()


def test_our_marks_stay_whatever_is_banned_and_lifted(sets: Sets, host: FakeHost) -> None:
    sets.open(100)
    marks = ["255.255.255.255", "ff02::ffff"]
    sets.add([Entry(mark, 1.0) for mark in marks])
    sets.remove([*marks, "192.0.2.7"])
    assert sets.intact()


def test_a_set_that_is_gone_cannot_be_told(sets: Sets, host: FakeHost) -> None:
    assert present(sets, host) is None
    with pytest.raises(FirewallError, match="the set is not there"):
        sets.add([Entry("192.0.2.7", None)])


@pytest.mark.parametrize("kind", ["hash:ip timeout 0", "hash:net", "hash:net family inet6 timeout 0", "list:set"])
def test_a_set_of_somebody_else(sets: Sets, network: tuple[Namespace, Namespace], kind: str) -> None:
    network[0].run("ipset", "create", "logtrigger4", *kind.split())
    with pytest.raises(FirewallError, match="'logtrigger4' is not one of ours.*ipset destroy logtrigger4"):
        sets.open(100)


def test_a_full_set(sets: Sets) -> None:
    sets.open(2)
    sets.add([Entry("192.0.2.1", 60.0), Entry("192.0.2.2", 60.0)])
    with pytest.raises(FirewallError, match="max_bans"):
        sets.add([Entry(f"198.51.100.{i}", 60.0) for i in range(100)])


def test_destroyed(sets: Sets, network: tuple[Namespace, Namespace]) -> None:
    sets.open(100)
    sets.destroy()
    sets.destroy()
    assert network[0].run("ipset", "list", "-n") == ""


@pytest.mark.tool("setpriv")
def test_without_permission_the_capability_is_named() -> None:
    program = "from logtrigger.firewall.ipset import Sets; Sets().open(1)"
    command = without_network_admin(sys.executable, "-c", program)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "capability CAP_NET_ADMIN" in done.stderr.splitlines()[-1]
