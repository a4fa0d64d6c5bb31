"""The tables of the state file, and what each of its versions has brought."""

from __future__ import annotations

VERSION = 5  # PRAGMA user_version

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


def steps(version: int) -> str:
    """What makes a store of this version (0: an empty file) one of ours, all of it or nothing."""
    changes = [change for number, change in _CHANGES.items() if number > version]
    steps = "".join(changes if version else [_SCHEMA, *changes])
    return f"BEGIN EXCLUSIVE;{steps}PRAGMA user_version = {VERSION};COMMIT;"
