"""Bans by the daemon itself: from a wrong password to silence, over flushes, restarts and crashes, in a real kernel."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.e2e.box import BOUND, PASSWORD, ROOT, Box, box, wait_for
from tests.e2e.test_blocking import PORT, dropbear, log_in, sshd
from tests.scripts.netns import HOST, PATH, PEER, Namespace, answers, family_of, pair

pytestmark = [
    pytest.mark.root,
    pytest.mark.tool("ip", "unshare", "nsenter"),
    pytest.mark.timeout(180),
]
BACKENDS = [
    pytest.param("nftables", marks=pytest.mark.tool("nft")),
    pytest.param("iptables", marks=pytest.mark.tool("iptables", "ip6tables", "ipset")),
]
FLUSHES = {
    "nftables": ["nft flush ruleset"],
    "iptables": ["iptables -F", "iptables -X", "ip6tables -F", "ip6tables -X"],
}
RULES = """\
config rule
	option name 'SSH'
	list pattern 'sshd[%d]: Failed password for %s from %s port %d ssh2'
	list pattern 'sshd-session[%d]: Failed password for %s from %s port %d ssh2'
	option fields '- user ip -'
	option file '{log}'
	option maxfail '5'
	option time '10m'
	option ban '1h'

config rule
	option name 'Short'
	option pattern 'short: %s'
	option fields 'ip'
	option file '{log}'
	option ban '{short}'

config rule
	option name 'Growing'
	option pattern 'growing: %s'
	option fields 'ip'
	option file '{log}'
	option ban '1s'
	option ban_factor '2'
	option ban_decay '3s'

config rule
	option name 'Many'
	option pattern 'many: %s'
	option fields 'ip'
	option file '{log}'
	option ban '10m'
	option time '10m'
	option widen '24/6'
