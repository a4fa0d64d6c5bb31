"""Patterns in the syntax of the `parse` package: "Failed password for {user} from {ip:ip} port {port:d}{}".

`parse` fixes the syntax and the type codes; how a line is read is the same as for scanf patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from logtrigger.errors import PatternError
from logtrigger.patterns.form import Conversion, Element, Form, Literal
from logtrigger.patterns.pattern import Anchor
from logtrigger.patterns.scanf import TAG, anchored, check_name, without_trailing_blanks
from logtrigger.patterns.types import CONVERSIONS, FIELD_TYPES, FieldType

_FIELD = re.compile(r"\{(?P<name>[^{}:!]*)(?P<conversion>![^{}:]*)?(?::(?P<spec>[^{}]*))?\}")
# [[fill]align][sign][0][width][grouping][.precision][type]
_LAYOUT = re.compile(r"(?:.?[<>=^])?[+ -]?0?[0-9]*[,_]?(?:\.[0-9]+)?(?P<code>[^0-9<>=^.]*)\Z")
_TAG = re.compile(TAG.pattern.replace("%d", r"\{[A-Za-z0-9_]*:(?:d|int)\}"))

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


def _number(name: str, expression: str, before: str = _BEFORE, *, uneven: bool = False) -> FieldType:
    """A number; it takes all it can, whatever the rest of the pattern would like."""
    return FieldType(name, f"(?>[+-]?(?:{expression}))", before, uneven=uneven)


def _time(code: str, expression: str) -> FieldType:
    """A date or time, parts of which may be missing."""
    return FieldType(code, f"(?:{expression})(?![0-9])", _BEFORE, uneven=True)


_EXPONENT = "[eE](?:-[0-9]{1,9}|[+]?[12]?[0-9]{1,2})(?![0-9])"  # what keeps eight digits before it finite
_FIXED = _number("float", rf"[0-9]{{0,200}}\.{_DIGITS}(?![0-9])")
_EXPONENTIAL = _number("float", rf"[0-9]{{0,8}}\.{_DIGITS}{_EXPONENT}")
_GENERAL = CONVERSIONS["f"]
_HEX = _number("hex", CONVERSIONS["x"].expression, CONVERSIONS["x"].before)

# The type codes that `parse` documents, https://github.com/r1chardj0n3s/parse#format-specification; numbers are finite.
CODES = {
    "l": _gap("l", r"\x00-@\[-`{-\xff"),
    "w": _gap("w", r"\x00-/:-@\[-^`{-\xff"),
    "W": _gap("W", "0-9A-Za-z_"),
    "s": _gap("s", r"\x00-\x08\x0e-\x1f!-\xff"),
    "S": _gap("S", r" \t\r\n\f\x0b"),
    "D": _gap("D", "0-9"),
    "d": _number(
        "int",
        rf"0[xX][0-9A-Fa-f]{{1,400}}+(?![0-9A-Fa-f])|0[bB][01]{{1,400}}+(?![0-9])|0[oO][0-7]{{1,400}}+(?![0-9])"
        rf"|{_DIGITS}(?![0-9])",
        uneven=True,
    ),
    "n": _number("n", "[0-9]{1,3}(?:[,.][0-9]{3}){0,100}(?![0-9])"),
    "%": _number("%", rf"{_DIGITS}(?:\.{_DIGITS})?%"),
    "e": _EXPONENTIAL,
    "E": _EXPONENTIAL,
    "f": _FIXED,
    "F": _FIXED,
    "g": _GENERAL,
    "G": _GENERAL,
    "b": _number("binary", CONVERSIONS["b"].expression),
    "o": _number("octal", "(?:0[oO])?[0-7]{1,400}+(?![0-9])"),
    "x": _HEX,
    "X": _HEX,
    "ti": _time(
        "ti", rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:(?:\s{{1,4}}|T){_CLOCK})?(?:Z|\s{{0,4}}[+-][0-9]{{2}}:?[0-9]{{2}})?"
    ),
    "te": _time("te", rf"(?:{_DAY},\s{{1,4}})?[0-9]{{1,2}}\s{{1,4}}{_MONTH}\s{{1,4}}[0-9]{{4}}\s{{1,4}}{_CLOCK}{_ZONE}"),
    "ta": _time("ta", rf"(?:[0-9]{{1,2}}|{_LONG_MONTH})[-/][0-9]{{1,2}}[-/][0-9]{{4}}(?:\s{{1,4}}{_CLOCK})?{_HALF}{_ZONE}?"),
    "tg": _time("tg", rf"[0-9]{{1,2}}[-/](?:[0-9]{{1,2}}|{_LONG_MONTH})[-/][0-9]{{4}}(?:\s{{1,4}}{_CLOCK})?{_HALF}{_ZONE}?"),
    "th": _time("th", rf"[0-9]{{1,2}}[-/]{_MONTH}[-/][0-9]{{4}}:{_CLOCK}{_ZONE}"),
    "ts": _time("ts", rf"{_MONTH}\s{{1,4}}[0-9]{{1,2}}\s{{1,4}}[0-9]{{1,2}}:[0-9]{{1,2}}:[0-9]{{1,2}}"),
    "tt": _time("tt", rf"{_CLOCK}{_HALF}{_ZONE}?"),
    "tc": _time("tc", rf"{_DAY}\s{{1,4}}{_MONTH}\s{{1,4}}[0-9]{{1,2}}\s{{1,4}}{_CLOCK}\s{{1,4}}[0-9]{{4}}"),
}
_KNOWN = {**CODES, **FIELD_TYPES}


def compile(text: str, fields: Sequence[str] = (), *, nocase: bool = False, anchor: Anchor = "") -> Form:
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
    if not text.strip():
        raise PatternError("the format is empty", "write the text to look for")
    elements = without_trailing_blanks(list(_elements(text)))
    return Form(text, elements, nocase=nocase, anchor=anchored(anchor, bool(_TAG.match(text))))


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
                yield Literal(literal.encode("utf-8", "surrogateescape"))
            elif after_gap and conversion.kind.is_gap:
                fault = "two fields of free text with nothing between them"
                raise PatternError(fault, "where would the first one end? write one field", position + 1)
            yield conversion
            literal, position, after_gap = "", end, conversion.kind.is_gap
    if literal:
        yield Literal(literal.encode("utf-8", "surrogateescape"))


def _conversion(text: str, position: int, seen: set[str]) -> tuple[Conversion, int]:
    """The field that begins at `position`, and where it ends."""
    found = _FIELD.match(text, position)
    column = position + 1
    if not found:
        raise PatternError(f"a lone '{text[position]}'", f"write {text[position] * 2} for the character itself", column)
    name, spec = found["name"], found["spec"] or ""
    if found["conversion"]:
        write = f"{{{name}:{spec}}}" if spec else f"{{{name}}}"
        raise PatternError(f"'{found['conversion']}' is not known", f"write {write}", found.start("conversion") + 1)
    if name:
        check_name(name, column + 1)
        if name in seen:
            raise PatternError(f"the field '{name}' is named twice", "give each field a name of its own", column + 1)
        seen.add(name)
    return Conversion(_kind(name, spec, found.start("spec") + 1), name), found.end()


def _kind(name: str, spec: str, column: int) -> FieldType:
    """The type that a field's specification names; `column` is where that begins."""
    if not spec:
        return FIELD_TYPES["ip" if name == "ip" else "text"]
    if spec in _KNOWN:
        return _KNOWN[spec]
    if "%" in spec[:-1]:
        raise PatternError(
            f"'{spec}' is a time format", "write a code such as ti (ISO 8601), ts (syslog) or th (HTTP log)", column
        )
    laid_out = _LAYOUT.match(spec)
    code = laid_out["code"] if laid_out else spec
    if code != spec and (not code or code in _KNOWN):
        write = f"{{{name}:{code}}}" if code else f"{{{name}}}"
        raise PatternError(f"'{spec}' has alignment, sign, width, grouping or precision", f"write {write}", column)
    import difflib  # loaded for a mistake only

    near = difflib.get_close_matches(spec, FIELD_TYPES, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"types are {', '.join(_KNOWN)}"
    raise PatternError(f"unknown type '{spec}'", hint, column)
