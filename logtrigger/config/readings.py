"""Two patterns over one line: can what the one wrote be read in another way by the other?

A pattern is a row of *cells*, each one set of bytes: literal text has a cell a byte, free text and numbers have one that may go
on. Two rows walk the line at once, the first as whoever writes the line fills it in, the second as it may be read; the walk
keeps in mind whether the second has taken for its target anything but the text that the first wrote as such. The lines on which
both arrive are exactly the lines that can be read so, and there are few enough states to try all.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from logtrigger.patterns.form import Conversion, Element, Literal
from logtrigger.patterns.types import IPV4, IPV6, FieldType

_parser: Any = import_module("re._parser")  # has no public name; what `re` itself parses with

Bits = int  # a set of bytes: bit n stands for byte n
_ALL: Bits = (1 << 256) - 1 & ~(1 << ord("\n"))  # no line holds a line feed
REPEATS = (_parser.MAX_REPEAT, _parser.MIN_REPEAT, _parser.POSSESSIVE_REPEAT)
# What a line is made of where several bytes would do: the first that may stand.
_LIKED = b"xyabcdefghijklmnopqrstuvwzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_/ " + bytes(range(256))


@dataclass(frozen=True, slots=True)
class Cell:
    """One byte of a line, or several of a set."""

    chars: Bits
    element: int  # of the pattern, which one this is
    loops: bool = False  # takes one byte or more
    optional: bool = False  # or none


Row = Sequence[Cell]


def free_text(kind: FieldType) -> Bits:
    """What a gap of this type takes."""
    return _matched(f"[^{kind.excludes}]") & _ALL if kind.excludes else _ALL


@lru_cache(maxsize=256)
def alphabet(kind: FieldType) -> Bits:
    """Every byte that some text of this token holds.

    Of an address without its brackets and zone, which its one form lacks; a zone that would take in what stands behind it, up
    to a true address, loses to that: the text before an address is as long as it can be.
    """
    expression = f"{IPV4}{IPV6}" if kind.name == "ip" else kind.expression
    found = bytes_of(_parser.parse(expression.encode("latin-1"))) & _ALL
    return found & ~_set(b"[]%") if kind.address else found


def neighbours(kind: FieldType) -> Bits:
    """Every byte that makes a token none, or another, where it stands beside it."""
    return alphabet(kind) | (_matched("[0-9A-Za-z_.%-]") if kind.address else 0)


def parts(text: bytes, alphabet: Bits) -> bool:
    """Whether literal text keeps a token from what stands behind it: some byte of it is in no such token."""
    return any(not alphabet >> byte & 1 for byte in text)


def row(
    elements: Sequence[Element],
    tokens: Mapping[int, bytes] | None = None,
    *,
    nocase: bool = False,
    may_be_empty: bool = False,
    bracketed: int = -1,
    beside: Mapping[int, tuple[bytes, bytes]] | None = None,
) -> list[Cell]:
    """The cells of a pattern.

    Args:
        elements: of the pattern.
        tokens: what to put for a token or free text, by its element; other tokens are any text of their alphabet.
        nocase: ASCII letters of literal text match in either case.
        may_be_empty: free text may be missing.
        bracketed: the element that stands in square brackets.
        beside: what free text begins and ends with, by its element.
    """
    cells: list[Cell] = []
    for index, element in enumerate(elements):
        if isinstance(element, Literal):
            cells += [Cell(_either_case(byte) if nocase else 1 << byte, index) for byte in element.text]
        elif tokens is not None and index in tokens:
            cells += _text(tokens[index], index)
        elif element.kind.is_gap:
            before, behind = (beside or {}).get(index, (b"", b""))
            cells += _text(before, index)
            cells.append(Cell(free_text(element.kind), index, loops=True, optional=may_be_empty))
            cells += _text(behind, index)
        else:
            token = Cell(alphabet(element.kind), index, loops=True)
            cells += [*_text(b"[", index), token, *_text(b"]", index)] if index == bracketed else [token]
    return cells


def text(data: bytes) -> list[Cell]:
    """The cells of text that belongs to no element."""
    return _text(data, -1)


def _text(data: bytes, element: int) -> list[Cell]:
    return [Cell(1 << byte, element) for byte in data]


_State = tuple[int, int, bool]  # cell of the written row and of the read row (-1: none yet), and whether the target is astray


def astray(
    written: Row, read: Row, target: int, true: frozenset[int], *, anywhere: bool, within: int | None = None
) -> bytes | None:
    """A line that the first row writes and the second reads with a target that was not written as such; None: there is none.

    Args:
        written: the line as whoever writes it fills it in.
        read: the line as it is read.
        target: the element of the second row in question.
        true: the elements of the first row that the target should be: from their beginning to their end.
        anywhere: the reading may begin anywhere, not only at the line's beginning.
        within: only lines where the target takes some of the text of this element of the first row.
    """
    first: _State = (-1, -1, False)
    came: dict[_State, tuple[_State, int]] = {}
    queue = deque([first])
    if anywhere and read and read[0].loops:
        queue.append((-1, 0, False))  # free text that has begun in what stands before
    while queue:
        state = queue.popleft()
        if state[2] and _is_end(written, state[0]) and _is_end(read, state[1]):
            return _line(state, came)
        w, r, lost = state
        for next_w in _steps(written, w):
            for next_r in [*_steps(read, r), *([-1] if anywhere and r < 0 else [])]:
                chars = written[next_w].chars & (read[next_r].chars if next_r >= 0 else _ALL)
                if not chars:
                    continue
                now = lost or _strays(written, read, (w, r), (next_w, next_r), target, true, within)
                after = (next_w, next_r, now)
                if after not in came:
                    came[after] = (state, chars)
                    queue.append(after)
    return None


def _strays(
    written: Row, read: Row, old: tuple[int, int], new: tuple[int, int], target: int, true: frozenset[int], within: int | None
) -> bool:
    """Whether this step takes for the target what is not, or less than what is."""
    was_written, was_read = _element(written, old[0]), _element(read, old[1])
    is_written, is_read = _element(written, new[0]), _element(read, new[1])
    if is_read == target:
        if within is not None:
            return is_written == within
        return is_written not in true or (was_read == target) != (was_written == is_written)
    return within is None and was_read == target and is_written in true and was_written == is_written


def _element(row: Row, cell: int) -> int:
    return row[cell].element if cell >= 0 else -2


def _steps(row: Row, cell: int) -> Iterator[int]:
    """The cells that may take the next byte."""
    if cell >= 0 and row[cell].loops:
        yield cell
    cell += 1
    while cell < len(row):
        yield cell
        if not row[cell].optional:
            return
        cell += 1


def _is_end(row: Row, cell: int) -> bool:
    return all(later.optional for later in row[cell + 1 :])


def _line(state: _State, came: Mapping[_State, tuple[_State, int]]) -> bytes:
    line = bytearray()
    while state in came:
        state, chars = came[state]
        line += liked(chars)
    return bytes(reversed(line))


def liked(chars: Bits) -> bytes:
    """One byte of a set."""
    return bytes([next(byte for byte in _LIKED if chars >> byte & 1)])


def _either_case(byte: int) -> Bits:
    return _set(bytes([byte]).lower() + bytes([byte]).upper())


def _set(data: bytes) -> Bits:
    return sum(1 << byte for byte in set(data))


@lru_cache(maxsize=64)
def _matched(expression: str) -> Bits:
    """The single bytes that an expression matches."""
    one = re.compile(expression.encode("latin-1"), re.DOTALL)
    return _set(bytes(byte for byte in range(256) if one.fullmatch(bytes([byte]))))


def bytes_of(tree: Any) -> Bits:
    """Every byte that a parsed expression can take."""
    found = 0
    for kind, argument in tree:
        found |= _TAKES[kind](argument) if kind in _TAKES else _ALL
    return found


def _of_class(items: Any) -> Bits:
    found, negated = 0, False
    for kind, argument in items:
        if kind is _parser.LITERAL:
            found |= 1 << argument
        elif kind is _parser.RANGE:
            found |= _set(bytes(range(argument[0], argument[1] + 1)))
        elif kind is _parser.NEGATE:
            negated = True
        else:
            found |= _CATEGORIES.get(argument, _ALL)
    return _ALL & ~found if negated else found


_CATEGORIES = {
    _parser.CATEGORY_SPACE: _matched(r"\s"),
    _parser.CATEGORY_DIGIT: _matched(r"\d"),
    _parser.CATEGORY_WORD: _matched(r"\w"),
}
_TAKES: dict[Any, Callable[[Any], Bits]] = {
    _parser.LITERAL: lambda byte: 1 << byte,
    _parser.NOT_LITERAL: lambda byte: _ALL & ~(1 << byte),
    _parser.ANY: lambda _: _ALL,
    _parser.IN: _of_class,
    _parser.SUBPATTERN: lambda group: bytes_of(group[3]),
    _parser.ATOMIC_GROUP: lambda tree: bytes_of(tree),
    _parser.BRANCH: lambda branch: _union(map(bytes_of, branch[1])),
    _parser.AT: lambda _: 0,
    _parser.ASSERT: lambda _: 0,
    _parser.ASSERT_NOT: lambda _: 0,
} | dict.fromkeys(REPEATS, lambda repeat: bytes_of(repeat[2]))


def _union(sets: Iterator[Bits]) -> Bits:
    found = 0
    for one in sets:
        found |= one
    return found


def is_gap(element: Element) -> bool:
    """Whether this is free text."""
    return isinstance(element, Conversion) and element.kind.is_gap
