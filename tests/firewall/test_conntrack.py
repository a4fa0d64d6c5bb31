"""Connections are ended through conntrack, bounded in number; where it is missing, that is said once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from logtrigger.firewall import conntrack
from logtrigger.firewall.children import Children, Ended
from logtrigger.firewall.conntrack import Cutter
from tests.firewall.conftest import FakeHost


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Sequence[str], Callable[[Ended], None]]]:
    """The commands that would be run."""
    calls: list[tuple[Sequence[str], Callable[[Ended], None]]] = []

    def run(self: Children, arguments: Sequence[str], done: Callable[[Ended], None], env: Mapping[str, str] = {}) -> None:
        calls.append((arguments, done))

    monkeypatch.setattr(Children, "run", run)
    monkeypatch.setattr(conntrack, "has_program", lambda name: True)
    return calls


def test_commands(calls: list[tuple[Sequence[str], Callable[[Ended], None]]], host: FakeHost) -> None:
    Cutter(host).cut(["192.0.2.7", "2001:db8::/64"])
    assert [arguments for arguments, _ in calls] == [
        ["conntrack", "-D", "-f", "ipv4", "-s", "192.0.2.7"],
        ["conntrack", "-D", "-f", "ipv6", "-s", "2001:db8::/64"],
    ]
    calls[0][1](Ended(0, ()))
    calls[0][1](Ended(1, ("conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.",)))
    assert host.reports == []
    calls[0][1](Ended(1, ("Operation failed: such conntrack doesn't exist",)))
    assert host.reports == [(1, "option cut: conntrack: exit 1: Operation failed: such conntrack doesn't exist")]


def test_missing_it_is_said_once(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "has_program", lambda name: False)
    cutter = Cutter(host)
    cutter.cut(["192.0.2.7"])
    cutter.cut(["192.0.2.8"])
    ((level, text),) = host.reports
    assert level == 0 and "install the package 'conntrack'" in text


def test_too_many_are_not_queued(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "has_program", lambda name: True)
    monkeypatch.setattr(conntrack, "LONGEST_QUEUE", 2)
    cutter = Cutter(host)
    cutter.cut(["192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10"])
    ((_, text),) = host.reports
    assert "192.0.2.9 and later ones" in text
    cutter.close()
