"""Can whoever writes the free text of a line make a rule read an address that is not his?

The daemon writes the line: its own words as the pattern has them, numbers and addresses as they are, and in the place of free
text (%s, word) what a stranger chose, perhaps nothing at all. What stands before the pattern is the daemon's too; that no
stranger writes there, only the program's tag at the pattern's beginning can see to. A name that reverse DNS gives (`host`) is
the stranger's choice within what a name may hold; that he may choose it is no forgery, only what else he can have read.

For scanf and format the answer is complete. A line forges a field if the pattern can be laid over it so that the field takes
anything but what the daemon wrote there, and if that reading is the one chosen:

* `readings.py` tries every way to lay the pattern over every line that it writes. Tokens count as any text of their alphabet,
  free text as anything its type may hold: nothing that the matcher could do is left out. Where no way takes the field for
  something else, it cannot be forged. So it is with a field that no free text parts from the line's end or from the tag, and
  with one parted only by free text without blanks (`word`), if there is a blank in the literal text between.
* The reading chosen begins as far left as it can. Where the pattern begins with literal text, and the gap behind it takes any
  text, that is the true beginning whatever follows: the gap can always go on to where a later beginning would find the rest.
  So only other readings from that beginning count. A gap of `word` gives no such warrant: left empty it fits nowhere.
* Of those readings the longest gaps are chosen before an address, elsewhere the shortest: a copy of the pattern's text with
  another address, in free text behind the true one or before it, has its way. Such lines are made here and put before the
  rule.

What is reported shows a line that the rule did read so. Where another reading is possible but no line of it was found, it has
none. With `except` and `when` such a line may be an event or not: lines are looked for that are. Of regular expressions, too,
lines are made and tried; what is not found there may exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from logtrigger.addresses import AddressSet
from logtrigger.config import readings, regexlines
from logtrigger.config.readings import alphabet, is_gap, neighbours, parts
from logtrigger.patterns.form import Conversion, Element, Form, Literal
from logtrigger.patterns.pattern import Anchor, Pattern
from logtrigger.patterns.regex import RegexPattern
from logtrigger.patterns.scanf import without_trailing_blanks
from logtrigger.patterns.types import FIELD_TYPES, FieldType
from logtrigger.recognise import Line, Recogniser
from logtrigger.rule import Rule

ADDRESS_TYPES = ("ip", "net", "host")
_FREE = ("text", "word")
TIME = b"Nov 29 17:20:00 "
HEADER = TIME + b"gate "
_PID = b"4273"
# What the daemon writes, and what is read instead.
_PAIRS = (
    (b"192.0.2.1", b"203.0.113.9"),
    (b"2001:db8::", b"2001:db8::9"),
    (b"203.0.113.0", b"203.0.113.0/24"),
    (b"2001:db8::", b"2001:db8::/32"),
    (b"00:16:3e:11:22:33", b"66:66:66:66:66:66"),
    (b"22", b"4321"),
    (b"10", b"11"),
)
# Where nothing parts a token from free text, what is read is made of both: what may stand before and behind the true one.
_TRUE = (b"3.0.113.9", b"203.0.113.1", b"192.0.2.1", b"2001:db8::1", b"2001:db8::", b"db8::9", b"203.0.113.0", b"22", b"2")
_MADE_BEFORE = (b"20", b"2001:", b"2001", b"2001:db8:", b"2001:db8::", b"4", b"-")
_MADE_BEHIND = (b"9", b"1:9", b":9", b"24", b"0.2.1", b".5")
_SAMPLES = [b"198.51.100.7", b"22", b"00:16:3e:00:00:07", b"10", b"1.5", b"5%", b"1.5e3", b"x", b"2020-11-29", b"17:20"]
_SAMPLES += [b"29 Nov 2020 17:20:00 +0100", b"11/29/2020 17:20:00", b"29/Nov/2020:17:20:00 +0100", b"Nov 29 17:20:00"]
_SAMPLES += [b"Sun Nov 29 17:20:00 2020"]
# What makes an address or number beside it none: letters, more digits than one may have.
_APART = b"="  # no part of any
_BREAKERS = (b"xx", b".x", b"-x", b":", b"0" * 401, b"::")


@dataclass(frozen=True, slots=True)
class Forgery:
    """A line that makes a rule read what the daemon did not write as such.

    `line` is empty where another reading is possible but no line of it was found; `whole` tells whether it is an event with
    the rule's conditions too.
    """

    pattern: int  # of the rule: who writes the line
    field: str
    line: bytes = b""
    true: bytes = b""
    read: bytes = b""
    whole: bool = True


def find(rule: Rule) -> Iterator[Forgery]:
    """For each pattern of a rule that can be forged, the first field for which this holds."""
    judge = _Judge(rule)
    for index, pattern in enumerate(rule.patterns):
        found = _of_form(rule, judge, index) if isinstance(pattern, Form) else _of_regex(rule, judge, index)
        if found:
            yield found


def protected(rule: Rule, pattern: Pattern) -> list[str]:
    """The fields whose text no stranger may choose: addresses, and what the rule counts by if it is no free text."""
    named = zip(pattern.fields, pattern.types, strict=True)
    return [name for name, kind in named if kind in ADDRESS_TYPES or (name in rule.key and kind not in _FREE)]


class _Judge:
    """What the rule itself reads of a line."""

    def __init__(self, rule: Rule) -> None:
        alone = replace(rule, ignore=AddressSet())
        self._whole = Recogniser(alone)
        self._without_when = Recogniser(replace(alone, when=()))

    def verdict(self, pattern: int, field: str, line: bytes, true: bytes) -> Forgery | None:
        """The forgery that this line is, if `true` is what the daemon wrote for the field."""
        for recogniser in (self._whole, self._without_when):
            read = _read(recogniser, field, line)
            if read and read != true:
                return Forgery(pattern, field, line, true, read, recogniser is self._whole)
        return None

    def reads(self, field: str, line: bytes, true: bytes) -> bool:
        """Whether the rule reads the line as it was meant, conditions aside."""
        return _read(self._without_when, field, line) == true


def _read(recogniser: Recogniser, field: str, line: bytes) -> bytes:
    found = recogniser.recognise(Line(line, 0, len(line)))
    if found is None or field not in found.reading.pattern.fields:
        return b""
    return found.values[found.reading.pattern.fields.index(field)]


# --- scanf and format ---


def _of_form(rule: Rule, judge: _Judge, index: int) -> Forgery | None:
    """How a line that pattern number `index` writes can be read by it, or by an alternative.

    One that is tried behind it reads the line only where the pattern does not, as with free text that was left empty: what is
    merely possible there is no doubt, but a line that was found counts.
    """
    written, doubt = rule.patterns[index], None
    if not isinstance(written, Form) or not any(map(is_gap, written.elements)):
        return None
    program = min(rule.programs, default="daemon").encode()
    for number, read in enumerate(rule.patterns):
        if not isinstance(read, Form):
            continue
        for name in protected(rule, read):
            pair = _Pair(written, read, name)
            if not pair.has_other_readings():
                continue
            for true, line in pair.lines(program):
                found = judge.verdict(index, name, line, true)
                if found and found.whole:
                    return found
                doubt = found or doubt
            if number > index:
                continue
            works = any(judge.reads(name, line, true) for true, line in pair.plain_lines(program))
            if doubt is None and works and not rule.excepts:
                doubt = Forgery(index, name)
    return doubt


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What a line is to be like that is read otherwise: what stands in it, and where the other text is to stand."""

    true: bytes
    other: bytes
    gap: int
    may_be_empty: bool = False
    empty: int = -1  # the free text that is
    beside: Mapping[int, tuple[bytes, bytes]] = field(default_factory=dict)


