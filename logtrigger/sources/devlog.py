"""The socket /dev/log, for machines on which nobody else serves it: one datagram is one line."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterable

from logtrigger.errors import SourceError
from logtrigger.model import Chunk, Position
from logtrigger.sources.base import Host
from logtrigger.sources.lines import Lines
from logtrigger.sources.tail import new_stream

BATCH = 1 << 16  # bytes of a chunk, about; and as many datagrams as fit, before others get their turn
LONGEST = 1 << 18  # bytes of a datagram: more than a sender's buffer (net.core.wmem_default) lets through
RECEIVE_BUFFER = 1 << 20  # bytes

ESCAPES = {b"\n": b"#012", b"\r": b"#015", b"\0": b"#000"}  # as rsyslog writes control characters


def one_line(datagram: bytes) -> bytes:
    """A message as one line, its b"\\n" included, whatever it holds.

    >>> one_line(b"<13>app: one\\ntwo\\0")
    b'<13>app: one#012two\\n'
    """
    text = datagram.rstrip(b"\0\n")
    for byte, escape in ESCAPES.items():
        if byte in text:
            text = text.replace(byte, escape)
    return text + b"\n"


class DevLogSource:
    """Receives what programs say with syslog(3). While it is paused their datagrams are dropped and counted: left in the
    kernel they would make every program on the machine wait."""

    def __init__(self, host: Host, name: str, path: str = "/dev/log") -> None:
        self.name = name
        self._host = host
        self._path = path
        self._socket: socket.socket | None = None
        self._inode = (0, 0)
        self._buffer = bytearray(LONGEST)
        self._stream = new_stream()
        self._lines = Lines(host.max_line)
        self._paused = False
        self._dropped = 0

    def open(self) -> None:
        """Bind the socket. Raises SourceError where something has that path already."""
        self._free_path()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.bind(self._path)
            os.chmod(self._path, 0o666)
            status = os.lstat(self._path)
        except OSError as error:
            sock.close()
            raise SourceError(
                f"{self.name}: {self._path} cannot be served: {error.strerror} (run as root, or name the log with 'file')"
            ) from error
        self._inode = (status.st_dev, status.st_ino)
        _raise_buffer(sock)
        self._socket = sock
        self._host.loop.watch(sock.fileno(), self._receive)

    def close(self) -> None:
        if self._socket is None:
            return
        self._host.loop.unwatch(self._socket.fileno())
        self._socket.close()
        self._socket = None
        try:
            status = os.lstat(self._path)
            if (status.st_dev, status.st_ino) == self._inode:
                os.unlink(self._path)
        except OSError:
            pass  # somebody else has removed it, and may

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        if self._dropped:
            self._host.report(
                0,
                f"{self.name}: {self._dropped} messages to {self._path} were dropped, as what was read before had to be stored",
            )
            self._dropped = 0

    def positions(self) -> Iterable[Position]:
        return ()

    def _free_path(self) -> None:
        """Remove a socket that nobody serves any more, such as our own after a crash; anything else stays."""
        if not os.path.lexists(self._path):
            return
        if not is_left_behind(self._path):
            raise SourceError(
                f"{self.name}: {self._path} is there already: another program serves it "
                "(follow the files it writes, with 'file')"
            )
        os.unlink(self._path)
        self._host.report(1, f"{self.name}: {self._path} was left behind by a program that is gone; serving it")

    def _receive(self) -> None:
        if self._paused:
            self._dropped += sum(1 for _ in self._datagrams())
            return
        for piece in self._lines.feed(b"".join(map(one_line, self._datagrams()))):
            self._host.deliver(Chunk(self.name, self._path, self._stream, piece.offset, piece.end, piece.data))

    def _datagrams(self) -> Iterable[bytes]:
        """What waits in the socket, up to a batch."""
        taken = 0
        view = memoryview(self._buffer)
        while self._socket is not None and taken < BATCH:
            try:
                size = self._socket.recv_into(self._buffer)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EINTR):
                    self._host.report(1, f"{self.name}: {self._path} cannot be read: {error.strerror}")
                return
            taken += size + 64  # an empty one takes its time, too
            if size:
                yield bytes(view[:size])


def is_left_behind(path: str) -> bool:
    """Whether this is a socket that no process has open any more."""
    return stat.S_ISSOCK(os.lstat(path).st_mode) and not _is_served(path)


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            pass  # of another type, or not ours to use: somebody's
    return True


def _raise_buffer(sock: socket.socket) -> None:
    force = getattr(socket, "SO_RCVBUFFORCE", 33)  # asm-generic/socket.h; beyond net.core.rmem_max, for root
    for option in (socket.SO_RCVBUF, force):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
        except OSError:
            pass  # the usual size does, too
