"""All patterns of an event at once, over one message."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property

from logtrigger.patterns.pattern import Pattern

_FEW = 200  # messages
Found = tuple[int, Sequence[bytes]]  # which pattern, and its captures before they are brought into their one form


class Attempt:
    """The first of several anchored patterns that matches.

    The first ones that have quick expressions are joined into one, up to a pattern that has none: a call for each would cost
    more than all of them do. Compiling that takes some ten milliseconds, which only pays for an event that comes often.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns
        self._few = _FEW

    def find(self, data: bytes, begin: int, end: int) -> Found | None:
        """The first that matches the message data[begin:end], which ends without white space."""
        tried = 0
        if self._few:
            self._few -= 1
        elif self._joined is not None:
            match, groups, tried = self._joined
            found = match(data, begin, end)
            if found is not None:
                number, of = groups[found.lastindex or 0]
                return number, of(found)
        for number in range(tried, len(self._patterns)):
            values = self._patterns[number].captures(data, begin, end)
            if values is not None:
                return number, values
        return None

    @cached_property
    def _joined(self) -> _Joined | None:
        quick = list[re.Pattern[bytes]]()
        for pattern in self._patterns:
            if (expression := pattern.quick(b"")) is None:
                break
            quick.append(expression)
        if not quick:
            return None
        parts, groups, count = [], dict[int, tuple[int, Captures]](), 0
        for number, one in enumerate(quick):
            parts.append(b"(?:%b)()" % one.pattern)  # the empty group is the last one, and so tells which pattern it was
            mark = count + one.groups + 1
            groups[mark] = (number, _taken(count + 1, mark))
            count = mark
        return re.compile(b"|".join(parts), quick[0].flags).match, groups, len(quick)


Captures = Callable[[re.Match[bytes]], Sequence[bytes]]
# What matches, by the last group which pattern it was, and how many there are.
_Joined = tuple[Callable[[bytes, int, int], re.Match[bytes] | None], dict[int, tuple[int, Captures]], int]


def _taken(first: int, behind: int) -> Captures:
    """What gives these groups."""
    if behind == first:
        return lambda found: ()
    if behind == first + 1:
        return lambda found: (found[first],)
    numbers = tuple(range(first, behind))
    return lambda found: found.group(*numbers)
