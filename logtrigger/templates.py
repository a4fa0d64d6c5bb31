"""Texts with fields in braces, `{user} from {ip}`: the one small syntax of everything that is told to somebody.

A brace itself is written twice, `{{` and `}}`. What is inserted is escaped for where it goes: see the functions below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from logtrigger.errors import PatternError
from logtrigger.text import safe_text

Escape = Callable[[str], str]

_PIECES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LONGEST_LINE = 900  # bytes of a header or a syslog field; RFC 5322, 2.1.1 has 998 for a line


class Template:
    """A compiled text.

    >>> Template("{user}: {{{ip}}}").render({"user": "bob", "ip": "192.0.2.7"})
    'bob: {192.0.2.7}'

    Raises:
        PatternError: a brace is left open or no name stands in it; the column counts from 1.
    """

    __slots__ = ("_parts", "names", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts: list[tuple[str, str]] = []  # text, and the name behind it; "" for none
        begin, literal = 0, ""
        for found in _PIECES.finditer(text):
            literal += text[begin : found.start()]
            begin = found.end()
            if found[0] in ("{{", "}}"):
                literal += found[0][0]
                continue
            self._parts.append((literal, _name(found)))
            literal = ""
        self._parts.append((literal + text[begin:], ""))
        self.names = frozenset(name for _, name in self._parts if name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def check(self, known: Iterable[str]) -> None:
        """Raises PatternError where a name is not among those known."""
        known = list(known)
        for name in sorted(self.names.difference(known)):
            import difflib  # only for who has made a mistake

            near = difflib.get_close_matches(name, known, 1)
            remedy = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(sorted(known))}"
            raise PatternError(f"there is no field '{name}'", remedy, self.text.index(f"{{{name}}}") + 1)

    def render(self, values: Mapping[str, str], escape: Escape = str) -> str:
        """The text with its fields; one without a value is empty. Only what is inserted is escaped."""
        return "".join(f"{text}{escape(values.get(name, '')) if name else ''}" for text, name in self._parts)


def _name(found: re.Match[str]) -> str:
    column = found.start() + 1
    if found[1] is None:
        twice = found[0] * 2
        raise PatternError(f"'{found[0]}' stands alone", f"write a field as {{ip}}, or {twice} for the character", column)
    if not _NAME.match(found[1]):
        raise PatternError(f"'{found[1]}' is no name of a field", "write one such as {ip}", column)
    return found[1]


def one_line(value: str) -> str:
    """For a header or a line of a log: no line end can begin a second one (RFC 5322, 2.2), and it is not endless.

    >>> one_line("root\\r\\nBcc: all@example.org")
    'root Bcc: all@example.org'
    """
    return safe_text(" ".join(value.split()))[:_LONGEST_LINE]


def unbroken(value: str) -> str:
    """For a line of a file or a datagram: as it is, but without anything that could end the line.

    >>> unbroken("a  b" + chr(10) + "c")
    'a  b c'
    """
    return value if value.isprintable() else "".join(c if c.isprintable() else " " for c in value)


def in_json(value: str) -> str:
    """For a string inside JSON (RFC 8259, 7), without its quotes.

    >>> in_json('say "x"')
    'say \\\\"x\\\\"'
    """
    import json

    return json.dumps(value)[1:-1]


def in_form(value: str) -> str:
    """For a value of a form, as application/x-www-form-urlencoded (WHATWG URL, 5.2).

    >>> in_form("bob&admin=1")
    'bob%26admin%3D1'
    """
    from urllib.parse import quote_plus

    return quote_plus(value)


def in_markup(value: str) -> str:
    """For text or an attribute in XML or HTML.

    >>> in_markup('<b a="">')
    '&lt;b a=&quot;&quot;&gt;'
    """
    from html import escape

    return escape(value)


def escape_for(content_type: str) -> Escape:
    """How a value is written into a body of this type (RFC 9110, 8.3); JSON where we know no better.

    >>> escape_for("text/plain; charset=utf-8")('say "x"'), escape_for("application/json")('say "x"')
    ('say "x"', 'say \\\\"x\\\\"')
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return in_form
    if kind.endswith(("xml", "html")):
        return in_markup
    return str if kind == "text/plain" else in_json
