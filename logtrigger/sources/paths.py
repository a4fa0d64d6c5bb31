"""Which files a list of globs names, and which folders must be watched to notice the next one."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterable

from logtrigger.sources.content import SUFFIXES
from logtrigger.sources.generations import bases


def expand(globs: Iterable[str]) -> dict[str, str]:
    """Each path that the globs name now, and the glob that does. A plain path names itself, whether it exists or not."""
    return {path: pattern for pattern in reversed(list(globs)) for path in _named(pattern)}


def is_plain(pattern: str) -> bool:
    """Whether a pattern is one path; a file that has such a name is meant."""
    return not glob.has_magic(pattern) or os.path.lexists(pattern)


def folders(globs: Iterable[str], paths: Iterable[str]) -> set[str]:
    """The existing folders in which something that the globs name can appear, come back or be replaced."""
    targets = (os.path.realpath(path) for path in paths if os.path.islink(path))
    return {folder for parent in {os.path.dirname(path) for path in (*globs, *targets)} for folder in _upwards(parent)}


class Names:
    """The names that play a part in some paths: those of files and of folders above them, and of links' targets."""

    def __init__(self, globs: Iterable[str], paths: Iterable[str]) -> None:
        targets = (os.path.realpath(path) for path in paths if os.path.islink(path))
        parts = {part for pattern in (*globs, *targets) for part in pattern.split(os.sep) if part}
        self._plain = parts
        magic = "|".join(fnmatch.translate(part) for part in sorted(parts) if glob.has_magic(part))
        self._magic = re.compile(magic or "(?!)")

    def __contains__(self, name: str) -> bool:
        """Whether something has this name, or had it before rotation."""
        return any(one in self._plain or self._magic.fullmatch(one) is not None for one in (name, *bases(name)))


def _named(pattern: str) -> list[str]:
    if is_plain(pattern):
        return [pattern]
    return sorted(path for path in glob.iglob(pattern, recursive=True) if not path.endswith(SUFFIXES))


def _upwards(folder: str) -> set[str]:
    """Folders from this one up to the first that surely exists.

    "/var/log/*" gives /var/log and every folder in it; "/var/log/new" gives /var/log until new appears.
    """
    found: set[str] = set()
    while True:
        here = [path for path in _named(folder) if os.path.isdir(path)]
        found.update(here)
        above = os.path.dirname(folder) or os.curdir
        if (here and is_plain(folder)) or above == folder:
            return found
        folder = above
