"""Lines of a descriptor, to its end, whatever kind it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.sources.stdin import READ, StdinSource
from tests.sources.host import TestHost, running, until


@pytest.fixture
def host() -> Iterator[TestHost]:
    host = TestHost()
    yield host
    host.loop.close()


def test_a_pipe_is_read_to_its_end(host: TestHost) -> None:
    read, write = os.pipe()
    ends: list[bool] = []
    with running(StdinSource(host, "in", lambda: ends.append(True), read), host):
        os.write(write, b"one\ntw")
        host.wait_for(b"one")
        os.write(write, b"o\nrest")
        os.close(write)
        until(host.loop, lambda: ends)
        host.settle(0.05)
    assert host.lines == [b"one", b"two", b"rest"]
    assert ends == [True]
    assert (host.chunks[-1].origin, host.chunks[-1].offset, host.chunks[-1].end) == ("standard input", 8, 12)


def test_a_plain_file_is_read_in_turns(host: TestHost, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x\n" * READ)
    ends: list[bool] = []
    with (tmp_path / "log").open("rb") as log:
        with running(StdinSource(host, "in", lambda: ends.append(True), log.fileno()), host):
            until(host.loop, lambda: ends)
    assert len(host.chunks) == 2
    assert len(host.lines) == READ


@pytest.mark.parametrize("plain", [True, False])
def test_while_paused_nothing_is_delivered_and_nothing_lost(host: TestHost, tmp_path: Path, plain: bool) -> None:
    (tmp_path / "log").write_bytes(b"one\n")
    read, write = os.pipe()
    os.write(write, b"one\n")
    os.close(write)
    ends: list[bool] = []
    fd = os.open(tmp_path / "log", os.O_RDONLY) if plain else read
    source = StdinSource(host, "in", lambda: ends.append(True), fd)
    source.pause()
    with running(source, host):
        host.settle(0.05)
        assert not host.chunks and not ends
        source.resume()
        source.resume()
        until(host.loop, lambda: ends)
    assert host.lines == [b"one"]


def test_a_descriptor_that_cannot_be_read_is_said_and_ended(host: TestHost, tmp_path: Path) -> None:
    ends: list[bool] = []
    with running(StdinSource(host, "in", lambda: ends.append(True), os.open(tmp_path, os.O_RDONLY)), host):
        until(host.loop, lambda: ends)
    assert host.said("cannot be read: Is a directory")


def test_its_flags_are_left_alone_and_it_is_not_closed(host: TestHost) -> None:
    read, _ = os.pipe()
    with running(StdinSource(host, "in", lambda: None, read), host):
        assert os.get_blocking(read)
    os.close(read)
