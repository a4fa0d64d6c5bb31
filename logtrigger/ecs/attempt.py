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

    Where the patterns have quick expressions, these are joined into one: a call for each would cost more than all of them do.
    Compiling that takes some ten milliseconds, which only pays for an event that comes often.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns
        self._few = _FEW

    def find(self, data: bytes, begin: int, end: int) -> Found | None:
        """The first that matches the message data[begin:end], which ends without white space."""
        if self._few or self._joined is None:
            self._few -= self._few > 0
            for number, pattern in enumerate(self._patterns):
                values = pattern.captures(data, begin, end)
                if values is not None:
                    return number, values
            return None
        match, groups = self._joined
        found = match(data, begin, end)
        if found is None:
            return None
        number, of = groups[found.lastindex or 0]
        return number, of(found)

    @cached_property
    def _joined(self) -> _Joined | None:
        quick = [one for pattern in self._patterns if (one := pattern.quick(b"")) is not None]
        if len(quick) < len(self._patterns) or not quick:
            return None
        parts, groups, count = [], dict[int, tuple[int, Captures]](), 0
        for number, one in enumerate(quick):
            parts.append(b"(?:%b)()" % one.pattern)  # the empty group is the last one, and so tells which pattern it was
            mark = count + one.groups + 1
            groups[mark] = (number, _taken(count + 1, mark))
            count = mark
        return re.compile(b"|".join(parts), quick[0].flags).match, groups


Captures = Callable[[re.Match[bytes]], Sequence[bytes]]
_Joined = tuple[Callable[[bytes, int, int], re.Match[bytes] | None], dict[int, tuple[int, Captures]]]


def _taken(first: int, behind: int) -> Captures:
    """What gives these groups."""
    if behind == first:
        return lambda found: ()
    if behind == first + 1:
        return lambda found: (found[first],)
    numbers = tuple(range(first, behind))
    return lambda found: found.group(*numbers)
