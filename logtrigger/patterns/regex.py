"""Patterns as regular expressions, for what the other two syntaxes cannot say: named groups are the fields.

RE2 runs them where it is installed (extra `speed`): its time is linear in the line's length. What it refuses, and everything
where it is missing, is run by Python's `re`, which backtracks; the line it is shown is then capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from logtrigger.errors import PatternError
from logtrigger.patterns.scanf import check_name, kind_called
from logtrigger.patterns.types import FIELD_TYPES, FieldType

_parser: Any = import_module("re._parser")  # has no public name; what `re` itself parses with

LONGEST = 4096  # bytes of a line that a backtracking expression is shown


@dataclass(frozen=True, slots=True)
class _Group:
    """A named group, and what its text must be."""

    name: str
    number: int
    kind: FieldType
    whole: re.Pattern[bytes] | None  # for text that must be of a type

    def value(self, found: Any, data: bytes, end: int) -> bytes | None:
        """The group's text in its one form; empty where the group took no part, None where it is not of the type."""
        begin, stop = found.span(self.number)
        if begin < 0 or self.whole is None:
            return data[begin:stop] if begin >= 0 else b""
        typed = self.whole.match(data, begin, end)
        if not typed or typed.end() != stop:
            return None
        return self.kind.normalise(typed[0]) if self.kind.normalise else typed[0]


class RegexPattern:
    """A compiled regular expression; `logtrigger.rule.Pattern` says what callers may use.

    `backtracks` is why RE2 does not run it; empty where it does.
    """

    tagged = False

    def __init__(
        self, text: str, groups: Sequence[_Group], expression: Any, literal: bytes, nocase: bool, backtracks: str
    ) -> None:
        self.text = text
        self.nocase = nocase
        self.literal = literal
        self.coarse = re.escape(literal.decode("latin-1"))
        self.backtracks = backtracks
        self.fields = tuple(group.name for group in groups)
        self.types = tuple(group.kind.name for group in groups)
        self.normalisers = (None,) * len(groups)  # a group's type is part of whether it matches
        self._groups = groups
        self._expression = expression

    def __repr__(self) -> str:
        return f"<regex {self.text!r}>"

    def quick(self, head: bytes) -> None:
        """There is no quick way: see `logtrigger.rule.Pattern`."""

    def captures(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """As `match`."""
        return self.match(data, start, end)

    def match(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """The named groups in the line data[start:end], in order; None where it does not match or a type does not fit."""
        line = data[start : min(end, start + LONGEST) if self.backtracks else end]
        found = self._expression.search(line)
        if not found:
            return None
        values = []
        for group in self._groups:
            value = group.value(found, line, len(line))
            if value is None:
                return None
            values.append(value)
        return values


def compile(text: str, fields: Sequence[str] = (), *, nocase: bool = False) -> RegexPattern:
    """A regular expression, compiled; `fields` may give types to its named groups, as name:type.

    >>> pattern = compile(r"^Failed \\w+ for (?P<user>.*) from (?P<ip>\\S+)")
    >>> line = b"Failed password for root from 192.0.2.7 port 22"
    >>> dict(zip(pattern.fields, pattern.match(line, 0, len(line))))
    {'user': b'root', 'ip': b'192.0.2.7'}

    Raises:
        PatternError: the expression does not compile (with its column), or a field is none of its groups.
    """
    try:
        flags = re.ASCII | (re.IGNORECASE if nocase else 0)
        backtracking = re.compile(text.encode(), re.IGNORECASE if nocase else 0)
        re.compile(text, flags)
    except (re.error, OverflowError, RecursionError) as error:
        column = None if getattr(error, "pos", None) is None else getattr(error, "pos", 0) + 1
        raise PatternError(
            f"the regular expression: {getattr(error, 'msg', error)}", "see Python's re for the syntax", column
        ) from None
    groups = _groups(backtracking, fields)
    linear, why = _linear(text, nocase)
    return RegexPattern(text, groups, linear or backtracking, _literal(text), nocase, why)


def _groups(expression: re.Pattern[bytes], fields: Sequence[str]) -> list[_Group]:
    names = sorted(expression.groupindex, key=expression.groupindex.__getitem__)
    kinds: dict[str, str] = {}
    for field in fields:
        name, _, kind = field.partition(":")
        if name not in names:
            known = f"its groups are {', '.join(names)}" if names else "name a group with (?P<name>…)"
            raise PatternError(f"the regular expression has no group '{name}'", known)
        kinds[name] = kind
    return [_group(name, expression.groupindex[name], kinds.get(name, "")) for name in names]


def _group(name: str, number: int, kind_name: str) -> _Group:
    check_name(name)
    kind = kind_called(kind_name, name) if kind_name else FIELD_TYPES["ip" if name == "ip" else "text"]
    if kind.is_gap:
        return _Group(name, number, kind, re.compile(f"[^{kind.excludes}]+".encode("latin-1")) if kind.excludes else None)
    return _Group(name, number, kind, re.compile((kind.before + kind.expression).encode("latin-1")))


def _linear(text: str, nocase: bool) -> tuple[Any, str]:
    """The expression under RE2, or why not."""
    try:
        re2: Any = import_module("re2")
    except ImportError:
        return None, "google-re2 is not installed: install logtrigger[speed]"
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not nocase
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        return re2.compile(text.encode(), options), ""
    except re2.error as error:
        reason = error.args[0] if error.args else "it refuses it"
        return None, f"RE2 cannot run it: {reason.decode() if isinstance(reason, bytes) else reason}"


def _literal(text: str) -> bytes:
    """The longest text that every match contains, as far as it is easily told; empty where it is not."""
    tree = _parser.parse(text)
    if tree.state.flags & re.IGNORECASE:
        return b""
    return max((run.encode() for run in "".join(_runs(tree)).split("\0")), key=len)


def _runs(tree: Any) -> Iterator[str]:
    """The characters that a parsed expression holds whatever it matches; a NUL where something else may stand between."""
    for kind, argument in tree:
        if kind is _parser.LITERAL and argument:
            yield chr(argument)
        elif kind is _parser.SUBPATTERN and not (argument[1] or argument[2]):  # without flags of its own
            yield from _runs(argument[3])
        elif kind is not _parser.AT:
            yield "\0"
