"""Bans and their ends in their table, who was banned before, and who is trusted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from logtrigger.model import Ban, Offender, Trust, Unban
from logtrigger.store import triggers
from logtrigger.store.streams import cooked, raw
from logtrigger.store.values import Recorded

_DETAILED = 1_000  # bans that are loaded with what led to them

_COLUMNS = 'network, since, until, rule, "by", times, "trigger", lines, nth'
_BAN = f"""
INSERT INTO ban ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (network) WHERE ended IS NULL DO UPDATE SET
since = excluded.since, until = excluded.until, rule = excluded.rule, "by" = excluded."by", times = excluded.times,
nth = excluded.nth,
"trigger" = coalesce(nullif(excluded."trigger", x''), "trigger"), lines = coalesce(nullif(excluded.lines, '[]'), lines)
"""
_UNBAN = "UPDATE ban SET ended = ?, how = ? WHERE network = ? AND ended IS NULL"
_WITH_ENDS = f"SELECT {_COLUMNS}, ended, how FROM ban"

Banned = tuple[Ban, Unban | None]  # a ban, and its end where it has ended


def write(db: sqlite3.Connection, changes: Iterable[Ban | Unban]) -> None:
    """Write bans and their ends, in the order in which they came about."""
    for unban, alike in groupby(changes, key=lambda change: isinstance(change, Unban)):
        if unban:
            db.executemany(_UNBAN, ((c.ended, c.how, c.network) for c in alike if isinstance(c, Unban)))
        else:
            db.executemany(_BAN, (_row(c) for c in alike if isinstance(c, Ban)))


def end(db: sqlite3.Connection, now: float) -> list[str]:
    """Make history of what is over by `now`, and give its networks."""
    over = [network for (network,) in db.execute("SELECT network FROM ban WHERE ended IS NULL AND until <= ?", (now,))]
    db.execute("UPDATE ban SET ended = until, how = 'expired' WHERE ended IS NULL AND until <= ?", (now,))
    return over


def load(db: sqlite3.Connection) -> list[Ban]:
    """Every ban that has not ended, the oldest first, the newest with what led to them.

    An old ban's lines stay where they are: with 100,000 of them they would fill the memory.
    """
    question = 'SELECT network, since, until, rule, "by", times, {}, nth FROM ban WHERE ended IS NULL'
    question += " ORDER BY since DESC, rowid DESC"
    rows = db.execute(question.format('"trigger", lines') + f" LIMIT {_DETAILED}").fetchall()
    rest = db.execute(question.format("x'', '[]'") + f" LIMIT -1 OFFSET {_DETAILED}")
    bans = [_ban(row) for row in rows]
    bans += [replace(Ban(*row[:6]), nth=row[8]) if row[8] > 1 else Ban(*row[:6]) for row in rest]
    return bans[::-1]


def history(db: sqlite3.Connection, network: str, limit: int) -> list[Banned]:
    """The newest bans of a network and their ends, the newest first."""
    rows = db.execute(f"{_WITH_ENDS} WHERE network = ? ORDER BY rowid DESC LIMIT ?", (network, limit)).fetchall()
    return [_banned(row) for row in rows]


def of_networks(db: sqlite3.Connection, networks: Sequence[str], most: int) -> list[tuple[Ban, Unban | None, Recorded | None]]:
    """The newest bans of some networks, their ends and their last triggers, the newest first."""
    marks = ", ".join("?" * len(networks))
    newest = f"SELECT rowid FROM ban WHERE network IN ({marks}) ORDER BY since DESC, rowid DESC LIMIT ?"
    question = f"{_WITH_ENDS} WHERE rowid IN ({newest}) ORDER BY since DESC, rowid DESC"
    rows = db.execute(question, (*networks, most)).fetchall()
    return [(*_banned(row), triggers.of_id(db, row[6])) for row in rows]


def prune(db: sqlite3.Connection, keep: int) -> None:
    """Delete ended bans, all but the `keep` that ended last."""
    oldest = "SELECT ended FROM ban WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT 1 OFFSET ?"
    db.execute(f"DELETE FROM ban WHERE ended <= ({oldest})", (keep,))


def _row(ban: Ban) -> tuple[object, ...]:
    lines = json.dumps(ban.lines)
    return ban.network, ban.since, ban.until, ban.rule, ban.by, ban.times, raw(ban.trigger), lines, ban.nth


def _ban(row: Sequence[Any]) -> Ban:
    network, since, until, rule, by, times, trigger, lines, nth = row
    return Ban(network, since, until, rule, by, times, cooked(trigger), tuple(json.loads(lines)), nth)


def _banned(row: Sequence[Any]) -> Banned:
    ended, how = row[9:]
    return _ban(row[:9]), None if ended is None else Unban(row[0], ended, how)


# Who was banned before


def write_offenders(db: sqlite3.Connection, offenders: Iterable[Offender]) -> None:
    """Write how often networks were banned; one that counts no more is taken away."""
    for one in offenders:
        db.execute("DELETE FROM offender WHERE network = ? AND scope = ?", (one.network, one.scope))
        if one.count:
            row = (one.network, one.scope, one.count, one.until, one.decay)
            db.execute("INSERT INTO offender VALUES (?, ?, ?, ?, ?)", row)


def load_offenders(db: sqlite3.Connection) -> list[Offender]:
    """Every network that was banned before, as far as that counts; the one banned longest ago first."""
    question = "SELECT network, scope, count, until, decay FROM offender ORDER BY until"
    return [Offender(*row) for row in db.execute(question)]


# Who is trusted


def write_trusts(db: sqlite3.Connection, trusts: Sequence[Trust]) -> None:
    """Write good logins; one without an end is taken away."""
    db.executemany("DELETE FROM trust WHERE address = ? AND user = ?", [(t.address, t.user) for t in trusts])
    db.executemany("INSERT INTO trust VALUES (?, ?, ?)", [(t.address, t.user, t.until) for t in trusts if t.until])


def load_trusts(db: sqlite3.Connection) -> list[Trust]:
    """Every address with a good login; what ends first at first."""
    return [Trust(*row) for row in db.execute("SELECT address, user, until FROM trust ORDER BY until")]
