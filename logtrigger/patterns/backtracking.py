"""What a regular expression may cost at worst where Python's `re` runs it, which backtracks.

A bound on the steps for any line of so many bytes, worked out from the parsed expression: in how many ways each part can match
from one place, so that the rest has to be tried behind each of them. Where it errs, it errs towards too many: an expression
that gets through cannot hold up the daemon, whatever a line says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

from logtrigger.errors import PatternError

_parser: Any = import_module("re._parser")  # has no public name; what `re` itself parses with

# Bytes of a line that an expression is shown, as its cost allows; hardly a daemon writes longer ones than the first.
LENGTHS = (16_384, 8192, 4096, 3072, 2048, 1536, 1024, 768, 512)
_BUDGET = 1e7  # steps for a line: a tenth of a second, about, on a slow machine one
_RUN = 0.2  # what a byte of a run costs beside a step elsewhere
_UNBOUNDED = 64  # repetitions from which ways multiply beyond any bound
_ALL = (1 << 256) - 1

_REPEATS = (_parser.MAX_REPEAT, _parser.MIN_REPEAT, _parser.POSSESSIVE_REPEAT)
_SINGLE = (_parser.LITERAL, _parser.NOT_LITERAL, _parser.ANY, _parser.IN)
_BEGINNINGS = (_parser.AT_BEGINNING, _parser.AT_BEGINNING_STRING)
_ENDS = (_parser.AT_END, _parser.AT_END_STRING)
_ASSERTIONS = (_parser.ASSERT, _parser.ASSERT_NOT)

# What may stand where a repeat can: an escape, a class, a comment, the beginning of a group; and the repeats themselves.
_PIECE = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?#[^)]*\)|\(\?P=\w+\)|\((?:\?(?:P<\w+>|<?[=!]|[:>]|\(\w+\)|[a-zA-Z-]+[:)]))?"
    r"|(?P<repeat>(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\}|\{,[0-9]*\})[?+]?)|.",
    re.DOTALL,
)


class Judgement(NamedTuple):
    """How much of a line may be shown to an expression, and whether it need only be tried at the line's beginning."""

    longest: int
    from_beginning: bool


def judge(source: bytes, text: str, flags: int) -> Judgement:
    """What of a line an expression may see, so that no line takes long.

    Args:
        source: the expression as it is run.
        text: the same as it was written.
        flags: of `re`.

    Raises:
        PatternError: even short lines could take for ever; with the column of the repeat that is to blame.
    """
    tree = _parser.parse(source, flags)
    for length in LENGTHS:
        bound = _Bound(length, bool(tree.state.flags & re.IGNORECASE))
        if bound.steps(tree) <= _BUDGET:
            return Judgement(length, _takes_any_lead(tree))
    column = _column(bound.blamed, tree, text)
    fault = (
        "the regular expression: this repeat can share text with another one in too many ways, so that a line can take for ever"
    )
    raise PatternError(fault, "let each part end where the next begins, as in [^ ]+ before a blank", column)


class _Follow(NamedTuple):
    """What stands behind a part: the bytes it can begin with, and the text it begins with for sure."""

    first: int = 0  # a set of bytes, one bit each
    literal: bytes = b""
    at_end: bool = False  # the line must end there
    is_last: bool = False  # nothing else: who gets there has matched, and all is over
    may_be_over: bool = False  # the same at the line's end, where what follows may be empty


class _Cost(NamedTuple):
    """Of one part, tried at one place: the ways it can match, and the steps to find them all."""

    ways: float
    steps: float
    runs: bool = False  # its steps go along a run of bytes, which parts that begin in other runs do not share


