"""Faults planted one by one in a machine in small, each of which `logtrigger doctor` names; and nothing on a healthy one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.box import ROOT, Box, box, wait_for
from tests.scripts.netns import PATH, namespace

pytestmark = [
    pytest.mark.root,
    pytest.mark.tool("ip", "unshare", "nsenter", "rsyslogd", "logger", "nft", "iptables", "ipset", "setpriv"),
]

RULES = """\
config rule
	option name 'sshd_failed'
	option program 'sshd'
	option anchored '1'
	option pattern 'Failed password for %s from %s port %d ssh2'
	option fields 'user ip port'
	option maxfail '5'
	option time '10m'
	option ban '1h'
	option script '{script}'
	list expect 'Jan  6 17:26:44 nas sshd[812]: Failed password for root from 192.0.2.7 port 50234 ssh2 -> ip=192.0.2.7'

config rule
	option name 'app_down'
	option file '{app}'
	option pattern 'app is down: %s'
	option fields 'why'
	option script '{script}'
	list expect 'app is down: fire -> why=fire'
"""
FAILED = "Failed password for root from 203.0.113.{} port 4711 ssh2"
clock = time.time  # noqa: TID251 - of files that the doctor looks at


class Patient:
    """A daemon in a box, with a real system log, and what the doctor says of it."""

    def __init__(self, one: Box, backend: str = "nftables") -> None:
        self.box = one
        self.folder = one.files
        self.app, self.script, self.rules = self.folder / "app.log", self.folder / "act.sh", self.folder / "rules"
        self.state = self.folder / "state/state.db"
        self.state.parent.mkdir(mode=0o700)
        self.app.touch()
        self.script.write_text("#!/bin/sh\nexit 0\n")
        self.script.chmod(0o700)
        self.configure(backend)

    def configure(self, backend: str = "nftables", more: str = "") -> None:
        own = f"config logtrigger\n\toption state '{self.state}'\n"
        firewall = f"config firewall\n\toption backend '{backend}'\n"
        self.rules.write_text(own + firewall + RULES.format(script=self.script, app=self.app) + more)
        self.rules.chmod(0o600)

    @property
    def command(self) -> list[str]:
        return ["env", f"PYTHONPATH={ROOT}", f"PATH={PATH}", sys.executable, "-m", "logtrigger", "-c", str(self.rules)]

    @contextmanager
    def daemon(self, *before: str) -> Iterator[None]:
        """Running, and with one ban made by hand, so that the firewall is in use."""
        with self.box.running(*before, *self.command, "-D", "1") as said:
            wait_for(lambda: "ready\n" in said.read_text(), "the daemon is ready")
            yield

    def ban(self) -> None:
        self.box.run(*self.command, "ban", "203.0.113.77")

    def examine(self) -> dict[str, list[dict[str, Any]]]:
        """What is wrong, by check."""
        done = subprocess.run(self.box._inside([*self.command, "doctor", "--json"]), capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stderr
        findings = json.loads(done.stdout)
        wrong: dict[str, list[dict[str, Any]]] = {}
        for one in findings:
            if one["level"] in ("warning", "error"):
                wrong.setdefault(one["check"], []).append(one)
        assert done.returncode == bool(wrong)
        assert all(one["remedy"] for found in wrong.values() for one in found)
        return wrong

    def named(self, check: str) -> str:
        """The text of the one finding that something is wrong, which is this check's."""
        wrong = self.examine()
        assert list(wrong) == [check], wrong
        (found,) = wrong[check]
        return str(found["text"])


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Box]:
    with namespace() as network, box(network, tmp_path) as one:
        start_syslog(one)
        yield one


