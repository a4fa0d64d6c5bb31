"""The store: whether it can be written, and whether there is room for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

from logtrigger.doctor.findings import Case, Finding

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
