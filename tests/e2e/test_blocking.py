"""From a wrong password to silence: real SSH servers and the lines they log, the shipped rules, a real firewall."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.e2e.box import BOUND, PASSWORD, Box, box, wait_for
from tests.scripts.netns import HOST, PATH, PEER, Namespace, answers, pair

PORT = 22
pytestmark = [
    pytest.mark.root,
    pytest.mark.tool("ip", "unshare", "nsenter", "rsyslogd", "ssh", "sshpass"),
    pytest.mark.timeout(180),
]
SSHD = """\
Port 22
HostKey {files}/host_key
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
PidFile none
"""


@contextmanager
def sshd(where: Box) -> Iterator[None]:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", where.files / "host_key"], check=True)
    (where.files / "sshd.conf").write_text(SSHD.format(files=where.files))
    with where.running("/usr/sbin/sshd", "-D", "-f", f"{where.files}/sshd.conf"):
        yield


@contextmanager
def dropbear(where: Box) -> Iterator[None]:
    where.run("dropbearkey", "-t", "ed25519", "-f", f"{where.files}/host_key")
    with where.running("dropbear", "-F", "-p", str(PORT), "-r", f"{where.files}/host_key", "-P", "/run/dropbear.pid"):
        yield


SERVERS = [
    pytest.param((sshd, "SSH_WrongPass", "SSH_Login"), id="sshd", marks=pytest.mark.tool("sshd")),
    pytest.param((dropbear, "Dropbear_WrongPass", "Dropbear_Login"), id="dropbear", marks=pytest.mark.tool("dropbear")),
]
# What is hidden from the box, what the firewall then holds, and what empties it.
FIREWALLS = [
    pytest.param(
        (),
        "nft list set inet logtrigger_block blocked{version}",
        "nft flush set inet logtrigger_block blocked{version}",
        id="nft",
        marks=pytest.mark.tool("nft"),
    ),
    pytest.param(
        ("nft",),
        "{iptables} -S LOGTRIGGER_BLOCK",
        "{iptables} -F LOGTRIGGER_BLOCK",
        id="iptables",
        marks=pytest.mark.tool("iptables", "ip6tables"),
    ),
]


def log_in(peer: Namespace, version: int, password: str) -> bool:
    """Whether a login over a connection of its own succeeds."""
    options = {
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "PreferredAuthentications": "password",
        "PubkeyAuthentication": "no",
        "NumberOfPasswordPrompts": "1",
        "ConnectTimeout": "10",
    }
    command = ["sshpass", "-p", password, "ssh", "-F", "none", *(f"-o{name}={value}" for name, value in options.items())]
    done = subprocess.run(
        peer.command(*command, f"root@{HOST[version]}", "echo", "inside"),
        env={"PATH": PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    return done.stdout == "inside\n"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("hidden", "listing", "flush"), FIREWALLS)
@pytest.mark.parametrize("server", SERVERS)
def test_five_wrong_passwords(
    tmp_path: Path,
    server: tuple[Callable[[Box], AbstractContextManager[None]], str, str],
    hidden: tuple[str, ...],
    listing: str,
    flush: str,
    version: int,
) -> None:
    """Four wrong ones and a good one are forgotten; five in a row end it, for that address only and until a flush."""
    start, wrong, login = server
    words = {"version": version, "iptables": "iptables" if version == 4 else "ip6tables"}
    with pair() as (host, peer), box(host, tmp_path, hidden) as machine:
        with machine.system_log() as log, start(machine), machine.logtrigger(log) as said:
            wait_for(lambda: answers(host, version, PORT), "the server listens")

            def fail(times: int, count: int) -> None:
                for _ in range(times):
                    assert not log_in(peer, version, "wrong")
                seen = f"event {wrong}: {count}/5 in 10m of {PEER[version]}"
                wait_for(lambda: said(seen) == expected.setdefault(seen, 0) + 1, seen)
                expected[seen] += 1

            expected: dict[str, int] = {}
            fail(4, 4)
            assert log_in(peer, version, PASSWORD)
            wait_for(lambda: said(f"event {login}: 1/1"), "the good login is seen")
            fail(4, 4)
            assert said(f"trigger {wrong}") == 0
            assert answers(peer, version, PORT)

            fail(1, 5)
            wait_for(lambda: said("ipblock.sh: exit 0"), "the script has run")
            assert said(f"trigger {wrong}: 5 events of {PEER[version]}") == 1
            assert PEER[version] in machine.run(*listing.format(**words).split())
            assert not answers(peer, version, PORT)
            assert answers(peer, 10 - version, PORT), "the other version's address is another"

            logs = machine.files / "logs"
            assert f" {PEER[version]} {wrong}\n" in (logs / "blockedIPs.log").read_text()
            assert PEER[version] in (logs / "failed_logins.log").read_text()
            assert PEER[version] in (logs / "logins.log").read_text()

            machine.run(*flush.format(**words).split())
            assert log_in(peer, version, PASSWORD)