def start_syslog(one: Box) -> None:
    """A syslog daemon that writes where Debian's does, and goes on until the box ends."""
    configuration = one.files / "rsyslog.conf"
    configuration.write_text(
        'module(load="imuxsock" SysSock.Name="/dev/log")\n'
        'module(load="builtin:omfile" Template="RSYSLOG_FileFormat")\n'
        "auth,authpriv.* /var/log/auth.log\n*.*;auth,authpriv.none /var/log/syslog\n"
    )
    one.run("rsyslogd", "-f", str(configuration), "-i", "/run/rsyslogd.pid")
    wait_for(lambda: one.run("sh", "-c", "test ! -S /dev/log || echo there"), "rsyslogd opens /dev/log")
    one.run("logger", "-p", "auth.info", "-t", "sshd", "Server listening on 0.0.0.0 port 22.")
    one.run("logger", "begin")
    wait_for(lambda: one.run("sh", "-c", "ls /var/log").count("log") >= 2, "both logs are there")


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_healthy_machine(one: Box, backend: str) -> None:
    patient = Patient(one, backend)
    with patient.daemon():
        patient.ban()
        one.run("logger", "-p", "auth.info", "-t", "sshd", FAILED.format(1))
        assert patient.examine() == {}


def test_dead_log_file(one: Box) -> None:
    """Nobody has written it for days, and nobody has it open."""
    patient = Patient(one)
    with patient.daemon():
        days_ago = clock() - 3 * 86_400
        os.utime(patient.app, (days_ago, days_ago))
        assert patient.named("source") == f"nothing was written to {patient.app} for 3d, and no process has it open"


@pytest.mark.parametrize("days", [1, 3])
def test_a_log_with_little_traffic_that_a_program_holds(one: Box, days: int) -> None:
    """Wherever it lies."""
    patient = Patient(one)
    with patient.daemon(), patient.app.open("a"):
        hold = ["sh", "-c", f"exec 9>>{patient.app}; touch -d '{days} days ago' {patient.app}; exec sleep 1000"]
        with one.running(*hold):
            wait_for(lambda: os.stat(patient.app).st_mtime < clock() - 3600, "it is an old file")
            assert patient.examine() == {}


def test_a_new_file_each_day(one: Box) -> None:
    patient = Patient(one)
    for day in range(6):
        log = patient.folder / f"app-{day}.log"
        log.write_text("all is well\n")
        os.utime(log, (clock() - day * 86_400, clock() - day * 86_400))
    patient.rules.write_text(patient.rules.read_text().replace(str(patient.app), f"{patient.folder}/app-*.log"))
    with patient.daemon():
        assert patient.examine() == {}


def test_a_name_that_no_file_has(one: Box) -> None:
    patient = Patient(one)
    patient.rules.write_text(patient.rules.read_text().replace(str(patient.app), f"{patient.folder}/ap/*.log"))
    with patient.daemon():
        assert patient.named("source") == f"no file is called {patient.folder}/ap/*.log"


def test_a_log_that_was_deleted_under_its_writer(one: Box) -> None:
    patient = Patient(one)
    with patient.daemon():
        one.run("rm", "/var/log/auth.log")
        assert patient.named("source").startswith("rsyslogd writes to /var/log/auth.log as it was before it was deleted")


def test_a_log_that_the_daemon_may_no_longer_read(one: Box) -> None:
    """Rotated into a file of root's own; the daemon is root without its privileges, the doctor is root."""
    patient = Patient(one, "null")
    with patient.daemon("setpriv", "--bounding-set=-all", "--inh-caps=-all"):
        assert patient.examine() == {}
        one.run("sh", "-c", f"mv {patient.app} {patient.app}.1 && umask 777 && touch {patient.app}")
        wait_for(lambda: "source" in patient.examine(), "the daemon has looked at it")
        assert patient.named("source").startswith(f"the daemon does not read a file: {patient.app} cannot be read: Perm")


