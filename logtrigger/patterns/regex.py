"""Patterns as regular expressions, for what the other two syntaxes cannot say: named groups are the fields.

RE2 runs them where it is installed (extra `speed`): its time is linear in the line's length. What it refuses, and everything
where it is missing, is run by Python's `re`, which backtracks: as much of a line as cannot take long (see backtracking.py).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from logtrigger.errors import PatternError
from logtrigger.patterns.backtracking import judge
from logtrigger.patterns.pattern import Anchor
from logtrigger.patterns.scanf import check_name, kind_called
from logtrigger.patterns.types import FIELD_TYPES, FieldType
from logtrigger.text import WHITE

_parser: Any = import_module("re._parser")  # has no public name; what `re` itself parses with

_PLACES = 32  # in a line that are tried, where a group's text is not of its type: a number, so that the time stays linear

_NO_RE2 = "google-re2 is not installed: pip install google-re2"

# An escape, a class, a comment, a group's name, a repetition without a least number, or any other character.
_PIECE = re.compile(
    r"(?P<escape>\\.)|(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<comment>\(\?#[^)]*\))|\(\?P<(?P<name>[^>]*)>"
    r"|\{,(?P<most>[0-9]*)\}|.",
    re.DOTALL,
)
_FLAGS = re.compile(r"\(\?[a-zA-Z]+\)")  # stand at the beginning of an expression, or nowhere
_VERBOSE = re.compile(r"\(\?[a-zA-Z]*x")
_WHITE, _NOT_WHITE = r"\t-\r ", r"\x00-\x08\x0e-\x1f!-\xff"  # as parts of a class; RE2's own \s lacks \v


@dataclass(frozen=True, slots=True)
class _Group:
    """A named group, and what its text must be."""

    name: str
    number: int
    kind: FieldType
    whole: re.Pattern[bytes] | None  # for text that must be of a type

    def value(self, found: Any, line: bytes) -> bytes | None:
        """The group's text in its one form; empty where the group took no part, None where it is not of the type."""
        begin, stop = found.span(self.number)
        if begin < 0 or self.whole is None:
            return line[begin:stop] if begin >= 0 else b""
        typed = self.whole.match(line, begin)
        if not typed or typed.end() != stop:
            return None
        return self.kind.normalise(typed[0]) if self.kind.normalise else typed[0]


@dataclass(frozen=True, slots=True)
class _Backtracking:
    """Why RE2 does not run an expression, how much of a line it may then see, and whether to try the line's beginning alone."""

    why: str
    longest: int
    from_beginning: bool


