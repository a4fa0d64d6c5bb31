"""The only durable state: how far files are read, open windows, triggers, what is still to be done about them, and bans.

SQLite in WAL mode with synchronous=NORMAL. A commit is then one write(2) to the log, without an fsync, and survives
kill -9; a power cut may take the last commits but never the file. The locking mode is EXCLUSIVE: a second daemon is
refused, and no shared memory file is needed, which some flash file systems cannot map. One thread owns the connection;
whatever is called here goes through its queue, so commits and reads happen in the order in which they were asked for.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from logtrigger.errors import StoreError
from logtrigger.model import Ban, Offender, Position, Trigger, Trust, Unban

T = TypeVar("T")
Undone = tuple[int, Trigger, tuple[str, ...]]  # seq, trigger, names of the actions that are still to be done

VERSION = 5  # PRAGMA user_version
KEEP = 10_000  # triggers kept as history
PRUNE_EVERY = 1_000  # new triggers
PAGE = 100  # triggers of the history given at once
KEEP_BANS = 10_000  # bans kept as history
PRUNE_BANS_EVERY = 1_000  # ended ones

# Text that may hold a file name is kept as bytes: a name need not be UTF-8. Inode numbers may be over 63 bits: text.
_SCHEMA = """
CREATE TABLE stream (
    id BLOB PRIMARY KEY, source BLOB, path BLOB, device TEXT, inode TEXT, "offset" INTEGER, head TEXT, tail TEXT);
CREATE TABLE "window" (namespace TEXT, signature TEXT, key TEXT, data BLOB, PRIMARY KEY (namespace, key)) WITHOUT ROWID;
CREATE TABLE "trigger" (seq INTEGER PRIMARY KEY, id BLOB UNIQUE, rule TEXT, time REAL, body TEXT);
CREATE TABLE "action" (
    "trigger" INTEGER REFERENCES "trigger" ON DELETE CASCADE, name TEXT,
    state TEXT CHECK (state IN ('undone', 'done')), result TEXT, duration REAL,
    UNIQUE ("trigger", name));
CREATE INDEX undone ON "action" ("trigger") WHERE state = 'undone';
"""
# What each version after the first brought; `lines` is a JSON list. Of a network's bans one at most has not ended.
_CHANGES = {
    2: """
CREATE TABLE ban (
    network TEXT, since REAL, until REAL, rule TEXT, "by" TEXT, times INTEGER, "trigger" BLOB, lines TEXT,
    ended REAL, how TEXT);
CREATE UNIQUE INDEX banned ON ban (network) WHERE ended IS NULL;
CREATE INDEX ban_history ON ban (network);
CREATE INDEX ban_ended ON ban (ended) WHERE ended IS NOT NULL;
DROP INDEX undone;
CREATE INDEX undone ON "action" (name, "trigger") WHERE state = 'undone';
""",
    3: """
ALTER TABLE ban ADD COLUMN nth INTEGER NOT NULL DEFAULT 1;
CREATE TABLE offender (
    network TEXT, scope TEXT, count INTEGER, until REAL, decay REAL, PRIMARY KEY (network, scope)) WITHOUT ROWID;
""",
    4: """
ALTER TABLE "action" ADD COLUMN output TEXT;
""",
    5: """
CREATE TABLE trust (address TEXT, user TEXT, until REAL, PRIMARY KEY (address, user)) WITHOUT ROWID;
""",
}
_REGISTER = """
INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET path = excluded.path, device = excluded.device, inode = excluded.inode
"""
_UNDONE = """
SELECT t.seq, t.body
FROM "action" AS a INDEXED BY undone JOIN "trigger" AS t ON t.seq = a."trigger"
WHERE a.state = 'undone' AND a.name = ? AND a."trigger" > ? ORDER BY a."trigger" LIMIT ?
"""
_BAN = """
INSERT INTO ban (network, since, until, rule, "by", times, "trigger", lines, nth) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (network) WHERE ended IS NULL DO UPDATE SET
since = excluded.since, until = excluded.until, rule = excluded.rule, "by" = excluded."by", times = excluded.times,
nth = excluded.nth,
"trigger" = coalesce(nullif(excluded."trigger", x''), "trigger"), lines = coalesce(nullif(excluded.lines, '[]'), lines)
"""
_UNBAN = "UPDATE ban SET ended = ?, how = ? WHERE network = ? AND ended IS NULL"
_DETAILED = 1_000  # bans that are loaded with what led to them
_RECENT = """
SELECT seq, body FROM "trigger"
WHERE seq > :after AND seq < :before AND (:rule IS NULL OR rule = :rule) AND seq >= (
    SELECT min(seq) FROM (
        SELECT seq FROM "trigger" WHERE seq < :before AND (:rule IS NULL OR rule = :rule) ORDER BY seq DESC LIMIT :most))
