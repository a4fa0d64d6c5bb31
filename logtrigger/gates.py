"""Gates: which of many texts a chunk cannot hold, told by a few that others need, so that not each has to be looked for.

A text is of use where a pattern matches, and so where all that the pattern needs stands: every byte of its literals, texts that
it shares with other patterns, the name of a program. A byte is found, or not, in a hundredth of the time that a text takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from logtrigger import headers

_SHARED = 3  # texts that must share another one, so that it is worth looking for
_SHORTEST = 3  # bytes of that
_MOST = 100  # texts that are considered


@dataclass(frozen=True, slots=True)
class Need:
    """What a chunk must hold where some pattern with one text matches."""

    text: bytes
    literals: Sequence[Sequence[bytes]]  # of each such pattern, all that stand in a line that it matches
    programs: frozenset[str]  # one of which a header must name; empty: it does not matter

    def holds(self, text: bytes) -> bool:
        """Whether each of the patterns needs this text."""
        return all(any(text in literal for literal in some) for some in self.literals)


class Gates:
    """Tells which needs, by their number, a chunk may fulfil."""

    def __init__(self, needs: Sequence[Need]) -> None:
        self._needs = needs

    def open(self, data: bytes) -> list[int]:
        """The needs that these lines may fulfil: every one that they do fulfil, and perhaps others."""
        left = (1 << len(self._needs)) - 1
        for byte, needing in self._bytes:
            if left & needing and byte not in data:
                left &= ~needing
        if left & self._of_programs and (programs := headers.programs_in(data)) is not None:
            for names, needing in self._programs:
                if programs.isdisjoint(names):
                    left &= ~needing
        for text, needing in self._texts:
            if left & needing and text not in data:
                left &= ~needing
        return [number for number in range(len(self._needs)) if left >> number & 1]

    # Made when the first chunk asks for it: most programs that are started never see so many lines.

    @cached_property
    def _bytes(self) -> list[tuple[bytes, int]]:
        needed: dict[int, int] = {}
        for number, need in enumerate(self._needs):
            for byte in set.intersection(*(set(b"".join(some)) for some in need.literals)):
                needed[byte] = needed.get(byte, 0) | 1 << number
        return [(bytes([byte]), needing) for byte, needing in needed.items()]

    @cached_property
    def _programs(self) -> list[tuple[frozenset[str], int]]:
        named: dict[frozenset[str], int] = {}
        for number, need in enumerate(self._needs):
            if need.programs:
                named[need.programs] = named.get(need.programs, 0) | 1 << number
        return list(named.items())

    @cached_property
    def _of_programs(self) -> int:
        return sum(needing for _, needing in self._programs)

    @cached_property
    def _texts(self) -> list[tuple[bytes, int]]:
        """Texts that many needs share: what saves most by itself, then what saves most of the rest, and so on."""
        counts = Counter(text for need in self._needs for text in {text for some in need.literals for text in some})
        shared = [text for text, count in counts.most_common(_MOST) if count >= _SHARED and len(text) >= _SHORTEST]
        needing = {text: {number for number, need in enumerate(self._needs) if need.holds(text)} for text in shared}
        costs = [_cost(need.text) for need in self._needs]
        chosen, left = list[tuple[bytes, int]](), set(range(len(self._needs)))
        while needing:
            saved = {text: sum(costs[number] for number in some & left) - _cost(text) for text, some in needing.items()}
            text = max(saved, key=saved.__getitem__)
            if saved[text] <= 0:
                break
            some = needing.pop(text)
            chosen.append((text, sum(1 << number for number in some)))
            left -= some
        return chosen


def _cost(text: bytes) -> float:
    """What it takes to look for a text in vain, in some unit: a long one lets `find` go in long steps."""
    return 1 + 40 / len(text)
