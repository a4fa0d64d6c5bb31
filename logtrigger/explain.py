"""How far a pattern got in a line that it does not match: what stopped it, where, and what stands there instead."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile
from os.path import commonprefix

from logtrigger import headers
from logtrigger.errors import Place
from logtrigger.patterns.form import Conversion, Form, Literal, expression
from logtrigger.text import safe

LONGEST = 2048  # bytes of a line that is explained
LOOKED_INTO = 2000  # lines; beyond that a log is only searched for matches
_SKIMMED = 200_000  # lines that are searched for the pattern's words
_WAYS = 200  # ways to miss a pattern that are told apart
_TELLING = 3  # characters of a text's beginning that are enough to recognise it by
_EXCERPT = 40  # characters of a line that stand for what was found
_WORD = re.compile(rb"\s*(?:[^\s\"'<>(),;\[\]]+|\S*)")  # without the marks that stand around it
_NOTHING = re.compile(b"")

_WANTED = {
    "ip": "an IP address",
    "net": "an IP address or network",
    "host": "an IP address or host name",
    "port": "a port number, 0 to 65535",
    "int": "a number",
    "number": "a number, decimal or with 0x, 0 or 0b",
    "octal": "an octal number",
    "hex": "a hexadecimal number",
    "binary": "a binary number",
    "float": "a decimal number",
    "mac": "a MAC address",
    "word": "a word",
}


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a pattern stopped in a line.

    `element` is the index of the pattern's element that was wanted, one beyond the last where that was the line's end. It was
    looked for at offset `begin` of the line and fits up to `at`, which is further right where a text begins as it should.
    `found` of the pattern's `parts` (texts and tokens) are there: those before the stop, and those that go on behind it.
    """

    element: int
    begin: int
    at: int
    found: int
    parts: int
    anywhere: bool  # the element may stand anywhere behind `begin`

    @property
    def fits(self) -> int:
        """How many bytes of the element fit."""
        return self.at - self.begin

    @property
    def is_near(self) -> bool:
        """Whether the line has so much of the pattern that it was probably meant."""
        return 2 * self.found >= self.parts


@dataclass(frozen=True, slots=True)
class _Part:
    """Literal text, a token, or the line's end; and the free text before it."""

    index: int  # of its element in the pattern
    element: Literal | Conversion | None  # None: the line's end
    expression: re.Pattern[bytes]
    is_free: bool  # may stand anywhere behind what is before it
    least: int  # bytes of free text before it
    run: re.Pattern[bytes] | None  # the free text that may stand before it, where that excludes characters

    def places(self, data: bytes, before: Sequence[int], end: int) -> list[int]:
        """Where the part can end, if what is before it can end at any of `before`, ascending."""
        if self.is_free:
            found = (m for m in self._all(data, before[0] + self.least, end) if self._is_reached(data, before, m.start()))
        else:
            found = (m for at in before if (m := self.expression.match(data, at, end)))
        return sorted({m.end() for m in found})

    def _all(self, data: bytes, at: int, end: int) -> Iterator[re.Match[bytes]]:
        while at <= end and (found := self.expression.search(data, at, end)):
            yield found
            at = found.start() + 1

    def _is_reached(self, data: bytes, before: Sequence[int], begin: int) -> bool:
        nearest = before[bisect_left(before, begin) - 1] if self.least else begin
        return self.run is None or self.run.fullmatch(data, nearest, begin) is not None

    def missed(self, data: bytes, before: Sequence[int], end: int, *, nocase: bool) -> tuple[int, int, bool]:
        """`begin`, `at` and `anywhere` of a Stop at this part, which has no place."""
        text = self.element.text if isinstance(self.element, Literal) else b""
        if nocase:
            text, data = text.lower(), data.lower()
        if self.is_free and self.run is None:
            found = _beginning(text, data, before[0] + self.least, end)
            return (*found, False) if found else (before[0], before[0], True)
        begins = [run.end() for at in before if (run := (self.run or _NOTHING).match(data, at, end))]
        begin = max(reversed(begins), key=lambda at: _common(text, data[at:end]))
        return begin, begin + _common(text, data[begin:end]), False


def _is_vague(part: _Part) -> bool:
    """Whether the part may stand anywhere by chance."""
    return not isinstance(part.element, Literal) or len(part.element.text.strip()) < _TELLING


