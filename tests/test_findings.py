"""What is found on a machine: folders that look like one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from logtrigger import findings, sessions
from logtrigger.config import library
from logtrigger.findings import Found
from logtrigger.sources.machine import Machine

RULE = "config rule\n\toption name '{name}_failed'\n\toption pattern 'x %s'\n\toption program '{program}'\n{ban}"
LITTLE = "eth0\t{destination}\t{gateway}\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """One on which nothing runs."""
    monkeypatch.setattr(library, "LOCAL", tmp_path / "rules.d")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    for name in ("rules.d", "proc/net", "bin"):
        (tmp_path / name).mkdir(parents=True)
    return Machine(root=tmp_path, proc=tmp_path / "proc", path=str(tmp_path / "bin"))


def runs(machine: Machine, pid: int, comm: str, command: str) -> None:
    folder = machine.proc / str(pid)
    folder.mkdir()
    (folder / "comm").write_text(f"{comm}\n")
    (folder / "cmdline").write_bytes(command.encode().replace(b" ", b"\0"))
    (folder / "stat").write_text(f"{pid} ({comm}) S 1 1 1 0 -1\n")


def service(name: str, program: str, ban: str = "\toption ban '1h'\n", head: str = "") -> None:
    (library.LOCAL / f"{name}.conf").write_text(
        f"# {name}: what {name} says\n{head}\n{RULE.format(name=name, program=program, ban=ban)}"
    )


def found(machine: Machine) -> dict[str, bool]:
    return {one.name: one.bans for one in findings.gather(machine).services}


@pytest.mark.parametrize(
    ("comm", "command", "program", "head"),
    [
        ("zzd", "/usr/sbin/zzd -D", "other", ""),  # called like the process
        ("other", "/usr/sbin/other", "other", ""),
        ("master", "/usr/lib/zzfix/sbin/master -w", "zzfix/smtpd zzfix/submission/smtpd", ""),
        ("zz-main", "zz-main: working", "other", "# daemon: some zz-main\n"),
    ],
    ids=["file", "program", "folder", "said"],
)
def test_a_daemon_that_runs(machine: Machine, comm: str, command: str, program: str, head: str) -> None:
    service("zzd", program, head=head)
    assert found(machine) == {}
    runs(machine, 10, comm, command)
    assert findings.gather(machine).services == (Found("zzd", "what zzd says", True),)


def test_what_only_runs_elsewhere_is_not_found(machine: Machine) -> None:
    """pfSense's pages are PHP, as much on a Linux machine is; its lines come over the network."""
    service("zzsense", "php-fpm php", head="# daemon: -")
    runs(machine, 10, "php-fpm", "php-fpm: master process")
    assert found(machine) == {}
    assert [one for one in library.services() if one.name == "pfsense" and findings._called(one)] == []


def test_we_are_no_service_that_was_found(machine: Machine) -> None:
    """Else the rule about whom we have banned often would be in each first configuration, and a bare machine have a service."""
    service("recidive", "logtrigger")
    runs(machine, 10, "logtrigger", "/opt/logtrigger/bin/python3 /opt/logtrigger/bin/logtrigger init")
    assert found(machine) == {}


@pytest.mark.parametrize(
    "path",
    [
        "etc/systemd/system/multi-user.target.wants/zzd.service",
        "etc/systemd/system/sockets.target.wants/zzd@1.socket",
        "etc/rc.d/S19zzd",
    ],
)
def test_a_daemon_that_starts_with_the_machine(machine: Machine, path: str) -> None:
    service("zzd", "zzd")
    file = machine.root / path
    file.parent.mkdir(parents=True)
    file.touch()
    assert found(machine) == {"zzd": True}


def test_what_is_no_daemon_of_the_library(machine: Machine) -> None:
    """The kernel's threads, files of events, and others' processes."""
    service("zzd", "zzd")
    service("other-events", "other")
    runs(machine, 10, "zzd", "")
    runs(machine, 11, "other", "/usr/bin/other")
    assert found(machine) == {}


def test_rules_that_only_recognise(machine: Machine) -> None:
    service("zzd", "zzd", ban="")
    runs(machine, 10, "zzd", "zzd")
    assert found(machine) == {"zzd": False}


def test_another_way_to_log_is_kept_apart(machine: Machine) -> None:
    service("zzd", "zzd")
    service("zzd-pam", "zzd")
    runs(machine, 10, "zzd", "zzd")
    assert [(one.name, one.instead) for one in findings.gather(machine).services] == [("zzd", False), ("zzd-pam", True)]


def test_a_unit_of_another_name(machine: Machine) -> None:
    """A process called like the unit is something else: ssh is no sshd."""
    service("zzd", "other", head="# daemon: zz.socket\n")
    runs(machine, 10, "zz", "zz somewhere")
    assert found(machine) == {}
    folder = machine.root / "etc/systemd/system/sockets.target.wants"
    folder.mkdir(parents=True)
    (folder / "zz.socket").touch()
    assert found(machine) == {"zzd": True}


def test_no_log(machine: Machine) -> None:
    runs(machine, 1, "init", "/sbin/init")
    seen = findings.gather(machine)
    assert seen.log is None and any("no journald is running" in reason for reason in seen.against)


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("192.0.2.7 40000 192.0.2.1 22", "192.0.2.7"),
        ("::ffff:192.0.2.7 40000 ::ffff:192.0.2.1 22", "192.0.2.7"),
        ("2001:db8::7 40000 2001:db8::1 22", "2001:db8::7"),
        ("127.0.0.1 40000 127.0.0.1 22", ""),
        ("fe80::7%eth0 40000 fe80::1 22", ""),
        ("rubbish'\n", ""),
    ],
)
def test_session(machine: Machine, monkeypatch: pytest.MonkeyPatch, said: str, address: str) -> None:
    monkeypatch.setenv("SSH_CONNECTION", said)
    assert findings.gather(machine).session == address


def test_session_whose_variables_were_lost(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As sudo does: the kernel is asked."""
    monkeypatch.setattr(sessions, "of_process", lambda pid, proc: {(os.getpid(), machine.proc): "192.0.2.7"}[pid, proc])
    assert findings.gather(machine).session == "192.0.2.7"


@pytest.mark.skipif(sys.byteorder != "little", reason="the table below is of a little-endian machine")
def test_networks(machine: Machine) -> None:
    """Private ones that are reached directly; no default route, no public network, no single address."""
    rows = [("00000000", "0101A8C0", "00000000"), ("0001A8C0", "00000000", "00FFFFFF"), ("00710BCB", "00000000", "00FFFFFF")]
    rows += [("0000000A", "0101A8C0", "000000FF"), ("0501A8C0", "00000000", "FFFFFFFF")]
    text = "".join(LITTLE.format(destination=one, gateway=two, mask=three) for one, two, three in rows)
    (machine.proc / "net/route").write_text(f"Iface\tDestination\n{text}")
    six = (
        "fd000000000000000000000000000000 40 {0} 00 {0} 00000100 1 0 00000001 eth1\n"
        + "fe800000000000000000000000000000 40 {0} 00 {0} 0100 1 0 1 eth1\n"
    )
    (machine.proc / "net/ipv6_route").write_text(six.format("0" * 32))
    assert findings.gather(machine).networks == (("192.168.1.0/24", "eth0"), ("fd00::/64", "eth1"))
