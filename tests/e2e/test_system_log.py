"""A real syslog daemon, real `logger`, and the daemon finds the system log by itself; or, where none is served, serves it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.box import BOUND, ROOT, Box, box, wait_for
from tests.scripts.netns import PATH, namespace
from tests.sources.journald import needs_journald

pytestmark = [pytest.mark.root, pytest.mark.tool("ip", "unshare", "nsenter", "logger", "pkill")]

FIRST = "The dog ate my homework and, I know this is the 10 th time this has happened."
SECOND = f"{FIRST} Sorry, won't happen again (heh heh)."
# As Debian's rsyslog has it.
RSYSLOG = """\
module(load="imuxsock" SysSock.Name="/dev/log")
module(load="builtin:omfile" Template="RSYSLOG_TraditionalFileFormat")
auth,authpriv.* /var/log/auth.log
*.*;auth,authpriv.none -/var/log/syslog
"""


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Box]:
    with namespace() as network, box(network, tmp_path) as one:
        yield one


class Desk:
    """Copies of the quickstart, and the daemon that runs them in a box."""

    def __init__(self, one: Box) -> None:
        self._one = one
        folder = one.files / "examples/quickstart"
        shutil.copytree(ROOT / "examples/quickstart", folder)
        for path in (folder.parent, folder, *folder.iterdir()):
            path.chmod(0o755)
        self.configuration = folder / "logtrigger"
        self.output = one.files / "said"

    @contextmanager
    def daemon(self) -> Iterator[None]:
        """As `make run` starts it, until its orderly end."""
        (self._one.files / "run").mkdir(exist_ok=True)
        inside = ["nsenter", f"--target={self._one.pid}", "--mount", "--pid", "--net", "--"]
        command = [*inside, sys.executable, "-m", "logtrigger", "-c", str(self.configuration), "-D", "2"]
        env = {"PATH": PATH, "PYTHONPATH": str(ROOT)}
        with self.output.open("wb") as output:
            process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stderr=output)
        try:
            self.wait_for(" ready\n")
            yield
            self.signal("TERM")
            assert process.wait(BOUND) == 0, self.said
        finally:
            process.kill()
            process.wait()

    def signal(self, name: str) -> None:
        """To the daemon: nothing else of that name runs in the box."""
        self._one.run("pkill", f"-{name}", "-f", "python.* -m logtrigger")

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str, count: int = 1) -> None:
        wait_for(lambda: self.said.count(text) >= count, f"{count} × {text!r} in {self.output}")

    def log(self, *words: str) -> None:
        self._one.run("logger", *words)


@contextmanager
def rsyslogd(one: Box) -> Iterator[None]:
    """A syslog daemon that writes what Debian's does, and has done so already."""
    configuration = one.files / "rsyslog.conf"
    configuration.write_text(RSYSLOG)
    with one.running("rsyslogd", "-n", "-f", str(configuration), "-i", "/run/rsyslogd.pid"):
        wait_for(lambda: one.run("sh", "-c", "test ! -S /dev/log || echo there"), "rsyslogd opens /dev/log")
        one.run("logger", "the machine is up")
        wait_for(lambda: one.run("sh", "-c", "cat /var/log/syslog 2>/dev/null || :"), "rsyslogd writes")
        yield


@pytest.mark.tool("rsyslogd")
def test_quickstart(one: Box) -> None:
    """What the README promises: the first line triggers, the second does not, and a last %s takes both."""
    desk = Desk(one)
    with rsyslogd(one), desk.daemon():
        assert "system log: reading /var/log/syslog and /var/log/auth.log, as /var/log/syslog is open" in desk.said
        desk.log(FIRST)
        desk.wait_for("show.sh: exit 0")
        for shown in ("LT_name    Homework", "LT_what    dog", "LT_times   10", "| Hello from the script of rule Homework."):
            assert f"  {shown}\n" in desk.said
        desk.log(SECOND)
        desk.log(FIRST)
        desk.wait_for("show.sh: exit 0", 2)
        assert "heh heh" not in desk.said

        text = desk.configuration.read_text()
        text = text.replace("th time this has happened.'", "th time %s'").replace("'what times'", "'what times what_else'")
        desk.configuration.write_text(text)
        desk.signal("HUP")
        desk.wait_for("reloaded; 3 rules")
        desk.log(SECOND)
        desk.log(FIRST)
        desk.wait_for("show.sh: exit 0", 4)
        assert "  LT_what_else this has happened. Sorry, won't happen again (heh heh).\n" in desk.said


