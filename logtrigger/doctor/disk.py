"""The store: whether it can be written, and whether there is room for it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from logtrigger.config import trust
from logtrigger.doctor.findings import Case, Finding
from logtrigger.store.database import WAY_OUT

_PAGE = 64 << 10  # bytes that are written to try
_LITTLE = 16 << 20  # bytes


def check(case: Case) -> Iterator[Finding]:
    """Writes a page beside the store, as the next commit would, and removes it."""
    if case.configuration is None:
        return
    state = case.configuration.settings.state
    if case.status is not None and case.status["store"]["error"]:
        text = f"the daemon cannot write it: {case.status['store']['error']}"
        yield Finding("store", "error", text, "see the disk, the folder's rights, and that it is not mounted read-only")
        return
    if case.status is not None and case.status["store"]["path"] == str(state) and trust.is_missing(state):
        text = f"{state} was deleted under the daemon: when it ends, bans, counters and reading positions are lost"
        yield Finding("store", "error", text, "restart logtrigger, which makes a new one; see who deletes files there")
        return
    if case.status is not None and (fault := case.status["store"]["copy_error"]):
        text = f"the copy of it cannot be made, so that a reboot forgets what is new: {fault}"
        yield Finding("store", "error", text, f"see the medium, and who may write {case.status['store']['copy']}")
    if case.status is None and (fault := _damage(state)):
        yield Finding("store", "error", fault, WAY_OUT)
        return
    folder = state.parent
    try:
        if state.exists():
            with state.open("ab"):
                pass
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PAGE))
            file.flush()
            os.fsync(file.fileno())
        free = os.statvfs(folder)
    except OSError as error:
        yield Finding("store", "error", f"{state} cannot be written: {error.strerror}", _way_out(error, str(folder)))
        return
    room = free.f_bavail * free.f_frsize
    if room < _LITTLE:
        text = f"{folder} has {room >> 10:,} KiB left: soon nothing can be stored, and a crash would repeat or miss things"
        yield Finding("store", "warning", text, "make room there, or move the store with option state")
    else:
        yield Finding("store", "ok", f"{state} can be written; {room >> 20:,} MiB are free")


def _damage(state: Path) -> str:
    """Why a daemon would not start with this store, which nobody has open; nothing is changed."""
    if not os.path.exists(state) or _size(Path(f"{state}-wal")):
        return ""  # what a crash has left is put in order at the next start, and cannot be judged before
    try:
        with closing(sqlite3.connect(f"{state.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return ""  # it cannot be opened, which is told of elsewhere
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    return "" if verdict == "ok" else f"{state} is damaged, or no store of logtrigger ({verdict})"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _way_out(error: OSError, folder: str) -> str:
    import errno

    return {
        errno.ENOSPC: f"the disk is full: make room in {folder}, or move the store with option state",
        errno.EDQUOT: f"a quota is used up: make room in {folder}, or move the store with option state",
        errno.EROFS: f"{folder} is mounted read-only: mount it for writing, or move the store with option state",
        errno.ENOENT: f"create {folder}; the daemon makes its usual folder by itself when it starts",
        errno.EACCES: f"run this as the daemon's user, or see who may write in {folder}",
        errno.EPERM: f"something forbids it (lsattr -d {folder} shows a flag such as i)",
    }.get(error.errno or 0, f"see that {folder} is a folder on a disk that works")
