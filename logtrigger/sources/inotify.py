"""What the kernel tells about files and folders, through inotify; whoever asks polls where it tells nothing."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from logtrigger.loop import Loop

# linux/inotify.h
MODIFY = 0x002
FOLDER = 0x004 | 0x040 | 0x080 | 0x100 | 0x200 | 0x400 | 0x800 | 0x01000000
# ATTRIB, MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF, ONLYDIR: the names in it, not their content
OVERFLOW = 0x4000


def _open_inotify() -> Any:
    import inotify_simple  # 2 MB and 10 ms: only where files are followed

    inotify_simple._libc = ctypes.CDLL(None, use_errno=True)  # it would run ldconfig to find what is loaded anyway
    return inotify_simple.INotify(nonblocking=True)


# File systems to which other machines, or the host of this one, may write unseen (mountinfo's names, proc_pid_mountinfo(5)).
NETWORK = re.compile(r"(nfs|cifs|smb|9p|ceph|afs|gfs|ocfs|lustre|glusterfs|beegfs|gpfs|virtiofs|vboxsf|ncpfs|coda|fuse\.).*")


def network_of(device: int) -> str:
    """The type of the network file system with this device number; empty where it is local, or cannot be told."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                mount, _, system = line.partition(" - ")
                if mount.split(" ")[2] == number:
                    kind = system.partition(" ")[0]
                    return kind if NETWORK.fullmatch(kind) else ""
    except OSError:
        pass
    return ""


class Watcher:
    """Calls on_file(watch) when a file was written to, and on_folder(name) when a name came, went or changed in a folder.

    on_folder gets None where names were lost. `works` is False while something cannot be watched.
    """

    def __init__(self, loop: Loop, on_file: Callable[[int], None], on_folder: Callable[[str | None], None]) -> None:
        self._loop = loop
        self._on_file = on_file
        self._on_folder = on_folder
        self._folders: set[int] = set()
        self._sees_folders = self._sees_files = True
        self._networks: dict[int, str] = {}  # by device number
        self.fault = ""
        try:
            self._inotify = _open_inotify()
        except (OSError, ImportError) as error:
            self._inotify = None
            self.fault = str(error)
        else:
            loop.watch(self._inotify.fileno(), self._read)

    @property
    def works(self) -> bool:
        """Whether it tells of all that it was asked to watch."""
        return self._inotify is not None and self._sees_folders and self._sees_files

    def watch_folders(self, folders: Iterable[str]) -> None:
        """Watch these folders and no others. A folder made anew under an old name is taken up."""
        watches = {folder: self._add(folder, FOLDER) for folder in folders}
        self._sees_folders = None not in watches.values() and not any(map(self._is_remote, watches))
        found = {watch for watch in watches.values() if watch is not None}
        for watch in self._folders - found:
            self.unwatch(watch)
        self._folders = found

    def watch_file(self, fd: int) -> int | None:
        """Watch an open file, whatever it is called by now; None: it has to be polled."""
        watch = self._add(f"/proc/self/fd/{fd}", MODIFY)
        self._sees_files = self._sees_files and watch is not None and not self._is_remote(fd)
        return watch

    def unwatch(self, watch: int) -> None:
        try:
            self._inotify.rm_watch(watch)
        except OSError:
            pass  # what it watched is gone, and the watch with it

    def close(self) -> None:
        if self._inotify is not None:
            self._loop.unwatch(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None

    def _is_remote(self, place: str | int) -> bool:
        try:
            device = os.stat(place).st_dev
        except OSError:
            return False
        if device not in self._networks:
            self._networks[device] = network_of(device)
        if self._networks[device]:
            self.fault = f"{self._networks[device]} tells nothing of what other machines write"
        return bool(self._networks[device])

    def _add(self, path: str, mask: int) -> int | None:
        if self._inotify is None:
            return None
        try:
            watch: int = self._inotify.add_watch(path, mask)
        except OSError as error:
            self.fault = f"{error} ({path})"
            return None
        return watch

    def _read(self) -> None:
        for event in self._inotify.read(timeout=0):
            if event.mask & OVERFLOW:
                self._on_folder(None)
            elif event.wd in self._folders:
                self._on_folder(event.name)
            elif event.mask & MODIFY:
                self._on_file(event.wd)
