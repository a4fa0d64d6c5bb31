"""The store as its callers see it: one thread owns the connection, and whatever is called here goes through its queue.

So commits and reads happen in the order in which they were asked for.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from logtrigger.errors import StoreError
from logtrigger.model import Ban, Offender, Position, Trust, Unban, Undone
from logtrigger.store import bans, streams, triggers
from logtrigger.store.database import connect, copy_to, explained, name
from logtrigger.store.values import KEEP_BANS, About, Batch, Recorded, Wanted, WindowRow

T = TypeVar("T")

KEEP = 10_000  # triggers kept as history
PRUNE_EVERY = 1_000  # new triggers
PRUNE_BANS_EVERY = 1_000  # ended ones

_NOTHING = Batch()


class Store:
    """The state file and its thread. `Store(None)` keeps everything in memory, for dry runs.

    Raises:
        StoreError: the file is in use, damaged, somebody else's, newer than we are, or cannot be created.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._closed = False
        self._kept = _NOTHING  # handed over but not written, because writing failed
        self._handed = 0  # triggers ever handed over; changed by the callers' thread only
        self._written = 0  # triggers ever written; changed by the store's thread only
        self._unpruned = self._ended = 0
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()
        try:
            self._db = self._call(lambda: connect(path))
        except StoreError:
            self._end()
            raise

    @property
    def pending(self) -> int:
        """How many triggers wait for a commit: where these become many, sources should pause."""
        return self._handed - self._written

    def commit(self, batch: Batch, done: Callable[[StoreError | None], None]) -> None:
        """Write the batch in one transaction, soon. `done` is called in the store's thread.

        Where writing fails, `done` gets the error, and the batch is kept and written together with the next one.
        """
        self._hand_over(batch)
        self._later(lambda: self._write(batch), done)

    def commit_now(self, batch: Batch) -> None:
        """Write the batch and return when it is written. Raises StoreError, and keeps the batch as `commit` does."""
        self._hand_over(batch)
        self._call(lambda: self._write(batch))

    def register(self, position: Position) -> None:
        """Write the position of a new stream and return when it is written. Raises StoreError.

        Of a known stream only where its file is now is written: its offset belongs to a commit, with the counters and
        triggers that reading up to there has brought.
        """
        self._call(lambda: self._register(position))

    def load_positions(self) -> list[Position]:
        """Every stream that was not forgotten."""
        return self._call(lambda: streams.load(self._db))

    def load_windows(self) -> list[WindowRow]:
        """Every window that was not dropped."""
        return self._call(lambda: [WindowRow(*row) for row in self._db.execute('SELECT * FROM "window"')])

    def load_bans(self, now: float) -> tuple[list[Ban], list[str]]:
        """Every ban that holds at `now`, the oldest first, the newest with what led to them; and the networks of what is over.

        What is over is history from now on.
        """
        return self._call(lambda: self._load_bans(now))

    def ban_history(self, network: str, limit: int) -> list[tuple[Ban, Unban | None]]:
        """The newest bans of a network and their ends, the newest first."""
        return self._call(lambda: bans.history(self._db, network, limit))

    def load_offenders(self) -> list[Offender]:
        """Every network that was banned before, as far as that counts; the one banned longest ago first."""
        return self._call(lambda: bans.load_offenders(self._db))

    def load_trusts(self) -> list[Trust]:
        """Every address with a good login; what ends first at first."""
        return self._call(lambda: bans.load_trusts(self._db))

    def next_seq(self) -> int:
        """The number for the next trigger: one more than the highest written so far."""
        return self._call(lambda: triggers.next_seq(self._db))

    def owed(self) -> dict[str, int]:
        """For each action that was not done for some trigger, for how many."""
        return self._call(lambda: triggers.owed(self._db))

    def undone(self, name: str, after_seq: int = 0, limit: int = 1_000) -> list[Undone]:
        """The first `limit` triggers numbered above after_seq for which the action of this name was not done, in order."""
        return self._call(lambda: triggers.undone(self._db, name, after_seq, limit))

    def undone_later(self, name: str, after_seq: int, limit: int, done: Callable[[list[Undone] | StoreError], None]) -> None:
        """As `undone`, without waiting: `done` is called in the store's thread."""
        self._later(lambda: triggers.undone(self._db, name, after_seq, limit), done)

    def recent(self, wanted: Wanted, done: Callable[[list[Recorded] | StoreError], None]) -> None:
        """Triggers of the history, oldest first; `done` is called in the store's thread."""
        self._later(lambda: triggers.recent(self._db, wanted), done)

    def about(self, networks: Sequence[str], address: str, most: int, done: Callable[[About | StoreError], None]) -> None:
        """What is known of these networks, and the newest triggers that name an address.

        `done` is called in the store's thread.
        """
        self._later(lambda: self._about(networks, address, most), done)

    def prune(self, keep: int = KEEP) -> None:
        """Delete triggers with nothing left to do, all but the newest `keep`; done by itself now and then."""
        self._call(lambda: self._prune(keep))

    def copy(self, path: Path) -> None:
        """Write all that is stored into a new file there, without room for what was deleted. Raises StoreError.

        To be called from any thread; it waits for what was handed over before.
        """
        self._call(lambda: copy_to(self._db, path))

    def close(self) -> None:
        """Finish what was handed over, and close the file."""
        if not self._closed:
            self._tasks.put(self._db.close)
            self._end()

    # Callers' side of the queue

    def _end(self) -> None:
        self._closed = True
        self._tasks.put(None)
        self._thread.join()

    def _hand_over(self, batch: Batch) -> None:
        self._handed += len(batch.triggers)

    def _submit(self, task: Callable[[], None]) -> None:
        if self._closed:
            raise StoreError(f"{name(self._path)}: the store is closed")
        self._tasks.put(task)

    def _later(self, work: Callable[[], T], done: Callable[[T | StoreError], None]) -> None:
        """Have the thread do this, and tell what came of it."""

        def task() -> None:
            try:
                answer: T | StoreError = work()
            except Exception as error:  # the thread's outer edge: somebody waits for an answer, whatever it is
                answer = self._explained(error)
            done(answer)

        self._submit(task)

    def _call(self, work: Callable[[], T]) -> T:
        """Have the thread do this, and wait for what comes of it. Raises StoreError."""
        answers: SimpleQueue[T | StoreError] = SimpleQueue()
        self._later(work, answers.put)
        answer = answers.get()
        if isinstance(answer, StoreError):
            raise answer
        return answer

    # The store's thread

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    def _write(self, batch: Batch) -> None:
        self._kept = batch = batch if self._kept is _NOTHING else self._kept.then(batch)
        self._write_alone(batch)
        self._kept = _NOTHING
        self._written += len(batch.triggers)
        self._unpruned += len(batch.triggers)
        self._ended += sum(isinstance(change, Unban) for change in batch.bans)
        with suppress(StoreError):  # the batch is written, that is what the caller asked about
            if self._unpruned >= PRUNE_EVERY:
                self._prune(KEEP)
            if self._ended >= PRUNE_BANS_EVERY:
                self._prune_bans()

    def _write_alone(self, batch: Batch) -> None:
        with self._transaction() as db:
            streams.write(db, batch.positions, batch.forgotten_streams)
            db.executemany('DELETE FROM "window" WHERE namespace = ? AND key = ?', batch.dropped_windows)
            rows = ((w.namespace, w.signature, w.key, w.data) for w in batch.windows)
            db.executemany('REPLACE INTO "window" VALUES (?, ?, ?, ?)', rows)
            triggers.write(db, batch.triggers, batch.results)
            bans.write(db, batch.bans)
            bans.write_trusts(db, batch.trusts)
            bans.write_offenders(db, batch.offenders)

    def _register(self, position: Position) -> None:
        with self._transaction() as db:
            streams.register(db, position)

    def _load_bans(self, now: float) -> tuple[list[Ban], list[str]]:
        with self._transaction() as db:
            over = bans.end(db, now)
        self._prune_bans()
        return bans.load(self._db), over

    def _about(self, networks: Sequence[str], address: str, most: int) -> About:
        return About(bans.of_networks(self._db, networks, most), triggers.naming(self._db, address, most))

    def _prune(self, keep: int) -> None:
        self._unpruned = 0
        with self._transaction() as db:
            triggers.prune(db, keep)

    def _prune_bans(self) -> None:
        self._ended = 0
        with self._transaction() as db:
            bans.prune(db, KEEP_BANS)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except Exception as error:
            with suppress(sqlite3.Error):
                self._db.rollback()
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> StoreError:
        return error if isinstance(error, StoreError) else explained(self._path, error)
