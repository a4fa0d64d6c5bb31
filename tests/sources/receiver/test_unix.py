"""A socket of our own: the kernel tells who sends, and nothing that belongs to others is touched."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from logtrigger.errors import SourceError
from logtrigger.model import Sender
from logtrigger.sources.receiver.unix import UnixReceiver
from tests.sources.host import TestHost, running, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def send(path: Path, *messages: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(path))
        for message in messages:
            sock.send(message)


def test_datagrams_are_batched_in_order(host: TestHost, path: Path) -> None:
    with running(UnixReceiver(host, "log", str(path)), host):
        send(path, *(b"<13>line %d" % n for n in range(5)))
        until(host.loop, lambda: len(host.lines) == 5)
    assert len(host.chunks) == 1
    assert host.lines == [b"<13>line %d" % n for n in range(5)]
    chunk = host.chunks[0]
    assert (chunk.source, chunk.origin, chunk.offset, chunk.end) == ("log", str(path), 0, len(chunk.data))


def test_everybody_may_write(host: TestHost, path: Path) -> None:
    with running(UnixReceiver(host, "log", str(path)), host):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert not path.exists()


def test_a_long_message_is_cut(path: Path) -> None:
    host = TestHost(max_line=100)
    with running(UnixReceiver(host, "log", str(path)), host):
        send(path, b"a" * 50_000 + b"end", b"next")
        until(host.loop, lambda: len(host.lines) == 2)
    assert host.lines == [b"a" * 97 + b"end", b"next"]
    host.loop.close()


def test_what_comes_while_paused_is_dropped_and_counted(host: TestHost, path: Path) -> None:
    source = UnixReceiver(host, "log", str(path))
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
        UnixReceiver(host, "log", str(path)).open()
    assert path.read_text() == "mine"


def test_a_socket_that_is_served_is_left_alone(host: TestHost, path: Path) -> None:
    with running(UnixReceiver(host, "first", str(path)), host):
        with pytest.raises(SourceError, match="another program serves it"):
            UnixReceiver(host, "second", str(path)).open()
        send(path, b"still there")
        host.wait_for(b"still there")


def test_a_socket_left_behind_is_replaced(host: TestHost, path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
    with running(UnixReceiver(host, "log", str(path)), host):
        send(path, b"one")
        host.wait_for(b"one")
    assert host.said("was left behind")


def test_only_our_own_socket_is_removed(host: TestHost, path: Path) -> None:
    with running(UnixReceiver(host, "log", str(path)), host):
        path.rename(path.with_name("aside"))
        path.write_text("another's")
    assert path.read_text() == "another's"


def test_a_folder_that_is_not_there(host: TestHost, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be served: No such file"):
        UnixReceiver(host, "log", str(tmp_path / "none" / "log")).open()


def test_no_descriptor_is_left(host: TestHost, path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with running(UnixReceiver(host, "log", str(path)), host):
        send(path, b"one")
        host.wait_for(b"one")
    assert os.listdir("/proc/self/fd") == before


def test_the_kernel_tells_who_sends(host: TestHost, path: Path) -> None:
    """Lines of one sender share a chunk; another's have their own, in order."""
    script = "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(%r); s.send(b'other'); input()"
    with running(UnixReceiver(host, "log", str(path)), host):
        send(path, b"one", b"two")
        other = subprocess.Popen([sys.executable, "-c", script % str(path)], stdin=subprocess.PIPE)
        until(host.loop, lambda: len(host.lines) == 3)
        send(path, b"three")
        host.wait_for(b"one", b"two", b"other", b"three")
        other.communicate(b"\n")
    mine = Sender(os.geteuid(), Path("/proc/self/comm").read_text().strip())
    theirs = Sender(os.geteuid(), Path(sys.executable).name[:15])
    assert [(chunk.sender, chunk.data) for chunk in host.chunks] == [
        (mine, b"one\ntwo\n"),
        (theirs, b"other\n"),
        (mine, b"three\n"),
    ]
    assert not any(chunk.own for chunk in host.chunks)


def test_what_we_have_sent_ourselves_is_marked(host: TestHost, path: Path) -> None:
    host.own.add(os.getpid())
    with running(UnixReceiver(host, "log", str(path)), host):
        send(path, b"one")
        host.wait_for(b"one")
    assert host.chunks[0].own


def test_a_sender_that_is_gone_has_no_name(host: TestHost, path: Path) -> None:
    with running(UnixReceiver(host, "log", str(path)), host):
        subprocess.run(["logger", "-u", str(path), "-t", "gone", "hello"], check=True)
        until(host.loop, lambda: host.lines)
    assert host.chunks[0].sender == Sender(os.geteuid(), "")


@pytest.mark.root
def test_another_user(host: TestHost) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "log"
        with running(UnixReceiver(host, "log", str(path)), host):
            subprocess.run(["logger", "-u", str(path), "hello"], check=True, user=65534)
            until(host.loop, lambda: host.lines)
    assert host.chunks[0].sender is not None and host.chunks[0].sender.uid == 65534


def test_descriptors_sent_besides_are_not_taken(host: TestHost, path: Path) -> None:
    with running(UnixReceiver(host, "log", str(path)), host):
        before = len(os.listdir("/proc/self/fd"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(path))
            socket.send_fds(sock, [b"take these"], [0, 1, 2])
        host.wait_for(b"take these")
        assert len(os.listdir("/proc/self/fd")) == before
    assert host.chunks[0].sender is not None


@pytest.mark.parametrize(
    "message", [b"a\n<13>root: forged", b"a\r\n<13>root: forged", b"a\0<13>root: forged", b"a\r<13>root: forged"]
)
def test_no_message_forges_a_second_line(host: TestHost, path: Path, message: bytes) -> None:
    with running(UnixReceiver(host, "log", str(path)), host):
        send(path, message)
        until(host.loop, lambda: host.lines)
        assert len(host.lines) == 1 and b"#0" in host.lines[0]