"""


class Guard:
    """A logtrigger in a box, with rules that ban."""

    def __init__(self, machine: Box, log: Path, backend: str, short: str = "4s") -> None:
        self.machine, self.log = machine, log
        self.configuration, self.output = machine.files / "rules", machine.files / "said"
        self.process: subprocess.Popen[bytes] | None = None
        log.touch()
        self.configuration.write_text(
            "config logtrigger\n"
            f"\toption state '{machine.files}/state.db'\n"
            f"\toption control '{machine.files}/control'\n\n"
            f"config firewall\n\toption backend '{backend}'\n\toption trial '3s'\n\n" + RULES.format(log=log, short=short)
        )
        self.configuration.chmod(0o600)

    def start(self) -> None:
        command = [sys.executable, "-m", "logtrigger", "-c", str(self.configuration), "-D", "3"]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        with self.output.open("wb") as said:
            self.process = subprocess.Popen(self.machine._inside(command), env=environment, stdout=said, stderr=said)
        wait_for(lambda: self.said("ready\n"), "logtrigger is ready")

    def said(self, piece: str) -> int:
        return self.output.read_text().count(piece)

    def wait_until_said(self, piece: str, times: int = 1) -> None:
        wait_for(lambda: self.said(piece) >= times, f"{times} × {piece!r}")

    def end(self, number: int) -> None:
        """Send the daemon itself a signal, and wait for its end."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children or [str(self.process.pid)]:
            os.kill(int(pid), number)
        self.process.wait(BOUND)
        self.process = None

    def ask(self, *words: str, check: bool = True) -> str:
        """A command to the running daemon; with `check` it must exit with 0."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "logtrigger", "-c", str(self.configuration), *words]
        inside = self.machine._inside(command)
        return subprocess.run(inside, env=environment, stdout=subprocess.PIPE, text=True, timeout=BOUND, check=check).stdout

    def write(self, *lines: str) -> None:
        with self.log.open("a") as log:
            log.write("".join(f"Nov 14 22:00:00 gate {line}\n" for line in lines))

    def fail(self, address: str, times: int = 5) -> None:
        self.write(*[f"sshd[7]: Failed password for root from {address} port 40022 ssh2"] * times)


@contextmanager
def guard(machine: Box, backend: str, log: Path | None = None, short: str = "4s") -> Iterator[Guard]:
    made = Guard(machine, log or machine.files / "auth.log", backend, short)
    try:
        made.start()
        yield made
    finally:
        if made.process is not None:
            made.end(signal.SIGKILL)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Namespace, Namespace, Box]]:
    with pair() as (host, peer), box(host, tmp_path) as machine:
        yield host, peer, machine


def is_dead(client: socket.socket) -> bool:
    """Whether an established connection gets no answer any more."""
    client.settimeout(1.0)
    try:
        client.sendall(b"nonsense\r\n")
        while client.recv(4096):
            pass
    except TimeoutError:
        return True
    except ConnectionError:
        return False
    return False


@pytest.mark.tool("rsyslogd", "ssh", "sshd", "sshpass")
@pytest.mark.parametrize("backend", BACKENDS)
def test_five_wrong_passwords(two: tuple[Namespace, Namespace, Box], backend: str) -> None:
    """A real server and its lines, by IPv4 and by IPv6: whoever fails is cut off, the other way in stays open."""
    host, peer, machine = two
    with machine.system_log() as log, sshd(machine), guard(machine, backend, log) as daemon:
        wait_for(lambda: answers(host, 4, PORT), "the server listens")
        for version in (4, 6):
            with peer.socket(family_of(version)) as client:
                client.connect((HOST[version], PORT))
                client.settimeout(BOUND)
                assert client.recv(100).startswith(b"SSH-2.0")
                for _ in range(5):
                    assert not log_in(peer, version, "wrong")
                daemon.wait_until_said(f"banning {PEER[version]} for 1h")
                assert is_dead(client), "a connection from before is as dead as a new one"
            assert not answers(peer, version, PORT)
            if version == 4:
                assert answers(peer, 6, PORT)
        assert daemon.ask("unban", PEER[4]) and daemon.ask("unban", PEER[6])
        for version in (4, 6):
            assert log_in(peer, version, PASSWORD)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ban_outlives_the_daemon_and_ends_by_itself(two: tuple[Namespace, Namespace, Box], backend: str) -> None:
    """It survives a restart and a crash; without any daemon the kernel ends it when its time is over."""
    _, peer, machine = two
    with guard(machine, backend, short="8s") as daemon:
        began = time.monotonic()
        daemon.write(f"short: {PEER[4]}")
        daemon.fail(PEER[6])
        daemon.wait_until_said("; banning", 2)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if number == signal.SIGKILL:
                wait_for(lambda: (machine.files / "state.db-wal").exists(), "the store is in use")
                time.sleep(1.5)  # a commit
            daemon.end(number)
            assert not answers(peer, 4, PORT, 0.3) and not answers(peer, 6, PORT, 0.3), "nobody lets them in meanwhile"
            daemon.start()
            assert daemon.said("restoring 2 bans") == 1
            assert not answers(peer, 4, PORT, 0.3) and not answers(peer, 6, PORT, 0.3)
        assert time.monotonic() - began < 8, "this machine is too slow for the test"
        daemon.end(signal.SIGKILL)
        wait_for(lambda: answers(peer, 4, PORT, 0.3), "the kernel forgets")
        assert 7.5 < time.monotonic() - began < 12, "each start has given it the rest of its time only"
        assert not answers(peer, 6, PORT, 0.3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_flushed_rules_come_back(two: tuple[Namespace, Namespace, Box], backend: str) -> None:
    _, peer, machine = two
    with guard(machine, backend) as daemon:
        daemon.fail(PEER[4])
        daemon.fail(PEER[6])
        daemon.wait_until_said("; banning", 2)
        assert not answers(peer, 4, PORT, 0.3)
        for _ in range(2):
            began = time.monotonic()
            for command in FLUSHES[backend]:
                machine.run(*command.split())
            wait_for(lambda: not answers(peer, 4, PORT, 0.3) and not answers(peer, 6, PORT, 0.3), "the bans are back")
            assert time.monotonic() - began < 5.0
        assert daemon.said("somebody has removed our bans from the firewall: 2 bans restored") >= 1


def test_address_that_becomes_ours_is_not_banned(two: tuple[Namespace, Namespace, Box]) -> None:
    """The kernel tells of it; nobody waits until it is looked up again."""
    host, _, machine = two
    with guard(machine, "null") as daemon:
        daemon.write("short: 192.0.2.77")
        daemon.wait_until_said("; banning 192.0.2.77 for 4s")
        host.run("ip", "address", "add", "192.0.2.77/32", "dev", "lo")
        host.run("ip", "route", "add", "default", "via", PEER[4])
        host.run("ip", "address", "add", "192.0.2.78/32", "dev", "lo")
        ours = {"192.0.2.77": "an address", "192.0.2.78": "an address", PEER[4]: "a gateway"}

        def all_known() -> bool:
            return all(f"is {what} of this machine" in daemon.ask("why", one, check=False) for one, what in ours.items())

        wait_for(all_known, "the daemon knows what is ours")
        daemon.write(f"short: 192.0.2.77\nshort: 192.0.2.78\nshort: {PEER[4]}")
        daemon.wait_until_said("; not banned: 192.0.2.77 is an address of this machine")
        daemon.wait_until_said("; not banned: 192.0.2.78 is an address of this machine")
        daemon.wait_until_said(f"; not banned: {PEER[4]} is a gateway of this machine")


@pytest.mark.parametrize("backend", BACKENDS)
def test_lifting_all_wins_over_restoring(two: tuple[Namespace, Namespace, Box], backend: str) -> None:
    """As a router's firewall does it that is told to start afresh."""
    _, peer, machine = two
    with guard(machine, backend) as daemon:
        daemon.fail(PEER[4])
        daemon.wait_until_said("; banning")
        for command in FLUSHES[backend]:
            machine.run(*command.split())
        assert daemon.ask("unban", "--all")
        time.sleep(1.5)  # restored before or not at all, nobody is banned any more
        assert answers(peer, 4, PORT)
        daemon.fail(PEER[4])
        wait_for(lambda: not answers(peer, 4, PORT, 0.3), "and it bans again")


