"""The tools of iptables are run without a shell, and what they complain of is told; see test_iptables.py for what they do."""

from __future__ import annotations

import pytest

from logtrigger.errors import FirewallError
from logtrigger.firewall import iptables_tools
from logtrigger.firewall.chains import plans
from logtrigger.firewall.iptables_tools import ToolChains
from logtrigger.rule import FirewallOptions
from tests.firewall.conftest import FakeHost


def test_a_tool_that_is_missing() -> None:
    with pytest.raises(FirewallError, match="install the package iptables"):
        iptables_tools.run(["no-such-iptables"])


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo one two >&2; echo more >&2; exit 2", "^sh: one two$"),
        ("exit 3", "^sh: exit 3$"),
        ("echo iptables: Permission denied, you must be root >&2; exit 4", "CAP_NET_ADMIN"),
    ],
)
def test_what_a_tool_complains_of(script: str, message: str) -> None:
    with pytest.raises(FirewallError, match=message):
        iptables_tools.run(["sh", "-c", script])


def test_a_tool_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iptables_tools, "_TIMEOUT", 0.05)
    with pytest.raises(FirewallError, match="timed out"):
        iptables_tools.run(["sleep", "100"])


def test_where_nothing_can_be_seen_nothing_is_said_to_be_lost(host: FakeHost) -> None:
    answers: list[bool | None] = []
    ToolChains(host.loop, plans(FirewallOptions(), [4, 6]), "-missing").look(answers.append)
    host.until(lambda: answers, "an answer")
    assert answers == [None]


def test_chains_in_a_list() -> None:
    listed = ["-P INPUT ACCEPT", "-N LOGTRIGGER", "-A DOCKER-USER -j LOGTRIGGER"]
    assert [iptables_tools.has_chain(listed, chain) for chain in ("INPUT", "LOGTRIGGER", "DOCKER-USER")] == [True, True, False]
