"""Telling files apart by their content: an inode number is given to another file as soon as its own is deleted."""

from __future__ import annotations

from logtrigger.digests import blake2b
from logtrigger.model import Position
from logtrigger.sources.content import Content

SPAN = 1024  # bytes a fingerprint covers where the file has so many
OVER, PART, TOLD = ".", ",", "!"  # what may follow a position's `tail`: see past.py
MARKS = OVER + PART + TOLD


def fingerprint(data: bytes) -> str:
    """Length and digest of some bytes.

    >>> fingerprint(b"one line")
    '8:fff07f4308ea76f7'
    """
    return f"{len(data)}:{blake2b(data, digest_size=8).hexdigest()}"


def head(content: Content) -> str:
    """Fingerprint of the first bytes of a file."""
    return fingerprint(content.read_at(SPAN, 0))


def tail(content: Content, offset: int) -> str:
    """Fingerprint of the last bytes before offset."""
    span = min(SPAN, offset)
    return fingerprint(content.read_at(span, offset - span))


def agrees(content: Content, position: Position) -> bool:
    """Whether the file can be the one that was read up to position: it holds the same bytes where we know them."""
    return begins_as(content, position) and reaches(content, position)


def begins_as(content: Content, position: Position) -> bool:
    """Whether the first bytes are those of a position's file."""
    return _holds(content, 0, position.head)


def reaches(content: Content, position: Position) -> bool:
    """Whether the file is that long, and the last bytes before the offset are those of a position's file."""
    if position.offset and not content.read_at(1, position.offset - 1):
        return False
    return _holds(content, position.offset - span(position.tail), position.tail)


def span(known: str) -> int:
    """How many bytes a fingerprint covers."""
    size = known.partition(":")[0]
    return int(size) if size.isdecimal() else 0


def _holds(content: Content, start: int, known: str) -> bool:
    """An empty fingerprint is that of a file that could not be read: nothing speaks against it."""
    known = known.rstrip(MARKS)
    return not known or (start >= 0 and fingerprint(content.read_at(span(known), start)) == known)
