"""README's way to protect a host, as it stands there: the library's rules for sshd, a real sshd, its system log, nftables."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import of_kind
from tests.e2e.box import BOUND, PASSWORD, ROOT, Box, box, wait_for
from tests.e2e.test_blocking import PORT, log_in, sshd
from tests.scripts.netns import HOST, PATH, PEER, Namespace, answers, pair

pytestmark = [
    pytest.mark.root,
    pytest.mark.tool("ip", "unshare", "nsenter", "nft", "rsyslogd", "ssh", "sshd", "sshpass"),
    pytest.mark.timeout(180),
]


def protection() -> str:
    """The configuration of README's section."""
    (found,) = [block.text for block in of_kind(ROOT / "README.md", "configuration") if "list use 'sshd'" in block.text]
    return found


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Namespace, Namespace, Box]]:
    with pair() as (host, peer), box(host, tmp_path) as machine:
        yield host, peer, machine


@contextmanager
def system_log(machine: Box) -> Iterator[None]:
    """A syslog daemon that writes where Debian's does."""
    configuration = machine.files / "rsyslog.conf"
    configuration.write_text(
        'module(load="imuxsock" SysSock.Name="/dev/log")\n'
        'auth,authpriv.* action(type="omfile" file="/var/log/auth.log")\n'
        '*.*;auth,authpriv.none action(type="omfile" file="/var/log/syslog")\n'
    )
    with machine.running("rsyslogd", "-n", "-f", str(configuration), "-i", "/run/rsyslogd.pid"):
        wait_for(lambda: machine.run("sh", "-c", "test ! -S /dev/log || echo there"), "rsyslogd opens /dev/log")
        machine.run("logger", "-p", "auth.info", "a first line")
        wait_for(lambda: machine.run("sh", "-c", "test ! -s /var/log/auth.log || echo there"), "it is written")
        yield


@contextmanager
def guard(machine: Box) -> Iterator[Path]:
    """logtrigger with README's configuration, and a state that the test's own folder holds; what it says."""
    configuration = machine.files / "logtrigger"
    configuration.write_text(f"{protection()}\nconfig logtrigger\n\toption state '{machine.files}/state.db'\n")
    configuration.chmod(0o600)
    command = [sys.executable, "-m", "logtrigger", "-c", str(configuration), "-D", "3"]
    with machine.running(*command, env={"PYTHONPATH": str(ROOT)}) as output:
        wait_for(lambda: "ready\n" in output.read_text(), "logtrigger is ready")
        yield output


def probe(peer: Namespace, text: str) -> None:
    """Say something that no SSH client says."""
    script = (
        "import socket, sys; s = socket.create_connection((sys.argv[1], 22), 10); s.sendall(sys.argv[2].encode()); s.recv(99)"
    )
    subprocess.run(
        peer.command(sys.executable, "-c", script, HOST[6], text),
        env={"PATH": PATH},
        capture_output=True,
        timeout=BOUND,
        check=False,
    )


def test_a_fresh_host(two: tuple[Namespace, Namespace, Box]) -> None:
    """Five wrong passwords by IPv4, ten lines of HTTP by IPv6: whoever it was gets no answer any more."""
    host, peer, machine = two
    with system_log(machine), sshd(machine), guard(machine) as said:
        wait_for(lambda: answers(host, 4, PORT), "the server listens")

        def wait_until_said(text: str) -> None:
            wait_for(lambda: text in said.read_text(), text)

        for _ in range(4):
            assert not log_in(peer, 4, "wrong")
        wait_until_said("event sshd_failed: 4/5")
        assert answers(peer, 4, PORT)
        assert not log_in(peer, 4, "wrong")
        wait_until_said(f"trigger sshd_failed: 5 events of {PEER[4]} within 10m (maxfail 5)")
        wait_until_said(f"banning {PEER[4]} for 1h")
        wait_for(lambda: not answers(peer, 4, PORT), "the ban is in the kernel")
        assert PEER[4] in machine.run("nft", "list", "ruleset")

        assert answers(peer, 6, PORT)
        for _ in range(10):
            probe(peer, "GET / HTTP/1.1\r\n\r\n")
        wait_until_said("trigger sshd_scan: 10 events of ")
        wait_for(lambda: not answers(peer, 6, PORT), "the ban is in the kernel")


def test_whoever_is_let_in_has_a_second_try(two: tuple[Namespace, Namespace, Box]) -> None:
    """The rule about good logins does what it is for: the first ban of the same user lasts a minute."""
    host, peer, machine = two
    with system_log(machine), sshd(machine), guard(machine) as said:
        wait_for(lambda: answers(host, 4, PORT), "the server listens")
        assert log_in(peer, 4, PASSWORD)
        wait_for(lambda: "event sshd_login: 1/1" in said.read_text(), "the good login is seen")
        for _ in range(5):
            assert not log_in(peer, 4, "wrong")
        wait_for(lambda: f"banning {PEER[4]} for 1m" in said.read_text(), "a short ban")
