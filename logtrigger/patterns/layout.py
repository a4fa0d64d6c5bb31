"""Laying a pattern's blocks over a line in time linear in its length, whatever the line says.

From the right: where must each block begin at the latest so that the rest still fits? Where a gap takes any text, the last such
place is all that matters; where it excludes characters, every place does. Then from the left: each block goes to the place that
the reading asks for, among those from which the rest fits.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Protocol

from logtrigger.patterns.types import FIELD_TYPES

_LONGEST_ADDRESS = 45  # characters: six groups and an IPv4 address
_ADDRESS_END = re.compile(rb"[0-9A-Fa-f:.]*\Z")
_WINDOW = 1 << 16  # bytes of a line whose blocks are held at once


class _Kind(Protocol):
    @property
    def excludes(self) -> str: ...


class _Block(Protocol):
    @property
    def guard(self) -> int: ...
    @property
    def widest(self) -> int: ...
    def expression(self) -> str: ...


class _Gap(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def greedy(self) -> bool: ...
    @property
    def kind(self) -> _Kind: ...


@cache
def _address() -> re.Pattern[bytes]:
    """Compiled when the first line asks for it: that costs milliseconds."""
    return re.compile(FIELD_TYPES["ip"].colon.encode("latin-1"))


class Layout:
    """A pattern's blocks and gaps, ready to be laid over lines."""

    def __init__(self, blocks: Sequence[_Block], gaps: Sequence[_Gap], flags: int, anchored: bool) -> None:
        expressions = [b.expression().encode("latin-1") for b in blocks]
        self._flags = flags
        self._gaps = gaps
        self._anchored = anchored
        self._open_end = not expressions[-1] and bool(gaps)
        self._here = [re.compile(e, flags) for e in [*expressions[:-1], expressions[-1] + rb"\Z"]]
        self._widths = [b.widest for b in blocks]
        self._guards = [b.guard for b in blocks]
        self._runs = [re.compile(f"[^{g.kind.excludes}]*".encode("latin-1")) if g.kind.excludes else None for g in gaps]

    def captures(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """What the kept conversions take of data[start:end], in order; None where the pattern does not match."""
        return _Line(self, data, start, end).captures()


class _Line:
    """One line under one pattern. `_starts[k]` holds places for block k from which the rest fits, ascending."""

    def __init__(self, form: Layout, data: bytes, start: int, end: int) -> None:
        self._form, self._data, self._start, self._end = form, data, start, end
        self._last = len(form._gaps)
        self._starts: list[list[int]] = [[] for _ in range(self._last + 1)]
        self._run: tuple[int, int, int] = (-1, 0, 0)  # gap, and the run of its characters looked up last

    def captures(self) -> Sequence[bytes] | None:
        for k in range(self._last, 0, -1):
            self._starts[k] = self._places_from_right(k)
            if not self._starts[k]:
                return None
        first = self._first_block()
        return None if first is None else self._choose(first)

    def _first_block(self) -> re.Match[bytes] | None:
        """The leftmost place of the first block from which the rest fits."""
        if self._form._anchored:
            found = self._block_at(0, self._start)
            return found if found and self._rest_fits(0, found.end()) else None
        return next((m for m in self._blocks_from_left(0, self._start) if self._rest_fits(0, m.end())), None)

    def _choose(self, block: re.Match[bytes]) -> Sequence[bytes]:
        values = list(block.groups())
        for k in range(1, self._last + 1):
            end_of_previous = block.end()
            block = self._place(k, end_of_previous)
            if self._form._gaps[k - 1].name:
                values.append(self._data[end_of_previous : block.start()])
            values += block.groups()
        return values

    def _place(self, k: int, after: int) -> re.Match[bytes]:
        """Block k where the reading wants it, behind a gap that begins at `after`."""
        starts, gap = self._starts[k], self._form._gaps[k - 1]
        if gap.greedy:
            at = starts[bisect_right(starts, self._reach(k - 1, after)) - 1]
        elif gap.kind.excludes or k == self._last:
            at = starts[bisect_left(starts, after + 1)]
        else:
            return next(m for m in self._blocks_from_left(k, after + 1) if self._rest_fits(k, m.end()))
        found = self._block_at(k, at)
        assert found is not None  # it was found there before
        return found

    def _places_from_right(self, k: int) -> list[int]:
        if k == self._last:
            if self._form._open_end:
                return [self._end]
            return [m.start() for m in self._blocks_from_left(k, self._start)]
        places = (m.start() for m in self._blocks_from_right(k) if self._rest_fits(k, m.end()))
        if self._form._gaps[k - 1].kind.excludes:
            return sorted(places)
        return [at for at in [next(places, None)] if at is not None]

    def _rest_fits(self, k: int, end: int) -> bool:
        """Whether the blocks behind block k, which ends at `end`, fit."""
        if k == self._last:
            return end == self._end
        starts = self._starts[k + 1]
        index = bisect_left(starts, end + 1)
        return index < len(starts) and starts[index] <= self._reach(k, end)

    def _reach(self, gap: int, at: int) -> int:
        """How far gap number `gap`, begun at `at`, may go."""
        run = self._form._runs[gap]
        if run is None:
            return self._end
        known, begin, end = self._run
        if known == gap and begin <= at <= end:
            return end
        before = known == gap and at < begin  # places come in order: what was looked at once is not looked at again
        found = run.match(self._data, at, begin if before else self._end)
        assert found is not None  # it may be empty
        if not before or found.end() < begin:
            end = found.end()
        self._run = (gap, at, end)
        return end

    def _block_at(self, k: int, at: int) -> re.Match[bytes] | None:
        found = self._form._here[k].match(self._data, at, self._end)
        return found if found and not self._is_extended(k, found) else None

    def _blocks_from_left(self, k: int, at: int, end: int | None = None) -> Iterator[re.Match[bytes]]:
        end = self._end if end is None else end
        while at <= end and (found := self._form._here[k].search(self._data, at, end)):
            if not self._is_extended(k, found):
                yield found
            at = found.start() + 1

    def _blocks_from_right(self, k: int) -> Iterator[re.Match[bytes]]:
        """Every place of block k, the last one first: windows of the line, each wider, searched from the left."""
        high, width = self._end, 1024
        while high > self._start:
            low = max(self._start, high - width)
            seen_to = min(self._end, high + self._form._widths[k])
            window = []
            for found in self._blocks_from_left(k, low, end=seen_to):
                if found.start() >= high:
                    break
                window.append(found)
            yield from reversed(window)
            high, width = low, min(width * 2, _WINDOW)

    def _is_extended(self, k: int, block: re.Match[bytes]) -> bool:
        """Whether the text before the block makes its address part of a longer one, as `2001:` does before `db8::1`."""
        guard = self._form._guards[k]
        if not guard:
            return False
        address, begin = block.start() + guard, max(self._start, block.start() - _LONGEST_ADDRESS)
        before = _ADDRESS_END.search(self._data, begin, block.start())
        for at in range(before.start() if before else begin, block.start()):
            longer = _address().match(self._data, at, self._end)
            if longer and longer.end() > address:
                return True
        return False
