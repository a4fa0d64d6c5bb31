"""`init` on a machine with rsyslog, with journald alone, and in a bare container: what it writes is right, and runs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.box import ROOT, Box, box, wait_for
from tests.e2e.test_system_log import RSYSLOG
from tests.scripts.netns import namespace
from tests.sources.journald import needs_journald

pytestmark = [pytest.mark.root, pytest.mark.tool("ip", "unshare", "nsenter", "logger", "nft")]


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Box]:
    with namespace() as network, box(network, tmp_path) as one:
        yield one


def logtrigger(one: Box, words: str, **variables: str) -> str:
    """What a command says in the box, all together."""
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in {"PYTHONPATH": str(ROOT), **variables}.items())
    return one.run("sh", "-c", f"cd /; {given} {shlex.quote(sys.executable)} -m logtrigger {words} 2>&1")


def works(one: Box, log: str) -> str:
    """Write a configuration, check it, start the daemon with it and wait until it reads; the configuration."""
    said = logtrigger(one, "init && cat /etc/config/logtrigger >/dev/null", SSH_CONNECTION="192.0.2.7 4711 192.0.2.1 22")
    assert "written     /etc/config/logtrigger\n" in said and "never bans  192.0.2.7\n" in said
    assert log in said
    assert "no mistakes" in logtrigger(one, "check")
    command = [sys.executable, "-m", "logtrigger", "-D", "1", "--dry-run"]
    text = one.run("cat", "/etc/config/logtrigger")
    if "\n\tlist use" in text:
        with one.running(*command, env={"PYTHONPATH": str(ROOT)}) as output:
            wait_for(lambda: "ready\n" in output.read_text(), "logtrigger is ready")
            assert f"reading {log}" in output.read_text()
    return text


@pytest.mark.tool("rsyslogd")
def test_rsyslog(one: Box) -> None:
    configuration = one.files / "rsyslog.conf"
    configuration.write_text(RSYSLOG)
    with one.running("rsyslogd", "-n", "-f", str(configuration), "-i", "/run/rsyslogd.pid"):
        wait_for(lambda: one.run("sh", "-c", "test ! -S /dev/log || echo there"), "rsyslogd opens /dev/log")
        one.run("logger", "-p", "auth.info", "the machine is up")
        wait_for(lambda: one.run("sh", "-c", "cat /var/log/auth.log 2>/dev/null || true"), "a line in auth.log")
        text = works(one, "/var/log/syslog and /var/log/auth.log")
    assert "\toption backend 'auto'\n" in text and "Here it is nftables" in text and "\tlist ignore '192.0.2.7'\n" in text


@needs_journald
@pytest.mark.tool("journalctl")
def test_journald_alone(one: Box) -> None:
    with one.journald():
        text = works(one, "the journal")
    assert "as journald is running" in text.replace("\n# ", " ")


def test_bare_container(one: Box) -> None:
    """Nothing logs, nothing runs, and no firewall may be touched; process 1 is a plain program."""
    text = works(one, "/dev/log")
    assert "a container" in text.replace("\n# ", " ")
    assert "mistake" not in logtrigger(one, "init --output -")


@pytest.mark.tool("sshd")
def test_a_daemon_that_runs(one: Box) -> None:
    one.run("mkdir", "-p", "/etc/logtrigger/rules.d")
    (one.files / "door.conf").write_text(
        "# door: wrong codes at the door\n# daemon: sshd\n"
        "config rule\n\toption name 'door_failed'\n\toption program 'door'\n\toption pattern 'wrong code from %s'\n"
        "\toption fields 'ip'\n\toption ban '1h'\n"
    )
    one.run("install", "-m", "644", "-o", "root", str(one.files / "door.conf"), "/etc/logtrigger/rules.d/door.conf")
    assert "list use 'door'" not in logtrigger(one, "init --output -")
    with one.running("/usr/sbin/sshd", "-D", "-o", "PidFile=none", "-o", "UsePAM=no"):
        wait_for(lambda: "list use 'door'" in logtrigger(one, "init --output -"), "sshd runs")
        text = works(one, "/dev/log")
    assert "\tlist use 'door'" in text