def test_syslog_daemon_that_has_ended(one: Box) -> None:
    patient = Patient(one)
    with patient.daemon():
        one.run("sh", "-c", "kill $(cat /run/rsyslogd.pid)")
        wait_for(lambda: one.run("sh", "-c", "test -e /run/rsyslogd.pid || echo gone"), "rsyslogd has ended")
        assert patient.named("line").startswith("nothing can be logged: /dev/log: ")


def test_syslog_daemon_that_writes_elsewhere(one: Box) -> None:
    """The line is taken, and does not come."""
    patient = Patient(one)
    with patient.daemon():
        one.run("sh", "-c", "kill $(cat /run/rsyslogd.pid)")
        wait_for(lambda: one.run("sh", "-c", "test -e /run/rsyslogd.pid || echo gone"), "rsyslogd has ended")
        with one.system_log():
            said = patient.named("line")
    assert said == "a line logged to /dev/log did not come within 5 s by way of /var/log/syslog and /var/log/auth.log"


def test_renamed_program(one: Box) -> None:
    patient = Patient(one)
    with patient.daemon():
        for number in range(3):
            one.run("logger", "-p", "auth.info", "-t", "sshd-session", FAILED.format(number))
        wait_for(lambda: one.run("cat", "/var/log/auth.log").count("sshd-session") == 3, "the lines are written")
        said = patient.named("rules")
        assert said.startswith("rule sshd_failed: sshd-session writes its lines now, and it is for sshd: ")
        assert said.endswith("(3 such lines)")


@pytest.mark.parametrize("tool", ["iptables", "ip6tables"])
def test_ban_chain_behind_an_accepting_rule(one: Box, tool: str) -> None:
    patient = Patient(one, "iptables")
    with patient.daemon():
        patient.ban()
        one.run(tool, "-I", "INPUT", "1", "-i", "lo", "-j", "ACCEPT")
        one.run(tool, "-I", "INPUT", "1", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT")
        assert patient.examine() == {}
        one.run(tool, "-I", "INPUT", "1", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
        said = patient.named("firewall")
        assert said.startswith(f"{tool}: packets are accepted before they come to our chain, by -A INPUT -p tcp")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "nft insert rule inet logtrigger input tcp dport 22 accept",
            "packets are accepted before they come to the bans, by a rule in our chain input: tcp dport 22 accept",
        ),
        ("nft add table inet logtrigger '{ flags dormant; }'", "the table inet logtrigger is dormant, so nothing is blocked"),
    ],
)
def test_a_foreign_hand_in_our_table(one: Box, command: str, said: str) -> None:
    patient = Patient(one)
    with patient.daemon():
        patient.ban()
        one.run("nft", "add", "rule", "inet", "logtrigger", "input", "tcp", "dport", "80", "accept")
        assert patient.examine() == {}
        one.run("sh", "-c", command)
        assert patient.named("firewall") == said


@pytest.mark.parametrize(
    ("backend", "flush", "shown"),
    [
        ("nftables", ["nft", "flush", "ruleset"], ["nft", "list", "ruleset"]),
        ("iptables", ["sh", "-c", "iptables -F && iptables -X && ipset flush"], ["sh", "-c", "iptables -S INPUT; ipset list"]),
    ],
)
def test_foreign_flush(one: Box, backend: str, flush: list[str], shown: list[str]) -> None:
    patient = Patient(one, backend)
    with patient.daemon():
        patient.ban()
        one.run(*flush)
        wait_for(lambda: "203.0.113.77" in one.run(*shown), "the daemon has put the ban back")
        assert patient.named("firewall").startswith("somebody has removed our bans once, last ")


def test_skewed_clock(one: Box) -> None:
    patient = Patient(one)
    with patient.daemon():
        ahead = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock() + 7200))
        with patient.app.open("a") as log:
            log.write(f"{ahead} nas app: all is well\n")
        wait_for(lambda: "clock" in patient.examine(), "the line is read")
        assert patient.named("clock") == f"{patient.app}: its clock is 2h ahead of ours"