@dataclass(slots=True)
class _Bound:
    """The walk through an expression for lines of some length."""

    length: int
    nocase: bool
    blamed: Any = None  # the arguments of the repeat that gave the most ways

    def steps(self, tree: Any) -> float:
        """At most so many steps for any line of that length."""
        begin = _prefix(tree, _Follow(), self.nocase)
        starts = 1.0
        if not (_is_anchored(tree) or _takes_any_lead(tree)):
            starts = self.length / _period(begin.literal) + 1
        return self._sequence(tree, _Follow(is_last=True, may_be_over=True), starts).steps + 2 * self.length

    def _sequence(self, items: Any, follow: _Follow, starts: float = 1.0) -> _Cost:
        """The cost of parts one behind another, begun at so many places."""
        ways, steps = starts, 0.0
        choices = int(starts > 1)  # that come one behind the other in the line: so many in any order, so few in this one
        before = b""
        for index in range(len(items)):
            kind, argument = _bare(*items[index])
            cost = self._part(kind, argument, _prefix(items[index + 1 :], follow, self.nocase))
            chars = _chars(argument[2], self.nocase) if kind in _REPEATS else None
            if cost.runs and chars is not None and any(not chars >> byte & 1 for byte in before):
                steps += min(ways * cost.steps, ways * (2 * _period(before) + 2) + cost.steps)
            else:
                steps += ways * cost.steps
            if cost.ways > 2:
                choices += 1
                ways /= choices
            ways *= cost.ways
            before = before + bytes([argument]) if kind is _parser.LITERAL else b""
        return _Cost(ways / starts if starts > 1 else ways, steps)

    def _part(self, kind: Any, argument: Any, follow: _Follow) -> _Cost:
        if kind in _SINGLE or kind is _parser.AT:
            return _Cost(1, 1)
        if kind in _REPEATS:
            cost = self._repeat(argument, follow)
            return cost._replace(ways=1) if kind is _parser.POSSESSIVE_REPEAT else cost
        if kind is _parser.SUBPATTERN:
            return self._sequence(argument[3], follow)
        if kind is _parser.ATOMIC_GROUP:
            return self._sequence(argument, _Follow())._replace(ways=1)
        if kind in _ASSERTIONS:
            return self._sequence(argument[1], _Follow())._replace(ways=1)
        if kind is _parser.BRANCH:
            return self._branch(argument[1], follow)
        if kind is _parser.GROUPREF:
            return _Cost(1, self.length)
        if kind is _parser.GROUPREF_EXISTS:
            return self._branch([branch for branch in argument[1:] if branch is not None], follow)
        return _Cost(math.inf, math.inf)

    def _branch(self, branches: Sequence[Any], follow: _Follow) -> _Cost:
        costs = [self._sequence(branch, follow) for branch in branches]
        seen, ways = 0, 0.0
        for branch, cost in zip(branches, costs, strict=True):
            first = _prefix(branch, follow, self.nocase).first if len(branch) else _ALL
            ways = ways + cost.ways if seen & first else max(ways, cost.ways)
            seen |= first
        return _Cost(ways, sum(cost.steps for cost in costs) + len(costs))

    def _repeat(self, argument: Any, follow: _Follow) -> _Cost:
        least, most, body = argument
        chars = _chars(body, self.nocase)
        if chars is None:
            return self._repeated(argument, follow)
        if follow.is_last and not follow.at_end or follow.may_be_over and chars == _ALL:
            return _Cost(1, least + 1)  # it matches, or fails at once
        most = min(most, self.length)
        ways = float(max(most - least, 0) + 1)
        if not chars & follow.first or any(not chars >> byte & 1 for byte in follow.literal):
            ways = 1.0  # it must end where the run of its bytes does, or that far before
        elif follow.literal:
            ways = ways / _period(follow.literal) + 1
        if ways > 2:
            self.blamed = argument
        return _Cost(ways, _RUN * most + 1, runs=True)

    def _repeated(self, argument: Any, follow: _Follow) -> _Cost:
        """A repeat of more than one byte."""
        least, most, body = argument
        width = body.getwidth()[0]
        first = _prefix(body, _Follow(), self.nocase).first
        leaves_at_once = width > 0 and not first & follow.first
        if most == 1:
            once = self._sequence(body, follow)
            return _Cost(once.ways if leaves_at_once else once.ways + 1, once.steps + 1)
        once = self._sequence(body, _Follow(first | follow.first))
        count = min(most, self.length / max(width, 1))
        if once.ways <= 1 and width:
            amortised = 2 * once.steps + 4 * count * _size(body)
            steps = count * once.steps if _looks_around(body) else min(count * once.steps, amortised)
            ways = 1.0 if leaves_at_once else float(count - least + 1)
        else:
            ways = once.ways**most * (most - least + 1) if most <= _UNBOUNDED else math.inf
            steps = max(ways, 1) * once.steps * most
        if ways > 2:
            self.blamed = argument
        return _Cost(max(ways, 1.0), steps)


