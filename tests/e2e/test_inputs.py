"""The daemon with each kind of input, from a line to its script."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live import BOUND, Live, live
from tests.sources.journald import Journald, journald, needs_journald


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as one:
        yield one


def reads(one: Live, source: str, **options: Any) -> None:
    """A configuration whose rule reads one source."""
    one.configure(one.rule(file=None, source="s", **options), f"config source s\n{source}\n")


def pipe(one: Live, text: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "logtrigger", "-c", "rules", "-D", "2"]
    return subprocess.run(command, cwd=one.folder, input=text, capture_output=True, timeout=BOUND, check=False)


def test_standard_input_is_read_to_its_end_and_everything_done(one: Live) -> None:
    """More scripts than may run at once; the last line has no end."""
    reads(one, "\toption stdin 1", script=one.script("slow.sh", f'sleep 0.05; echo "$LT_who" >>{one.ran}'))
    done = pipe(one, b"hit me\n" * 30 + b"other\nhit you")
    assert done.returncode == 0, done.stderr
    assert sorted(one.runs()) == ["me"] * 30 + ["you"]
    assert b"the input has ended" in done.stderr and one.undone() == 0


def test_a_command(one: Live) -> None:
    """It is started again when it ends, and ended with us."""
    script = one.script("say.sh", f'echo "hit $1"; echo $$ >{one.folder}/pid; exec sleep 1000')
    reads(one, f"\toption command '{script} me'")
    with one.running():
        one.wait_runs(1)
        os.kill(int((one.folder / "pid").read_text()), signal.SIGKILL)
        one.wait_runs(2)
        pid = int((one.folder / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_input_that_is_written_without_a_rule(one: Live) -> None:
    sock = one.folder / "sock"
    source = f"config source s\n\toption listen 'unix:{sock}'\n\toption write '{one.folder}/logs/{{program}}.log'\n"
    one.configure(one.rule(), source)
    with one.running(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"<13>Nov 21 08:00:00 app: hello", str(sock))
        one.until(lambda: (one.folder / "logs/app.log").exists(), "a file")


def test_a_rule_sees_lines_of_its_senders_only(one: Live) -> None:
    """Whatever a line calls itself, the kernel says who sent it."""
    sock, comm = one.folder / "sock", Path("/proc/self/comm").read_text().strip()
    source = f"config source s\n\toption listen 'unix:{sock}'\n"
    wanted = one.rule("Wanted", file=None, source="s", sender=f"{os.geteuid()}:{comm}")
    other = one.rule("Other", file=None, source="s", sender=f"{os.geteuid()}:sshd")
    one.configure(wanted, other, source)
    with one.running(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"<13>Nov 21 08:00:00 sshd[1]: hit me", str(sock))
        one.wait_runs(1)
    assert [run.split("@")[0] for run in one.runs()] == ["Wanted"]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journald]:
    (tmp_path / "journald").mkdir()
    with journald(tmp_path / "journald") as log:
        monkeypatch.setenv("PATH", f"{log.bin}:{os.environ['PATH']}")
        yield log


@pytest.mark.root
@pytest.mark.tool("unshare", "nsenter", "journalctl")
@needs_journald
def test_the_journal_through_a_crash(one: Live, log: Journald) -> None:
    """Lines that come while nobody runs are read afterwards, and what was done before the crash keeps its id."""
    reads(one, "\toption journal 1", sender=os.geteuid())
    with one.running():
        log.send("hit one", SYSLOG_IDENTIFIER="app")
        one.wait_runs(1)
    log.send("hit two", SYSLOG_IDENTIFIER="app")
    log.wait_for("hit two")
    one.start()
    one.wait_runs(2)
    log.send("hit three", SYSLOG_IDENTIFIER="app")
    one.wait_runs(3)
    one.kill()
    log.send("hit four", SYSLOG_IDENTIFIER="app")
    with one.running():
        one.until(lambda: len(set(one.runs())) == 4, "four scripts")
    assert len(set(one.runs())) == 4, one.runs()
    assert "LT_body    hit four" in one.output and "LT_program app" in one.output


def test_a_fault_in_a_source_does_not_end_the_daemon(one: Live) -> None:
    """It is told, and lines are read on."""
    (one.folder / "sitecustomize.py").write_text(
        "from logtrigger.sources.file import FileSource\n"
        "written, broken = FileSource._on_written, []\n"
        "def fail(self, watch):\n"
        "    if not broken:\n"
        "        broken.append(watch)\n"
        "        raise ValueError('for this test')\n"
        "    written(self, watch)\n"
        "FileSource._on_written = fail\n"
    )
    one.configure()
    with one.running(before=["env", f"PYTHONPATH={one.folder}"]):
        one.write("hit me")
        one.wait_for("a fault of logtrigger's own in sitecustomize.py:6: ValueError('for this test'); work goes on")
        one.write("hit you")
        one.wait_runs(2)


def test_the_ring_buffer_through_a_crash(one: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for logread: lines that come while nobody runs are read afterwards, each once."""
    ring, bin = tmp_path / "ring", tmp_path / "bin"
    ring.touch()
    bin.mkdir()
    (bin / "logread").write_text(f'#!/bin/sh\n[ "$1" = -f ] && exec tail -n 0 -f {ring}\nexec tail -n 100 {ring}\n')
    (bin / "logread").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin}:{os.environ['PATH']}")

    def log(who: str) -> None:
        with ring.open("a") as file:
            file.write(f"{time.ctime()} daemon.info app[7]: hit {who}\n")

    reads(one, "\toption logread 1\n\toption from start")
    log("one")
    with one.running():
        one.wait_runs(1)
        log("two")
        one.wait_runs(2)
    log("three")
    one.start()
    one.wait_runs(3)
    one.kill()
    log("four")
    with one.running():
        one.until(lambda: len(set(one.runs())) == 4, "four scripts")
        log("five")
        one.until(lambda: len(set(one.runs())) == 5, "five scripts")
    assert len(set(one.runs())) == 5 and one.newest.count("LT_program app") <= 3
