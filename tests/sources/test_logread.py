"""The ring buffer: followed without gap or double through restarts and crashes, with a stand-in and with BusyBox's own."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.errors import SourceError
from logtrigger.sources import logread, program
from logtrigger.sources.logread import LogreadSource, overlap
from tests.sources.host import TestHost, running, until

# A ring of the last lines of a file; `logread -f` begins with what comes next, as OpenWrt's and BusyBox's do.
STAND_IN = """#!/bin/sh
case $1 in
-f) exec tail -n {first} -f {ring} ;;
*) exec tail -n {size} {ring} ;;
esac
"""


class Ring:
    """What the stand-in prints."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ring"
        self.path.touch()
        self._program = folder / "logread"
        self.holds(1000)

    def holds(self, lines: int, first: str = "0") -> None:
        """So many lines; and `first` of them, as tail(1) counts, are where -f begins."""
        self._program.write_text(STAND_IN.format(ring=self.path, size=lines, first=first))
        self._program.chmod(0o755)

    def log(self, *lines: str) -> None:
        with self.path.open("a") as file:
            file.write("".join(f"Sat Nov 21 08:00:00 2026 daemon.info app: {line}\n" for line in lines))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHost]:
    monkeypatch.setattr(program, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(logread, "SETTLE", 0.15)
    host = TestHost()
    yield host
    host.loop.close()


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ring:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Ring(tmp_path)


def said(host: TestHost) -> list[str]:
    return [line.decode().partition("app: ")[2] for line in host.lines]


def follows(host: TestHost, source: LogreadSource) -> None:
    until(host.loop, lambda: source._joined)


def places(host: TestHost) -> dict[bytes, tuple[str, int]]:
    found: dict[bytes, tuple[str, int]] = {}
    for chunk in host.chunks:
        ends = itertools.accumulate(map(len, chunk.data.splitlines(keepends=True)), initial=chunk.offset)
        found |= {line: (chunk.stream, at) for line, at in zip(chunk.data.splitlines(), ends, strict=False)}
    return found


def test_the_first_start_begins_at_the_end(host: TestHost, ring: Ring) -> None:
    ring.log("old")
    source = LogreadSource(host, "r")
    with running(source, host):
        follows(host, source)
        ring.log("new")
        until(host.loop, lambda: host.lines)
    assert said(host) == ["new"]
    assert host.chunks[0].origin == "logread -f" and not host.chunks[0].catching_up


def test_or_at_the_start(host: TestHost, ring: Ring) -> None:
    ring.log("old")
    with running(LogreadSource(host, "r", from_start=True), host):
        until(host.loop, lambda: host.lines)
    assert said(host) == ["old"] and host.chunks[0].catching_up


def test_lines_that_come_while_it_begins_come_once(host: TestHost, ring: Ring) -> None:
    ring.log("old")
    with running(LogreadSource(host, "r"), host):
        for number in range(40):
            ring.log(f"line {number}")
            host.settle(0.02)
        until(host.loop, lambda: host.lines and said(host)[-1] == "line 39")
    first = int(said(host)[0].split()[1])
    assert first < 20 and said(host) == [f"line {number}" for number in range(first, 40)]


@pytest.mark.parametrize("first", ["0", "+1", "3"], ids=["new", "all", "some"])
def test_a_restart_goes_on_where_it_was(host: TestHost, ring: Ring, first: str) -> None:
    """Wherever `logread -f` begins."""
    ring.holds(1000, first)
    ring.log("old", "older")
    source = LogreadSource(host, "r")
    with running(source, host):
        follows(host, source)
        ring.log("one", "two")
        until(host.loop, lambda: len(host.lines) == 2)
    ring.log("three", "four")
    source = LogreadSource(host, "r")
    with running(source, host):
        until(host.loop, lambda: len(host.lines) == 4)
        ring.log("five")
        until(host.loop, lambda: len(host.lines) == 5)
    assert said(host) == ["one", "two", "three", "four", "five"]
    assert not host.said("given up")
    ends = [chunk.end for chunk in host.chunks]
    assert [chunk.offset for chunk in host.chunks] == [0, *ends[:-1]]


def test_after_a_crash_lines_come_again_with_the_same_place(host: TestHost, ring: Ring) -> None:
    source = LogreadSource(host, "r")
    with running(source, host, crash=True):
        follows(host, source)
        ring.log("one")
        until(host.loop, lambda: len(host.lines) == 1)
        host.commit(source)
        ring.log("two", "three")
        until(host.loop, lambda: len(host.lines) == 3)
    before = places(host)
    host.chunks.clear()
    with running(LogreadSource(host, "r"), host):
        until(host.loop, lambda: len(host.lines) == 2)
    assert said(host) == ["two", "three"]
    assert places(host).items() <= before.items()


def test_what_the_ring_has_given_up_is_told(host: TestHost, ring: Ring) -> None:
    source = LogreadSource(host, "r")
    with running(source, host):
        follows(host, source)
        ring.log("one")
        until(host.loop, lambda: host.lines)
    ring.log(*map(str, range(100)))
    ring.holds(5)
    with running(LogreadSource(host, "r"), host):
        until(host.loop, lambda: len(host.lines) == 6)
    assert said(host) == ["one", "95", "96", "97", "98", "99"]
    assert host.said("the ring has given up the line read last")


def test_a_place_at_the_very_beginning_of_the_ring_is_found(host: TestHost, ring: Ring) -> None:
    """Of the lines it is known by, the ring holds only the last ones."""
    source = LogreadSource(host, "r")
    with running(source, host):
        follows(host, source)
        ring.log(*map(str, range(20)))
        until(host.loop, lambda: len(host.lines) == 20)
    ring.log("next")
    ring.holds(3)
    with running(LogreadSource(host, "r"), host):
        until(host.loop, lambda: len(host.lines) == 21)
        host.settle(0.3)
    assert said(host) == [*map(str, range(20)), "next"]


def test_when_logread_ends_nothing_is_lost(host: TestHost, ring: Ring) -> None:
    source = LogreadSource(host, "r")
    with running(source, host):
        follows(host, source)
        ring.log("one")
        until(host.loop, lambda: len(host.lines) == 1)
        run = source._follower._run
        assert run is not None
        run.signal(9)
        until(host.loop, lambda: host.said("it is started again"))
        ring.log("two")
        until(host.loop, lambda: len(host.lines) == 2)
        follows(host, source)
        ring.log("three")
        until(host.loop, lambda: len(host.lines) == 3)
    assert said(host) == ["one", "two", "three"]


def test_a_pause_while_it_begins(host: TestHost, ring: Ring) -> None:
    source = LogreadSource(host, "r", from_start=True)
    source.pause()
    ring.log("one")
    with running(source, host):
        host.settle(0.6)
        ring.log("two")
        assert host.lines == []
        source.resume()
        until(host.loop, lambda: len(host.lines) == 2)
    assert said(host) == ["one", "two"]


def test_a_ring_that_cannot_be_shown_is_told_of_and_followed(host: TestHost, ring: Ring, tmp_path: Path) -> None:
    (tmp_path / "logread").write_text(f'#!/bin/sh\n[ "$1" = -f ] && exec tail -n 0 -f {ring.path}\necho no log >&2; exit 1\n')
    source = LogreadSource(host, "r", from_start=True)
    with running(source, host):
        until(host.loop, lambda: host.said("logread does not show the ring"), 20)
        ring.log("new")
        until(host.loop, lambda: host.lines)
    assert host.said("says: no log")


def test_there_is_no_logread(host: TestHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="r: logread cannot be started: No such file or directory"):
        LogreadSource(host, "r").open()


Lines = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=8)


