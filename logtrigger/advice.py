"""What would make a pattern match a line that it nearly matches: each advice is tried before it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from logtrigger.explain import Stop
from logtrigger.patterns.form import Conversion, Element, Form, Literal
from logtrigger.patterns.types import CONVERSIONS, FIELD_TYPES
from logtrigger.text import safe

_SHOWN = 20  # bytes of what stands where a pattern should have begun
_FREE = Conversion(FIELD_TYPES["text"])
_NUMBER = Conversion(CONVERSIONS["d"])
_NUMBERS = ("int", "number", "octal", "hex", "binary", "float", "port")
_PORT = re.compile(rb":[0-9]{1,5}(?![0-9])")
_ADDRESS = re.compile(FIELD_TYPES["ip"].expression.encode("latin-1"))
_SIGNS = re.compile(rb"[!-$&-/:-@\[-`{-~]{1,3}")  # of ASCII, without letters, digits and %
_PERCENT = re.compile(rb"%[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Writing:
    """How a syntax writes what an advice may propose."""

    text: str = "%s"
    number: str = "%d"
    percent: str = "%%"

    @classmethod
    def of(cls, syntax: str) -> Writing:
        """That of scanf or format."""
        return cls("{}", "{:d}", "%") if syntax == "format" else cls()


@dataclass(frozen=True, slots=True)
class _Case:
    """A line, and the pattern that stopped in it."""

    form: Form
    line: bytes
    begin: int  # where the pattern may begin
    stop: Stop
    writing: Writing

    @property
    def element(self) -> Element | None:
        """What was wanted; None: the line's end."""
        elements = self.form.elements
        return elements[self.stop.element] if self.stop.element < len(elements) else None

    @property
    def previous(self) -> Element | None:
        return self.form.elements[self.stop.element - 1] if self.stop.element else None

    @property
    def rest(self) -> bytes:
        """What stands from the place on where the pattern stopped."""
        return self.line[self.stop.at :].rstrip()

    def replaced(self, *new: Element) -> list[Element]:
        """The pattern's elements, other ones in place of what was wanted."""
        return [*self.form.elements[: self.stop.element], *new, *self.form.elements[self.stop.element + 1 :]]

    def inserted(self, *new: Element) -> list[Element]:
        """The pattern's elements, further ones before what was wanted."""
        return [*self.form.elements[: self.stop.element], *new, *self.form.elements[self.stop.element :]]

    def outcome(self, elements: Sequence[Element], *, nocase: bool = False) -> str:
        """What a pattern of these elements would come to; empty where it does not match either."""
        for tail, words in (
            ((), "then the line matches"),
            ((_FREE,), f"then, and with a final {self.writing.text}, it matches"),
        ):
            if self._matches([*elements, *tail], nocase=nocase):
                return words
        return ""

    def _matches(self, elements: Sequence[Element], *, nocase: bool) -> bool:
        if any(_is_gap(left) and _is_gap(right) for left, right in zip(elements, elements[1:], strict=False)):
            return False
        form = Form(self.form.text, elements, nocase=nocase or self.form.nocase, anchor=self.form.anchor)
        return form.match(self.line, self.begin, len(self.line)) is not None


def advice(form: Form, line: bytes, begin: int, stop: Stop, writing: Writing) -> str:
    """What to write instead, and what comes of it; empty where no usual slip explains the stop.

    Args:
        form: the pattern.
        line: a line that it does not match, without its line end.
        begin: where in the line it may begin.
        stop: where it stopped.
        writing: how its syntax writes conversions.
    """
    case = _Case(form, line, begin, stop, writing)
    return next((found for slip in SLIPS if (found := slip(case))), "")


def _not_at_tag(case: _Case) -> str:
    form = case.form
    if not form.anchor or Form(form.text, form.elements, nocase=form.nocase).match(case.line, 0, len(case.line)) is None:
        return ""
    if form.anchor != "tag":
        there = safe(case.line[case.begin : case.begin + _SHOWN]) or "nothing"
        return f"with option anchored a pattern begins where the message does, and there stands '{there}'"
    return "a pattern that begins with a program's tag matches at the line's own tag only, and that is another one"


def _other_case(case: _Case) -> str:
    outcome = case.outcome(case.form.elements, nocase=True)
    return f"capital and small letters differ: give --nocase; {outcome}" if outcome else ""


def _port_behind_address(case: _Case) -> str:
    port = (Literal(b":"), _NUMBER)
    if _is_address(case.previous) and _PORT.match(case.rest):
        elements = case.inserted(*port)
    elif case.element and _is_address(case.element):  # as 2001:db8::7:41002, which is no address as a whole
        elements = case.replaced(case.element, *port)
    else:
        return ""
    write = f"{case.writing.text}:{case.writing.number}"
    return _if(case.outcome(elements), f"a port stands behind the address: write {write}")


