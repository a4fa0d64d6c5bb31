"""python-iptables works in a process of its own, whose failures are told; see test_iptables.py for what it does."""

from __future__ import annotations

import sys

import pytest

from logtrigger.errors import FirewallError
from logtrigger.firewall import iptables_library
from logtrigger.firewall.chains import ChainRule, Plan
from logtrigger.firewall.iptables_library import LibraryChains
from tests.firewall.conftest import FakeHost
from tests.scripts.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.tool("ip", "iptables-legacy"), pytest.mark.package("iptc")]
SOUND = Plan(4, (ChainRule(target="DROP", protocol="tcp"),), ("INPUT", "MISSING"))
UNSOUND = Plan(4, (ChainRule(target="DROP", protocol="no-such-protocol"),), ())


@pytest.mark.usefixtures("network")
def test_what_it_finds(host: FakeHost, network: tuple[Namespace, Namespace]) -> None:
    chains = LibraryChains(host.loop, [SOUND])
    answers: list[bool | None] = []
    chains.look(answers.append)
    host.until(lambda: answers == [False], "nothing is there")
    chains.set_up()
    chains.set_up()
    assert network[0].run("iptables-legacy", "-S", "INPUT") == "-P INPUT ACCEPT\n-A INPUT -j LOGTRIGGER\n"
    chains.look(answers.append)
    host.until(lambda: answers == [False, True], "everything is there")
    chains.tear_down()
    chains.tear_down()
    assert "LOGTRIGGER" not in network[0].run("iptables-legacy", "-S")
    chains.close()


@pytest.mark.usefixtures("network")
def test_a_fault_is_told_and_the_process_goes_on(host: FakeHost) -> None:
    with pytest.raises(FirewallError, match="invalid protocol no-such-protocol"):
        LibraryChains(host.loop, [UNSOUND]).set_up()


def test_the_daemon_does_not_load_the_library() -> None:
    assert iptables_library.is_installed()
    assert "iptc" not in sys.modules