ORDER BY seq LIMIT :page
"""
_ACTIONS = """SELECT name, state, result, duration, output FROM "action" WHERE "trigger" = ? ORDER BY rowid"""
_END = """UPDATE "action" SET state = 'done', result = ?, duration = ?, output = ? WHERE "trigger" = ? AND name = ?"""


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One open window as the engine wrote it down. `signature` says which version of the rule could go on with it."""

    namespace: str  # rule or group
    signature: str
    key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """How an action of a trigger ended."""

    seq: int
    name: str
    result: str
    seconds: float
    output: tuple[str, ...] = ()  # its last lines, made safe and cut


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of the `most` newest triggers numbered below `before`, those numbered above `after`: a page of them."""

    rule: str | None  # None: any
    most: int
    before: int
    after: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A trigger of the history, and of each of its actions: name, state, result and seconds it took."""

    seq: int
    trigger: Trigger
    actions: Sequence[tuple[str, str, str | None, float | None]] = ()
    outputs: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of actions that said something, their last lines


@dataclass(frozen=True, slots=True)
class About:
    """What is known of some networks: bans with their ends and last triggers, and triggers that name an address."""

    bans: Sequence[tuple[Ban, Unban | None, Recorded | None]]
    triggers: Sequence[Recorded]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What changed since the last commit. It belongs to the store once handed over: nothing in it may change any more.

    A stream or window is in one list only, the changed or the forgotten.
    """

    positions: Sequence[Position] = ()
    forgotten_streams: Sequence[str] = ()
    windows: Sequence[WindowRow] = ()
    dropped_windows: Sequence[tuple[str, str]] = ()  # namespace, key
    triggers: Sequence[Undone] = ()
    results: Sequence[Done] = ()
    bans: Sequence[Ban | Unban] = ()  # in the order in which they came about
    offenders: Sequence[Offender] = ()  # likewise
    trusts: Sequence[Trust] = ()  # likewise

    def then(self, later: Batch) -> Batch:
        """Both as one: of each stream and window the later word counts."""
        positions = {p.stream: p for p in (*self.positions, *later.positions)}
        windows = {(w.namespace, w.key): w for w in (*self.windows, *later.windows)}
        for stream in later.forgotten_streams:
            positions.pop(stream, None)
        for window in later.dropped_windows:
            windows.pop(window, None)
        return Batch(
            positions=tuple(positions.values()),
            forgotten_streams=tuple({*self.forgotten_streams, *later.forgotten_streams} - positions.keys()),
            windows=tuple(windows.values()),
            dropped_windows=tuple({*self.dropped_windows, *later.dropped_windows} - windows.keys()),
            triggers=(*self.triggers, *later.triggers),
            results=(*self.results, *later.results),
            bans=_bounded((*self.bans, *later.bans)),
            offenders=tuple({(o.network, o.scope): o for o in (*self.offenders, *later.offenders)}.values()),
            trusts=tuple({(t.address, t.user): t for t in (*self.trusts, *later.trusts)}.values()),
        )


def _bounded(bans: Sequence[Ban | Unban]) -> Sequence[Ban | Unban]:
    """All changes; of very many, as after hours of a full disk, what each network has come to."""
    return bans if len(bans) <= KEEP_BANS else tuple({change.network: change for change in bans}.values())


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
            self._db = self._call(self._open)
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

        def task() -> None:
            try:
                self._write(batch)
            except StoreError as error:
                done(error)
            else:
                done(None)

        self._submit(task)

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
        return self._call(lambda: [_position(row) for row in self._db.execute("SELECT * FROM stream")])

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
        return self._call(lambda: self._ban_history(network, limit))

    def load_offenders(self) -> list[Offender]:
        """Every network that was banned before, as far as that counts; the one banned longest ago first."""
        question = "SELECT network, scope, count, until, decay FROM offender ORDER BY until"
        return self._call(lambda: [Offender(*row) for row in self._db.execute(question)])

    def load_trusts(self) -> list[Trust]:
        """Every address with a good login; what ends first at first."""
        question = "SELECT address, user, until FROM trust ORDER BY until"
        return self._call(lambda: [Trust(*row) for row in self._db.execute(question)])

    def next_seq(self) -> int:
        """The number for the next trigger: one more than the highest written so far."""
        return self._call(lambda: _number(self._db, 'SELECT coalesce(max(seq), 0) + 1 FROM "trigger"'))

    def owed(self) -> dict[str, int]:
        """For each action that was not done for some trigger, for how many."""
        query = """SELECT name, count(*) FROM "action" WHERE state = 'undone' GROUP BY name"""
        return self._call(lambda: dict(self._db.execute(query)))

    def undone(self, name: str, after_seq: int = 0, limit: int = 1_000) -> list[Undone]:
        """The first `limit` triggers numbered above after_seq for which the action of this name was not done, in order."""
        return self._call(lambda: self._undone(name, after_seq, limit))

    def undone_later(self, name: str, after_seq: int, limit: int, done: Callable[[list[Undone] | StoreError], None]) -> None:
        """As `undone`, without waiting: `done` is called in the store's thread."""

        def task() -> None:
            try:
                rows = self._undone(name, after_seq, limit)
            except StoreError as error:
                done(error)
            else:
                done(rows)

        self._submit(task)

    def recent(self, wanted: Wanted, done: Callable[[list[Recorded] | StoreError], None]) -> None:
        """Triggers of the history, oldest first; `done` is called in the store's thread."""

        def task() -> None:
            try:
                rows = self._recent(wanted)
            except StoreError as error:
                done(error)
            else:
                done(rows)

        self._submit(task)

    def about(self, networks: Sequence[str], address: str, most: int, done: Callable[[About | StoreError], None]) -> None:
        """What is known of these networks, and the newest triggers that name an address.

        `done` is called in the store's thread.
        """

        def task() -> None:
            try:
                found = self._about(networks, address, most)
            except StoreError as error:
                done(error)
            else:
                done(found)

        self._submit(task)

    def prune(self, keep: int = KEEP) -> None:
        """Delete triggers with nothing left to do, all but the newest `keep`; done by itself now and then."""
        self._call(lambda: self._prune(keep))

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
            raise StoreError(f"{self._name}: the store is closed")
        self._tasks.put(task)

    def _call(self, work: Callable[[], T]) -> T:
        answer: SimpleQueue[tuple[T] | StoreError] = SimpleQueue()

        def task() -> None:
            try:
                answer.put((work(),))
            except StoreError as error:
                answer.put(error)
            except Exception as error:  # the thread's outer edge: the caller waits for an answer, whatever it is
                answer.put(self._explained(error))

        self._submit(task)
        result = answer.get()
        if isinstance(result, StoreError):
            raise result
        return result[0]

    # The store's thread

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    def _open(self) -> sqlite3.Connection:
        if self._path is not None:
            _create(self._path)
        db = sqlite3.connect(self._path or ":memory:", timeout=0, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            version = self._version(db)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA journal_size_limit = 4194304")
            db.execute("PRAGMA foreign_keys = ON")
            if version < VERSION:
                db.executescript(_steps(version))
            db.execute("BEGIN EXCLUSIVE")  # takes the lock, and tells whether the file can be written
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _version(self, db: sqlite3.Connection) -> int:
        version = _number(db, "PRAGMA user_version")
        tables = _number(db, "SELECT count(*) FROM sqlite_master")
        if version > VERSION:
            fault = f"written by a newer logtrigger (its version {version}, ours {VERSION})"
            raise StoreError(f"{self._name}: {fault}: install that one again, or {self._way_out}")
        if (version == 0) != (tables == 0):
            raise StoreError(f"{self._name}: a database, but not logtrigger's: name another file in 'option state'")
        if (verdict := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(verdict)
        return version

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
                self._prune_bans(KEEP_BANS)

    def _write_alone(self, batch: Batch) -> None:
        with self._transaction() as db:
            db.executemany("DELETE FROM stream WHERE id = ?", [(_raw(s),) for s in batch.forgotten_streams])
            db.executemany("REPLACE INTO stream VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_stream_row, batch.positions))
            db.executemany('DELETE FROM "window" WHERE namespace = ? AND key = ?', batch.dropped_windows)
            rows = ((w.namespace, w.signature, w.key, w.data) for w in batch.windows)
            db.executemany('REPLACE INTO "window" VALUES (?, ?, ?, ?)', rows)
            for seq, trigger, names in batch.triggers:
                _insert(db, seq, trigger, names)
            ends = ((d.result, d.seconds, json.dumps(d.output) if d.output else None, d.seq, d.name) for d in batch.results)
            db.executemany(_END, ends)
            for unban, changes in groupby(batch.bans, key=lambda change: isinstance(change, Unban)):
                if unban:
                    db.executemany(_UNBAN, ((c.ended, c.how, c.network) for c in changes if isinstance(c, Unban)))
                else:
                    db.executemany(_BAN, (_ban_row(c) for c in changes if isinstance(c, Ban)))
            db.executemany("DELETE FROM trust WHERE address = ? AND user = ?", [(t.address, t.user) for t in batch.trusts])
            trusts = [(t.address, t.user, t.until) for t in batch.trusts if t.until]
            db.executemany("INSERT INTO trust VALUES (?, ?, ?)", trusts)
            for one in batch.offenders:
                db.execute("DELETE FROM offender WHERE network = ? AND scope = ?", (one.network, one.scope))
                if one.count:
                    row = (one.network, one.scope, one.count, one.until, one.decay)
                    db.execute("INSERT INTO offender VALUES (?, ?, ?, ?, ?)", row)

    def _register(self, position: Position) -> None:
        with self._transaction() as db:
            db.execute(_REGISTER, _stream_row(position))

    def _undone(self, name: str, after_seq: int, limit: int) -> list[Undone]:
        try:
            rows = self._db.execute(_UNDONE, (name, after_seq, limit)).fetchall()
            return [(seq, _trigger(body), (name,)) for seq, body in rows]
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise self._explained(error) from error

    def _recent(self, wanted: Wanted) -> list[Recorded]:
        asked = {"rule": wanted.rule, "most": wanted.most, "before": wanted.before, "after": wanted.after, "page": PAGE}
        try:
            rows = self._db.execute(_RECENT, asked).fetchall()
            return [self._recorded(seq, body) for seq, body in rows]
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise self._explained(error) from error

    def _recorded(self, seq: int, body: str) -> Recorded:
        rows = self._db.execute(_ACTIONS, (seq,)).fetchall()
        outputs = {row[0]: json.loads(row[4]) for row in rows if row[4]}
        return Recorded(seq, _trigger(body), [row[:4] for row in rows], outputs)

    def _about(self, networks: Sequence[str], address: str, most: int) -> About:
        marks = ", ".join("?" * len(networks))
        question = f"SELECT rowid, network FROM ban WHERE network IN ({marks}) ORDER BY since DESC, rowid DESC LIMIT ?"
        naming = 'SELECT seq, body FROM "trigger" WHERE instr(body, ?) ORDER BY seq DESC'
        try:
            ids = self._db.execute(question, (*networks, most)).fetchall()
            bans = [self._ban_with_cause(rowid) for rowid, _ in ids]
            found = list[Recorded]()
            for seq, body in self._db.execute(naming, (json.dumps(address),)):
                trigger = _trigger(body)
                if address in (*trigger.key, *trigger.fields.values()):
                    found.append(self._recorded(seq, body))
                    if len(found) == most:
                        break
            return About(bans, found)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise self._explained(error) from error

    def _ban_with_cause(self, rowid: int) -> tuple[Ban, Unban | None, Recorded | None]:
        question = 'SELECT network, since, until, rule, "by", times, "trigger", lines, nth, ended, how FROM ban WHERE rowid = ?'
        row = self._db.execute(question, (rowid,)).fetchone()
        cause = self._db.execute('SELECT seq, body FROM "trigger" WHERE id = ?', (row[6],)).fetchone()
        end = None if row[9] is None else Unban(row[0], row[9], row[10])
        return _ban(row[:9]), end, self._recorded(*cause) if cause is not None else None

    def _prune(self, keep: int) -> None:
        self._unpruned = 0
        with self._transaction() as db:
            db.execute(
                """DELETE FROM "trigger"
                WHERE seq <= (SELECT seq FROM "trigger" ORDER BY seq DESC LIMIT 1 OFFSET ?)
                AND seq NOT IN (SELECT "trigger" FROM "action" WHERE state = 'undone')""",
                (keep,),
            )

    def _load_bans(self, now: float) -> tuple[list[Ban], list[str]]:
        over = [
            network for (network,) in self._db.execute("SELECT network FROM ban WHERE ended IS NULL AND until <= ?", (now,))
        ]
        with self._transaction() as db:
            db.execute("UPDATE ban SET ended = until, how = 'expired' WHERE ended IS NULL AND until <= ?", (now,))
        self._prune_bans(KEEP_BANS)
        # An old ban's lines stay where they are: with 100,000 of them they would fill the memory.
        question = 'SELECT network, since, until, rule, "by", times, {}, nth FROM ban WHERE ended IS NULL'
        question += " ORDER BY since DESC, rowid DESC"
        rows = self._db.execute(question.format('"trigger", lines') + f" LIMIT {_DETAILED}").fetchall()
        rest = self._db.execute(question.format("x'', '[]'") + f" LIMIT -1 OFFSET {_DETAILED}")
        bans = [_ban(row) for row in rows]
        bans += [replace(Ban(*row[:6]), nth=row[8]) if row[8] > 1 else Ban(*row[:6]) for row in rest]
        return bans[::-1], over

    def _ban_history(self, network: str, limit: int) -> list[tuple[Ban, Unban | None]]:
        question = 'SELECT network, since, until, rule, "by", times, "trigger", lines, nth, ended, how FROM ban'
        rows = self._db.execute(f"{question} WHERE network = ? ORDER BY rowid DESC LIMIT ?", (network, limit)).fetchall()
        return [(_ban(row[:9]), None if row[9] is None else Unban(network, row[9], row[10])) for row in rows]

    def _prune_bans(self, keep: int) -> None:
        self._ended = 0
        question = "SELECT ended FROM ban WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT 1 OFFSET ?"
        with self._transaction() as db:
            db.execute(f"DELETE FROM ban WHERE ended <= ({question})", (keep,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except Exception as error:  # the thread's outer edge: a batch that cannot be written must not end it
            with suppress(sqlite3.Error):
                self._db.rollback()
            raise self._explained(error) from error

    # What to tell the operator

    @property
    def _name(self) -> str:
        return str(self._path or "store in memory")

    @property
    def _way_out(self) -> str:
        return "move the file away to start afresh (counters, bans and reading positions begin anew)"

    def _explained(self, error: Exception) -> StoreError:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if "locked" in text:
            fault = "in use, probably by another logtrigger"
            return StoreError(f"{self._name}: {fault}: stop it, set another 'option state', or add --dry-run to look on")
        if isinstance(error, OSError | sqlite3.OperationalError):
            return StoreError(f"{self._name}: {text}: see that the folder exists, can be written and has room")
        return StoreError(f"{self._name}: damaged, or no logtrigger store ({text}): {self._way_out}")


def _create(path: Path) -> None:
    """An empty file that only we can read, where there is none yet."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass


def _number(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchone()[0])


def _insert(db: sqlite3.Connection, seq: int, trigger: Trigger, names: Sequence[str]) -> None:
    """A trigger and its actions; nothing where its id was taken before."""
    row = (seq, _raw(trigger.id), trigger.rule, trigger.time, _body(trigger))
    if db.execute('INSERT OR IGNORE INTO "trigger" VALUES (?, ?, ?, ?, ?)', row).rowcount == 1:
        rows = ((seq, name) for name in names)
        db.executemany("""INSERT INTO "action" ("trigger", name, state) VALUES (?, ?, 'undone')""", rows)


def _steps(version: int) -> str:
    """What makes a store of this version (0: an empty file) one of ours, all of it or nothing."""
    changes = [change for number, change in _CHANGES.items() if number > version]
    steps = "".join(changes if version else [_SCHEMA, *changes])
    return f"BEGIN EXCLUSIVE;{steps}PRAGMA user_version = {VERSION};COMMIT;"


def _ban_row(ban: Ban) -> tuple[object, ...]:
    lines = json.dumps(ban.lines)
    return ban.network, ban.since, ban.until, ban.rule, ban.by, ban.times, _raw(ban.trigger), lines, ban.nth


def _ban(row: Sequence[Any]) -> Ban:
    network, since, until, rule, by, times, trigger, lines, nth = row
    id = trigger.decode("utf-8", "surrogateescape")
    return Ban(network, since, until, rule, by, times, id, tuple(json.loads(lines)), nth)


_TRIGGER_FIELDS = tuple(f.name for f in fields(Trigger))


def _body(trigger: Trigger) -> str:
    values = {name: getattr(trigger, name) for name in _TRIGGER_FIELDS}
    return json.dumps({**values, "fields": dict(trigger.fields), "extra": dict(trigger.extra)})


def _trigger(body: str) -> Trigger:
    values = json.loads(body)
    return Trigger(**{**values, "key": tuple(values["key"])})


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _stream_row(p: Position) -> tuple[bytes, bytes, bytes, str, str, int, str, str]:
    return (_raw(p.stream), _raw(p.source), _raw(p.path), str(p.device), str(p.inode), p.offset, p.head, p.tail)


def _position(row: tuple[bytes, bytes, bytes, str, str, int, str, str]) -> Position:
    stream, source, path = (part.decode("utf-8", "surrogateescape") for part in row[:3])
    return Position(stream, source, path, int(row[3]), int(row[4]), *row[5:])