def _sign_behind_conversion(case: _Case) -> str:
    """A comma or the like behind what a conversion took, that the pattern lacks."""
    sign = _SIGNS.match(case.rest)
    if not sign or not isinstance(case.previous, Conversion) or case.element is None:
        return ""
    fault = f"'{safe(sign[0])}' stands there: write it in the pattern"
    return _if(case.outcome(case.inserted(Literal(sign[0]))), fault)


def _trailing_text(case: _Case) -> str:
    if case.element is not None or not case._matches([*case.form.elements, _FREE], nocase=False):
        return ""
    return f"a pattern must reach the line's end: with a final {case.writing.text} the line matches"


def _percent_meant(case: _Case) -> str:
    percent = _PERCENT.match(case.rest)
    if not percent or not isinstance(case.element, Conversion):
        return ""
    fault = f"the line has a percent sign there: write {case.writing.percent} for it"
    return _if(case.outcome(case.replaced(Literal(percent[0]))), fault)


def _text_for_number(case: _Case) -> str:
    if not isinstance(case.element, Conversion) or case.element.kind.name not in _NUMBERS:
        return ""
    return _if(case.outcome(case.replaced(_FREE)), f"no number stands there: write {case.writing.text}")


def _in_another_conversion(case: _Case) -> str:
    """The address stands where another conversion is: names go by order."""
    here, elements = case.stop.element, case.form.elements
    if not isinstance(case.element, Conversion) or not _is_address(case.element):
        return ""
    for there, other in enumerate(elements):
        if _is_gap(other):
            swapped = [_FREE if at == here else case.element if at == there else e for at, e in enumerate(elements)]
            if outcome := case.outcome(swapped):
                number = sum(isinstance(e, Conversion) for e in elements[: there + 1])
                return f"the address stands in conversion {number}: name that one {case.element.name} (- skips one); {outcome}"
    return ""


def _no_address(case: _Case) -> str:
    if not isinstance(case.element, Conversion) or case.element.kind.name not in ("ip", "net"):
        return ""
    name = case.element.name or "name"
    if address := _ADDRESS.search(case.rest.partition(b" ")[0]):
        lead = Literal(case.rest[: address.start()])
        return _if(
            case.outcome(case.inserted(lead)) if lead.text else "",
            f"'{safe(lead.text)}' stands before the address: write it in the pattern",
        )
    host = replace(case.element, kind=FIELD_TYPES["host"])
    fault = f"no IP address stands there: a field that takes host names too is {name}:host"
    if outcome := case.outcome(case.replaced(host)):
        return f"{fault}; {outcome}"
    return _if(case.outcome(case.replaced(_FREE)), f"no IP address stands there: a field that takes any text is {name}:text")


def _several_words(case: _Case) -> str:
    """A field of one word where several stand."""
    gap = case.previous
    if not isinstance(gap, Conversion) or not gap.kind.excludes:
        return ""
    at = case.stop.element - 1
    elements = [*case.form.elements[:at], _FREE, *case.form.elements[at + 1 :]]
    return _if(case.outcome(elements), f"more than fits the type {gap.kind.name} stands there: leave the type out")


def _other_signs(case: _Case) -> str:
    """Blanks or quotes of another kind than the pattern's: both are made alike, and tried again."""
    for fault, sign, alike in _ALIKE:
        line, begin = sign.sub(alike, case.line), len(sign.sub(alike, case.line[: case.begin]))
        elements = [Literal(sign.sub(alike, e.text)) if isinstance(e, Literal) else e for e in case.form.elements]
        if outcome := replace(case, line=line, begin=begin).outcome(elements):
            return f"{fault}: copy them from the line; {outcome}"
    return ""


_ALIKE = (
    ("blanks or tabs differ", re.compile(rb"\s+"), b" "),
    ("quotes of another kind stand there", re.compile('"|`|´|‘|’|“|”'.encode()), b"'"),
)


def _only_this_text(case: _Case) -> str:
    if not isinstance(case.element, Literal) or case.stop.found < case.stop.parts - 1:
        return ""
    return "the pattern's other parts are all there: compare this text with the line's"


def _if(outcome: str, fault: str) -> str:
    return f"{fault}; {outcome}" if outcome else ""


def _is_address(element: Element | None) -> bool:
    return isinstance(element, Conversion) and element.kind.address


def _is_gap(element: Element) -> bool:
    return isinstance(element, Conversion) and element.kind.is_gap


# The usual slips, the likeliest explanation first.
SLIPS: tuple[Callable[[_Case], str], ...] = (
    _not_at_tag,
    _port_behind_address,
    _sign_behind_conversion,
    _trailing_text,
    _other_case,
    _percent_meant,
    _text_for_number,
    _in_another_conversion,
    _no_address,
    _several_words,
    _other_signs,
    _only_this_text,
)
