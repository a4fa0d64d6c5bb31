"""Patterns in the manner of scanf(3): literal text with conversions such as %s and %d."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from logtrigger.errors import PatternError
from logtrigger.patterns.form import Conversion, Element, Form, Literal
from logtrigger.patterns.pattern import Anchor
from logtrigger.patterns.types import CONVERSIONS, FIELD_TYPES, FieldType

_LETTERS = "".join(CONVERSIONS)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# A pattern that begins with a program's tag, as syslog writes it.
TAG = re.compile(r"[A-Za-z0-9_./()@+-]+\[%d\]: ")
_LENGTH_MODIFIERS = "hlLqjzt"


def compile(text: str, fields: Sequence[str] = (), *, nocase: bool = False, anchor: Anchor = "") -> Form:
    """A pattern and the names of its conversions in order, compiled.

    Each of `fields` is `name`, `name:type`, or `-` for a conversion whose text is not kept; conversions without one are not
    kept either. A field called `ip` is of type ip unless said otherwise.

    >>> pattern = compile("Failed password for %s from %s port %d ssh2", ["user", "ip", "port"])
    >>> line = b"sshd[7]: Failed password for root from 9.9.9.9 from 192.0.2.7 port 22 ssh2"
    >>> dict(zip(pattern.fields, pattern.match(line, 0, len(line))))
    {'user': b'root from 9.9.9.9', 'ip': b'192.0.2.7', 'port': b'22'}

    Raises:
        PatternError: an unknown conversion (with its column), more fields than conversions, a bad field.
    """
    pieces = list(_pieces(text))
    letters = [piece for piece, is_conversion in pieces if is_conversion]
    if not letters and not any(piece.strip() for piece, _ in pieces):
        raise PatternError("the pattern is empty", "write the text to look for")
    conversions = iter(list(_conversions(letters, fields)))  # all of them now: a field too many is found at once
    elements: list[Element] = []
    for piece, is_conversion in pieces:
        elements.append(next(conversions) if is_conversion else Literal(piece.encode("utf-8", "surrogateescape")))
    return Form(text, without_trailing_blanks(elements), nocase=nocase, anchor=anchored(anchor, bool(TAG.match(text))))


def anchored(anchor: Anchor, has_tag: bool) -> Anchor:
    """Where a pattern must begin, which may itself begin with a program's tag.

    Raises:
        PatternError: it is to begin elsewhere.
    """
    if has_tag and anchor:
        raise PatternError("the pattern begins with a program's tag", "leave it out: a message begins behind it", 1)
    return "tag" if has_tag else anchor


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """The literal texts, and the letters of the conversions (True) between them."""
    literal, position, after_gap = "", 0, False
    while (percent := text.find("%", position)) >= 0:
        literal += text[position:percent]
        letter, position = text[percent + 1 : percent + 2], percent + 2
        if letter == "%":
            literal += "%"
            continue
        if letter not in CONVERSIONS or not letter:
            raise _unknown(text, percent)
        if literal:
            yield literal, False
        elif letter == "s" and after_gap:
            raise PatternError("two %s with nothing between them", "where would the first one end? write one %s", percent + 1)
        yield letter, True
        literal, after_gap = "", letter == "s"
    literal += text[position:]
    if literal:
        yield literal, False


def _unknown(text: str, percent: int) -> PatternError:
    """What is wrong with the conversion at `percent`, and what to write."""
    what = re.match(r"%(\*?)(\d*)(.?)", text[percent:], re.DOTALL)
    assert what is not None  # it begins with a percent sign
    star, width, letter = what.groups()
    column = percent + 1
    if star:
        return PatternError("'%*' is not known", "write the conversion without '*' and name its field '-'", column)
    if width:
        return PatternError(f"'%{width}' has a width", f"write %{letter or 's'}", column)
    if letter == "[":
        return PatternError("'%[' is not known", "write %s, and give its field a type such as word", column)
    if letter in ("", " "):
        return PatternError("a lone '%'", "write %% for a percent sign", column)
    if letter in _LENGTH_MODIFIERS:
        return PatternError(f"'%{letter}' is not known", "a number of any size is %d", column)
    return PatternError(f"'%{letter}' is not known", f"conversions are %{' %'.join(_LETTERS)}; %% is a percent sign", column)


def _conversions(letters: Sequence[str], fields: Sequence[str]) -> Iterator[Conversion]:
    if len(fields) > len(letters):
        raise PatternError(
            f"{len(fields)} field{'s' * (len(fields) != 1)} but {len(letters)} conversion{'s' * (len(letters) != 1)}",
            f"'{fields[len(letters)]}' has none; drop it or add a conversion",
        )
    seen: set[str] = set()
    for letter, text in zip(letters, [*fields, *["-"] * (len(letters) - len(fields))], strict=True):
        name, _, kind_name = text.partition(":")
        if name == "-" and not kind_name:
            yield Conversion(CONVERSIONS[letter])
            continue
        check_name(name)
        if name in seen:
            raise PatternError(f"the field '{name}' is named twice", "give each conversion a name of its own, or '-'")
        seen.add(name)
        yield Conversion(_kind(letter, name, kind_name, ":" in text), name)


def check_name(name: str, column: int | None = None) -> None:
    """Raises PatternError unless LT_ and the name make a variable of a shell."""
    if not _NAME.match(name):
        raise PatternError(f"'{name}' is no field name", "letters, digits and _, not beginning with a digit", column)


def kind_called(kind_name: str, field: str) -> FieldType:
    """The field type of this name. Raises PatternError with what could be meant."""
    if kind_name in FIELD_TYPES:
        return FIELD_TYPES[kind_name]
    import difflib  # loaded for a mistake only

    near = difflib.get_close_matches(kind_name, FIELD_TYPES, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"types are {', '.join(FIELD_TYPES)}"
    raise PatternError(f"unknown type '{kind_name}' of field '{field}'", hint)


def _kind(letter: str, name: str, kind_name: str, given: bool) -> FieldType:
    """The type of a conversion: what its letter takes, narrowed by the field's type."""
    if not given:
        return FIELD_TYPES["ip"] if name == "ip" and letter == "s" else CONVERSIONS[letter]
    kind = kind_called(kind_name, name)
    if letter not in kind.conversions and kind.name != "text":
        raise PatternError(f"%{letter} cannot hold the type '{kind_name}' of field '{name}'", "write %s in the pattern")
    wider = kind.name == "text" or (kind.name == "int" and letter != "s")
    return CONVERSIONS[letter] if wider else kind


def without_trailing_blanks(elements: Sequence[Element]) -> list[Element]:
    """White space at the end of a line does not count, so it does not count at the end of a pattern."""
    last = elements[-1]
    if not isinstance(last, Literal):
        return list(elements)
    text = last.text.rstrip()
    return [*elements[:-1], Literal(text)] if text else list(elements[:-1])