def _prefix(items: Any, follow: _Follow, nocase: bool) -> _Follow:
    """How a sequence, and what follows it, can begin."""
    first, left = 0, list(items)
    is_checked = False  # by something that takes no byte and may fail
    while left:
        kind, argument = left.pop(0)
        if kind is _parser.SUBPATTERN or kind is _parser.ATOMIC_GROUP:
            left[:0] = list(argument[3] if kind is _parser.SUBPATTERN else argument)
        elif kind is _parser.LITERAL:
            literal = bytes([argument]) + bytes(_literals(left))
            found = _cased(1 << argument, nocase)
            return _Follow(first | found, b"" if first else literal.lower() if nocase else literal)
        elif kind is _parser.AT and argument in _ENDS:
            over = not left and follow.is_last and not is_checked
            return _Follow(first, b"", True, over and not first, over)  # no byte at all
        elif kind is _parser.AT or kind in _ASSERTIONS:
            is_checked = True
        else:
            found, may_be_empty = _first(kind, argument, nocase)
            first |= found
            if not may_be_empty:
                return _Follow(first)
    if is_checked:
        return follow._replace(first=first | follow.first, literal=b"", is_last=False, may_be_over=False)
    return _Follow(first | follow.first, may_be_over=follow.may_be_over) if first else follow


def _bare(kind: Any, argument: Any) -> tuple[Any, Any]:
    """A part without groups around it alone."""
    while kind is _parser.SUBPATTERN and len(argument[3]) == 1:
        kind, argument = argument[3][0]
    return kind, argument


def _literals(items: Sequence[Any]) -> Iterator[int]:
    for kind, argument in items:
        if kind is not _parser.LITERAL:
            return
        yield argument


def _first(kind: Any, argument: Any, nocase: bool) -> tuple[int, bool]:
    """The bytes that a part can begin with, and whether it may be empty."""
    if kind in _SINGLE:
        return _set(kind, argument, nocase), False
    if kind in _REPEATS:
        least, _, body = argument
        return _prefix(body, _Follow(), nocase).first, least == 0 or body.getwidth()[0] == 0
    if kind is _parser.BRANCH:
        found = [_prefix(branch, _Follow(), nocase).first for branch in argument[1]]
        union = 0
        for one in found:
            union |= one
        return union, any(branch.getwidth()[0] == 0 for branch in argument[1])
    return _ALL, True


def _chars(body: Any, nocase: bool) -> int | None:
    """The bytes that a repeat of single ones takes; None for any other repeat."""
    if len(body) != 1:
        return None
    kind, argument = body[0]
    if kind is _parser.SUBPATTERN:
        return _chars(argument[3], nocase)
    return _set(kind, argument, nocase) if kind in _SINGLE else None


def _set(kind: Any, argument: Any, nocase: bool) -> int:
    """The bytes that a part of one byte takes, or more."""
    found, negated = 0, False
    if kind is _parser.ANY:
        return _ALL
    if kind is not _parser.IN:
        byte: int = argument
        return _cased(1 << byte, nocase) if kind is _parser.LITERAL else _ALL & ~(1 << byte)
    for what, value in argument:
        if what is _parser.NEGATE:
            negated = True
        elif what is _parser.LITERAL:
            found |= 1 << value
        elif what is _parser.RANGE:
            found |= (1 << value[1] + 1) - (1 << value[0])
        else:
            found |= _CATEGORIES[value]
    return _ALL & ~found if negated else _cased(found, nocase)


