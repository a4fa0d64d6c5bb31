"""Which files a list of globs names, and which folders must be watched to notice the next one."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterable, Iterator

COMPRESSED = (".gz", ".xz", ".bz2", ".zst", ".lz4", ".Z")  # what rotation makes of a log; no lines are in it


def expand(globs: Iterable[str]) -> dict[str, str]:
    """Each path that the globs name now, and the glob that does. A plain path names itself, whether it exists or not."""
    return {path: pattern for pattern in reversed(list(globs)) for path in _named(pattern)}


def is_plain(pattern: str) -> bool:
    """Whether a pattern is one path; a file that has such a name is meant."""
    return not glob.has_magic(pattern) or os.path.lexists(pattern)


def folders(globs: Iterable[str], paths: Iterable[str]) -> set[str]:
    """The existing folders in which something that the globs name can appear, come back or be replaced."""
    found = {folder for pattern in globs for folder in _above(pattern)}
    targets = (os.path.realpath(path) for path in paths if os.path.islink(path))
    return found.union(*(_above(target) for target in targets))


def names(globs: Iterable[str], paths: Iterable[str]) -> re.Pattern[str]:
    """Matches each name that plays a part in a path: that of a file, a folder above it, or a link's target."""
    targets = (os.path.realpath(path) for path in paths if os.path.islink(path))
    parts = {part for pattern in (*globs, *targets) for part in pattern.split(os.sep) if part}
    return re.compile("|".join(fnmatch.translate(part) + "|" + re.escape(part) for part in sorted(parts)))


def siblings(path: str, also: Iterable[str] = ()) -> Iterator[os.DirEntry[str]]:
    """The other readable-looking files in a path's folder, those that share its name's beginning first; then those of
    further folders, which rotated files are moved to."""
    path = os.path.realpath(path)
    own, name = os.path.split(path)
    stem = name.partition(".")[0]
    for folder in (own, *also):
        try:
            with os.scandir(folder) as entries:
                others = [entry for entry in entries if entry.path != path and not entry.name.endswith(COMPRESSED)]
        except OSError:
            continue
        others.sort(key=lambda entry: (not entry.name.startswith(stem), entry.name))
        yield from (entry for entry in others if entry.is_file(follow_symlinks=False))


def _named(pattern: str) -> list[str]:
    if is_plain(pattern):
        return [pattern]
    return sorted(path for path in glob.iglob(pattern, recursive=True) if not path.endswith(COMPRESSED))


def _above(pattern: str) -> set[str]:
    """Folders from the last part of a pattern up to the first that surely exists.

    "/var/log/*/app.log" gives /var/log and every folder in it; "/var/log/new/app.log" gives /var/log until new appears.
    """
    found: set[str] = set()
    folder = os.path.dirname(pattern) or os.curdir
    while True:
        here = [path for path in _named(folder) if os.path.isdir(path)]
        found.update(here)
        above = os.path.dirname(folder) or os.curdir
        if (here and is_plain(folder)) or above == folder:
            return found
        folder = above
