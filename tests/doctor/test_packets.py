"""Which rules of iptables let packets pass before ours; with a real kernel in tests/e2e/test_doctor.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.doctor import packets
from logtrigger.doctor.findings import Case
from logtrigger.sources.machine import Machine

CHAINS = "-P INPUT ACCEPT|-P FORWARD DROP|-N LOGTRIGGER|-N DOCKER-USER|-N a|-N b"
OURS = "-A INPUT -j LOGTRIGGER"
BANNING = "config rule\n\toption name a\n\toption pattern 'x %s'\n\toption fields ip\n\toption ban 1h\n\toption file /x\n"
OF_DOCKER = "-A FORWARD -j DOCKER-USER|-A FORWARD -i docker0 ! -o docker0 -j ACCEPT|-A FORWARD -j LOGTRIGGER"


def said(monkeypatch: pytest.MonkeyPatch, rules: str, bases: Sequence[str] = ("INPUT",)) -> list[str]:
    listed = [*CHAINS.split("|"), *rules.split("|")]
    monkeypatch.setattr(packets, "_listing", lambda command: listed)
    return [one.text for one in packets._behind("iptables", bases)]


@pytest.mark.parametrize(
    "rules",
    [
        f"{OURS}|-A INPUT -j ACCEPT",
        f"-A INPUT -i lo -j ACCEPT|-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT|{OURS}",
        f"-A INPUT -j a|{OURS}|-A a -p tcp -m tcp --dport 22 -j LOG|-A a -j RETURN",
        f"-A INPUT -i lo -j a|{OURS}|-A a -j ACCEPT",
        "-A INPUT -j a|-A INPUT -j ACCEPT|-A a -j LOGTRIGGER",
        f"-A INPUT -j a|{OURS}|-A a -j b|-A b -j a",
    ],
)
def test_packets_that_come_to_ours(monkeypatch: pytest.MonkeyPatch, rules: str) -> None:
    assert said(monkeypatch, rules) == []


@pytest.mark.parametrize(
    ("rules", "by"),
    [
        (f"-A INPUT -p tcp -j ACCEPT|{OURS}", "-A INPUT -p tcp -j ACCEPT"),
        (f"-A INPUT -j a|{OURS}|-A a -p tcp -j ACCEPT", "-A INPUT -j a, then -A a -p tcp -j ACCEPT"),
        (f"-A INPUT -p tcp -g a|{OURS}|-A a -j b|-A b -j ACCEPT", "-A INPUT -p tcp -g a, then -A a -j b, then -A b -j ACCEPT"),
        (f"-A INPUT -p udp -j a|-A INPUT -p tcp -j ACCEPT|{OURS}|-A a -j LOGTRIGGER", "-A INPUT -p tcp -j ACCEPT"),
    ],
)
def test_packets_that_are_accepted_before(monkeypatch: pytest.MonkeyPatch, rules: str, by: str) -> None:
    assert said(monkeypatch, rules) == [f"iptables: packets are accepted before they come to our chain, by {by}"]


@pytest.mark.parametrize("rules", ["-A INPUT -j ACCEPT", "-A INPUT -s 192.0.2.7/32 -j LOGTRIGGER"])
def test_packets_that_never_come(monkeypatch: pytest.MonkeyPatch, rules: str) -> None:
    assert said(monkeypatch, rules) == ["iptables: the chain INPUT does not jump to LOGTRIGGER, so nothing is blocked there"]


def test_packets_that_are_accepted_in_our_own_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the bans that does no harm."""
    accept, drop = "-A LOGTRIGGER -p tcp -j ACCEPT", "-A LOGTRIGGER -m set --match-set logtrigger4 src -j DROP"
    assert said(monkeypatch, f"{OURS}|-A LOGTRIGGER -i lo -j RETURN|{drop}|{accept}") == []
    (text,) = said(monkeypatch, f"{OURS}|-A LOGTRIGGER -i lo -j RETURN|{accept}|{drop}")
    assert text.endswith("by -A INPUT -j LOGTRIGGER, then -A LOGTRIGGER -p tcp -j ACCEPT")


def test_what_docker_forwards_has_come_past_its_own_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Docker that is started after us puts its rules before ours."""
    assert said(monkeypatch, f"{OF_DOCKER}|-A DOCKER-USER -j LOGTRIGGER", ["FORWARD", "DOCKER-USER"]) == []
    (text,) = said(monkeypatch, OF_DOCKER, ["FORWARD", "DOCKER-USER"])
    assert text.endswith("by -A FORWARD -i docker0 ! -o docker0 -j ACCEPT")


@pytest.mark.parametrize(
    ("hook", "names", "said"),
    [
        ("input", "lo eth0 docker0 br-0a1b2c3d4e5f virbr0-nic", "br-0a1b2c3d4e5f, docker0"),
        ("input", "lo eth0 br-lan bridge0", ""),
        ("input forward", "docker0", ""),
        ("prerouting", "docker0", ""),
    ],
)
def test_bridges_that_packets_are_forwarded_to(tmp_path: Path, hook: str, names: str, said: str) -> None:
    for name in names.split():
        (tmp_path / "sys/class/net" / name).mkdir(parents=True)
    rules = tmp_path / "rules"
    rules.write_text(f"config firewall\n\toption backend nftables\n\toption hook '{hook}'\n" + BANNING)
    rules.chmod(0o600)
    facts = {"backend": "nftables", "error": "", "missing": [], "bans": 0, "blocked": 0, "flushes": 0, "last_flush": None}
    case = Case(rules, 0.0, config.read(rules), firewall=facts, machine=Machine(root=tmp_path))
    found = [one.text for one in packets.check(case) if one.is_wrong]
    text = f"what is forwarded to {said} does not come past the bans, which are at {hook} only"
    assert found == [text] * bool(said)


UNIX = """\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 1 /run/systemd/private
0000000000000000: 00000002 00000000 00010000 0001 01 2 {own}
0000000000000000: 00000003 00000000 00000000 0001 03 3 /srv/other/state.db.control
0000000000000000: 00000003 00000000 00000000 0001 03 4
{more}"""


@pytest.mark.parametrize(
    ("flags", "remedy"), [("00010000", "another logtrigger answers at /srv/b/x.db.control: "), ("0", "look")]
)
def test_two_daemons_with_one_firewall(tmp_path: Path, flags: str, remedy: str) -> None:
    own = tmp_path / "state.db.control"
    (tmp_path / "net").mkdir()
    row = f"0000000000000000: 00000002 00000000 {flags} 0001 01 5 /srv/b/x.db.control\n"
    (tmp_path / "net/unix").write_text(UNIX.format(own=own, more=row))
    rules = tmp_path / "rules"
    rules.write_text("config firewall\n\toption backend nftables\n" + BANNING)
    rules.chmod(0o600)
    facts = {"backend": "nftables", "error": "", "missing": [], "bans": 0, "blocked": 0, "flushes": 9, "last_flush": 1.0}
    case = Case(rules, 2.0, config.read(rules), firewall=facts, socket=own, machine=Machine(root=tmp_path, proc=tmp_path))
    (found,) = packets.check(case)
    assert found.text.startswith("somebody has removed our bans 9 times") and found.remedy.startswith(remedy)
