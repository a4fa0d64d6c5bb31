"""Patterns: three syntaxes, one meaning."""

from __future__ import annotations

from collections.abc import Sequence

from logtrigger.patterns import scanf
from logtrigger.patterns.pattern import Anchor, Pattern

SYNTAXES = ("scanf", "format", "regex")


def compile(
    text: str, fields: Sequence[str] = (), syntax: str = "scanf", *, nocase: bool = False, anchor: Anchor = ""
) -> Pattern:
    """A pattern of one of SYNTAXES, compiled; with an anchor it matches only where what it is given begins.

    Raises:
        PatternError: what is wrong with it, where, and what to write.
    """
    if syntax == "scanf":
        return scanf.compile(text, fields, nocase=nocase, anchor=anchor)
    if syntax == "format":
        from logtrigger.patterns import format

        return format.compile(text, fields, nocase=nocase, anchor=anchor)
    from logtrigger.patterns import regex

    return regex.compile(text, fields, nocase=nocase, anchor=anchor)
