"""Sessions over SSH as the kernel and sshd's processes show them. A real one is in tests/e2e/test_bans.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from logtrigger import sessions

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the tables below are of a little-endian machine")
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: 010200C0:{port} {address}:9C40 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n"


def row(address: str, state: str, inode: int, port: str = "0016") -> str:
    return ROW.format(address=address, state=state, inode=inode, port=port)


def process(proc: Path, pid: int, title: str, *inodes: int, comm: str = "sshd", program: str = "sshd", parent: int = 1) -> None:
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} ({comm} (1) ) S {parent} {pid} {pid} 0 -1\n")
    (folder / "comm").write_text(f"{comm}\n")
    (folder / "cmdline").write_text(title + "\0" * 9)
    (proc / "bin").mkdir(exist_ok=True)
    (proc / "bin" / program).touch()
    (folder / "exe").symlink_to(proc / "bin" / program)
    for number, inode in enumerate(inodes):
        os.symlink(f"socket:[{inode}]", folder / "fd" / str(number))


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    rows = [row("070200C0", "01", 11), row("080200C0", "01", 12), row("090200C0", "06", 13), row("0A0200C0", "01", 14)]
    rows += [row("0C0200C0", "01", 15, "9C41"), row("0D0200C0", "01", 16, "1F90")]
    rows += [row("00000000", "0A", 1), row("00000000", "0A", 17, "1F90")]
    (tmp_path / "net/tcp").write_text(HEAD + "".join(rows))
    six = [row("B80D0120000000000000000007000000", "01", 21), row("0000000000000000FFFF00000B0200C0", "01", 22)]
    (tmp_path / "net/tcp6").write_text(HEAD + "".join(six))
    return tmp_path


@pytest.mark.root
def test_who_is_in(proc: Path) -> None:
    process(proc, 10, "sshd: bob [priv]", 11)
    process(proc, 11, "sshd: bob@pts/0", 11)
    process(proc, 12, "sshd-session: ann@notty", 21, comm="sshd-session", program="sshd-session")
    process(proc, 13, "sshd: eve@example.org@pts/1", 22)
    assert sessions.live(proc) == {"192.0.2.7": "bob", "2001:db8::7": "ann", "192.0.2.11": "eve@example.org"}


@pytest.mark.root
def test_who_is_not(proc: Path) -> None:
    """Whoever still tries, whose connection is over, and processes that only look like sshd's."""
    process(proc, 10, "sshd: root [net]", 12)
    process(proc, 11, "sshd: a@b [net]", 12)
    process(proc, 12, "sshd: bob@pts/0", 13)
    process(proc, 13, "sshd: mallory@pts/0", 14, program="python")
    process(proc, 14, "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", 14)
    process(proc, 15, "sshd: mallory@pts/0", 14, comm="python")
    assert sessions.live(proc) == {}


@pytest.mark.root
def test_what_is_forwarded_is_no_login(proc: Path) -> None:
    """From here to a stranger's address, and from strangers to a port that the session has opened here."""
    process(proc, 10, "sshd: bob@pts/0", 11, 15, 16, 17)
    assert sessions.live(proc) == {"192.0.2.7": "bob"}


@pytest.mark.root
def test_dropbear_starts_shells_for_those_who_are_in(proc: Path) -> None:
    process(proc, 10, "dropbear", 1, comm="dropbear", program="dropbear")
    process(proc, 11, "dropbear", 11, comm="dropbear", program="dropbear", parent=10)
    process(proc, 12, "-ash", comm="ash", program="busybox", parent=11)
    process(proc, 13, "dropbear", 12, comm="dropbear", program="dropbearmulti", parent=10)
    process(proc, 14, "dropbear", 14, comm="dropbear", program="dropbear", parent=10)
    process(proc, 15, "sftp-server", comm="sftp-server", program="sftp-server", parent=14)
    os.chown(proc / "15", 1000, 1000)
    process(proc, 16, "dropbear", 22, comm="dropbear", program="python")
    process(proc, 17, "sh", comm="sh", program="busybox", parent=16)
    assert sessions.live(proc) == {"192.0.2.7": "root", "192.0.2.10": "user 1000"}


@pytest.mark.root
def test_whose_session_a_process_is_of(proc: Path) -> None:
    process(proc, 10, "sshd: bob [priv]", 11)
    process(proc, 11, "sshd: bob@pts/0", 11, parent=10)
    process(proc, 12, "sshd: ann@pts/1", 21)
    process(proc, 13, "-bash", comm="bash", program="bash", parent=11)
    process(proc, 14, "sudo", comm="sudo", program="sudo", parent=13)
    process(proc, 15, "cron", comm="cron", program="cron")
    assert [sessions.of_process(pid, proc) for pid in (14, 12, 15, 99)] == ["192.0.2.7", "2001:db8::7", "", ""]


def test_this_machine() -> None:
    assert isinstance(sessions.live(), dict)