def _common(text: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    return len(commonprefix([text, other]))


def _beginning(text: bytes, data: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Where as much of the text's beginning stands, in whatever case, as tells that it was meant, and up to where it fits."""
    lowered, wanted = data[:end].lower(), text.lower()
    for size in range(len(text), 0, -1):
        if len(text[:size].strip()) < _TELLING:
            break
        begin = lowered.find(wanted[:size], at)
        if begin >= 0:
            return begin, begin + _common(text, data[begin:end])
    return None


class Explainer:
    """Lays a pattern's parts over lines that it does not match.

    >>> from logtrigger.patterns import scanf
    >>> explainer = Explainer(scanf.compile("Failed password for %s from %s port %d", ["user", "ip"]))
    >>> line = b"Failed password for root from gate port 22"
    >>> stop = explainer.explain(line, 0, len(line))
    >>> stop.at, explainer.wanted(stop), explainer.standing(stop, line)
    (30, 'an IP address for ip', "'gate'")
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._parts = list(_parts(form))

    def explain(self, data: bytes, begin: int, end: int) -> Stop | None:
        """Where the pattern stops in data[begin:end], which it does not match; None where that cannot be told."""
        end = begin + len(data[begin:end].rstrip())
        if end - begin > LONGEST:
            return None
        reached, before = self._lay(self._parts, data, [begin], end)
        if reached == len(self._parts):
            return None
        part = self._parts[reached]
        missed, at, anywhere = part.missed(data, before, end, nocase=self._form.nocase)
        later = max(self._goes_on(self._parts[skipped:-1], data, at, end) for skipped in (reached, reached + 1))
        return Stop(part.index, missed, at, reached + later, len(self._parts) - 1, anywhere)

    def _lay(self, parts: Sequence[_Part], data: bytes, before: list[int], end: int) -> tuple[int, list[int]]:
        """How many of the parts have a place, and where the last of those can end."""
        for reached, part in enumerate(parts):
            found = part.places(data, before, end)
            if not found:
                return reached, before
            before = found
        return len(parts), before

    def _goes_on(self, parts: Sequence[_Part], data: bytes, at: int, end: int) -> int:
        """How many of the parts stand somewhere behind `at`, from the first text on that tells."""
        rest = list(dropwhile(_is_vague, parts))
        return self._lay([replace(rest[0], is_free=True, least=0, run=None), *rest[1:]], data, [at], end)[0] if rest else 0

    def wanted(self, stop: Stop) -> str:
        """What should stand where the pattern stopped."""
        if stop.element == len(self._form.elements):
            return "the line's end"
        element = self._form.elements[stop.element]
        if isinstance(element, Literal):
            return f"'{safe(element.text)}'" + (", here or further on" if stop.anywhere else "")
        return wanted(element) + (f" for {element.name}" if element.name else "")

    def standing(self, stop: Stop, line: bytes) -> str:
        """What stands there, in quotes; as long as the text that is wanted."""
        line = line.rstrip()
        if stop.begin >= len(line):
            return "the line's end"
        element = self._form.elements[stop.element] if stop.element < len(self._form.elements) else None
        if isinstance(element, Literal) and not stop.anywhere:
            return f"'{safe(line[stop.begin : stop.begin + len(element.text)])}'"
        if isinstance(element, Conversion):
            word = _WORD.match(line, stop.begin)
            assert word is not None  # it may be empty
            return _excerpt(word[0])
        return _excerpt(line[stop.begin :])

    def reached(self, stop: Stop) -> str:
        """The pattern as far as it fits, its conversions as `<name>`; the same for every syntax."""
        elements = self._form.elements[: stop.element]
        return "".join(safe(e.text) if isinstance(e, Literal) else f"<{e.name or '-'}>" for e in elements)


def wanted(conversion: Conversion) -> str:
    """What a conversion takes, in words."""
    kind = conversion.kind
    return _WANTED.get(kind.name) or ("text" if kind.name == "text" else f"text of the type {kind.name}")


def words(form: Form) -> list[bytes]:
    """The words of the pattern's text in small letters, the longest first."""
    found = [word for e in form.elements if isinstance(e, Literal) for word in e.text.lower().split()]
    return sorted(dict.fromkeys(found), key=len, reverse=True)


def _excerpt(raw: bytes) -> str:
    text = safe(raw)
    return f"'{text}'" if len(text) <= _EXCERPT else f"'{text[:_EXCERPT]}…'"


@dataclass(slots=True)
class Miss:
    """A line that a pattern nearly matches, and how many it stands for: those that stopped the pattern in the same way."""

    place: Place
    line: bytes
    begin: int  # where in the line the pattern may begin
    stop: Stop
    count: int = 1


class Misses:
    """Lines that a pattern nearly matches, an example for each way to miss it. Looks into some thousand lines, no more."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.explainer = Explainer(form)
        self.overlooked = 0  # lines that hold the pattern's longest text and were not looked into
        self._words = words(form)
        self._looked_into = 0
        self._likely = 0
        self._skimmed = 0
        self._ways: dict[tuple[int, int, int, bytes], Miss] = {}

    def add(self, place: Place, line: bytes) -> None:
        """A line that holds the pattern's longest text and does not match."""
        if self._looked_into < LOOKED_INTO:
            self._looked_into += 1
            self._explain(place, line)
        else:
            self.overlooked += 1

    def likely(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where lines begin and end that have one of the pattern's two longest words and half of all, ascending."""
        if self._likely >= LOOKED_INTO or self._skimmed >= _SKIMMED:
            return
        lowered, begins = data.lower(), set[int]()
        for word in self._words[:2]:
            at = lowered.find(word)
            while at >= 0:
                begins.add(lowered.rfind(b"\n", 0, at) + 1)
                at = lowered.find(word, lowered.find(b"\n", at))
        self._skimmed += len(begins)
        for begin in sorted(begins):
            end = lowered.find(b"\n", begin)
            if 2 * sum(lowered.find(word, begin, end) >= 0 for word in self._words) >= len(self._words):
                yield begin, end

    def add_likely(self, place: Place, line: bytes) -> None:
        """A line that is likely to have been meant, but lacks the pattern's longest text."""
        if self._likely < LOOKED_INTO:
            self._likely += 1
            self._explain(place, line)

    def ranked(self, *, strict: bool) -> list[Miss]:
        """One line for each way to miss the pattern, the nearest first.

        Lines that have less than half of it are given only where there are no others, and not if `strict`.
        """
        near = [miss for miss in self._ways.values() if miss.stop.is_near]
        others = [] if near or strict else [miss for miss in self._ways.values() if miss.stop.found]
        return sorted(near or others, key=lambda miss: (-miss.stop.found, -miss.stop.fits, -miss.count))

    def _explain(self, place: Place, line: bytes) -> None:
        anchor = self.form.anchor
        begin = headers.begin(anchor, headers.parse(line), line, 0, len(line)) or 0 if anchor else 0
        stop = self.explainer.explain(line, begin, len(line))
        if stop is None:
            return
        way = (stop.element, stop.found, stop.fits, _shape(line[stop.at :]))
        if way in self._ways:
            self._ways[way].count += 1
        elif len(self._ways) < _WAYS:
            self._ways[way] = Miss(place, line, begin, stop)


def _shape(raw: bytes) -> bytes:
    """What kind of text this begins with: `192.0.2.7:22` and `10.0.0.1:5` are of one kind, `gate.example` is of another."""
    word = raw.lstrip().split(None, 1)[:1]
    return re.sub(rb"[A-Za-z]+", b"a", re.sub(rb"[0-9]+", b"9", word[0][:_EXCERPT])) if word else b""


def _run(gap: Conversion | None) -> re.Pattern[bytes] | None:
    return re.compile(f"[^{gap.kind.excludes}]*".encode("latin-1")) if gap and gap.kind.excludes else None


def _parts(form: Form) -> Iterator[_Part]:
    flags = re.DOTALL | (re.IGNORECASE if form.nocase else 0)
    gap: Conversion | None = None
    fresh = True  # free text or the pattern's beginning stands before the element
    for index, element in enumerate((*form.elements, None)):
        if isinstance(element, Conversion) and element.kind.is_gap:
            gap, fresh = element, True
            continue
        follower = form.elements[index + 1] if index + 1 < len(form.elements) else None
        source = expression(element, follower, after_free_text=fresh) if element else r"\Z"
        may_begin = index == 0 and not form.anchor
        compiled = re.compile(source.encode("latin-1"), flags)
        yield _Part(index, element, compiled, may_begin or gap is not None, int(gap is not None), _run(gap))
        gap, fresh = None, False
