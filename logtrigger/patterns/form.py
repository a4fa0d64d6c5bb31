"""The one compiled form of every pattern: literal text, tokens and gaps, and how they are laid over a line.

A pattern is a row of *blocks* (literal text and tokens, whose length is settled by where they begin) with a *gap* of free text
between each two. The reading of a line: the first block stands as far left as a match allows, the last one ends at the line's
end, every gap is as short as a match allows - but as long as possible where an address still follows, since what stands before
an address is the attacker's to write and the last address that fits is the daemon's own.

Two ways lead to that reading and always agree: an expression for `re`, which serves nearly every line, and `layout.py`, which
is linear in the line's length and takes over where backtracking could cost more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from logtrigger.patterns import layout
from logtrigger.patterns.pattern import Anchor, Body
from logtrigger.patterns.types import ADDRESS_LETTER, WIDEST_TOKEN, FieldType
from logtrigger.text import WHITE

_STEPS = 40_000  # what backtracking over one line may cost, about; the linear way serves lines that could cost more
_ANY_LENGTH = 1 << 62
# Never in a syslog header: of month, day, time, host and tag no two neighbours are both free of digits and colons.
_NO_HEADER = re.compile(rb"[^\s0-9:\[\]] [^\s0-9:\[\]]+ ")
# Text that may begin in a header: its first colon, but for those of a time, could be the tag's.
_TAG_END = re.compile(rb"(?:[^:]|(?<=[0-9]):(?=[0-9]))*: ")
_ADDRESS_TEXT = re.compile(rb"[0-9A-Fa-f:.%-]+\Z")
_TAG_BEGIN = re.compile(rb"([^\s:\[\]]{1,128})\[\Z")
_DISTINCT = 10  # bytes of text that few lines have
PID_WIDTH = 31  # digits that a header's tag can have, with their sign
_PID = f"[+-]?[0-9]{{1,{PID_WIDTH}}}+(?![0-9])"
_USUAL_LINE = 100  # bytes of a message that many are not longer than


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands in the line as written."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Conversion:
    """A place where the line's own text is taken; `name` is empty where it is not kept."""

    kind: FieldType
    name: str = ""


Element = Literal | Conversion


@dataclass(slots=True)
class Block:
    """Literal text and tokens between two gaps, in the end one expression."""

    elements: list[Element] = field(default_factory=list)

    @property
    def has_tokens(self) -> bool:
        return any(isinstance(e, Conversion) for e in self.elements)

    @property
    def is_uneven(self) -> bool:
        """Whether the block, begun further right, could end further left (an address does, and 0x1f read as %i from its 1)."""
        return any(isinstance(e, Conversion) and (e.kind.address or e.kind.uneven) for e in self.elements)

    @property
    def has_address(self) -> bool:
        return any(isinstance(e, Conversion) and e.kind.address for e in self.elements)

    @property
    def guard(self) -> int:
        """Bytes between free text and the block's address that an address could hold, as in %s:%s; 0: there are none."""
        first, second = [*self.elements, None, None][:2]
        if not isinstance(first, Literal) or not isinstance(second, Conversion) or not second.kind.address:
            return 0
        return len(first.text) if _ADDRESS_TEXT.match(first.text) else 0

    @property
    def widest(self) -> int:
        """More bytes than the block and what it looks at behind itself can take."""
        return sum(len(e.text) if isinstance(e, Literal) else WIDEST_TOKEN for e in self.elements) + 2

    def coarse(self) -> str:
        """The block for an engine that scans many lines, without lookaround; it takes what the block takes, or more."""
        return "".join(re.escape(e.text.decode("latin-1")) if isinstance(e, Literal) else e.kind.coarse for e in self.elements)

    def expression(self) -> str:
        """The block for `re`, each kept token a group; an address is as long as the block allows, whatever comes after it."""
        parts = []
        for index, element in enumerate(self.elements):
            follower = self.elements[index + 1] if index + 1 < len(self.elements) else None
            parts.append(expression(element, follower, after_free_text=index == 0))
        return "".join(parts)