@pytest.mark.parametrize("backend", BACKENDS)
def test_bans_grow_and_are_forgiven(two: tuple[Namespace, Namespace, Box], backend: str) -> None:
    """Each one lasts twice as long as the one before, over a restart too; a quiet time halves their number."""
    _, peer, machine = two
    with guard(machine, backend) as daemon:
        for number, (seconds, said) in enumerate([(1, "1s"), (2, "2s (ban number 2)"), (4, "4s (ban number 3)")]):
            if number == 2:
                daemon.end(signal.SIGTERM)
                daemon.start()
            began = time.monotonic()
            daemon.write(f"growing: {PEER[4]}")
            daemon.wait_until_said(f"banning {PEER[4]} for {said}")
            assert not answers(peer, 4, PORT, 0.2)
            wait_for(lambda: answers(peer, 4, PORT, 0.2), "the ban ends")
            assert seconds - 0.2 < time.monotonic() - began < seconds + 2
        assert "1 network banned before" in daemon.ask("status")
        time.sleep(3.1)
        daemon.write(f"growing: {PEER[4]}")
        daemon.wait_until_said(f"banning {PEER[4]} for 2s (ban number 2)")
        assert f"{PEER[4]}: banned by rule Growing" in (told := daemon.ask("bans", PEER[4])) and "ban number 2 of it" in told


