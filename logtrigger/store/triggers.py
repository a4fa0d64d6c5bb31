"""Triggers and their actions in their tables: what is still to be done, and the history."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields

from logtrigger.model import Trigger, Undone
from logtrigger.store.streams import raw
from logtrigger.store.values import Done, Recorded, Wanted

PAGE = 100  # triggers of the history given at once

_UNDONE = """
SELECT t.seq, t.body
FROM "action" AS a INDEXED BY undone JOIN "trigger" AS t ON t.seq = a."trigger"
WHERE a.state = 'undone' AND a.name = ? AND a."trigger" > ? ORDER BY a."trigger" LIMIT ?
"""
_RECENT = """
SELECT seq, body FROM "trigger"
WHERE seq > :after AND seq < :before AND (:rule IS NULL OR rule = :rule) AND seq >= (
    SELECT min(seq) FROM (
        SELECT seq FROM "trigger" WHERE seq < :before AND (:rule IS NULL OR rule = :rule) ORDER BY seq DESC LIMIT :most))
ORDER BY seq LIMIT :page
"""
_PRUNE = """
DELETE FROM "trigger"
WHERE seq <= (SELECT seq FROM "trigger" ORDER BY seq DESC LIMIT 1 OFFSET ?)
AND seq NOT IN (SELECT "trigger" FROM "action" WHERE state = 'undone')
"""
_ACTIONS = """SELECT name, state, result, duration, output FROM "action" WHERE "trigger" = ? ORDER BY rowid"""
_END = """UPDATE "action" SET state = 'done', result = ?, duration = ?, output = ? WHERE "trigger" = ? AND name = ?"""


def write(db: sqlite3.Connection, triggers: Iterable[Undone], results: Iterable[Done]) -> None:
    """Write new triggers with their actions, and how actions have ended."""
    for seq, trigger, names in triggers:
        _insert(db, seq, trigger, names)
    ends = ((d.result, d.seconds, json.dumps(d.output) if d.output else None, d.seq, d.name) for d in results)
    db.executemany(_END, ends)


def next_seq(db: sqlite3.Connection) -> int:
    """One more than the highest number of a trigger."""
    return int(db.execute('SELECT coalesce(max(seq), 0) + 1 FROM "trigger"').fetchone()[0])


def owed(db: sqlite3.Connection) -> dict[str, int]:
    """For each action that was not done for some trigger, for how many."""
    return dict(db.execute("""SELECT name, count(*) FROM "action" WHERE state = 'undone' GROUP BY name"""))


def undone(db: sqlite3.Connection, name: str, after_seq: int, limit: int) -> list[Undone]:
    """The first `limit` triggers numbered above after_seq for which the action of this name was not done, in order."""
    rows = db.execute(_UNDONE, (name, after_seq, limit)).fetchall()
    return [(seq, _trigger(body), (name,)) for seq, body in rows]


def recent(db: sqlite3.Connection, wanted: Wanted) -> list[Recorded]:
    """Triggers of the history, oldest first, PAGE at most."""
    asked = {"rule": wanted.rule, "most": wanted.most, "before": wanted.before, "after": wanted.after, "page": PAGE}
    return [_recorded(db, seq, body) for seq, body in db.execute(_RECENT, asked).fetchall()]


def naming(db: sqlite3.Connection, address: str, most: int) -> list[Recorded]:
    """The newest triggers of which a field or part of the key is this address, the newest first."""
    found: list[Recorded] = []
    question = 'SELECT seq, body FROM "trigger" WHERE instr(body, ?) ORDER BY seq DESC'
    for seq, body in db.execute(question, (json.dumps(address),)):
        trigger = _trigger(body)
        if address in (*trigger.key, *trigger.fields.values()):
            found.append(_recorded(db, seq, body))
            if len(found) == most:
                break
    return found


def of_id(db: sqlite3.Connection, id: bytes) -> Recorded | None:
    """The trigger of this id; None where it is history no more."""
    row = db.execute('SELECT seq, body FROM "trigger" WHERE id = ?', (id,)).fetchone()
    return None if row is None else _recorded(db, *row)


def prune(db: sqlite3.Connection, keep: int) -> None:
    """Delete triggers with nothing left to do, all but the newest `keep`."""
    db.execute(_PRUNE, (keep,))


def _insert(db: sqlite3.Connection, seq: int, trigger: Trigger, names: Sequence[str]) -> None:
    """A trigger and its actions; nothing where its id was taken before."""
    row = (seq, raw(trigger.id), trigger.rule, trigger.time, _body(trigger))
    if db.execute('INSERT OR IGNORE INTO "trigger" VALUES (?, ?, ?, ?, ?)', row).rowcount == 1:
        rows = ((seq, name) for name in names)
        db.executemany("""INSERT INTO "action" ("trigger", name, state) VALUES (?, ?, 'undone')""", rows)


def _recorded(db: sqlite3.Connection, seq: int, body: str) -> Recorded:
    rows = db.execute(_ACTIONS, (seq,)).fetchall()
    outputs = {row[0]: json.loads(row[4]) for row in rows if row[4]}
    return Recorded(seq, _trigger(body), [row[:4] for row in rows], outputs)


_FIELDS = tuple(f.name for f in fields(Trigger))


def _body(trigger: Trigger) -> str:
    values = {name: getattr(trigger, name) for name in _FIELDS}
    return json.dumps({**values, "fields": dict(trigger.fields), "extra": dict(trigger.extra)})


def _trigger(body: str) -> Trigger:
    values = json.loads(body)
    return Trigger(**{**values, "key": tuple(values["key"])})