class RegexPattern:
    """A compiled regular expression; `logtrigger.rule.Pattern` says what callers may use.

    `backtracks` is why RE2 does not run it; empty where it does. `longest` is how many bytes of a line it is then shown.
    """

    tag = b""
    coarse_body = ""

    def __init__(
        self,
        text: str,
        groups: Sequence[_Group],
        expression: Any,
        literals: Sequence[bytes],
        nocase: bool,
        backtracking: _Backtracking | None,
        anchor: Anchor = "",
    ) -> None:
        self.text = text
        self.anchor = anchor
        self.nocase = nocase
        self.literals = literals
        self.literal = max(literals, key=len, default=b"")
        self.coarse = re.escape(self.literal.decode("latin-1"))
        self.backtracks = backtracking.why if backtracking else ""
        self.longest = backtracking.longest if backtracking else None
        self.fields = tuple(group.name for group in groups)
        self.types = tuple(group.kind.name for group in groups)
        self.normalisers = (None,) * len(groups)  # a group's type is part of whether it matches
        self._groups = groups
        self._find = expression.match if backtracking and backtracking.from_beginning else expression.search

    def __repr__(self) -> str:
        return f"<regex {self.text!r}>"

    def quick(self, head: bytes) -> None:
        """There is no quick way: see `logtrigger.rule.Pattern`."""

    def body(self, kept: Sequence[int]) -> None:
        """Nor one for many lines."""

    def match(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """The named groups in the line data[start:end], in order; None where it does not match or a type does not fit.

        White space at the line's end does not count.
        """
        while end > start and data[end - 1] in WHITE:
            end -= 1
        return self.captures(data, start, end)

    def captures(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """As `match`; `end` excludes trailing white space."""
        line = data[start:end]
        shown = line if self.longest is None else line[: self.longest]
        found = self._find(shown)
        for _ in range(_PLACES):
            if not found:
                return None
            values = self._values(found, line)
            if values is not None:
                cut = len(shown) < len(line) and found.end() == len(shown)  # where a "$" has taken the cut for the line's end
                return None if cut else values
            found = self._find(shown, found.start() + 1)
        return None

    def _values(self, found: Any, line: bytes) -> Sequence[bytes] | None:
        """The groups' texts; None where one is not of its type."""
        values = []
        for group in self._groups:
            value = group.value(found, line)
            if value is None:
                return None
            values.append(value)
        return values


def compile(text: str, fields: Sequence[str] = (), *, nocase: bool = False, anchor: Anchor = "") -> RegexPattern:
    """A regular expression, compiled; `fields` may give types to its named groups, as name:type.

    >>> pattern = compile(r"^Failed \\w+ for (?P<user>.*) from (?P<ip>\\S+)")
    >>> line = b"Failed password for root from 192.0.2.7 port 22"
    >>> dict(zip(pattern.fields, pattern.match(line, 0, len(line))))
    {'user': b'root', 'ip': b'192.0.2.7'}

    Raises:
        PatternError: the expression does not compile, or could take for ever (with its column); a field is none of its groups.
    """
    expression = _checked(text, nocase)
    groups = _groups(expression, fields)
    source = _for_bytes(from_beginning(text) if anchor else text)
    linear, why = _linear(source, nocase)
    if linear is not None:
        return RegexPattern(text, groups, linear, _literals(source), nocase, None, anchor)
    try:
        backtracking = _Backtracking(why, *judge(source, text, expression.flags))
    except PatternError as error:
        other = "pip install google-re2" if why == _NO_RE2 else f"write it for RE2: {why}"
        raise PatternError(error.fault, f"{error.remedy}; or {other}", error.column) from None
    return RegexPattern(text, groups, re.compile(source, expression.flags), _literals(source), nocase, backtracking, anchor)


def from_beginning(text: str) -> str:
    """The expression, matching only at the beginning of what it is given.

    >>> from_beginning("(?i)a|b")
    '(?i)^(?:a|b)'
    """
    flags = found[0] if (found := _FLAGS.match(text)) else ""
    return f"{flags}^(?:{text[len(flags) :]})"


def _checked(text: str, nocase: bool) -> re.Pattern[bytes]:
    """The expression as it stands. Raises PatternError, with the column, where Python's `re` refuses it or doubts it."""
    raw = text.encode("utf-8", "surrogateescape")
    for piece in _PIECE.finditer(text):
        if piece["name"] is not None:
            check_name(piece["name"], piece.start("name") + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # [[a]: other engines read it otherwise
            return re.compile(raw, re.IGNORECASE if nocase else 0)
    except FutureWarning as doubt:
        fault, _, at = str(doubt).rpartition(" at position ")
        column = len(raw[: int(at)].decode("utf-8", "replace")) + 1
        raise PatternError(f"the regular expression: {fault}", "put a \\ before the character that is meant", column) from None
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        position = getattr(error, "pos", None)
        where = None if position is None else len(raw[:position].decode("utf-8", "replace")) + 1
        fault = f"the regular expression: {getattr(error, 'msg', error)}"
        raise PatternError(fault, "see Python's re for the syntax", where) from None


def _for_bytes(text: str) -> bytes:
    r"""The expression so that every engine reads it alike over bytes, and a character of several bytes is one.

    >>> _for_bytes(r"\sé+[\s-]a{,2}").decode()
    '[\\t-\\r ](?:é)+[\\t-\\r -]a{0,2}'
    """
    pieces = [text] if _VERBOSE.search(text) else map(_piece, _PIECE.finditer(text))  # RE2 knows no verbose ones
    return "".join(pieces).encode("utf-8", "surrogateescape")


def _piece(piece: re.Match[str]) -> str:
    if piece["class"]:
        several = next((at for at, c in enumerate(piece[0]) if len(c.encode("utf-8", "surrogateescape")) > 1), None)
        if several is not None:
            fault = f"the regular expression: '{piece[0][several]}' between [ and ] is more than one byte"
            raise PatternError(fault, "write alternatives, such as (?:é|ö)", piece.start() + several + 1)
        return re.sub(r"\\.", lambda escape: {r"\s": _WHITE, r"\S": _NOT_WHITE}.get(escape[0], escape[0]), piece[0])
    if piece["escape"] and piece[0].isascii():
        return {r"\s": f"[{_WHITE}]", r"\S": f"[^{_WHITE}]"}.get(piece[0], piece[0])
    if piece["most"] is not None:  # for RE2 {,2} is text
        return f"{{0,{piece['most']}}}"
    return piece[0] if piece[0].isascii() or piece["comment"] else f"(?:{piece[0][-1]})"


def _groups(expression: re.Pattern[bytes], fields: Sequence[str]) -> list[_Group]:
    names = sorted(expression.groupindex, key=expression.groupindex.__getitem__)
    kinds: dict[str, FieldType] = {}
    for field in fields:
        name, colon, kind = field.partition(":")
        if name not in names:
            known = f"its groups are {', '.join(names)}" if names else "name a group with (?P<name>…)"
            raise PatternError(f"the regular expression has no group '{name}'", known)
        if name in kinds:
            raise PatternError(f"the field '{name}' is named twice", "name each once")
        kinds[name] = kind_called(kind, name) if colon else _usual_kind(name)
    return [_group(name, expression.groupindex[name], kinds.get(name) or _usual_kind(name)) for name in names]


def _usual_kind(name: str) -> FieldType:
    return FIELD_TYPES["ip" if name == "ip" else "text"]


def _group(name: str, number: int, kind: FieldType) -> _Group:
    if kind.is_gap:
        return _Group(name, number, kind, re.compile(f"[^{kind.excludes}]+".encode("latin-1")) if kind.excludes else None)
    return _Group(name, number, kind, re.compile((kind.before + kind.expression).encode("latin-1")))


def _linear(source: bytes, nocase: bool) -> tuple[Any, str]:
    """The expression under RE2, or why not."""
    try:
        re2: Any = import_module("re2")
    except ImportError:
        return None, _NO_RE2
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not nocase
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        return re2.compile(source, options), ""
    except re2.error as error:
        reason = error.args[0] if error.args else "it refuses it"
        return None, f"RE2 cannot run it: {reason.decode() if isinstance(reason, bytes) else reason}"


def _literals(source: bytes) -> Sequence[bytes]:
    """The texts that every match contains, as far as they are easily told."""
    tree = _parser.parse(source)
    if tree.state.flags & re.IGNORECASE:
        return ()
    return tuple(filter(None, "".join(_runs(tree)).encode("latin-1").split(b"\0")))


def _runs(tree: Any) -> Iterator[str]:
    """The characters that a parsed expression holds whatever it matches; a NUL where something else may stand between."""
    for kind, argument in tree:
        if kind is _parser.LITERAL and argument:
            yield chr(argument)
        elif kind is _parser.SUBPATTERN and not (argument[1] or argument[2]):  # without flags of its own
            yield from _runs(argument[3])
        elif kind is not _parser.AT:
            yield "\0"
