"""A program's lines, its end, its restart, and that nothing of it outlives the source."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.errors import SourceError
from logtrigger.sources import program
from logtrigger.sources.command import CommandSource
from tests.sources.host import TestHost, running, until


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHost]:
    monkeypatch.setattr(program, "FIRST_WAIT", 0.05)
    host = TestHost()
    yield host
    host.loop.close()


def shell(host: TestHost, script: str) -> CommandSource:
    return CommandSource(host, "cmd", ["sh", "-c", script])


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_lines_arrive_whole(host: TestHost) -> None:
    with running(shell(host, "printf 'one\\ntw'; sleep 0.1; printf 'o\\n'; exec sleep 60"), host):
        host.wait_for(b"one", b"two")
    chunk = host.chunks[-1]
    assert (chunk.offset, chunk.end, chunk.catching_up) == (4, 8, False)
    assert chunk.origin.startswith("sh -c 'printf")


def test_no_such_program(host: TestHost) -> None:
    with pytest.raises(SourceError, match="cmd: no-such-program cannot be started: No such file or directory"):
        CommandSource(host, "cmd", ["no-such-program"]).open()


def test_it_is_started_again_and_each_run_is_a_stream(host: TestHost) -> None:
    with running(shell(host, "echo line; printf rest; exit 3"), host):
        until(host.loop, lambda: len(host.lines) >= 4)
    assert host.lines[:4] == [b"line", b"rest", b"line", b"rest"]
    assert len({chunk.stream for chunk in host.chunks[:4]}) == 2
    assert host.said("ended (exit status 3); it is started again in")


def test_the_wait_doubles(host: TestHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "LONGEST_WAIT", 0.1)
    times: list[float] = []
    host.on_deliver = lambda chunk: times.append(time.monotonic())
    with running(shell(host, "echo x"), host):
        until(host.loop, lambda: len(times) == 4)
    assert times[1] - times[0] >= 0.05
    assert times[2] - times[1] >= 0.1
    assert times[3] - times[2] < 2


def test_what_it_says_to_standard_error_is_reported_in_bounds(host: TestHost) -> None:
    script = "printf 'b\\033ad\\n' >&2; i=0; while [ $i -lt 50 ]; do echo more >&2; i=$((i+1)); done; exec sleep 60"
    with running(shell(host, script), host):
        until(host.loop, lambda: host.said("says more"))
        host.settle(0.1)
    assert host.said("says: b?ad")
    assert len(host.reports) == program.SAID_A_RUN + 1


def test_the_locale_is_c_and_input_is_empty(host: TestHost) -> None:
    with running(shell(host, "echo $LC_ALL; cat; exec sleep 60"), host):
        host.wait_for(b"C")


def test_close_ends_the_whole_group(host: TestHost) -> None:
    with running(shell(host, "sleep 60 & echo $!; echo $$; wait"), host):
        until(host.loop, lambda: len(host.lines) == 2)
        pids = [int(line) for line in host.lines]
        assert all(map(is_alive, pids))
    until(host.loop, lambda: not any(map(is_alive, pids)))


def test_close_kills_what_ignores_sigterm(host: TestHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "GRACE", 0.1)
    with running(shell(host, "trap '' TERM; echo $$; while :; do sleep 1; done"), host):
        until(host.loop, lambda: host.lines)
    until(host.loop, lambda: not is_alive(int(host.lines[0])))


def test_an_end_is_seen_though_a_child_keeps_the_pipe_open(host: TestHost) -> None:
    with running(shell(host, "sleep 60 & echo $!"), host):
        until(host.loop, lambda: len(host.lines) >= 2)
        until(host.loop, lambda: not is_alive(int(host.lines[0])))


def test_a_program_that_closes_its_output_is_ended(host: TestHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "GRACE", 0.1)
    with running(shell(host, "echo $$; exec >&-; trap '' TERM; while :; do sleep 0.1; done"), host):
        until(host.loop, lambda: len(host.lines) >= 2)
        assert not is_alive(int(host.lines[0]))


def test_while_paused_nothing_is_delivered_and_nothing_lost(host: TestHost) -> None:
    source = shell(host, "echo one; sleep 0.05; echo two")
    with running(source, host):
        host.wait_for(b"one")
        source.pause()
        host.settle(0.3)
        assert host.lines == [b"one"]
        source.resume()
        until(host.loop, lambda: len(host.lines) >= 2)
        assert host.lines[:2] == [b"one", b"two"]


def test_other_children_are_left_alone(host: TestHost) -> None:
    """The daemon's scripts are the daemon's to wait for."""
    script = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
    with running(shell(host, "echo x"), host):
        until(host.loop, lambda: len(host.lines) >= 2)
    assert os.waitstatus_to_exitcode(os.waitpid(script, 0)[1]) == 7


def test_without_pidfd_the_end_of_the_pipe_tells(host: TestHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_pidfd", lambda pid: None)
    with running(shell(host, "echo x"), host):
        until(host.loop, lambda: len(host.lines) >= 2)


def test_no_descriptor_is_left_where_there_are_too_few(host: TestHost, monkeypatch: pytest.MonkeyPatch) -> None:
    before, made = len(os.listdir("/proc/self/fd")), list[tuple[int, int]]()
    pipe = os.pipe2

    def scarce(flags: int) -> tuple[int, int]:
        if made:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        made.append(pipe(flags))
        return made[-1]

    with monkeypatch.context() as few:
        few.setattr(os, "pipe2", scarce)
        with pytest.raises(SourceError, match="Too many open files"):
            shell(host, "exit").open()
    assert made and len(os.listdir("/proc/self/fd")) == before


def test_no_descriptor_is_left(host: TestHost) -> None:
    before = os.listdir("/proc/self/fd")
    with running(shell(host, "echo x"), host):
        until(host.loop, lambda: len(host.lines) >= 2)
    assert os.listdir("/proc/self/fd") == before
