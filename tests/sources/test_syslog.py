"""The system log is found, said, and left for another one without losing or doubling a line."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logtrigger.errors import SourceError
from logtrigger.model import Position
from logtrigger.rule import SYSTEM_LOG
from logtrigger.sources.machine import Machine
from logtrigger.sources.syslog import SystemLogSource
from tests.sources.host import TestHost, running, until


@pytest.fixture
def host() -> Iterator[TestHost]:
    host = TestHost()
    yield host
    host.loop.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("dev", "var/log", "run/systemd/journal", "etc", "bin", "proc/1"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "proc/stat").write_text("btime 1000\n")
    (tmp_path / "proc/1/comm").write_text("systemd\n")
    return tmp_path


# A journal with one entry, which tells how it was asked for.
ENTRY = """entry='{"__CURSOR":"s=1","MESSAGE":"%s","_HOSTNAME":"h","_COMM":"app"}'; printf "$entry\\n" "$*" """


def source(host: TestHost, root: Path, judge_every: float = 3600, moved: Callable[[], None] = lambda: None) -> SystemLogSource:
    return SystemLogSource(host, Machine(root, root / "proc", f"{root}/bin:{os.environ['PATH']}"), judge_every, moved)


def program(root: Path, name: str, script: str) -> None:
    (root / "bin" / name).write_text(f"#!/bin/sh\n{script}\nexec sleep 60\n")
    (root / "bin" / name).chmod(0o755)


def add(path: Path, text: str) -> None:
    with path.open("a") as out:
        out.write(text)


def test_both_files_of_a_pair_are_followed_though_one_is_missing(host: TestHost, root: Path) -> None:
    log = root / "var/log"
    add(log / "syslog", "old\n")
    with running(source(host, root), host):
        assert host.said(f"system log: reading {log}/syslog and {log}/auth.log, as {log}/syslog has grown lately")
        add(log / "auth.log", "first\n")
        host.wait_for(b"first")
        add(log / "syslog", "new\n")
        host.wait_for(b"first", b"new")
    assert {chunk.source for chunk in host.chunks} == {SYSTEM_LOG}
    assert not [text for level, text in host.reports if level == 0]


def test_the_ring_buffer(host: TestHost, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{root}/bin:{os.environ['PATH']}")
    (root / "etc/openwrt_release").touch()
    program(root, "logread", "[ $# = 0 ] && exit; echo one $1")
    system = source(host, root)
    with running(system, host):
        host.wait_for(b"one -f")
        assert not system.tells_senders
    assert host.chunks[0].origin == "logread -f"
    assert host.said("reading the ring buffer of logread, as this is OpenWrt")


def test_a_socket_of_our_own(host: TestHost, root: Path) -> None:
    (root / "proc/1/comm").write_text("app\n")
    with running(source(host, root), host), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(root / "dev/log"))
        sock.send(b"<13>one")
        host.wait_for(b"<13>one")
    assert not (root / "dev/log").exists()


def test_what_cannot_be_opened_gives_way_to_the_next(host: TestHost, root: Path) -> None:
    """journalctl is there but does not run; nothing else is."""
    (root / "run/systemd/journal/socket").touch()
    (root / "bin/journalctl").write_bytes(b"\x7fELF")
    (root / "bin/journalctl").chmod(0o755)
    (root / "proc/1/comm").write_text("app\n")
    system = SystemLogSource(host, Machine(root, root / "proc", str(root / "bin")))
    (root / "bin/journalctl").rename(root / "bin/no")
    with running(system, host):
        assert host.said("reading")


def test_nothing_at_all(host: TestHost, root: Path) -> None:
    with pytest.raises(SourceError, match="system log: none was found: .*option file"):
        source(host, root).open()


def test_a_pause_holds_across_a_move(host: TestHost, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{root}/bin:{os.environ['PATH']}")
    log = root / "var/log/syslog"
    add(log, "old\n")
    os.utime(log, (2000, 2000))
    system = source(host, root, judge_every=0.05)
    with running(system, host):
        system.pause()
        program(root, "journalctl", ENTRY)
        (root / "run/systemd/journal/socket").touch()
        until(host.loop, lambda: host.said("reading the journal"))
        host.settle(0.1)
        assert host.lines == []
        system.resume()
        until(host.loop, lambda: host.lines)
        assert b" h app: " in host.lines[0] and host.lines[0].endswith(b"--no-tail --since=@2001.000000")


def test_a_log_that_lives_is_kept_whatever_else_appears(host: TestHost, root: Path) -> None:
    log = root / "var/log"
    add(log / "messages", "old\n")
    system = source(host, root)
    with running(system, host):
        for n in range(5):
            host.settle(0.02)  # a file's time is no finer than a few ms
            add(log / "messages", f"{n}\n")
            add(log / "syslog", "other\n")
            system._judge()
        host.wait_for(*(b"%d" % n for n in range(5)))
    assert len(host.said("reading")) == 1


def test_a_dead_log_is_kept_where_there_is_no_other(host: TestHost, root: Path) -> None:
    add(root / "var/log/syslog", "old\n")
    with running(source(host, root, judge_every=0.02), host):
        host.settle(0.2)
        add(root / "var/log/syslog", "new\n")
        host.wait_for(b"new")


def test_after_a_move_the_files_are_forgotten(host: TestHost, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{root}/bin:{os.environ['PATH']}")
    add(root / "var/log/syslog", "old\n")
    moves: list[str] = []
    system = source(host, root, judge_every=0.05, moved=lambda: moves.append(system.reading))
    with running(system, host):
        assert not system.tells_senders
        program(root, "journalctl", "")
        (root / "run/systemd/journal/socket").touch()
        until(host.loop, lambda: moves)
        assert system.tells_senders
        assert {position.path for position in host.stored.values()} <= {"journal"}


def test_files_of_an_earlier_run_are_forgotten_where_they_are_not_followed(host: TestHost, root: Path) -> None:
    host.register(Position("s", SYSTEM_LOG, "/var/log/syslog", 1, 2, 3))
    (root / "proc/1/comm").write_text("app\n")
    with running(source(host, root), host):
        assert host.stored == {}
