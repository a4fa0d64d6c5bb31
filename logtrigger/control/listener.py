"""The control socket as a file: made anew where nobody serves it, reached under a long path, and who may talk to it."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from logtrigger.errors import ControlError

BACKLOG = 64  # connections that wait to be accepted
_LONGEST_PATH = 107  # bytes; unix(7), sun_path without its NUL
_PEERGROUPS = 59  # asm-generic/socket.h, SO_PEERGROUPS: the supplementary groups at the time of connect(2); Linux 4.13
_MOST_GROUPS = 256  # of a peer that can be asked for: Python takes 1024 bytes from getsockopt(2) at most

Report = Callable[[int, str], None]


class Listener:
    """A socket that is listened on, for root, ourselves and the members of a group.

    The kernel asks the file's mode; we ask the kernel once more who it is, since somebody may have changed that mode.

    Raises:
        ControlError: another process serves that path, or what is there is no socket.
        OSError: it cannot be made there.
    """

    def __init__(self, path: Path, group: str, report: Report) -> None:
        self.path, self.group = path, group
        self._report = report
        self._gid = self._find(group)
        _make_folder(path.parent)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            with _locked(path.parent), within_reach(path) as name:
                _free(path, name)
                umask = os.umask(0o177)
                try:
                    self.socket.bind(name)
                finally:
                    os.umask(umask)
                self.socket.listen(BACKLOG)
                status = os.lstat(path)
        except BaseException:
            self.socket.close()
            raise
        self._inode = status.st_dev, status.st_ino
        self._let_in_group()

    def close(self) -> None:
        """Listen no more, and take the file away, if it is still ours."""
        self.socket.close()
        with suppress(OSError):
            status = os.lstat(self.path)
            if (status.st_dev, status.st_ino) == self._inode:
                os.unlink(self.path)

    def is_welcome(self, peer: socket.socket, user: int) -> bool:
        """Whether whoever has connected may ask."""
        return user in (0, os.geteuid()) or (self._gid is not None and self._gid in _groups_of(peer))

    def _find(self, group: str) -> int | None:
        if not group:
            return None
        import grp  # rarely asked for

        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            self._report(0, f"option control_group: there is no group '{group}'; only root and the daemon's own user may ask")
            return None

    def _let_in_group(self) -> None:
        if self._gid is None:
            return
        try:
            os.chown(self.path, -1, self._gid)
            os.chmod(self.path, 0o660)
        except OSError as error:
            self._report(0, f"{self.path}: group '{self.group}' cannot be let in: {error.strerror}: start logtrigger as root")
            return
        folder = os.stat(self.path.parent)
        if not folder.st_mode & (stat.S_IXGRP if folder.st_gid == self._gid else stat.S_IXOTH):
            fault = f"group '{self.group}' cannot reach {self.path}, as {self.path.parent} is closed to it"
            self._report(0, f"{fault}: set 'option control' to a place such as /run/logtrigger/control.sock")


def user_of(peer: socket.socket) -> int:
    """The user id with which the other side has connected, or listens."""
    return _credentials(peer)[1]


@contextmanager
def within_reach(path: Path) -> Iterator[str]:
    """A name for bind(2) and connect(2), which take short ones only: a longer one goes through the folder's descriptor."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _credentials(peer: socket.socket) -> tuple[int, int, int]:
    """Process, user and group id of the other side; see unix(7), SO_PEERCRED."""
    pid, user, group = struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, user, group


def _groups_of(peer: socket.socket) -> set[int]:
    """All groups of the other side, as they were when it connected."""
    groups = {_credentials(peer)[2]}
    with suppress(OSError):  # an older kernel, or more groups than that: the first one has to do
        raw = peer.getsockopt(socket.SOL_SOCKET, _PEERGROUPS, 4 * _MOST_GROUPS)
        groups.update(struct.unpack(f"{len(raw) // 4}I", raw))
    return groups


def _make_folder(folder: Path) -> None:
    """The socket's folder, where there is none yet: anybody may pass through, the socket's own mode keeps the rest out."""
    try:
        os.mkdir(folder)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_folder(folder.parent)
        os.mkdir(folder)
    os.chmod(folder, 0o755)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two that start at once look one after the other whether there is a socket."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _free(path: Path, name: str) -> None:
    """Remove a socket that a dead process has left behind; anything else stays."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise ControlError(f"{path}: is there already, and no socket: name another place with 'option control'")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as other:
        try:
            other.connect(name)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError:
            whose = "another process"
        else:
            whose = f"process {_credentials(other)[0]}"
    raise ControlError(f"{path}: {whose} answers there already: stop it, or name another place with 'option control'")
