"""The state file as a database: opened, found to be ours and whole; and what to tell the operator where it is not.

SQLite in WAL mode with synchronous=NORMAL. A commit is then one write(2) to the log, without an fsync, and survives
kill -9; a power cut may take the last commits but never the file. The locking mode is EXCLUSIVE: a second daemon is
refused, and no shared memory file is needed, which some flash file systems cannot map.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from logtrigger.errors import StoreError
from logtrigger.store.schema import VERSION, steps

WAY_OUT = "move the file away to start afresh (counters, bans and reading positions begin anew)"


def connect(path: Path | None) -> sqlite3.Connection:
    """Open the state file, or make it, and bring its tables to our version; None: in memory.

    Raises:
        StoreError: it is somebody else's, or newer than we are.
        sqlite3.Error, OSError: it is in use, damaged, or cannot be created; `explained` says so.
    """
    if path is not None:
        _create(path)
    db = sqlite3.connect(path or ":memory:", timeout=0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = _version(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA journal_size_limit = 4194304")
        db.execute("PRAGMA foreign_keys = ON")
        if version < VERSION:
            db.executescript(steps(version))
        db.execute("BEGIN EXCLUSIVE")  # takes the lock, and tells whether the file can be written
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def copy_to(db: sqlite3.Connection, path: Path) -> None:
    """Write all of it into a new file that only we can read. Raises sqlite3.Error and OSError."""
    path.unlink(missing_ok=True)
    _create(path)
    db.execute("VACUUM INTO ?", (str(path),))


def explained(path: Path | None, error: Exception) -> StoreError:
    """What went wrong with the state file, and the way out."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if "locked" in text:
        fault = "in use, probably by another logtrigger"
        return StoreError(f"{name(path)}: {fault}: stop it, set another 'option state', or add --dry-run to look on")
    if isinstance(error, OSError | sqlite3.OperationalError):
        return StoreError(f"{name(path)}: {text}: see that the folder exists, can be written and has room")
    return StoreError(f"{name(path)}: damaged, or no logtrigger store ({text}): {WAY_OUT}")


def name(path: Path | None) -> str:
    """The store as the operator knows it."""
    return str(path or "store in memory")


def _create(path: Path) -> None:
    """An empty file that only we can read, where there is none yet."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass


def _version(db: sqlite3.Connection, path: Path | None) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version > VERSION:
        fault = f"written by a newer logtrigger (its version {version}, ours {VERSION})"
        raise StoreError(f"{name(path)}: {fault}: install that one again, or {WAY_OUT}")
    if (version == 0) != (tables == 0):
        raise StoreError(f"{name(path)}: a database, but not logtrigger's: name another file in 'option state'")
    if (verdict := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(verdict)
    return int(version)
