"""Answers: what the captures of a rule's patterns tell of a line - whether it is an event, and what that is counted by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from logtrigger import places
from logtrigger.addresses import AddressSet
from logtrigger.conditions import Condition
from logtrigger.patterns.pattern import Pattern
from logtrigger.recognise import KEY_JOINT, MAX_VALUE, Normalise, key_part, widening
from logtrigger.rule import Rule
from logtrigger.text import safe_start

_LONGEST = 64  # bytes of a capture that is remembered
_MOST = 20_000  # answers remembered for one shape

Answer = str | Literal[False] | None  # of a line: the key that it counts by; it is no event; it must be looked at
Captures = bytes | tuple[bytes, ...]  # all that an answer depends on; alone where it is one


class Part(NamedTuple):
    """One of the captures that an answer depends on: what it must match as a whole, and what brings it into its one form."""

    checks: tuple[re.Pattern[bytes], ...]
    normalise: Normalise | None


class Shape(NamedTuple):
    """How an answer follows from captures. Rules of one shape give the same answers."""

    parts: tuple[Part, ...]
    key: tuple[tuple[int | None, Normalise | None], ...]  # which captures the key consists of, and what makes networks of them
    conditions: tuple[tuple[int | None, Condition], ...]  # that must hold for captures
    ignored: tuple[int, AddressSet] | None  # whose events do not count
    settled: bool  # whether all that a rule asks for can be told from the captures
    may_miss: bool  # whether captures that are all empty tell that the line is no event


class Answers(dict[Captures, Answer]):
    """Captures -> what they tell. That a line must be looked at is not remembered, but counted."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._shape = shape
        self.strangers = 0  # lines that must be looked at

    def __missing__(self, captures: Captures) -> Answer:
        values = captures if isinstance(captures, tuple) else (captures,)
        answer = self._answer(values)
        if answer is None:
            self.strangers += 1
        elif max(map(len, values), default=0) <= _LONGEST:
            if len(self) >= _MOST:
                self.clear()
            self[captures] = answer
        return answer

    def _answer(self, values: Sequence[bytes]) -> Answer:
        shape = self._shape
        if shape.may_miss and not any(values):
            return False
        if not shape.settled:
            return None
        normal = []
        for value, (checks, normalise) in zip(values, shape.parts, strict=False):
            if value and not all(check.fullmatch(value) for check in checks):
                return None
            normal.append(normalise(value) if value and normalise else value)
        normal.append(b"")  # what an alternative lacks
        for index, condition in shape.conditions:
            if not condition.test(safe_start(normal[-1 if index is None else index], MAX_VALUE)):
                return False
        if shape.ignored and normal[shape.ignored[0]].decode("ascii") in shape.ignored[1]:
            return False
        key = [(normal[-1 if index is None else index], widen) for index, widen in shape.key]
        return KEY_JOINT.join([key_part(widen(value) if widen and value else value) for value, widen in key])


def asked_for(rule: Rule) -> list[str]:
    """The fields that tell whether a rule's event counts, and by what."""
    addresses = [name for name, kind in rule.types.items() if kind == "ip"] if rule.ignore else []
    return list(dict.fromkeys([*rule.key, *(condition.field for condition in rule.when), *addresses]))


def shape_of(
    rule: Rule, alternatives: Sequence[Pattern], names: Sequence[str], parts: Sequence[Part], *, may_miss: bool
) -> Shape:
    """How the answers for a rule follow from the captures of these names, by one of these patterns."""

    def index(name: str) -> int | None:
        return names.index(name) if name in names else None

    own = {name: kind for name, kind in rule.types.items() if name not in places.types(rule.types)}
    settled = not rule.excepts and all(condition.field in own for condition in rule.when)
    kinds = {
        name: {dict(zip(p.fields, p.normalisers, strict=True))[name] for p in alternatives if name in p.fields}
        for name in names
    }
    settled = settled and all(len(kind) <= 1 for kind in kinds.values())
    # A rule's own `ignore` is for the first address of the pattern.
    first = {next((n for n, kind in zip(p.fields, p.types, strict=True) if kind == "ip"), "") for p in alternatives} - {""}
    settled = settled and not (rule.ignore and (len(first) > 1 or first - set(names)))
    ignored = (names.index(min(first)), rule.ignore) if rule.ignore and settled and first else None
    widen = widening(rule)
    return Shape(
        tuple(parts),
        tuple((index(name), widen.get(name)) for name in rule.key),
        tuple((index(condition.field), condition) for condition in rule.when),
        ignored,
        settled,
        may_miss,
    )
