"""A pattern that takes the whole of a message, from its first character to its last."""

from __future__ import annotations

import re
from collections.abc import Sequence

from logtrigger import patterns
from logtrigger.errors import PatternError
from logtrigger.patterns.form import Form
from logtrigger.patterns.pattern import Pattern

_FLAGS = re.compile(r"\(\?[a-zA-Z]+\)")  # stand at the beginning of an expression, or nowhere


def compile(text: str, names: Sequence[str] = (), syntax: str = "scanf", *, nocase: bool = False) -> Pattern:
    """A pattern as `patterns.compile` has it, which begins and ends where what it is given does.

    >>> compile("from %s", ["ip"], "scanf").match(b"not from 192.0.2.7", 0, 18) is None
    True

    Raises:
        PatternError: what is wrong with it, where, and what to write.
    """
    pattern = patterns.compile(text, names, syntax, nocase=nocase)
    if pattern.tagged:
        raise PatternError("the pattern begins with a program's tag", "leave it out: a message begins behind it", 1)
    if isinstance(pattern, Form):
        return Form(text, pattern.elements, nocase=nocase, tagged=True)
    flags = found[0] if (found := _FLAGS.match(text)) else ""
    return patterns.compile(f"{flags}^(?:{text[len(flags) :]})$", names, syntax, nocase=nocase)
