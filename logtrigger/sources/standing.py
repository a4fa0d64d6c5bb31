"""What stands at the followed paths: which files the globs name now, and whether anything about that has changed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence

from logtrigger.sources import paths
from logtrigger.sources.generations import Generations, bases
from logtrigger.sources.inotify import Watcher

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}

Mark = tuple[int, int, int] | None


class Standing:
    """Looks at the paths that some globs name, and says once what is wrong with one.

    Args:
        complain: is told of a path, its fault and whether nobody is to blame (it is not there yet).
    """

    def __init__(self, globs: Sequence[str], generations: Generations, complain: Callable[[str, str, bool], None]) -> None:
        self._globs = globs
        self._generations = generations
        self._tell = complain
        self._said: dict[str, str] = {}
        self._names = paths.Names((), ())
        self._marks: dict[str, Mark] = {}  # what the folders were when they were last listed
        self._is_final = False  # they have not changed for two looks: what comes now shows
        self._absent: dict[str, int] = {}  # paths at which nothing can be read, and why
        self._irregular: set[str] = set()  # what is there and no regular file
        self.named: dict[str, str] = {}  # each path, and the glob that names it

    def look(self, watcher: Watcher) -> dict[str, os.stat_result]:
        """The regular files at the paths, once each folder that matters is watched, so that nothing comes unseen."""
        self._absent.clear()
        self._irregular.clear()
        self.named = named = self._expand(watcher)
        self._names = paths.Names(self._globs, named)
        for pattern in self._globs:
            if pattern not in named and pattern not in named.values():
                self.complain(pattern, "no file has such a name yet; waiting for one")
        found = {path: self._status(path) for path in named}
        return {path: status for path, status in found.items() if status is not None}

    def concerns(self, name: str) -> bool:
        """Whether a name that came to a folder, or went, plays a part here."""
        return name in self._names

    def is_changed(self) -> bool:
        """Whether a look may find something new. Cheap; names may change in a folder without a word from the kernel."""
        if not self._is_final or any(_mark(folder) != mark for folder, mark in self._marks.items()):
            return True
        return any(_fault(path) != fault for path, fault in self._absent.items())

    def base_of(self, path: str) -> str | None:
        """The followed path that a path is an earlier generation of, by its name."""
        folder, name = os.path.split(path)
        candidates = (os.path.join(folder, base) for base in bases(name))
        return next((base for base in sorted(candidates) if base in self.named and base != path), None)

    def unreadable(self, path: str, error: OSError) -> None:
        """A file cannot be read; it is tried again."""
        self._absent[path] = 0  # it stands there all the same
        self.complain(path, f"cannot be read: {error.strerror}; it is tried again until that is mended")

    def is_well(self, path: str) -> None:
        """Nothing is wrong with a path any more."""
        self._said.pop(path, None)

    def faults(self) -> list[str]:
        """What stands at a path and cannot be read, and why; not what is not there yet, or what a glob names besides."""
        barred = [path for path, number in self._absent.items() if number != errno.ENOENT]
        barred += [path for path in self._irregular if self.named.get(path) == path]
        return [f"{path} {self._said[path]}" for path in barred if path in self._said]

    def complain(self, path: str, fault: str, is_absent: bool = False) -> None:
        """Say once what is wrong with a path, until that changes."""
        if self._said.get(path) != fault:
            self._said[path] = fault
            self._tell(path, fault, is_absent)

    def _expand(self, watcher: Watcher) -> dict[str, str]:
        named = paths.expand(self._globs)
        for _ in range(3):
            folders = paths.folders(self._globs, named)
            folders.update(folder for path in named for folder in self._generations.folders(path) if os.path.isdir(folder))
            watcher.watch_folders(folders)
            marks = {folder: _mark(folder) for folder in folders}
            self._is_final, self._marks = marks == self._marks, marks
            again = paths.expand(self._globs)
            if again.keys() == named.keys():
                break
            named = again
        return named

    def _status(self, path: str) -> os.stat_result | None:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            self._absent[path] = errno.ENOENT
            self.complain(path, "does not exist yet; waiting for it", True)
        except OSError as error:
            self.unreadable(path, error)
            self._absent[path] = error.errno or 0
        else:
            if stat.S_ISREG(status.st_mode):
                return status
            self._irregular.add(path)
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a device")
            way_out = f"{path}/*.log, say" if kind == "a folder" else "a file that a program writes its log to"
            self.complain(path, f"is {kind}, no regular file, and is left alone; name {way_out}")
        return None


def _mark(folder: str) -> Mark:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _fault(path: str) -> int:
    """Why nothing can be read at a path; -1: it can, or might by now."""
    try:
        os.stat(path)
    except OSError as error:
        return error.errno or 0
    return 0 if not os.access(path, os.R_OK) else -1
