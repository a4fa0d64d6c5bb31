"""A pattern that takes the whole of a message, from its first character to its last."""

from __future__ import annotations

from collections.abc import Sequence

from logtrigger import patterns
from logtrigger.patterns.pattern import Pattern


def compile(text: str, names: Sequence[str] = (), syntax: str = "scanf", *, nocase: bool = False) -> Pattern:
    """A pattern as `patterns.compile` has it, which begins and ends where what it is given does.

    >>> compile("from %s", ["ip"], "scanf").match(b"not from 192.0.2.7", 0, 18) is None
    True

    Raises:
        PatternError: what is wrong with it, where, and what to write.
    """
    pattern = patterns.compile(text, names, syntax, nocase=nocase, anchor="message")
    if syntax != "regex":
        return pattern  # ends with the line anyway
    from logtrigger.patterns.regex import from_beginning

    return patterns.compile(f"{from_beginning(text)}$", names, syntax, nocase=nocase, anchor="message")
