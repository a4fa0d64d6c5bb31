"""Finding, in one scan of a chunk, the lines that some rule's pattern may match.

A matcher knows nothing of fields or counters: it says which line to show to which pattern. Lines that no pattern wants are
never split off, decoded or looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from logtrigger.gates import Gates, Need
from logtrigger.patterns.pattern import Pattern

_MANY = 40  # texts of which most cannot be in a chunk
_GATED_FROM = 16_384  # bytes of a chunk in which looking for a text takes longer than thinking about it

Hit = tuple[int, int, int]  # begin and end of a line in the chunk (without its line end), index of a pattern's owner


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose lines are looked for: those that one of these patterns matches, of these programs only (none: of any)."""

    patterns: Sequence[Pattern]
    programs: frozenset[str] = frozenset()


class Matcher(Protocol):
    """All patterns of a source, compiled together."""

    def scan(self, data: bytes) -> Iterable[Hit]:
        """The (line, owner) pairs in which a pattern of that owner may match; each once, by line, then by owner.

        Every true match is among them. `data` holds whole lines, each ending in a line feed.
        """

    def lines(self, data: bytes) -> Mapping[int, list[int]]:
        """The same by owner: where the lines end, ascending, each once."""


class LiteralMatcher:
    """Looks for each pattern's longest literal text: quick wherever Python runs."""

    def __init__(self, owners: Sequence[Owner]) -> None:
        exact: dict[bytes, list[int]] = {}
        folded: dict[bytes, list[int]] = {}
        needed: dict[bytes, list[tuple[Sequence[bytes], frozenset[str]]]] = {}
        self._always: list[int] = []
        for number, owner in enumerate(owners):
            if any(not pattern.literal for pattern in owner.patterns):
                self._always.append(number)
                continue
            for pattern in owner.patterns:
                found = (folded if pattern.nocase else exact).setdefault(pattern.literal, [])
                if number not in found:
                    found.append(number)
                if not pattern.nocase:
                    programs = owner.programs or frozenset({pattern.tag.decode("utf-8", "replace")} if pattern.tag else ())
                    needed.setdefault(pattern.literal, []).append((pattern.literals, programs))
        self._exact = list(exact.items())
        needs = [_need(text, some) for text, some in needed.items()]
        self._gates = Gates(needs) if len(needs) >= _MANY else None
        self._folded = [(re.compile(re.escape(text), re.IGNORECASE), found) for text, found in folded.items()]

    def scan(self, data: bytes) -> Iterable[Hit]:
        hits: set[Hit] = set()
        for literal, owners in self._possible(data):
            at = data.find(literal)
            while at >= 0:
                begin, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
                hits.update((begin, end, owner) for owner in owners)
                at = data.find(literal, end)
        for expression, owners in self._folded:
            found = expression.search(data)
            while found:
                begin, end = data.rfind(b"\n", 0, found.start()) + 1, data.find(b"\n", found.start())
                hits.update((begin, end, owner) for owner in owners)
                found = expression.search(data, end)
        hits.update(every_line(data, self._always))
        return sorted(hits)

    def lines(self, data: bytes) -> Mapping[int, list[int]]:
        found: dict[int, list[int]] = {}
        find = data.find
        for literal, owners in self._possible(data):
            ends: list[int] = []
            at = find(literal)
            while at >= 0:
                end = find(b"\n", at)
                ends.append(end)
                at = find(literal, end)
            for owner in owners if ends else ():
                found.setdefault(owner, []).extend(ends)
        for expression, owners in self._folded:
            ends = [find(b"\n", one.start()) for one in expression.finditer(data)]
            for owner in owners if ends else ():
                found.setdefault(owner, []).extend(ends)
        for owner in self._always if data else ():
            found.setdefault(owner, []).extend(line_ends(data))
        return {owner: distinct(ends) for owner, ends in found.items()}

    def _possible(self, data: bytes) -> list[tuple[bytes, list[int]]]:
        """The texts that may be of use in a chunk."""
        if self._gates is None or len(data) < _GATED_FROM:
            return self._exact
        return [self._exact[number] for number in self._gates.open(data)]


def _need(text: bytes, some: Sequence[tuple[Sequence[bytes], frozenset[str]]]) -> Need:
    programs = [programs for _, programs in some]
    return Need(text, [literals for literals, _ in some], frozenset().union(*programs) if all(programs) else frozenset())


def distinct(ends: Iterable[int]) -> list[int]:
    """Each number once, ascending."""
    return sorted(dict.fromkeys(ends))


def line_ends(data: bytes) -> list[int]:
    """Where the lines end."""
    return [found.start() for found in re.finditer(b"\n", data)]


def every_line(data: bytes, owners: Sequence[int]) -> list[Hit]:
    """Every line of the chunk for each of these owners."""
    hits: list[Hit] = []
    begin = 0
    while owners and (end := data.find(b"\n", begin)) >= 0:
        hits += [(begin, end, owner) for owner in owners]
        begin = end + 1
    return hits
