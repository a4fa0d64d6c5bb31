"""Telling files apart by their content: an inode number is given to another file as soon as its own is deleted."""

from __future__ import annotations

import os
from _blake2 import blake2b  # hashlib would bring OpenSSL, 3.5 MB, for the same function

from logtrigger.model import Position

SPAN = 1024  # bytes a fingerprint covers where the file has so many


def fingerprint(data: bytes) -> str:
    """Length and digest of some bytes.

    >>> fingerprint(b"one line")
    '8:fff07f4308ea76f7'
    """
    return f"{len(data)}:{blake2b(data, digest_size=8).hexdigest()}"


def head(fd: int) -> str:
    """Fingerprint of the first bytes of a file."""
    return fingerprint(os.pread(fd, SPAN, 0))


def tail(fd: int, offset: int) -> str:
    """Fingerprint of the last bytes before offset."""
    span = min(SPAN, offset)
    return fingerprint(os.pread(fd, span, offset - span))


def agrees(fd: int, position: Position) -> bool:
    """Whether the file can be the one that was read up to position: it holds the same bytes where we know them."""
    if os.fstat(fd).st_size < position.offset:
        return False
    tail_span = _span(position.tail)
    return _holds(fd, 0, position.head) and _holds(fd, position.offset - tail_span, position.tail)


def _holds(fd: int, start: int, known: str) -> bool:
    """An empty fingerprint is that of a file that could not be read: nothing speaks against it."""
    return not known or (start >= 0 and fingerprint(os.pread(fd, _span(known), start)) == known)


def _span(known: str) -> int:
    span = known.partition(":")[0]
    return int(span) if span.isdecimal() else 0