def test_store_that_cannot_be_written(one: Box) -> None:
    patient = Patient(one)
    with patient.daemon():
        one.run("mount", "--bind", str(patient.state.parent), str(patient.state.parent))
        one.run("mount", "-o", "remount,bind,ro", str(patient.state.parent))
        assert patient.named("store") == f"{patient.state} cannot be written: Read-only file system"


def test_store_that_was_deleted(one: Box) -> None:
    patient = Patient(one)
    with patient.daemon():
        patient.state.unlink()
        assert patient.named("store").startswith(f"{patient.state} was deleted under the daemon")


def test_full_disk(one: Box) -> None:
    patient = Patient(one)
    one.run("mount", "-t", "tmpfs", "-o", "size=24m", "small", str(patient.state.parent))
    with patient.daemon():
        assert patient.examine() == {}
        one.run("sh", "-c", f"dd if=/dev/zero of={patient.state.parent}/fill bs=64k 2>/dev/null || true")
        said = patient.named("store")
        assert "No space left on device" in said or "full" in said


@pytest.mark.parametrize(
    ("first", "level"), [("#!/bin/sh", "warning"), ("#!/usr/bin/python3", "error"), ("#!/bin/bash", "error")]
)
def test_script_without_run_bit(one: Box, first: str, level: str) -> None:
    patient = Patient(one)
    patient.script.write_text(f"{first}\nexit 0\n")
    patient.script.chmod(0o600)
    with patient.daemon():
        (found,) = patient.examine()["scripts"]
        assert (found["level"], found["remedy"]) == (level, f"chmod +x {patient.script}")
        assert found["text"].startswith(f"{patient.script} has no run bit")


@pytest.mark.parametrize(("first", "is_wrong"), [("#!/bin/sh", False), ("#!/usr/bin/env python3", True)])
def test_script_where_nothing_may_be_run(one: Box, first: str, is_wrong: bool) -> None:
    """/bin/sh is given it, which is well for one that is written for it."""
    patient = Patient(one)
    patient.script.write_text(f"{first}\n")
    one.run("mount", "--bind", str(patient.folder), str(patient.folder))
    one.run("mount", "-o", "remount,bind,noexec", str(patient.folder))
    with patient.daemon():
        wrong = patient.examine()
        assert list(wrong) == ["scripts"] * is_wrong
        for found in wrong.get("scripts", []):
            assert found["text"].startswith(f"{patient.script} lies where nothing may be run (noexec), so /bin/sh runs it")


def test_name_of_the_ignore_list_that_has_no_address(one: Box) -> None:
    patient = Patient(one)
    patient.rules.write_text("config logtrigger\n\tlist ignore 'gone.invalid'\n" + patient.rules.read_text())
    with patient.daemon():
        wait_for(lambda: "ignore" in patient.examine(), "the name is looked up")
        assert patient.named("ignore").startswith("'gone.invalid' has no address: ")


def test_configuration_that_everybody_can_write(one: Box) -> None:
    patient = Patient(one)
    with patient.daemon():
        patient.rules.chmod(0o666)
        assert patient.named("configuration") == f"{patient.rules}:1: {patient.rules} can be written by everybody"


def test_missing_capability(one: Box) -> None:
    patient = Patient(one)
    with patient.daemon("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"):
        wrong = patient.examine()
        assert [found["text"] for found in wrong["rights"]] == [
            "the daemon lacks the capability CAP_NET_ADMIN, so nothing can be banned"
        ]


def test_nothing_runs(one: Box) -> None:
    patient = Patient(one)
    assert patient.named("daemon").startswith("no daemon answers: there is no socket ")


def test_configuration_that_changed_meanwhile(one: Box) -> None:
    patient = Patient(one)
    with patient.daemon():
        patient.configure(more="\n")
        assert patient.named("daemon").startswith(f"{patient.rules} has changed since the daemon read it ")
        one.run(*patient.command, "reload")
        assert patient.examine() == {}
