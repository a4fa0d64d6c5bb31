"""Patterns in the syntax of the `parse` package: "Failed password for {user} from {ip:ip} port {port:d}{}".

`parse` fixes the syntax and the type codes; how a line is read is the same as for scanf patterns.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from logtrigger.errors import PatternError
from logtrigger.patterns.form import Conversion, Element, Form, Literal
from logtrigger.patterns.scanf import TAG, check_name, without_trailing_blanks
from logtrigger.patterns.types import CONVERSIONS, FIELD_TYPES, FieldType

_FIELD = re.compile(r"\{(?P<name>[^{}:!]*)(?P<conversion>![^{}:]*)?(?::(?P<spec>[^{}]*))?\}")
_LAYOUT = re.compile(
    r"(?:.?[<>=^])?0?[0-9]*(?:\.[0-9]+)?(?P<code>[^0-9<>=^.]*)\Z"
)  # alignment, width, precision, then the code

_DIGITS = "[0-9]{1,400}+"
_ZONE = r"(?:\s{1,4}[+-][0-9]{1,2}:?[0-9]{2})"
_CLOCK = r"[0-9]{1,2}:[0-9]{1,2}(?::[0-9]{1,2}(?:\.[0-9]{1,9})?)?"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_LONG_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December|" + _MONTH[3:]
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_HALF = r"(?:\s{1,4}[AP]M)?"
_BEFORE = "(?<![0-9])"


def _gap(code: str, excludes: str) -> FieldType:
    return FieldType(code, excludes=excludes)


def _token(code: str, expression: str, before: str = _BEFORE) -> FieldType:
    return FieldType(code, expression, before)


# The type codes that `parse` documents, https://github.com/r1chardj0n3s/parse#format-specification
CODES = {
    "l": _gap("l", r"\x00-@\[-`{-\xff"),
    "w": _gap("w", r"\x00-/:-@\[-^`{-\xff"),
    "W": _gap("W", "0-9A-Za-z_"),
    "s": _gap("s", r"\x00-\x08\x0e-\x1f!-\xff"),
    "S": _gap("S", r" \t\r\n\f\v"),
    "D": _gap("D", "0-9"),
    "d": _token("int", rf"[+-]?(?:0[xX][0-9A-Fa-f]{{1,400}}+|0[bB][01]{{1,400}}+|0[oO][0-7]{{1,400}}+|{_DIGITS})(?![0-9])"),
    "n": _token("n", r"[+-]?[0-9]{1,3}(?:[,.][0-9]{3}){0,100}(?![0-9])"),
    "%": _token("%", rf"[+-]?{_DIGITS}(?:\.{_DIGITS})?%"),
    "e": _token("float", rf"[+-]?[0-9]{{0,8}}\.{_DIGITS}[eE][+-]?[0-9]{{1,2}}(?![0-9])"),
    "f": _token("float", rf"[+-]?[0-9]{{0,200}}\.{_DIGITS}"),
    "F": _token("float", rf"[+-]?[0-9]{{0,200}}\.{_DIGITS}"),
    "g": CONVERSIONS["f"],
    "b": CONVERSIONS["b"],
    "o": _token("o", r"(?:0[oO])?[0-7]{1,400}+(?![0-9])"),
    "x": CONVERSIONS["x"],
    "ti": _token(
        "ti",
        rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:(?:\s{{1,4}}|T){_CLOCK})?(?:Z|\s{{0,4}}[+-][0-9]{{2}}:?[0-9]{{2}})?",
    ),
    "te": _token("te", rf"(?:{_DAY},\s{{1,4}})?[0-9]{{1,2}}\s{{1,4}}{_MONTH}\s{{1,4}}[0-9]{{4}}\s{{1,4}}{_CLOCK}{_ZONE}", ""),
    "ta": _token(
        "ta", rf"(?:[0-9]{{1,2}}|{_LONG_MONTH})[-/][0-9]{{1,2}}[-/][0-9]{{4}}(?:\s{{1,4}}{_CLOCK})?{_HALF}{_ZONE}?", ""
    ),
    "tg": _token("tg", rf"[0-9]{{1,2}}[-/](?:[0-9]{{1,2}}|{_LONG_MONTH})[-/][0-9]{{4}}(?:\s{{1,4}}{_CLOCK})?{_HALF}{_ZONE}?"),
    "th": _token("th", rf"[0-9]{{1,2}}[-/]{_MONTH}[-/][0-9]{{4}}:{_CLOCK}{_ZONE}"),
    "ts": _token("ts", rf"{_MONTH}\s{{1,4}}[0-9]{{1,2}}\s{{1,4}}[0-9]{{1,2}}:[0-9]{{1,2}}:[0-9]{{1,2}}", ""),
    "tt": _token("tt", rf"{_CLOCK}{_HALF}{_ZONE}?"),
    "tc": _token("tc", rf"{_DAY}\s{{1,4}}{_MONTH}\s{{1,4}}[0-9]{{1,2}}\s{{1,4}}{_CLOCK}\s{{1,4}}[0-9]{{4}}", ""),
}


def compile(text: str, fields: Sequence[str] = (), *, nocase: bool = False) -> Form:
    """A pattern in format syntax, compiled.

    Fields are named in the pattern, so `fields` must be empty; `{}` takes text that is not kept. A field called `ip` is of type
    ip unless said otherwise.

    >>> pattern = compile("Failed password for {user} from {ip} port {port:d}{}")
    >>> line = b"Failed password for root from 192.0.2.7 port 22 ssh2"
    >>> dict(zip(pattern.fields, pattern.match(line, 0, len(line))))
    {'user': b'root', 'ip': b'192.0.2.7', 'port': b'22'}

    Raises:
        PatternError: what `parse` would refuse, or we do, with its column.
    """
    if fields:
        raise PatternError("a format names its fields itself", "drop option fields, and write {name} in the format")
    elements = list(_elements(text))
    if not elements:
        raise PatternError("the format is empty", "write the text to look for")
    return Form(text, without_trailing_blanks(elements), nocase=nocase, tagged=bool(TAG.match(_as_scanf(text))))


def _elements(text: str) -> Iterator[Element]:
    literal, position, after_gap = "", 0, False
    seen: set[str] = set()
    while position < len(text):
        if text[position : position + 2] in ("{{", "}}"):
            literal, position = literal + text[position], position + 2
        elif text[position] not in "{}":
            literal, position = literal + text[position], position + 1
        else:
            conversion, end = _conversion(text, position, seen)
            if literal:
                yield Literal(literal.encode())
            elif after_gap and conversion.kind.is_gap:
                fault = "two fields of free text with nothing between them"
                raise PatternError(fault, "where would the first one end? write one field", position + 1)
            yield conversion
            literal, position, after_gap = "", end, conversion.kind.is_gap
    if literal:
        yield Literal(literal.encode())


def _conversion(text: str, position: int, seen: set[str]) -> tuple[Conversion, int]:
    """The field that begins at `position`, and where it ends."""
    found = _FIELD.match(text, position)
    column = position + 1
    if not found:
        raise PatternError(f"a lone '{text[position]}'", f"write {text[position] * 2} for the character itself", column)
    name, spec = found["name"], found["spec"] or ""
    if found["conversion"]:
        raise PatternError(f"'{found['conversion']}' is not known", f"write {{{name}}}", column)
    if name:
        check_name(name, column)
        if name in seen:
            raise PatternError(f"the field '{name}' is named twice", "give each field a name of its own", column)
        seen.add(name)
    return Conversion(_kind(name, spec, column), name), found.end()


def _kind(name: str, spec: str, column: int) -> FieldType:
    if not spec:
        return FIELD_TYPES["ip" if name == "ip" else "text"]
    kind = FIELD_TYPES.get(spec) or CODES.get(spec)
    if kind:
        return kind
    if "%" in spec[:-1]:
        raise PatternError(
            f"'{spec}' is a time format", "write a code such as ti (ISO 8601), ts (syslog) or th (HTTP log)", column
        )
    laid_out = _LAYOUT.match(spec)
    code = laid_out["code"] if laid_out else spec
    if code != spec and (not code or code in CODES):
        write = f"{{{name}:{code}}}" if code else f"{{{name}}}"
        raise PatternError(f"'{spec}' has alignment, width or precision", f"write {write}", column)
    known = [*FIELD_TYPES, *CODES]
    near = difflib.get_close_matches(spec, FIELD_TYPES, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"types are {', '.join(known)}"
    raise PatternError(f"unknown type '{spec}'", hint, column)


def _as_scanf(text: str) -> str:
    """The beginning as a scanf pattern would have it, to see whether it is a program's tag."""
    return re.sub(r"\[\{[A-Za-z0-9_]*:(?:d|int)\}\]", "[%d]", text, count=1)
