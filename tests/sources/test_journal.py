"""The journal: what lines its entries become, who wrote them, and that none is missed or doubled over a restart."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.model import Position, Sender
from logtrigger.sources import journal, program
from logtrigger.sources.journal import JournalSource, as_line
from tests.sources.host import TestHost, running, until
from tests.sources.journald import Journald, journald, needs_journald

real = [pytest.mark.root, pytest.mark.tool("unshare", "nsenter", "journalctl"), needs_journald]

ENTRY = {
    "__REALTIME_TIMESTAMP": "1795250924133459",
    "_HOSTNAME": "gate",
    "SYSLOG_IDENTIFIER": "sshd",
    "_COMM": "sshd-session",
    "_PID": "7",
    "MESSAGE": "Failed password",
}
LONG = 1 << 20


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHost]:
    monkeypatch.setattr(program, "FIRST_WAIT", 0.05)
    host = TestHost()
    yield host
    host.loop.close()


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journald]:
    with journald(tmp_path) as log:
        monkeypatch.setenv("PATH", f"{log.bin}:{os.environ['PATH']}")
        yield log


def bodies(host: TestHost) -> list[bytes]:
    """The lines from their tags on."""
    return [line.split(b" ", 2)[2] for line in host.lines]


def ready(host: TestHost) -> None:
    """The end of the journal is known."""
    until(host.loop, lambda: any(position.path == "journal" for position in host.stored.values()))


# --- lines ---


@pytest.mark.parametrize(
    ("changed", "tail"),
    [
        ({}, b" gate sshd[7]: Failed password\n"),
        ({"SYSLOG_IDENTIFIER": None}, b" gate sshd-session[7]: Failed password\n"),
        ({"_PID": None, "SYSLOG_PID": "8"}, b" gate sshd[8]: Failed password\n"),
        ({"_PID": None, "SYSLOG_IDENTIFIER": "kernel"}, b" gate kernel: Failed password\n"),
        ({"_COMM": None, "SYSLOG_IDENTIFIER": None}, b" gate unknown[7]: Failed password\n"),
        ({"MESSAGE": "one\ntwo\r\n"}, b"]: one#012two\n"),
        ({"MESSAGE": [111, 10, 255, 0, 98]}, b"]: o#012\xff#000b\n"),
        ({"MESSAGE": ["first", "second"]}, b"]: first\n"),
        ({"MESSAGE": [[255, 1], "second"]}, b"]: \xff\x01\n"),
        ({"MESSAGE": "\u00e9\ud800"}, b"]: \xc3\xa9\xed\xa0\x80\n"),
        ({"SYSLOG_IDENTIFIER": "a\nNov 1 sshd"}, b" gate a#012Nov 1 sshd[7]: Failed password\n"),
    ],
)
def test_line(changed: dict[str, object], tail: bytes) -> None:
    line = as_line({**ENTRY, **changed}, LONG)
    assert line.endswith(tail)
    assert re.match(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:44\.133459[+-]\d\d:\d\d ", line)
    assert line.count(b"\n") == 1


@pytest.mark.parametrize("message", [None, "", [], 5, {}])
def test_an_entry_without_a_message_is_no_line(message: object) -> None:
    assert as_line({**ENTRY, "MESSAGE": message}, LONG) == b""


def test_a_long_message_keeps_its_ends() -> None:
    line = as_line({**ENTRY, "MESSAGE": "a" * 500 + "b"}, 100)
    assert len(line) == 101 and line.endswith(b"aab\n")


# --- the real journal ---


class TestReal:
    pytestmark = real

    def test_entries_become_lines(self, host: TestHost, log: Journald) -> None:
        log.send("old")
        log.wait_for("old")
        host.own.add(os.getpid())
        with running(JournalSource(host, "j"), host):
            ready(host)
            log.send("new", b"two\nlines\xff", SYSLOG_IDENTIFIER="app")
            until(host.loop, lambda: len(host.lines) == 2)  # the other socket may be read first
            log.syslog(b"<86>sshd[123]: Failed password")
            until(host.loop, lambda: len(host.lines) == 3)
        pid = os.getpid()
        assert bodies(host) == [b"app[%d]: new" % pid, b"app[%d]: two#012lines\xff" % pid, b"sshd[%d]: Failed password" % pid]
        comm = Path("/proc/self/comm").read_text().strip()
        assert {chunk.sender for chunk in host.chunks} == {Sender(os.geteuid(), comm)}
        assert {(chunk.own, chunk.catching_up) for chunk in host.chunks} == {(True, False)}

    def test_a_start_at_the_beginning(self, host: TestHost, log: Journald) -> None:
        log.send("old")
        log.wait_for("old")
        with running(JournalSource(host, "j", matches=["TEST=1"], from_start=True), host):
            log.send("other")
            log.send("mine", TEST="1")
            until(host.loop, lambda: host.lines)
            host.settle(0.2)
        assert [line.rpartition(b" ")[2] for line in host.lines] == [b"mine"]

    def test_a_restart_goes_on_where_it_was(self, host: TestHost, log: Journald) -> None:
        with running(JournalSource(host, "j"), host):
            ready(host)
            log.send("one")
            until(host.loop, lambda: len(host.lines) == 1)
        log.send("two", "three")
        log.wait_for("three")
        with running(JournalSource(host, "j"), host):
            until(host.loop, lambda: len(host.lines) == 3)
            log.send("four")
            until(host.loop, lambda: len(host.lines) == 4)
        assert [line.rpartition(b" ")[2] for line in host.lines] == [b"one", b"two", b"three", b"four"]
        assert len({chunk.stream for chunk in host.chunks}) == 1
        ends = [chunk.end for chunk in host.chunks]
        assert [chunk.offset for chunk in host.chunks] == [0, *ends[:-1]]
        assert [chunk.catching_up for chunk in host.chunks][-1] is False
        assert not host.said("given up")

    def test_after_a_crash_lines_come_again_with_the_same_place(self, host: TestHost, log: Journald) -> None:
        source = JournalSource(host, "j")
        with running(source, host, crash=True):
            ready(host)
            log.send("one")
            until(host.loop, lambda: len(host.lines) == 1)
            host.commit(source)
            log.send("two", "three")
            until(host.loop, lambda: len(host.lines) == 3)
        before = {line: place for line, place in places(host).items() if not line.endswith(b"one")}
        host.chunks.clear()
        with running(JournalSource(host, "j"), host):
            until(host.loop, lambda: len(host.lines) == 2)
        assert places(host) == before

    def test_a_crash_before_the_first_line(self, host: TestHost, log: Journald) -> None:
        with running(JournalSource(host, "j"), host, crash=True):
            ready(host)
        log.send("while it was away")
        with running(JournalSource(host, "j"), host):
            until(host.loop, lambda: host.lines)
        assert host.lines[0].endswith(b"while it was away")

    def test_an_empty_journal_is_read_from_its_beginning_later_on(
        self, host: TestHost, log: Journald, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "EMPTY_AFTER", 0.3)
        with running(JournalSource(host, "j", matches=["TEST=1"]), host):
            ready(host)
        log.send("while it was away", TEST="1")
        with running(JournalSource(host, "j", matches=["TEST=1"]), host):
            until(host.loop, lambda: host.lines)
        assert host.lines[0].endswith(b"while it was away")

    def test_what_the_journal_has_given_up_is_told(self, host: TestHost, log: Journald) -> None:
        with running(JournalSource(host, "j"), host):
            ready(host)
            log.send("one")
            until(host.loop, lambda: host.lines)
        log.send("never seen")
        log.wait_for("never seen")
        log.ctl("--rotate")
        log.ctl("--vacuum-files=1")
        log.send("two")
        log.wait_for("two")
        with running(JournalSource(host, "j"), host):
            until(host.loop, lambda: host.lines[-1].endswith(b"two"))
        assert len(host.said("the journal has given up what was read last")) == 1

    def test_from_a_time_on(self, host: TestHost, log: Journald) -> None:
        log.send("old")
        log.wait_for("old")
        stamp = float(json.loads(log.ctl("-o", "json", "-n", "1"))["__REALTIME_TIMESTAMP"]) / 1e6
        log.send("new")
        log.wait_for("new")
        host.register(Position("s", "j", "/var/log/syslog", 1, 2, 3))
        with running(JournalSource(host, "j", since=stamp + 0.000001), host, crash=True):
            until(host.loop, lambda: host.lines)
        assert host.lines[0].endswith(b"]: new")
        [known] = host.stored.values()
        assert known.path == "journal" and known.head.startswith("@")
        host.chunks.clear()
        with running(JournalSource(host, "j"), host):
            until(host.loop, lambda: host.lines)
        assert host.lines[0].endswith(b"]: new")

    def test_it_goes_on_when_journalctl_ends(self, host: TestHost, log: Journald) -> None:
        source = JournalSource(host, "j")
        with running(source, host):
            ready(host)
            log.send("one")
            until(host.loop, lambda: len(host.lines) == 1)
            run = source._program._run
            assert run is not None
            run.signal(9)
            log.send("two")
            until(host.loop, lambda: host.said("it is started again"))
            log.send("three")
            until(host.loop, lambda: len(host.lines) == 3)
        assert [line.rpartition(b" ")[2] for line in host.lines] == [b"one", b"two", b"three"]

    def test_a_pause(self, host: TestHost, log: Journald) -> None:
        source = JournalSource(host, "j")
        with running(source, host):
            ready(host)
            source.pause()
            log.send("one")
            host.settle(0.3)
            assert host.lines == []
            source.resume()
            until(host.loop, lambda: host.lines)

    def test_a_message_of_a_megabyte(self, host: TestHost, log: Journald) -> None:
        host.max_line = 1000
        with running(JournalSource(host, "j"), host):
            ready(host)
            log.send(b"\xff" * 100_000 + b"end")
            log.send("next")
            until(host.loop, lambda: len(host.lines) >= 1 and host.lines[-1].endswith(b"next"))
        assert {len(line) for line in host.lines[:-1]} <= {1000}


def places(host: TestHost) -> dict[bytes, tuple[str, int]]:
    """Where each line stands."""
    found = {}
    for chunk in host.chunks:
        at = chunk.offset
        for line in chunk.data.splitlines(keepends=True):
            found[line.rstrip()] = (chunk.stream, at)
            at += len(line)
    return found


# --- what journalctl might do ---


def test_what_cannot_be_read_is_passed_over(host: TestHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut lines, other JSON, entries without a cursor: none ends anything."""
    good = json.dumps({**ENTRY, "__CURSOR": "s=1;i=2"})
    (tmp_path / "journalctl").write_text(
        f"#!/bin/sh\necho '{{\"half'\necho 5\necho '{{}}'\necho\necho '{good}'\nexec sleep 60\n"
    )
    (tmp_path / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with running(JournalSource(host, "j", from_start=True), host):
        until(host.loop, lambda: host.lines)
    assert bodies(host) == [b"sshd[7]: Failed password"]
    assert len(host.said("cannot be read")) == 1


def test_what_is_asked_for(host: TestHost) -> None:
    source = JournalSource(host, "j", units=["ssh.service"], matches=["_UID=0"])
    assert source._command()[-3:] == ["--lines=1", "--unit=ssh.service", "_UID=0"]


@pytest.mark.parametrize(("started", "own"), [("us", [True, False]), ("another", [False, False])])
def test_a_service_knows_the_lines_of_its_scripts_by_its_invocation(
    host: TestHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: str, own: list[bool]
) -> None:
    """Also when the process is gone; but not where systemd has started somebody who then started us."""
    monkeypatch.setenv("INVOCATION_ID", "a1")
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()) if started == "us" else "1")
    entries = (json.dumps({**ENTRY, "__CURSOR": f"s={n}", "_SYSTEMD_INVOCATION_ID": id}) for n, id in enumerate(("a1", "b2")))
    (tmp_path / "entries").write_text("\n".join(entries) + "\n")
    (tmp_path / "journalctl").write_text(f"#!/bin/sh\nexec tail -n +1 -f {tmp_path}/entries\n")
    (tmp_path / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with running(JournalSource(host, "j", from_start=True), host):
        until(host.loop, lambda: len(host.lines) == 2)
    assert [chunk.own for chunk in host.chunks for _ in chunk.data.splitlines()] == own