def expression(element: Element, follower: Element | None, *, after_free_text: bool) -> str:
    """Literal text or a token for `re`, where `follower` stands behind it in its block; a kept token is a group."""
    if isinstance(element, Literal):
        return re.escape(element.text.decode("latin-1"))
    kind = element.kind
    colon = isinstance(follower, Literal) and follower.text.startswith(b":")
    token = kind.colon if colon and kind.colon else kind.expression
    if element.name:
        token = f"({token})"
    return kind.before + token if after_free_text else token


@dataclass(slots=True)
class Gap:
    """Free text of one character or more between two blocks."""

    kind: FieldType
    name: str
    greedy: bool = False

    def expression(self, *, rest: bool = False) -> str:
        """For `re`; with `rest` the line's end comes next, so that there is nothing to choose."""
        one = f"[^{self.kind.excludes}]" if self.kind.excludes else "."
        free = one + ("+" if self.greedy or rest else "+?")
        return f"({free})" if self.name else free

    def coarse(self) -> str:
        """As `expression`, for an engine that scans many lines."""
        return f"[^{self.kind.excludes}\\n]+" if self.kind.excludes else r"[^\n]+"


class Form:
    """A compiled pattern; `logtrigger.rule.Pattern` says what callers may use.

    Args:
        text: the pattern as written.
        elements: what it consists of; two gaps never stand side by side.
        nocase: ASCII letters match in either case.
        anchor: what the pattern must begin at; where it is any, it matches only where the line it is given begins.
    """

    def __init__(self, text: str, elements: Sequence[Element], *, nocase: bool = False, anchor: Anchor = "") -> None:
        self.text = text
        self.nocase = nocase
        self.anchor = anchor
        self.elements = tuple(elements)
        kept = [e for e in elements if isinstance(e, Conversion) and e.name]
        self.fields = tuple(c.name for c in kept)
        self.types = tuple(c.kind.name for c in kept)
        self.literals = tuple(e.text for e in elements if isinstance(e, Literal))
        self.literal = max(self.literals, key=len, default=b"")
        self.normalisers = tuple(c.kind.normalise for c in kept)
        self._normalise = [(i, normalise) for i, normalise in enumerate(self.normalisers) if normalise]
        self._blocks, self._gaps = _cut(elements)
        self._flags = re.DOTALL | (re.IGNORECASE if nocase else 0)
        self.tag = _tag(self.elements) if anchor == "tag" else b""
        self._prepare()

    def __repr__(self) -> str:
        return f"<pattern {self.text!r}>"

    def match(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """The captures of the line data[start:end], normalised, in the order of `fields`; None where it does not match.

        White space at the line's end does not count. Costs time linear in the line's length.
        """
        while end > start and data[end - 1] in WHITE:
            end -= 1
        values = self.captures(data, start, end)
        if values is None or not self._normalise:
            return values
        normal = list(values)
        for index, normalise in self._normalise:
            normal[index] = normalise(normal[index])
        return normal

    def match_linear(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """The same captures before normalisation, by the linear way; `end` excludes trailing white space."""
        return self._layout.captures(data, start, end)

    @cached_property
    def coarse(self) -> str:
        """An expression that every matching line matches, for an engine that scans many lines for many patterns at once.

        It ends at the line's end, or with the first character of free text that goes on to it, so that it is found once a line.
        """
        parts = [self._blocks[0].coarse()]
        for gap, block in zip(self._gaps, self._blocks[1:], strict=True):
            parts += [gap.coarse(), block.coarse()]
        rest = bool(self._gaps) and not self._blocks[-1].elements
        text = "".join(parts)
        return text.removesuffix("+") if rest else text + r"[ \t\r\f\x0b]*$"

    @cached_property
    def coarse_body(self) -> str:
        """The same without the tag that a pattern begins with: text of its own at the beginning is found quicker."""
        if not self.tag or not isinstance(begin := self.elements[2], Literal) or len(begin.text) < _DISTINCT:
            return ""
        return self.coarse[len(Block(list(self.elements[:2])).coarse()) :]

    def quick(self, head: bytes) -> re.Pattern[bytes] | None:
        """One expression for a line's header and the pattern behind it, with the captures as its groups.

        Args:
            head: an expression for headers, up to what the pattern is anchored at, else up to the message.

        Where it matches a line without trailing white space, `match` finds the same captures, not normalised yet; where it does
        not, nothing is said. None: this pattern has no such expression.
        """
        expression = self._behind_head()
        return None if expression is None else re.compile(head + expression.encode("latin-1"), self._flags)

    def body(self, kept: Sequence[int]) -> Body | None:
        """The pattern as a part of an expression for many lines at once, with the captures `kept` as its groups.

        None: there is none, or one that few lines are short enough for.
        """
        if not all(map(_stays_in_line, self.elements)):
            return None
        elements, checks, index = list[Element](), list[re.Pattern[bytes] | None](), -1
        for element, follower in zip(self.elements, [*self.elements[1:], None], strict=True):
            index += isinstance(element, Conversion) and bool(element.name)
            if isinstance(element, Conversion) and element.name and index in kept:
                loose, exact = _loose(element, follower)
                checks.append(re.compile(exact.encode("latin-1")) if exact else None)
                elements.append(loose)
            else:
                elements.append(Conversion(element.kind) if isinstance(element, Conversion) else element)
        if self.tag and isinstance(number := elements[1], Conversion):
            elements[1] = replace(number, kind=replace(number.kind, expression=_PID))
        form = Form(self.text, elements, nocase=self.nocase, anchor=self.anchor)
        expression = form._behind_head(_USUAL_LINE if self.anchor else _ANY_LENGTH)
        if expression is None:
            return None
        longest = None if form._longest == _ANY_LENGTH else form._longest
        return Body(expression.removesuffix(r"\Z").encode("latin-1"), tuple(checks), longest)

    def _behind_head(self, longest: int = _ANY_LENGTH) -> str | None:
        """The expression for the pattern where a header ends, or where its anchor is, that can be shown so much of a line."""
        first = self._blocks[0].elements[:1]
        if self.nocase or self._longest < longest or self._anchored and not self.anchor:
            return None
        if self.anchor:
            return self._expression
        # The leftmost place counts: only text that cannot stand in a header, or begin in it, is sought behind it.
        lead = first[0].text if first and isinstance(first[0], Literal) else b""
        if not _NO_HEADER.search(lead) or _TAG_END.match(lead) or lead.startswith(b" "):
            return None
        block = self._settled(0)
        rest = self._expression.removeprefix(block)
        return f".*?{block}{rest}" if self._restarts else f"(?>.*?{block}){rest}"

    def captures(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """As `match`, before normalisation; `end` excludes trailing white space."""
        lead = self._lead
        at = start if self.anchor or lead is None else data.find(lead, start, end)
        while at >= 0:
            if end - at > self._longest:
                return self.match_linear(data, start, end)
            found = self._whole.match(data, at, end)
            if found:
                return found.groups()
            if not self._restarts and (self._head is None or self._head.match(data, at, end)):
                return None  # a later beginning leaves less text to the gaps: it cannot do better
            at = data.find(lead, at + 1, end) if lead and not self.anchor else -1
        return None

    def _prepare(self) -> None:
        first, gaps = self._blocks[0], self._gaps
        last_address = max((i for i, b in enumerate(self._blocks) if b.has_address), default=-1)
        for index, gap in enumerate(gaps):
            gap.greedy = index < last_address
        # Where the match may begin: at a literal that `find` finds, at the line's beginning, or where the expression says.
        self._lead: bytes | None = None
        anchored = self._anchored = bool(self.anchor) or not (first.elements or gaps and gaps[0].kind.excludes)
        if not anchored and not self.nocase and first.elements and isinstance(first.elements[0], Literal):
            self._lead = first.elements[0].text
        self._restarts = not gaps or bool(gaps[0].kind.excludes) or first.is_uneven
        seeking = self._lead is None and not anchored
        whole = f".*?{self._settled(0)}" if seeking else self._settled(0)
        if seeking and not self._restarts:
            whole = f"(?>{whole})"
        free = int(self._restarts and bool(gaps) and not anchored)  # places where backtracking may have to choose
        for index, gap in enumerate(gaps):
            piece = gap.expression(rest=self._is_rest(index)) + self._settled(index + 1)
            final = self._is_final(index)
            whole += f"(?>{piece})" if final else piece
            takes_rest = self._is_rest(index) and not gap.kind.excludes
            free += not takes_rest and (not final or free > 0)
        self._expression = whole + r"\Z"
        self._longest = _ANY_LENGTH if free <= 1 else int(_STEPS ** (1 / free))
        if any(block.guard for block in self._blocks):
            self._longest = -1

    def _settled(self, index: int) -> str:
        """The expression of a block; one before the last takes what it takes, as the linear way has it."""
        block = self._blocks[index]
        return f"(?>{block.expression()})" if block.is_uneven and index < len(self._gaps) else block.expression()

    # Compiled when a line first asks for it: that costs milliseconds, and most rules of a large configuration never see a line.

    @cached_property
    def _whole(self) -> re.Pattern[bytes]:
        return re.compile(self._expression.encode("latin-1"), self._flags)

    @cached_property
    def _head(self) -> re.Pattern[bytes] | None:
        first = self._blocks[0]
        return re.compile(first.expression().encode("latin-1"), self._flags) if first.has_tokens else None

    @cached_property
    def _layout(self) -> layout.Layout:
        return layout.Layout(self._blocks, self._gaps, self._flags, self._anchored)

    def _is_rest(self, index: int) -> bool:
        return index == len(self._gaps) - 1 and not self._blocks[-1].elements

    def _is_final(self, index: int) -> bool:
        """Whether the nearest place for the block behind gap `index` can be taken for good: no later one would do better."""
        gap, block = self._gaps[index], self._blocks[index + 1]
        following = self._gaps[index + 1 : index + 2]
        if following and _ends_once(gap, block):
            return True
        return bool(following) and not (gap.greedy or gap.kind.excludes or following[0].kind.excludes or block.is_uneven)


def _ends_once(gap: Gap, block: Block) -> bool:
    """Whether a gap can only end in one place, as a word does before a blank."""
    first = block.elements[0] if block.elements else None
    if not gap.kind.excludes or not isinstance(first, Literal) or block.is_uneven:
        return False
    return re.match(f"[{gap.kind.excludes}]".encode(), first.text) is not None


def _tag(elements: Sequence[Element]) -> bytes:
    """The program, where a pattern begins with `program[`, a number and `]: `."""
    match elements[:3]:
        case [Literal(begin), Conversion(kind), Literal(end)] if kind.name == "int" and end.startswith(b"]: "):
            found = _TAG_BEGIN.match(begin)
            return found[1] if found else b""
    return b""


def _loose(conversion: Conversion, follower: Element | None) -> tuple[Conversion, str]:
    """The conversion, taking as much text, or more where it is none of its type: quicker to try than an address. And what takes
    only what is one.

    That holds where the text is sure to end with the last character that an address could have.
    """
    kind, expression = conversion.kind, ""
    if isinstance(follower, Literal) and follower.text.startswith(b":"):
        expression = kind.loose_colon
    elif follower is None or isinstance(follower, Literal) and not ADDRESS_LETTER.match(follower.text):
        expression = kind.loose
    if not expression:
        return conversion, ""
    exact = kind.colon if expression is kind.loose_colon else kind.expression
    return replace(conversion, kind=replace(kind, expression=expression, colon="")), exact


def _stays_in_line(element: Element) -> bool:
    """Whether its expression matches no line feed."""
    if isinstance(element, Literal):
        return b"\n" not in element.text
    kind = element.kind
    if kind.is_gap:
        return not (kind.excludes and re.match(f"[^{kind.excludes}]", "\n"))
    return r"\s" not in kind.expression and r"\x00" not in kind.expression


def _cut(elements: Sequence[Element]) -> tuple[list[Block], list[Gap]]:
    """The row of blocks, one more than there are gaps; the first and the last may be empty."""
    blocks, gaps = [Block()], list[Gap]()
    for element in elements:
        if isinstance(element, Conversion) and element.kind.is_gap:
            gaps.append(Gap(element.kind, element.name))
            blocks.append(Block())
        else:
            blocks[-1].elements.append(element)
    return blocks, gaps
