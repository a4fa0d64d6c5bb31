"""Captured text belongs to whoever wrote the line: how it is made safe for an environment, a log and a terminal."""

from __future__ import annotations

import re

WHITE = b" \t\r\n\f\v"  # what does not count at the end of a line

# C0 and C1 controls, DEL, and the bidirectional controls of Unicode (UAX #9: marks, embeddings, overrides, isolates).
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def safe(raw: bytes) -> str:
    """Bytes of a log line as text in which nothing moves a cursor or hides: replaced, never deleted.

    >>> safe(b"a\\tb\\x1b[31m\\xff")
    'a b?[31m\\ufffd'
    """
    return safe_text(raw.decode("utf-8", "replace"))


def safe_text(text: str) -> str:
    """`safe` of what is text already."""
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub("?", text.replace("\t", " "))


def cut(text: str, most: int) -> str:
    """The text, or as much of its beginning as takes `most` bytes in UTF-8."""
    if len(text) * 4 <= most or len(raw := text.encode()) <= most:
        return text
    return raw[:most].decode("utf-8", "ignore")


def safe_start(raw: bytes, most: int) -> str:
    """`safe` of as much of the text's beginning as takes `most` bytes, and a few more where there is more."""
    return safe(raw if len(raw) <= most else raw[: most + 4])