class _Pair:
    """A pattern that writes lines and one that reads them, which may be the same; and a field of the second."""

    def __init__(self, written: Form, read: Form, field: str) -> None:
        self._written, self._read = written, read
        self._target, self._kind = _named(read, field)
        same, _ = _named(written, field)
        addresses = [index for index, kind in _tokens(written.elements) if kind.address]
        self._true = frozenset([same] if same >= 0 else addresses if self._kind.address else [])
        self._gaps = [index for index, element in enumerate(written.elements) if is_gap(element)]
        begins_alike = written is read and _begins_where_written(read.elements)
        self._anywhere = not (read.anchor or begins_alike)  # the reading may begin elsewhere than what was written

    def has_other_readings(self) -> bool:
        """Whether any line can be read with another text for the field than the daemon wrote for it."""
        brackets = (-1, self._target) if self._kind.address else (-1,)
        reads = [readings.row(self._read.elements, nocase=self._read.nocase, bracketed=index) for index in brackets]
        rows = [readings.row(elements, nocase=self._written.nocase, may_be_empty=True) for elements in self._writings()]
        return any(self._astray(row, read) is not None for row in rows for read in reads)

    def lines(self, program: bytes) -> Iterator[tuple[bytes, bytes]]:
        """What the daemon wrote for the field, in its one form, and a line that may be read otherwise; the plainest first."""
        for attempt in self._attempts():
            for line in self._laid_out(attempt):
                yield self._normal(attempt.true), self._head(program) + line

    def plain_lines(self, program: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The same for lines in which free text is but a letter."""
        head = header(program, self._written.anchor)
        for true in _TRUE:
            yield self._normal(true), head + rendered(self._written, {i: true for i in self._true})

    def _normal(self, true: bytes) -> bytes:
        return self._kind.normalise(true) if self._kind.normalise and _is_one(self._kind, true) else true

    def _head(self, program: bytes) -> bytes:
        return header(program, self._written.anchor or self._read.anchor)

    def _writings(self) -> list[Sequence[Element]]:
        """The elements of a line: all of them, or without free text at the end that is but white space."""
        found: list[Sequence[Element]] = [self._written.elements]
        while len(found[-1]) > 1 and is_gap(found[-1][-1]):
            found.append(without_trailing_blanks(found[-1][:-1]))
        return found

    def _attempts(self) -> Iterator[_Attempt]:
        pairs = [pair for pair in [*_PAIRS, *self._made()] if all(_is_one(self._kind, text) for text in pair)]
        gaps = self._gaps[::-1]
        for may_be_empty in (False, True):
            yield from (_Attempt(*pair, gap, may_be_empty) for pair in pairs for gap in gaps)
        for broken in self._gaps if self._anywhere else ():
            if _touches_token(self._written.elements, broken):
                for beside in (pair for text in _BREAKERS for pair in ((text, b""), (b"", text))):
                    yield from (_Attempt(*pair, gap, True, beside={broken: beside}) for pair in pairs[:1] for gap in gaps)
        if self._read is not self._written:  # which fails where free text is empty
            apart = [(gap, empty) for empty in gaps for gap in gaps if gap != empty]
            yield from (_Attempt(*pair, gap, True, empty) for pair in pairs[:1] for gap, empty in apart)

    def _made(self) -> Iterator[tuple[bytes, bytes]]:
        """True texts, and what they become together with free text that nothing parts from them."""
        for index in sorted(self._true):
            for gap in self._gaps:
                between = b"".join(e.text if isinstance(e, Literal) else b"\0" for e in self._between(gap, index))
                for true in _TRUE if not parts(between, alphabet(self._kind)) else ():
                    if gap < index:
                        yield from ((true, before + between + true) for before in _MADE_BEFORE)
                    else:
                        yield from ((true, true + between + behind) for behind in _MADE_BEHIND)

    def _between(self, one: int, other: int) -> Sequence[Element]:
        return self._written.elements[min(one, other) + 1 : max(one, other)]

    def _laid_out(self, attempt: _Attempt) -> Iterator[bytes]:
        """Lines of this kind; the copy's other addresses are its own, or the true one."""
        own = _tokens(self._read.elements)
        apart = {
            i: (_APART, _APART)
            for i, e in enumerate(self._read.elements)
            if is_gap(e) and _touches_token(self._read.elements, i)
        }
        for elements in self._writings():
            tokens = {i: attempt.true if i in self._true else sample(kind) for i, kind in _tokens(elements)}
            tokens[attempt.empty] = b""
            row = readings.row(
                elements, tokens, nocase=self._written.nocase, may_be_empty=attempt.may_be_empty, beside=attempt.beside
            )
            for other_address in (b"", attempt.true):
                copied = {i: other_address if kind.address and other_address else sample(kind) for i, kind in own}
                for beside in (apart, {}) if apart else ({},):
                    read = readings.row(
                        self._read.elements, copied | {self._target: attempt.other}, nocase=self._read.nocase, beside=beside
                    )
                    line = self._astray(row, read, attempt.gap)
                    if line is not None:
                        yield line

    def _astray(self, row: readings.Row, read: readings.Row, within: int | None = None) -> bytes | None:
        if self._read.anchor == "tag" and not self._written.anchor:
            first = self._read.elements[0]
            assert isinstance(first, Literal)  # of a tag: its name and a bracket
            row = [*readings.text(first.text + _PID + b"]: "), *row]
        return readings.astray(row, read, self._target, self._true, anywhere=self._anywhere, within=within)


def header(program: bytes, anchor: Anchor) -> bytes:
    """What stands before a pattern with this anchor."""
    if anchor == "time":
        return TIME
    return HEADER if anchor == "tag" else HEADER + program + b"[" + _PID + b"]: "


def rendered(pattern: Form, tokens: Mapping[int, bytes], free: bytes = b"x") -> bytes:
    """A line of a pattern, with these texts for some of its tokens."""
    return b"".join(
        e.text if isinstance(e, Literal) else tokens.get(i) or (_free(e.kind, free) if e.kind.is_gap else sample(e.kind))
        for i, e in enumerate(pattern.elements)
    )


def _free(kind: FieldType, text: bytes) -> bytes:
    return text.replace(b" ", b"") if kind.excludes else text


def _tokens(elements: Sequence[Element]) -> list[tuple[int, FieldType]]:
    return [(i, e.kind) for i, e in enumerate(elements) if isinstance(e, Conversion) and not e.kind.is_gap]


def _named(pattern: Form, name: str) -> tuple[int, FieldType]:
    """The field's element and type; -1 where the pattern has none such."""
    found = [(i, e.kind) for i, e in enumerate(pattern.elements) if isinstance(e, Conversion) and e.name == name]
    return found[0] if found else (-1, FieldType(""))


def _begins_where_written(elements: Sequence[Element]) -> bool:
    """Whether the pattern, where it has written a line, is read from there on, or from before that, whatever its free text.

    So it is if free text of any kind comes next to literal text that parts the tokens before it from it.
    """
    first = next(index for index, element in enumerate(elements) if is_gap(element))
    element = elements[first]
    assert isinstance(element, Conversion)
    return not element.kind.excludes and not (first and _touches_token(elements[: first + 1], first))


def _touches_token(elements: Sequence[Element], gap: int) -> bool:
    """Whether free text stands beside a token, or only text between them that the token could hold."""
    beside = (pair for step in (-1, 1) for pair in _neighbour(elements, gap, step))
    return any(not kind.is_gap and not parts(between, neighbours(kind)) for between, kind in beside)


def _neighbour(elements: Sequence[Element], gap: int, step: int) -> Iterator[tuple[bytes, FieldType]]:
    """The token before or behind free text, and the literal text between."""
    at, between = gap + step, b""
    while 0 <= at < len(elements):
        element = elements[at]
        if isinstance(element, Conversion):
            yield between, element.kind
            return
        between, at = element.text, at + step


def _is_one(kind: FieldType, text: bytes) -> bool:
    return re.fullmatch(kind.expression.encode("latin-1"), text) is not None


def sample(kind: FieldType) -> bytes:
    """Some text of a token."""
    return next((text for text in _SAMPLES if _is_one(kind, text)), b"1")


# --- regex ---


def _of_regex(rule: Rule, judge: _Judge, index: int) -> Forgery | None:
    pattern = rule.patterns[index]
    assert isinstance(pattern, RegexPattern)
    program = min(rule.programs, default="daemon").encode()
    for name in protected(rule, pattern):
        kind = FIELD_TYPES[pattern.types[pattern.fields.index(name)]]
        true, other = next((pair for pair in _PAIRS if all(_is_one(kind, text) for text in pair)), (b"", b""))
        values = {n: sample(FIELD_TYPES[t]) for n, t in zip(pattern.fields, pattern.types, strict=True) if t not in _FREE}
        line = regexlines.template(pattern.text, values | {name: true})
        if line is None or not true:
            continue
        head = next((h for h in (header(program, ""), b"") if judge.reads(name, h + line.text(), true)), None)
        for forged in regexlines.forged(line, name, other) if head is not None else ():
            found = judge.verdict(index, name, (head or b"") + forged, true)
            if found and found.whole:
                return found
    return None
