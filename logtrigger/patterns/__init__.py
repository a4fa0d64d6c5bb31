"""Patterns: three syntaxes, one meaning."""

from __future__ import annotations

from collections.abc import Sequence

from logtrigger.patterns import scanf
from logtrigger.patterns.pattern import Pattern

SYNTAXES = ("scanf", "format", "regex")


def compile(text: str, fields: Sequence[str] = (), syntax: str = "scanf", *, nocase: bool = False) -> Pattern:
    """A pattern of one of SYNTAXES, compiled.

    Raises:
        PatternError: what is wrong with it, where, and what to write.
    """
    if syntax == "scanf":
        return scanf.compile(text, fields, nocase=nocase)
    if syntax == "format":
        from logtrigger.patterns import format

        return format.compile(text, fields, nocase=nocase)
    from logtrigger.patterns import regex

    return regex.compile(text, fields, nocase=nocase)
