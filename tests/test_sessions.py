"""Sessions over SSH as the kernel and sshd's processes show them. A real one is in tests/e2e/test_bans.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from logtrigger import sessions

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the tables below are of a little-endian machine")
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: 010200C0:0016 {address}:9C40 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n"


def process(proc: Path, pid: int, title: str, *inodes: int, comm: str = "sshd", program: str = "sshd") -> None:
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
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
    rows = [("070200C0", "01", 11), ("080200C0", "01", 12), ("090200C0", "06", 13), ("0A0200C0", "01", 14)]
    text = "".join(ROW.format(address=address, state=state, inode=inode) for address, state, inode in rows)
    (tmp_path / "net/tcp").write_text(HEAD + text)
    six = [("B80D0120000000000000000007000000", 21), ("0000000000000000FFFF00000B0200C0", 22)]
    (tmp_path / "net/tcp6").write_text(HEAD + "".join(ROW.format(address=a, state="01", inode=i) for a, i in six))
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


def test_this_machine() -> None:
    assert isinstance(sessions.live(), dict)
