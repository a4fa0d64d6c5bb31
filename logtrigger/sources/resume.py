"""Finding again after a restart, or a truncation, what was being read: by inode and content, whatever it is called now."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from logtrigger.model import Position
from logtrigger.sources.fingerprint import agrees
from logtrigger.sources.paths import siblings

Accept = Callable[[int], bool]
Folders = Sequence[str]


@dataclass(frozen=True, slots=True)
class Found:
    """An open file that holds what is to be read on."""

    path: str
    fd: int


def assign(positions: Sequence[Position], files: Mapping[str, int]) -> dict[str, Position]:
    """Which file (path to descriptor) each position belongs to.

    The inode decides if the content does not contradict; device numbers may change with a reboot. A position whose inode is
    nowhere belongs to a copy: a file under another path with the same content.
    """
    found: dict[str, Position] = {}
    left = list(positions)
    for same in (_is_file, _is_copy):
        for path, fd in files.items():
            position = next((p for p in left if same(path, fd, p)), None)
            if position is not None and path not in found:
                found[path] = position
                left.remove(position)
    return found


def find_rest(position: Position, taken: Iterable[tuple[int, int]], also: Folders = ()) -> Found | None:
    """The file of a position among its siblings, by inode or else by content. `taken` (device, inode) are read already.

    `also` are further folders to look in.
    """
    return _find(position.path, taken, lambda fd: _is_file("", fd, position), also) or _find(
        position.path, taken, lambda fd: _is_copy("", fd, position), also
    )


def find_copy(path: str, accept: Accept, also: Folders = ()) -> Found | None:
    """A sibling that accept recognises."""
    return _find(path, (), accept, also)


def generations_since(found: Found, path: str, taken: Iterable[tuple[int, int]], also: Folders = ()) -> list[Found]:
    """Siblings that were rotated away after the found one and before the file now at path, oldest first.

    app.log.1 is one where app.log.2 was found: the names differ in digits only, and it was written to later.
    """
    shape = _shape(os.path.basename(found.path))
    since = os.fstat(found.fd).st_mtime_ns
    used = {*taken, _key(os.fstat(found.fd))}
    later: list[tuple[int, str]] = []
    for entry in siblings(path, also):
        if _shape(entry.name) == shape and entry.path != found.path:
            try:
                stat = entry.stat()
            except OSError:
                continue
            if stat.st_mtime_ns > since and _key(stat) not in used:
                later.append((stat.st_mtime_ns, entry.path))
    return [Found(name, fd) for _, name in sorted(later) if (fd := _try_open(name)) is not None]


def open_file(path: str) -> int:
    """A descriptor to read from; opening never waits, whatever the path turns out to be."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def _is_file(path: str, fd: int, position: Position) -> bool:
    return os.fstat(fd).st_ino == position.inode and agrees(fd, position)


def _is_copy(path: str, fd: int, position: Position) -> bool:
    known = bool(position.offset and position.tail)
    return known and path != position.path and agrees(fd, position)


def _find(path: str, taken: Iterable[tuple[int, int]], accept: Accept, also: Folders) -> Found | None:
    used = set(taken)
    for entry in siblings(path, also):
        try:
            skip = _key(entry.stat()) in used
        except OSError:
            continue
        fd = None if skip else _try_open(entry.path)
        if fd is None:
            continue
        if _accepts(accept, fd):
            return Found(entry.path, fd)
        os.close(fd)
    return None


def _try_open(path: str) -> int | None:
    try:
        return open_file(path)
    except OSError:
        return None


def _accepts(accept: Accept, fd: int) -> bool:
    try:
        return accept(fd)
    except OSError:
        return False


def _key(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _shape(name: str) -> str:
    return re.sub(r"\d+", "0", name)