def _cased(chars: int, nocase: bool) -> int:
    """A set, with both cases of its letters where case does not matter."""
    if nocase:
        for byte in range(26):
            upper, lower = 1 << 65 + byte, 1 << 97 + byte
            if chars & (upper | lower):
                chars |= upper | lower
    return chars


def _of(expression: bytes) -> int:
    one = re.compile(expression)
    return sum(1 << byte for byte in range(256) if one.match(bytes([byte])))


_CATEGORIES = {
    _parser.CATEGORY_DIGIT: _of(rb"\d"),
    _parser.CATEGORY_NOT_DIGIT: _of(rb"\D"),
    _parser.CATEGORY_SPACE: _of(rb"\s"),
    _parser.CATEGORY_NOT_SPACE: _of(rb"\S"),
    _parser.CATEGORY_WORD: _of(rb"\w"),
    _parser.CATEGORY_NOT_WORD: _of(rb"\W"),
}


def _period(literal: bytes) -> int:
    """The least distance between two places of a text; 1 for none.

    >>> _period(b" from "), _period(b"aa"), _period(b"")
    (5, 1, 1)
    """
    for shift in range(1, len(literal)):
        if literal.startswith(literal[shift:]):
            return shift
    return max(len(literal), 1)


def _is_anchored(items: Any) -> bool:
    """Whether the expression matches at the line's beginning only."""
    if not len(items):
        return False
    kind, argument = items[0]
    if kind is _parser.SUBPATTERN:
        return _is_anchored(argument[3])
    if kind is _parser.BRANCH:
        return all(map(_is_anchored, argument[1]))
    return kind is _parser.AT and argument in _BEGINNINGS


def _takes_any_lead(items: Any) -> bool:
    """Whether the expression begins with .*, so that it matches at the line's beginning or nowhere."""
    if not len(items):
        return False
    kind, argument = items[0]
    if kind is _parser.SUBPATTERN:
        return _takes_any_lead(argument[3])
    any_byte = kind in _REPEATS[:2] and len(argument[2]) == 1 and argument[2][0][0] is _parser.ANY
    return any_byte and argument[0] == 0 and argument[1] is _parser.MAXREPEAT


def _parts(items: Any) -> Iterator[tuple[Any, Any]]:
    """Every part of an expression, those inside before the one around them."""
    for kind, argument in items:
        for inside in _inside(kind, argument):
            yield from _parts(inside)
        yield kind, argument


def _inside(kind: Any, argument: Any) -> Sequence[Any]:
    if kind in _REPEATS:
        return (argument[2],)
    if kind is _parser.SUBPATTERN:
        return (argument[3],)
    if kind is _parser.ATOMIC_GROUP:
        return (argument,)
    if kind in _ASSERTIONS:
        return (argument[1],)
    if kind is _parser.BRANCH:
        return list(argument[1])
    if kind is _parser.GROUPREF_EXISTS:
        return [branch for branch in argument[1:] if branch is not None]
    return ()


def _size(items: Any) -> int:
    return sum(1 for _ in _parts(items))


def _looks_around(items: Any) -> bool:
    """Whether a part looks at more than it takes."""
    return any(kind in (*_ASSERTIONS, _parser.GROUPREF) for kind, _ in _parts(items))


def _column(blamed: Any, tree: Any, text: str) -> int | None:
    """Where a repeat stands in the text, from 1: repeats end in the order in which they are parsed."""
    parsed = [argument for kind, argument in _parts(tree) if kind in _REPEATS]
    written = [piece.start() for piece in _PIECE.finditer(text) if piece["repeat"]]
    number = next((index for index, argument in enumerate(parsed) if argument is blamed), None)
    return written[number] + 1 if number is not None and len(parsed) == len(written) else None