@pytest.mark.tool("rsyslogd")
def test_each_rule_of_the_quickstart(one: Box) -> None:
    """The lines that its comments give, as they are logged; those of `auth` come by the other file of the pair."""
    desk = Desk(one)
    with rsyslogd(one), desk.daemon():
        desk.log("-t", "dnsmasq-dhcp", "--id=4273", "DHCPACK(br-lan) 192.168.2.153 00:16:3e:11:22:33 laptop")
        desk.wait_for("LT_interface br-lan")
        for _ in range(5):
            desk.log("-p", "auth.warning", "Freeswitch: SIP registration failed User:1001 IP:192.0.2.7")
        desk.wait_for("trigger SIP_WrongPass: 5 events of 192.0.2.7 within 1h (maxfail 5), from /var/log/auth.log")
        desk.wait_for("show.sh: exit 0", 2)


@pytest.mark.tool("rsyslogd")
def test_rotation_and_restart(one: Box) -> None:
    """As logrotate does it, with lines before, between and after, and the daemon stopped for some of them."""
    desk = Desk(one)
    with rsyslogd(one):
        with desk.daemon():
            desk.log(FIRST)
            desk.wait_for("show.sh: exit 0")
            one.run("mv", "/var/log/syslog", "/var/log/syslog.1")
            desk.log(FIRST)
            desk.wait_for("show.sh: exit 0", 2)
            one.run("sh", "-c", "kill -HUP $(cat /run/rsyslogd.pid)")
            desk.log(FIRST)
            desk.wait_for("show.sh: exit 0", 3)
        desk.log(FIRST)
        one.run("mv", "/var/log/syslog", "/var/log/syslog.1")
        one.run("sh", "-c", "kill -HUP $(cat /run/rsyslogd.pid)")
        desk.log("the machine is up")
        desk.log(FIRST)
        wait_for(lambda: one.run("sh", "-c", "grep -s dog /var/log/syslog || :"), "rsyslogd writes to a new file")
        with desk.daemon():
            desk.wait_for("show.sh: exit 0", 2)
            desk.log(FIRST)
            desk.wait_for("show.sh: exit 0", 3)
        assert desk.said.count("trigger Homework") == 3


def test_nobody_serves_the_log(one: Box) -> None:
    """In a container there often is no syslog daemon: then we are it, for as long as we run."""
    desk = Desk(one)
    with desk.daemon():
        assert "system log: reading /dev/log, as nothing logs here" in desk.said
        desk.log("-t", "school", "-p", "user.notice", FIRST)
        desk.wait_for("show.sh: exit 0")
        assert "  LT_program school\n" in desk.said
        desk.log("-t", "dnsmasq-dhcp", "--id=4273", "DHCPACK(br-lan) 192.168.2.153 00:16:3e:11:22:33 laptop")
        desk.wait_for("LT_interface br-lan")
        assert "log" in one.run("ls", "/dev").split()
    assert "log" not in one.run("ls", "/dev").split()


@needs_journald
@pytest.mark.tool("journalctl")
def test_the_journal(one: Box) -> None:
    """No syslog daemon, but journald: found by itself, and read on after a restart from where it was."""
    desk = Desk(one)
    with one.journald():
        one.run("logger", "the machine is up")
        wait_for(lambda: "machine is up" in one.run("journalctl", "-o", "cat"), "an entry")
        with desk.daemon():
            assert "system log: reading the journal, as journald is running" in desk.said
            desk.log("-t", "school", FIRST)
            desk.wait_for("show.sh: exit 0")
            assert "  LT_program school\n" in desk.said and "  LT_source  journal\n" in desk.said
        desk.log("-t", "later", FIRST)
        with desk.daemon():
            desk.wait_for("show.sh: exit 0")
            assert "  LT_program later\n" in desk.said
            assert desk.said.count("trigger Homework") == 1