@given(Lines, Lines, Lines)
def test_overlap_agrees_to_the_end_of_the_ring(before: Sequence[bytes], both: Sequence[bytes], after: Sequence[bytes]) -> None:
    ring, held = [*before, *both], [*both, *after]
    at = overlap(ring, held)
    start = max(0, -at)
    assert held[start : len(ring) - at] == ring[at + start :]
    assert at <= len(before) or not both


@given(st.lists(st.integers(), unique=True), st.lists(st.integers(), unique=True), st.integers(0, 5))
def test_lines_that_all_differ_are_joined_exactly(ring: Sequence[int], new: Sequence[int], common: int) -> None:
    shown = [b"r%d" % number for number in ring]
    held = shown[max(0, len(shown) - common) :] + [b"n%d" % number for number in new]
    at = overlap(shown, held)
    assert shown[:at] + held == shown[: len(shown) - min(common, len(shown))] + held


# --- BusyBox ---


@pytest.mark.root
@pytest.mark.tool("busybox", "unshare", "nsenter")
def test_busybox(host: TestHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ring: syslogd -C in a namespace of its own, whose /dev is its own too."""
    setup = (
        "mkdir dev && mount -t tmpfs -o mode=755 own dev && for name in null zero; do cp -a /dev/$name dev/; done"
        " && mkdir dev/shm && mount --rbind dev /dev && exec busybox syslogd -n -C64"
    )
    command = ["unshare", "--mount", "--ipc", "--propagation=private", "sh", "-c", setup]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL)
    inside = f"nsenter --target={process.pid} --mount --ipc --"
    (tmp_path / "logread").write_text(f'#!/bin/sh\nexec {inside} busybox logread "$@"\n')
    (tmp_path / "logread").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def log(*lines: str) -> None:
        for line in lines:
            subprocess.run([*inside.split(), "logger", "-t", "app", line], check=True)

    try:
        end = time.monotonic() + 10
        while not os.path.exists(f"/proc/{process.pid}/cwd/dev/log"):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.02)
        log("old")
        source = LogreadSource(host, "r")
        with running(source, host):
            follows(host, source)
            log("one", "two")
            until(host.loop, lambda: len(host.lines) == 2)
        log("three")
        source = LogreadSource(host, "r")
        with running(source, host):
            log("four")
            follows(host, source)
            log("five")
            until(host.loop, lambda: len(host.lines) == 5)
            host.settle(1.2)  # it prints once a second
    finally:
        process.kill()
        process.wait()
    assert said(host) == ["one", "two", "three", "four", "five"]
