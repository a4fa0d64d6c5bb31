"""Conditions on an event's fields, the texts of `option when`: `port < 1024`, `user in root admin`, `ip not in 10.0.0.0/8`.

    FIELD == VALUE   FIELD != VALUE   FIELD < NUMBER   (also <= > >=)
    FIELD in VALUE…  FIELD not in VALUE…   (addresses and prefixes where the field is an address)
    FIELD ~ REGEX    known FIELD      unknown FIELD

A field that the line does not have is an empty text: not equal to anything, in nothing, neither above nor below.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from logtrigger.addresses import AddressSet, parse_network
from logtrigger.errors import PatternError

HEADER_FIELDS = {"host": "text", "program": "text", "pid": "text"}  # known of every event whatever its rule captures

Test = Callable[[str], bool]
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERATORS = "== != < <= > >= in, not in, ~"
_CONDITION = re.compile(
    r"\s*(?P<field>\S+?)\s*(?P<op>==|!=|<=|>=|<|>|~|=|\bnot\s+in\b|\bin\b)(?P<gap>\s*)(?P<value>.*?)\s*\Z", re.DOTALL
)
_KNOWN = re.compile(r"\s*(known|unknown)\s+(\S+)\s*(.*)\Z", re.DOTALL)
# Types of numbers, and their base; 0: as the text's prefix says, a leading 0 making a `number` octal.
_BASES = {"int": 0, "port": 10, "float": 10, "number": 0, "octal": 8, "hex": 16, "binary": 2}
_PLAIN = re.compile(r"[0-9A-Za-z.+-]+\Z")  # int() and float() would also take blanks, `_` and other scripts' digits
_LONGEST = 4096  # characters a regular expression is shown: it may backtrack, and the text is the attacker's


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled condition; two of the same text are equal."""

    text: str
    field: str
    test: Test

    def holds(self, values: Mapping[str, str]) -> bool:
        """Whether it holds for these fields; one that is missing counts as empty."""
        return self.test(values.get(self.field, ""))


def compile(text: str, types: Mapping[str, str]) -> Condition:
    """A condition over fields of these types.

    >>> compile("ip not in 10.0.0.0/8 2001:db8::/32", {"ip": "ip"}).holds({"ip": "192.0.2.7"})
    True

    Raises:
        PatternError: says what is wrong, at which column, and what to write.
    """
    known = {**HEADER_FIELDS, **types}
    found = _KNOWN.match(text)
    if found:
        word, field, rest = found.groups()
        if rest:
            raise PatternError(f"'{rest}' behind '{word} {field}'", f"write '{word} {field}'", found.start(3) + 1)
        _check_field(field, known, found.start(2) + 1)
        return Condition(text, field, bool if word == "known" else operator.not_)
    found = _CONDITION.match(text)
    if not found:
        raise PatternError(f"'{text}' is no condition", f"write FIELD OPERATOR VALUE; operators are {_OPERATORS}", 1)
    field, op, value = found["field"], " ".join(found["op"].split()), found["value"]
    _check_field(field, known, found.start("field") + 1)
    if op == "=":
        raise PatternError("'=' is no operator", "write ==", found.start("op") + 1)
    if not value:
        raise PatternError(f"nothing stands behind '{op}'", "write a value, or 'known FIELD'", found.end("op") + 1)
    if op.endswith("in") and not found["gap"]:
        raise PatternError(f"'{text}' is no condition", f"operators are {_OPERATORS}", found.start("op") + 1)
    return Condition(text, field, _test(op, value, known[field], found.start("value") + 1))


def _check_field(field: str, known: Mapping[str, str], column: int) -> None:
    if field not in known:
        import difflib  # loaded for a mistake only

        near = difflib.get_close_matches(field, known, 1)
        names = ", ".join(known)
        raise PatternError(f"unknown field '{field}'", f"did you mean '{near[0]}'?" if near else f"fields are {names}", column)


def _test(op: str, value: str, kind: str, column: int) -> Test:
    if op == "~":
        return _regex(value, column)
    if op in _COMPARISONS:
        return _comparison(_COMPARISONS[op], value, kind, column)
    members = value.split() if op.endswith("in") else [value]
    if kind in ("country", "continent"):
        members = [_code(member, kind, column) for member in members]
    inside = _membership(members, kind, column)
    return _negated(inside) if op in ("!=", "not in") else inside


def _negated(test: Test) -> Test:
    return lambda text: not test(text)


def _regex(value: str, column: int) -> Test:
    try:
        search = re.compile(value).search
    except re.error as error:
        raise PatternError(f"the regular expression is wrong: {error.msg}", "", column + (error.pos or 0)) from None
    except (OverflowError, RecursionError) as error:
        raise PatternError(f"the regular expression is too big: {error}", "", column) from None
    return lambda text: search(text[:_LONGEST]) is not None


def _comparison(compare: Callable[[float, float], bool], value: str, kind: str, column: int) -> Test:
    limit = number(value)
    if limit is None:
        raise PatternError(f"'{value}' is no number", "write one such as 1024", column)

    def test(text: str) -> bool:
        found = number(text, kind)
        return found is not None and compare(found, limit)

    return test


def _membership(members: list[str], kind: str, column: int) -> Test:
    if kind in ("ip", "net"):
        for member in members:
            try:
                parse_network(member)
            except ValueError as error:
                raise PatternError(str(error), "", column) from None
        addresses = AddressSet(members)
        return lambda text: text.partition("/")[0] in addresses
    if kind in _BASES:
        numbers = {number(member) for member in members}
        if None in numbers:
            wrong = next(m for m in members if number(m) is None)
            raise PatternError(f"'{wrong}' is no number", "the field holds one", column)
        return lambda text: bool(text) and number(text, kind) in numbers
    texts = frozenset(members)
    return lambda text: text in texts


def _code(text: str, kind: str, column: int) -> str:
    from logtrigger import countries  # loaded where somebody asks for one

    try:
        return countries.country(text) if kind == "country" else countries.continent(text)
    except ValueError as error:
        remedy = f"write 'in {text}', or 'not in {text}'" if " " in text else str(error)
        raise PatternError(f"'{text}' is no {kind}", remedy, column) from None


def number(text: str, kind: str = "") -> float | None:
    """The number a text stands for; None: none.

    Args:
        text: as a conversion took it, or as somebody wrote it (decimal, or with 0x or 0b).
        kind: the field's type, which says what base its text has.
    """
    if not _PLAIN.match(text):
        return None
    try:
        return int(text, _base(text, kind))
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _base(text: str, kind: str) -> int:
    base = _BASES.get(kind, 0)
    digits = text.lstrip("+-")
    if base or not digits.startswith("0"):
        return base or 10
    if digits[1:2] in ("x", "X", "b", "B", "o", "O"):
        return 0
    return 8 if kind == "number" else 10
