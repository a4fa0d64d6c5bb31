"""A socket in the file system, such as /dev/log where nobody else serves it; the kernel tells who sends."""

from __future__ import annotations

import os
import socket
import stat
import struct

from logtrigger.errors import SourceError
from logtrigger.model import Chunk, Sender
from logtrigger.sources.base import Host
from logtrigger.sources.receiver.datagrams import Datagrams

LONGEST = 1 << 18  # bytes of a datagram: more than a sender's buffer (net.core.wmem_default) lets through
RECEIVE_BUFFER = 1 << 20  # bytes
_CREDENTIALS = struct.Struct("iii")  # unix(7), struct ucred: pid, uid, gid
_ROOM = socket.CMSG_SPACE(_CREDENTIALS.size)  # and for no descriptor that somebody might send besides

Who = tuple[Sender | None, bool]  # and whether we have sent it ourselves


class UnixReceiver(Datagrams[Who]):
    """Receives what programs say with syslog(3). While it is paused their datagrams are dropped and counted: left in the
    kernel they would make every program on the machine wait."""

    def __init__(self, host: Host, name: str, path: str = "/dev/log") -> None:
        super().__init__(host, name, path, LONGEST)
        self._path = path
        self._inode = (0, 0)
        self._seen: dict[tuple[int, int], Who] = {}  # (pid, uid) -> who that is; for one turn, as pids are used again

    def open(self) -> None:
        """Bind the socket. Raises SourceError where something has that path already."""
        self._free_path()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            sock.bind(self._path)
            os.chmod(self._path, 0o666)
            status = os.lstat(self._path)
        except OSError as error:
            sock.close()
            raise SourceError(
                f"{self.name}: {self._path} cannot be served: {error.strerror} (run as root, or name the log with 'file')"
            ) from error
        self._inode = (status.st_dev, status.st_ino)
        self._serve(sock, RECEIVE_BUFFER)

    def close(self) -> None:
        if self._socket is None:
            return
        super().close()
        try:
            status = os.lstat(self._path)
            if (status.st_dev, status.st_ino) == self._inode:
                os.unlink(self._path)
        except OSError:
            pass  # somebody else has removed it, and may

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

    def _batch(self) -> list[tuple[Who, bytes]]:
        self._seen.clear()
        return super()._batch()

    def _next(self, sock: socket.socket) -> tuple[Who, bytes] | None:
        size, about, _, _ = sock.recvmsg_into([self._buffer], _ROOM)
        if not size:
            return None
        who: Who = (None, False)
        for level, kind, data in about:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(data) == _CREDENTIALS.size:
                pid, uid, _ = _CREDENTIALS.unpack(data)
                who = self._seen.get((pid, uid)) or self._look_up(pid, uid)
        return who, bytes(self._view[:size])

    def _look_up(self, pid: int, uid: int) -> Who:
        who = self._seen[pid, uid] = (Sender(uid, program_of(pid)), pid > 0 and self._host.is_own(pid))
        return who

    def _chunk(self, who: Who, offset: int, data: bytes) -> Chunk:
        sender, own = who
        return Chunk(self.name, self._path, self._stream, offset, offset + len(data), data, sender=sender, own=own)


def program_of(pid: int) -> str:
    """The name of a process; empty where it is gone, or is none that we can see."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read().rstrip(b"\n").decode("utf-8", "replace")
    except OSError:
        return ""


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
