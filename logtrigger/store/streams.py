"""Reading positions in their table; text that need not be UTF-8, as the tables keep it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from logtrigger.model import Position

_REGISTER = """
INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET path = excluded.path, device = excluded.device, inode = excluded.inode
"""

Row = tuple[bytes, bytes, bytes, str, str, int, str, str]


def raw(text: str) -> bytes:
    """Text as the database keeps it, where it need not be UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def cooked(data: bytes) -> str:
    """The text that `raw` was given."""
    return data.decode("utf-8", "surrogateescape")


def register(db: sqlite3.Connection, position: Position) -> None:
    """Write a new stream; of a known one, only where its file is now."""
    db.execute(_REGISTER, _row(position))


def write(db: sqlite3.Connection, positions: Iterable[Position], forgotten: Iterable[str]) -> None:
    """Write how far streams are read, and take away those that are over."""
    db.executemany("DELETE FROM stream WHERE id = ?", [(raw(stream),) for stream in forgotten])
    db.executemany("REPLACE INTO stream VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_row, positions))


def load(db: sqlite3.Connection) -> list[Position]:
    """Every stream that was not forgotten."""
    return [_position(row) for row in db.execute("SELECT * FROM stream")]


def _row(p: Position) -> Row:
    return (raw(p.stream), raw(p.source), raw(p.path), str(p.device), str(p.inode), p.offset, p.head, p.tail)


def _position(row: Row) -> Position:
    stream, source, path = map(cooked, row[:3])
    return Position(stream, source, path, int(row[3]), int(row[4]), *row[5:])
