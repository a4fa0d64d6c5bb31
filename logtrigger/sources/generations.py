"""The names that rotation gives to a log: which files a folder holds that may once have stood at a followed path."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from logtrigger.sources.content import SUFFIXES

_NUMBERS = re.compile(r"[\d.\-_:T]*\d[\d.\-_:T]*$")  # a count, a date, a time, or several
_SETTLED = 0.05  # seconds; a change within one tick of the kernel's clock (10 ms at most) need not show in a folder's time

Inode = tuple[int, int]


@lru_cache(maxsize=1 << 13)
def bases(name: str) -> frozenset[str]:
    """The names that a file may have had before rotation gave it this one.

    >>> sorted(bases("app.log.1.gz"))
    ['app.log', 'app.log.']
    >>> sorted(bases("app-20260714.log"))
    ['app-.log', 'app.log']
    >>> sorted(bases("app.log"))
    []
    """
    plain = next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)
    found = set(_before_numbers(plain))
    if plain.endswith(".old"):
        found.add(plain.removesuffix(".old"))
    stem, extension = os.path.splitext(plain)
    if extension and not _NUMBERS.match(extension):
        found.update(base + extension for base in _before_numbers(stem))
    return frozenset(found)


def _before_numbers(name: str) -> Iterator[str]:
    numbers = _NUMBERS.search(name)
    for at in range(max(1, numbers.start()), len(name)) if numbers else ():
        begins = name[at] in ".-_:" or (name[at].isdigit() and not name[at - 1].isdigit())
        if begins and _NUMBERS.fullmatch(name, at):
            yield name[:at]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be an earlier generation of a log."""

    path: str
    inode: Inode
    size: int
    changed: int  # mtime, ns

    @property
    def state(self) -> tuple[int, int]:
        return self.size, self.changed


class _Folder:
    """What a folder held when it was listed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._changed: int | None = None
        self._since = 0.0  # when this time of change was first seen
        self._is_final = False  # a later change would show in the time
        self.names: list[str] = []
        self.by_base: dict[str, list[str]] = {}

    def refresh(self) -> None:
        """List it again if it may have changed. A folder that is not there is empty."""
        try:
            changed = os.stat(self._path).st_mtime_ns
            now = time.monotonic()
            if changed != self._changed:
                self._changed, self._since = changed, now
            elif self._is_final:
                return
            self._is_final = now - self._since > _SETTLED
            self._list()
        except OSError:
            self._changed, self.names, self.by_base = None, [], {}

    def _list(self) -> None:
        names = os.listdir(self._path)
        if names == self.names:
            return
        self.names = names
        by_base = defaultdict(list)
        for name in names:
            for base in bases(name):
                by_base[base].append(name)
        self.by_base = dict(by_base)


class Generations:
    """Finds the earlier generations of a path beside it and in the folders that rotation moves them to.

    Args:
        rotated: such folders; a relative one is meant from the folder of the log, as logrotate's `olddir`.
    """

    def __init__(self, rotated: Sequence[str] = ()) -> None:
        self._rotated = rotated
        self._folders: dict[str, _Folder] = {}
        self._listed_now: set[str] = set()

    def refresh(self) -> None:
        """Look at the folders again where that is wanted next; until then they are taken to be as they were."""
        self._listed_now.clear()

    def folders(self, path: str) -> list[str]:
        """Where the earlier generations of a path may be, its own folder first."""
        own = os.path.dirname(path)
        found = [own, *(os.path.join(own, folder) for folder in self._rotated)]
        if os.path.islink(path):
            found.append(os.path.dirname(os.path.realpath(path)))
        return list(dict.fromkeys(map(os.path.normpath, found)))

    def of(self, path: str) -> list[Candidate]:
        """The files whose names say that they may once have been at path; the oldest write first."""
        found = self._found(path)
        plain = {candidate.path for candidate in found}
        return [one for one in found if not (one.path.endswith(SUFFIXES) and os.path.splitext(one.path)[0] in plain)]

    def others(self, path: str) -> list[Candidate]:
        """All further plain files of those folders, those whose names begin alike first."""
        named = {candidate.path for candidate in self._found(path)} | {path}
        stem = os.path.basename(path).partition(".")[0]
        found = []
        for folder in self.folders(path):
            names = sorted(self._listed(folder).names, key=lambda name: (not name.startswith(stem), name))
            paths = (os.path.join(folder, name) for name in names if not name.endswith(SUFFIXES))
            found += [one for other in paths if other not in named and (one := _candidate(other)) is not None]
        return found

    def have_moved(self, path: str, found: Sequence[Candidate]) -> bool:
        """Whether files changed names since `found` was what `of` gave: one of them may have been missed under both names."""
        names = {name for folder in self.folders(path) for name in self._listed(folder).names}
        self.refresh()
        now = {name for folder in self.folders(path) for name in self._listed(folder).names}
        return not names <= now or _places(self.of(path)) != _places(found)

    def _found(self, path: str) -> list[Candidate]:
        found: dict[str, Candidate] = {}
        names = {os.path.basename(path)}
        if os.path.islink(path):
            names.add(os.path.basename(os.path.realpath(path)))
        for folder in self.folders(path):
            listed = self._listed(folder)
            for name in names:
                rotated = listed.by_base.get(name, [])
                if folder != os.path.dirname(path) and name in listed.names:
                    rotated = [*rotated, name]
                for other in (os.path.join(folder, one) for one in rotated):
                    if (candidate := _candidate(other)) is not None:
                        found[other] = candidate
        return sorted(found.values(), key=lambda one: (one.changed, _age(one.path)))

    def _listed(self, folder: str) -> _Folder:
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = _Folder(folder)
        if folder not in self._listed_now:
            known.refresh()
            self._listed_now.add(folder)
        return known


def _places(found: Sequence[Candidate]) -> set[tuple[str, Inode]]:
    return {(one.path, one.inode) for one in found}


def _candidate(path: str) -> Candidate | None:
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    if status.st_mode & 0o170000 != 0o100000:
        return None
    return Candidate(path, (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)


def _age(path: str) -> tuple[int, str]:
    """Among files last written in one moment app.log.2 is older than app.log.1, but a date is older than a later one."""
    digits = "".join(re.findall(r"\d+", os.path.basename(path)))
    return (-int(digits) if 0 < len(digits) < 6 else 0, path)
