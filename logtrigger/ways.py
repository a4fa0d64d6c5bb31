"""Ways: how the lines of a rule are recognised quickly, one by one or many at once.

Nearly all lines have a header of a usual form. For those one expression tells which of a rule's patterns matches, and what its
captures are; what these tell is remembered. Of other lines nothing is said: they are left to `Recogniser`. Both always agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter
from typing import cast

from logtrigger import headers
from logtrigger.answers import Answer, Answers, Captures, Part, Shape, asked_for, shape_of
from logtrigger.headers import KnownStamps
from logtrigger.patterns.form import PID_WIDTH
from logtrigger.patterns.pattern import Body, Pattern
from logtrigger.recognise import Normalise
from logtrigger.rule import Rule
from logtrigger.text import WHITE

# Among many lines: where the last character stands that is not white.
_LINE_END = rb"(?<![ \t\r\f\x0b])[ \t\r\f\x0b]*+$"
_MARK = rb"(?=(.))"  # a group that is not empty, where a pattern begins
_NEVER = rb"(?!)"

Fold = Callable[[Sequence[bytes]], Captures]
Look = Callable[[int, int], tuple[float | None, str | None]]  # a line -> when it was written, and its key if it is an event


@dataclass(frozen=True, slots=True)
class Events:
    """Of one rule, by line: where it begins and ends, when it says that it was written (None: it does not), its key."""

    begins: list[int]
    ends: list[int]
    written: list[float | None]
    keys: list[str]

    def add(self, begin: int, end: int, written: float | None, key: str) -> None:
        self.begins.append(begin)
        self.ends.append(end)
        self.written.append(written)
        self.keys.append(key)


class Bare:
    """Tries pattern after pattern on the line as it is: for rules that do not ask for a header."""

    def __init__(self, ways: Sequence[tuple[Pattern, Fold, Answers]]) -> None:
        self._ways = [(pattern.captures, fold, answers) for pattern, fold, answers in ways]

    def one(self, data: bytes, begin: int, end: int, stamps: KnownStamps) -> Answer:
        """What the line data[begin:end] is for the rule."""
        while end > begin and data[end - 1] in WHITE:
            end -= 1
        for captures, fold, answers in self._ways:
            found = captures(data, begin, end)
            if found is not None:
                return answers[fold(found)]
        return False


class Folded:
    """Of the groups of several alternatives those that stand for one field, joined: all but one are empty."""

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        self._groups = groups

    def one(self, captures: Sequence[bytes]) -> Captures:
        """Of one line."""
        folded = [captures[some[0]] if len(some) == 1 else b"".join([captures[i] for i in some]) for some in self._groups]
        return folded[0] if len(folded) == 1 else tuple(folded)

    def many(self, captures: Sequence[Sequence[bytes]]) -> Sequence[Captures]:
        """Of many lines, group by group."""
        folded = [
            captures[some[0]] if len(some) == 1 else list(map(b"".join, zip(*[captures[i] for i in some], strict=True)))
            for some in self._groups
        ]
        return folded[0] if len(folded) == 1 else list(zip(*folded, strict=True))


class Headed:
    """One expression for header and patterns.

    Args:
        expression: for re.MULTILINE; matches every line. Its first group is not empty where the header is of a usual form: the
            time and a blank if `tells_time`, else anything. The others are captures.
        fold: makes of these captures what `answers` knows.
    """

    def __init__(self, expression: bytes, fold: Folded, answers: Answers, *, tells_time: bool) -> None:
        self._expression = re.compile(expression, re.MULTILINE)
        self._fold, self._answers, self.tells_time = fold, answers, tells_time

    def one(self, data: bytes, begin: int, end: int, stamps: KnownStamps) -> Answer:
        """What the line data[begin:end] is for the rule."""
        found = self._expression.match(data, begin, end)
        if found is None:
            return None
        head, *captures = found.groups(b"")
        if not head or self.tells_time and stamps[head] is None:
            return None
        return self._answers[self._fold.one(captures)]

    def many(self, data: bytes, begins: list[int], ends: list[int], stamps: KnownStamps, look: Look) -> Events:
        """The events among these lines, where `tells_time`; `look` is asked about those that nothing can be said of here."""
        lines = [data[begin:end] for begin, end in zip(begins, ends, strict=True)]
        strangers = stamps.strangers + self._answers.strangers
        written, answers = self._read(lines, stamps)
        if stamps.strangers + self._answers.strangers != strangers:
            return _looked_at(begins, ends, written, answers, look)
        if False not in answers:
            return Events(begins, ends, written, cast(list[str], answers))
        are_events = [answer is not False for answer in answers]
        begins, ends = list(compress(begins, are_events)), list(compress(ends, are_events))
        return Events(begins, ends, list(compress(written, are_events)), cast(list[str], list(compress(answers, are_events))))

    def _read(self, lines: Sequence[bytes], stamps: KnownStamps) -> tuple[list[float | None], list[Answer]]:
        """For each line when it says that it was written (None: its header is not of a usual form), and what it is."""
        found = self._expression.findall(b"\n".join(lines))
        if len(found) != len(lines):
            stamps.strangers += 1
            return [None] * len(lines), [None] * len(lines)
        heads, *captures = zip(*found, strict=True)
        return list(map(stamps.__getitem__, heads)), list(map(self._answers.__getitem__, self._fold.many(captures)))


def _looked_at(
    begins: list[int], ends: list[int], written: list[float | None], answers: Sequence[Answer], look: Look
) -> Events:
    events = Events([], [], [], [])
    for begin, end, time, answer in zip(begins, ends, written, answers, strict=True):
        key: str | None
        if time is None or answer is None:
            time, key = look(begin, end)
        else:
            key = None if answer is False else answer
        if key is not None:
            events.add(begin, end, time, key)
    return events


Way = Bare | Headed


class Ways:
    """Makes the ways of rules; answers of one shape are remembered together."""

    def __init__(self, own_program: str) -> None:
        self._own_program = own_program
        self._answers: dict[Shape, Answers] = {}

    def of(self, rule: Rule) -> Way | None:
        """None: each line must be looked at. Lines of our own program are never found where the rule is not for them."""
        anchors = {pattern.anchor for pattern in rule.patterns}
        if anchors == {"tag"}:
            tags = {pattern.tag.decode("utf-8", "replace") for pattern in rule.patterns}
            if "" in tags or not tags <= (rule.programs or tags - {self._own_program}):
                return None
            return self._headed(rule, headers.USUAL_HEAD, b"", tags)
        if anchors == {""} and not rule.programs:
            return self._bare(rule)
        if rule.programs and anchors in ({""}, {"message"}):
            return self._headed(rule, headers.USUAL_HEAD, headers.usual_tag(rule.programs), rule.programs)
        if anchors == {"time"} and not rule.programs:
            return self._headed(rule, headers.TIME_HEAD, b"", ())
        return None

    def _bare(self, rule: Rule) -> Bare:
        ways = []
        for pattern in rule.patterns:
            names = [name for name in asked_for(rule) if name in pattern.fields]
            indices = [pattern.fields.index(name) for name in names]
            parts = [Part((), pattern.normalisers[index]) for index in indices]
            shape = shape_of(rule, [pattern], names, parts, may_miss=False)
            ways.append((pattern, itemgetter(*indices) if indices else _nothing, self._answers_of(shape)))
        return Bare(ways)

    def _headed(self, rule: Rule, head: bytes, tag: bytes, programs: Collection[str]) -> Headed | None:
        """For patterns that begin behind a head and a tag, in lines of these programs; none: where there are no tags."""
        asked, is_anchored = asked_for(rule), bool(rule.patterns[0].anchor)
        bodies = _bodies(rule.patterns if is_anchored else rule.patterns[:1], asked)
        tells_all = is_anchored and len(bodies) == len(rule.patterns)
        miss = _miss(programs, tells_all=tells_all)
        if not bodies and miss is None:
            return None
        is_marked = not bodies or not all(set(asked) & set(pattern.fields) for pattern, _ in bodies)
        names, groups, parts = _groups(asked, bodies, 1 if is_marked else 0)
        if is_marked:
            names, groups, parts = ["", *names], [[0], *groups], [Part((), None), *parts]
        found = tag + (_MARK if is_marked else b"") + b"(?:%b)" % (b"|".join(b.expression for _, b in bodies) or _NEVER)
        longest = [body.longest for _, body in bodies if body.longest is not None]
        limit = b"(?!.{%d})" % (min(longest) + 1) if longest else b""
        expression = b"%b%b(?:%b%b|%b)|^.*" % (head, limit, found, _LINE_END, _NEVER if miss is None else miss + b".*")
        shape = shape_of(rule, [pattern for pattern, _ in bodies], names, parts, may_miss=True)
        return Headed(expression, Folded(groups), self._answers_of(shape), tells_time=head == headers.USUAL_HEAD)

    def _answers_of(self, shape: Shape) -> Answers:
        return self._answers.setdefault(shape, Answers(shape))


def _nothing(captures: Sequence[bytes]) -> Captures:
    return b""


def _bodies(patterns: Sequence[Pattern], asked: Collection[str]) -> list[tuple[Pattern, Body]]:
    """The first patterns that have one: what comes behind another one depends on that."""
    bodies = []
    for pattern in patterns:
        body = pattern.body([index for index, name in enumerate(pattern.fields) if name in asked])
        if body is None:
            break
        bodies.append((pattern, body))
    return bodies


def _miss(programs: Collection[str], *, tells_all: bool) -> bytes | None:
    """What stands behind a head where a line in which nothing was found is sure to be no event; None: that cannot be told."""
    if tells_all:
        return headers.usual_tag((), PID_WIDTH) if programs else b""
    return headers.other_tag(programs, PID_WIDTH) if programs else None


def _groups(
    names: Sequence[str], bodies: Sequence[tuple[Pattern, Body]], first: int
) -> tuple[list[str], list[list[int]], list[Part]]:
    """The fields that some pattern has, the groups of all alternatives that hold each, and what these must be."""
    groups: dict[str, list[int]] = {}
    checks: dict[str, dict[re.Pattern[bytes], None]] = {}
    normalisers: dict[str, Normalise | None] = {}
    for pattern, body in bodies:
        kept = [(index, name) for index, name in enumerate(pattern.fields) if name in names]
        for (index, name), check in zip(kept, body.checks, strict=True):
            groups.setdefault(name, []).append(first)
            if check:
                checks.setdefault(name, {})[check] = None
            normalisers[name] = pattern.normalisers[index]
            first += 1
    return list(groups), list(groups.values()), [Part(tuple(checks.get(name, ())), normalisers[name]) for name in groups]
