"""A socket of our own: one datagram is one line, and nothing that belongs to others is touched."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.errors import SourceError
from logtrigger.sources.devlog import DevLogSource, one_line
from tests.sources.host import TestHost, running, until


@pytest.fixture
def host() -> Iterator[TestHost]:
    host = TestHost()
    yield host
    host.loop.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def send(path: Path, *messages: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(path))
        for message in messages:
            sock.send(message)


@pytest.mark.parametrize(
    ("datagram", "line"),
    [
        (b"<13>Feb  5 17:32:18 app: hello", b"<13>Feb  5 17:32:18 app: hello\n"),
        (b"hello\n", b"hello\n"),
        (b"hello\0", b"hello\n"),
        (b"hello\n\0", b"hello\n"),
        (b"one\ntwo", b"one#012two\n"),
        (b"a\r\nb\0c", b"a#015#012b#000c\n"),
        (b"\xff\xfe", b"\xff\xfe\n"),
    ],
)
def test_one_datagram_is_one_line(datagram: bytes, line: bytes) -> None:
    assert one_line(datagram) == line


def test_datagrams_are_batched_in_order(host: TestHost, path: Path) -> None:
    with running(DevLogSource(host, "log", str(path)), host):
        send(path, *(b"<13>line %d" % n for n in range(5)))
        until(host.loop, lambda: len(host.lines) == 5)
    assert len(host.chunks) == 1
    assert host.lines == [b"<13>line %d" % n for n in range(5)]
    chunk = host.chunks[0]
    assert (chunk.source, chunk.origin, chunk.offset, chunk.end) == ("log", str(path), 0, len(chunk.data))


def test_everybody_may_write(host: TestHost, path: Path) -> None:
    with running(DevLogSource(host, "log", str(path)), host):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert not path.exists()


def test_a_long_message_is_cut(path: Path) -> None:
    host = TestHost(max_line=100)
    with running(DevLogSource(host, "log", str(path)), host):
        send(path, b"a" * 50_000 + b"end", b"next")
        until(host.loop, lambda: len(host.lines) == 2)
    assert host.lines == [b"a" * 97 + b"end", b"next"]
    host.loop.close()


def test_what_comes_while_paused_is_dropped_and_counted(host: TestHost, path: Path) -> None:
    source = DevLogSource(host, "log", str(path))
    with running(source, host):
        source.pause()
        send(path, b"one", b"two")
        host.settle(0.1)
        source.resume()
        send(path, b"three")
        host.wait_for(b"three")
    assert host.said("2 messages to")


def test_a_path_that_exists_is_left_alone(host: TestHost, path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(SourceError, match="is there already"):
        DevLogSource(host, "log", str(path)).open()
    assert path.read_text() == "mine"


def test_a_socket_that_is_served_is_left_alone(host: TestHost, path: Path) -> None:
    with running(DevLogSource(host, "first", str(path)), host):
        with pytest.raises(SourceError, match="another program serves it"):
            DevLogSource(host, "second", str(path)).open()
        send(path, b"still there")
        host.wait_for(b"still there")


def test_a_socket_left_behind_is_replaced(host: TestHost, path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
    with running(DevLogSource(host, "log", str(path)), host):
        send(path, b"one")
        host.wait_for(b"one")
    assert host.said("was left behind")


def test_only_our_own_socket_is_removed(host: TestHost, path: Path) -> None:
    with running(DevLogSource(host, "log", str(path)), host):
        path.rename(path.with_name("aside"))
        path.write_text("another's")
    assert path.read_text() == "another's"


def test_a_folder_that_is_not_there(host: TestHost, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be served: No such file"):
        DevLogSource(host, "log", str(tmp_path / "none" / "log")).open()


def test_no_descriptor_is_left(host: TestHost, path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with running(DevLogSource(host, "log", str(path)), host):
        send(path, b"one")
        host.wait_for(b"one")
    assert os.listdir("/proc/self/fd") == before
