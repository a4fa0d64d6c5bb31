"""The copy of a store that lies in memory, on a medium that lasts: written each hour and at the end, read after a reboot.

A router's flash is worn by writing, so it gets no copy that it holds already. It is slow, too: a copy is put together beside
the store, and written by a thread of its own; reading and banning go on meanwhile.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from logtrigger.errors import StoreError
from logtrigger.loop import Loop
from logtrigger.store import Store

EVERY = 3600.0  # seconds
_PIECE = 1 << 16  # bytes

Report = Callable[[int, str], None]


class StateCopy:
    """Keeps the copy.

    Args:
        state: where the store is.
        path: where its copy is to be.
        report: is told where that cannot be done.
        every: seconds between two copies.
    """

    def __init__(self, loop: Loop, store: Store, state: Path, path: Path, report: Report, every: float = EVERY) -> None:
        self.path = path
        self._loop, self._store, self._fresh, self._report, self._every = loop, store, _beside(state, "copy"), report, every
        self._thread: threading.Thread | None = None
        self.fault = ""  # why the last one could not be made; empty: it could
        self._timer = loop.call_later(every, self._on_time)

    def close(self) -> None:
        """Begin no further copy."""
        self._timer.cancel()

    def last(self) -> None:
        """Copy for the last time, and return when that is done."""
        self.close()
        if self._thread is not None:
            self._thread.join()
        self._tell(self._copy())

    def _on_time(self) -> None:
        self._timer = self._loop.call_later(self._every, self._on_time)
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._work, name="state copy", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # a machine under attack may have no room for one
                self._tell(str(error))
            else:
                self._thread = thread

    def _work(self) -> None:
        fault = self._copy()
        self._loop.call_threadsafe(lambda: self._tell(fault))

    def _copy(self) -> str:
        """Why there is no new copy; empty: there is."""
        try:
            self._store.copy(self._fresh)
            _put(self._fresh, self.path)
        except (OSError, StoreError) as error:
            return str(error)
        finally:
            with suppress(OSError):
                self._fresh.unlink(missing_ok=True)
        return ""

    def _tell(self, fault: str) -> None:
        """Once, where it begins to fail, and where it works again."""
        if fault and fault != self.fault:
            self._report(0, f"state_copy: {fault}; it is tried again each hour, and until then a reboot forgets what is new")
        elif self.fault and not fault:
            self._report(0, f"state_copy: {self.path} can be written again")
        self.fault = fault


def restore(state: Path, copy: Path, report: Report) -> None:
    """Take the copy for the store where there is none, as after a reboot.

    One that cannot be used is told of and laid aside: a machine that nobody sits at shall start all the same.
    """
    if os.path.lexists(state) or not os.path.lexists(copy):
        return
    fresh = _beside(state, "restored")
    try:
        state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _fetch(copy, fresh)
        Store(fresh).close()  # which looks through all of it
        for rest in ("-wal", "-shm"):  # of a store that is gone
            state.with_name(f"{state.name}{rest}").unlink(missing_ok=True)
        fresh.replace(state)
        report(1, f"state_copy: {copy} is the store now, as there was none")
    except (OSError, StoreError) as error:
        aside = copy.with_name(f"{copy.name}.unused")
        with suppress(OSError):
            copy.replace(aside)
        report(
            0,
            f"state_copy: {copy} cannot be used, and is {aside} now: {error}; counters, bans and reading positions begin anew",
        )
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


def _beside(state: Path, what: str) -> Path:
    return state.with_name(f"{state.name}.{what}")


def _fetch(copy: Path, fresh: Path) -> None:
    """Copy it; one that somebody else could have written could ban and unban whom he likes."""
    with open(os.open(copy, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as source:
        status = os.fstat(source.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise StoreError("it is no file")
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
            raise StoreError("others could write it")
        fresh.unlink(missing_ok=True)
        with open(_created(fresh), "wb") as file:
            while piece := source.read(_PIECE):
                file.write(piece)


def _put(fresh: Path, path: Path) -> None:
    """Move what was put together in memory to where it lasts: whole or not at all, also where the power fails meanwhile."""
    if _same(fresh, path):
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        with fresh.open("rb") as source, open(_created(new), "wb") as file:
            while piece := source.read(_PIECE):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _same(one: Path, other: Path) -> bool:
    try:
        with one.open("rb") as first, other.open("rb") as second:
            while (piece := first.read(_PIECE)) == second.read(_PIECE):
                if not piece:
                    return True
    except FileNotFoundError:
        pass
    return False
