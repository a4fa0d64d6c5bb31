"""Opening files for appending inside one folder, whatever others put there: by descriptor, no link followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FOLDER_MODE, FILE_MODE = 0o750, 0o640  # whatever the umask


class Folder:
    """A folder in which files are made; it is made itself where it is missing.

    Raises:
        OSError: it cannot be made or opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        _make(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._fd)

    def stands(self) -> bool:
        """Whether it still stands under its path: somebody may have renamed it, or removed it."""
        try:
            there = os.stat(self.path)
        except OSError:
            return False
        ours = os.fstat(self._fd)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def open(self, names: Sequence[str]) -> int:
        """A descriptor that appends to the file of these names, each but the last a folder; what is missing is made.

        Raises:
            OSError: one of them is a link or no regular file, or the disk is full, and so on.
        """
        fd = os.dup(self._fd)
        try:
            for name in names[:-1]:
                below = _enter(fd, name)
                os.close(fd)
                fd = below
            return _append(fd, names[-1])
        finally:
            os.close(fd)

    def append(self, names: Sequence[str], data: bytes) -> None:
        """Append to the file of these names all of the data, or nothing.

        Raises:
            OSError: as `open` does, or the disk is full.
        """
        fd = self.open(names)
        try:
            size = os.fstat(fd).st_size
            if os.write(fd, data) < len(data):
                os.ftruncate(fd, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(fd)

    def holds(self, names: Sequence[str], fd: int) -> bool:
        """Whether the open file still stands under these names."""
        try:
            there = os.stat("/".join(names), dir_fd=self._fd, follow_symlinks=False)
        except OSError:
            return False
        ours = os.fstat(fd)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _make(path: str) -> None:
    """The folder and those around it, where they are missing; a umask would keep their group out."""
    if not os.path.lexists(path):  # what else stands there, opening it tells
        above = os.path.dirname(path)
        if above != path:
            _make(above)
        os.mkdir(path, FOLDER_MODE)
        os.chmod(path, FOLDER_MODE)


def _enter(fd: int, name: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=fd)
    except FileNotFoundError:
        os.mkdir(name, FOLDER_MODE, dir_fd=fd)
        below = os.open(name, _FOLDER, dir_fd=fd)
        os.fchmod(below, FOLDER_MODE)
        return below


def _append(fd: int, name: str) -> int:
    try:
        file = os.open(name, _FILE | os.O_CREAT | os.O_EXCL, FILE_MODE, dir_fd=fd)
        os.fchmod(file, FILE_MODE)
        return file
    except FileExistsError:
        file = os.open(name, _FILE, dir_fd=fd)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "is no regular file")
    return file