@pytest.mark.parametrize("backend", BACKENDS)
def test_six_hosts_of_a_prefix_are_one_ban(two: tuple[Namespace, Namespace, Box], backend: str) -> None:
    """The single ones are folded into it, and it is undone as one. A prefix that holds somebody who is spared is not banned."""
    _, peer, machine = two
    peer.run("ip", "address", "add", "10.77.7.9/24", "dev", "veth0")
    machine.run("ip", "route", "add", "10.77.7.0/24", "via", PEER[4])
    with guard(machine, backend) as daemon:
        assert connects(peer, "10.77.7.9")
        daemon.write(*(f"many: 10.77.7.{host}" for host in range(20, 25)))
        daemon.wait_until_said("; banning", 5)
        assert connects(peer, "10.77.7.9")
        daemon.write("many: 10.77.7.25")
        daemon.wait_until_said("banning 10.77.7.0/24 for 10m in place of 6 bans within")
        assert [line.split()[0] for line in daemon.ask("bans").splitlines()] == ["NETWORK", "10.77.7.0/24"]
        assert not connects(peer, "10.77.7.9"), "a neighbour that has done nothing"
        assert "6 different values of ip for 10.77.7.0/24 within 10m (maxfail 6)" in daemon.ask("why", "10.77.7.20")
        assert daemon.ask("unban", "10.77.7.0/24")
        wait_for(lambda: connects(peer, "10.77.7.9"), "all of it is let through")
        with daemon.configuration.open("a") as configuration:
            configuration.write("\nconfig logtrigger\n\tlist ignore '10.77.7.9'\n")
        daemon.ask("reload")
        daemon.write(*(f"many: 10.77.7.{host}" for host in range(30, 36)))
        daemon.wait_until_said("not banned: 10.77.7.0/24 holds addresses of the ignore list")
        assert connects(peer, "10.77.7.9")
        assert len(daemon.ask("bans").splitlines()) == 7


def connects(peer: Namespace, source: str) -> bool:
    """Whether an address of the peer's gets any answer from the host."""
    with peer.socket(socket.AF_INET) as client:
        client.settimeout(0.3)
        client.bind((source, 0))
        try:
            client.connect((HOST[4], PORT))
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False
        return True


@contextmanager
def session(peer: Namespace) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody logged in over SSH, where `cat` runs."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "PubkeyAuthentication=no"]
    command = ["sshpass", "-p", PASSWORD, "ssh", "-F", "none", *(f"-o{option}" for option in options), f"root@{HOST[4]}", "cat"]
    environment = {"PATH": PATH}
    process = subprocess.Popen(
        peer.command(*command), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def says(process: subprocess.Popen[bytes], word: str) -> bool:
    """Whether what is said in a session comes back."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{word}\n".encode())
    process.stdin.flush()
    return process.stdout.readline() == f"{word}\n".encode()


@pytest.mark.tool("rsyslogd", "ssh", "sshpass")
@pytest.mark.parametrize(
    "server",
    [
        pytest.param(sshd, marks=pytest.mark.tool("sshd"), id="sshd"),
        pytest.param(dropbear, marks=pytest.mark.tool("dropbear"), id="dropbear"),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_live_session_outlasts_the_first_ban(
    two: tuple[Namespace, Namespace, Box], backend: str, server: Callable[[Box], AbstractContextManager[None]]
) -> None:
    """Whoever is logged in is banned for a moment only, and is told how to undo it; the second ban is a full one."""
    host, peer, machine = two
    with machine.system_log() as log, server(machine), guard(machine, backend, log) as daemon:
        wait_for(lambda: answers(host, 4, PORT), "the server listens")
        with session(peer) as inside:
            assert says(inside, "before")
            daemon.fail(PEER[4])
            daemon.wait_until_said(f"banning {PEER[4]} for 3s")
            assert (
                daemon.said(f"{PEER[4]}: root is logged in from there over SSH, and fails by rule SSH: banned for 3s only") == 1
            )
            assert not answers(peer, 4, PORT, 0.3)
            wait_for(lambda: answers(peer, 4, PORT, 0.3), "the trial is over")
            assert says(inside, "after")
            daemon.fail(PEER[4])
            daemon.wait_until_said(f"banning {PEER[4]} for 1h")
            assert not answers(peer, 4, PORT, 0.3)
            assert daemon.ask("unban", PEER[4])
            assert says(inside, "in the end")
