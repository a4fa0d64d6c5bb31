"""UCI text, read as OpenWrt's `uci` reads it (libuci, file.c), into sections whose values know their file and line.

Stricter than `uci` where it would be silent: an empty value, a repeated option, words after a value are mistakes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from logtrigger.config.words import Report, shown, suggestion
from logtrigger.errors import Place

# Statement -> (fewest, most) words behind the keyword; a keyword may be cut to its first letter.
_STATEMENTS = {"package": (1, 1), "config": (1, 2), "option": (2, 2), "list": (2, 2)}
_LETTERS = {name[0]: name for name in _STATEMENTS}

_NAME = re.compile(r"[A-Za-z0-9_]+")
_BLANKS = re.compile(r"[ \t\r\v\f]*")
_REST_OF_LINE = re.compile(r"[^\n]*")
_PART = re.compile(
    r"""
      (?P<plain> [^ \t\r\v\f\n'"\\#;]+ )
    | ' (?P<single> [^']* ) '
    | " (?P<double> (?: [^"\\]++ | \\. )*+ ) "
    | \\ (?: \r?\n | (?P<escaped> .? ) )  # a backslash at the end of a line joins the next one
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:\r?\n|(.?))", re.DOTALL)
_KIND = {True: "a list", False: "an option"}
# A quote left open takes in the next statement and closes where that one's value opens.
_SWALLOWED = re.compile(r"\n[ \t]*(?:package|config|option|list|[pcol])[ \t]")
_VALUE_TEXT = re.compile(r"[^ \t\r\v\f\n\\#;]")
# Nearly every line: a keyword, a name, and one text in single quotes or with no mark in it. Read so, it costs a third.
_PLAIN = re.compile(
    r"""
    [ \t\n]* (?P<keyword> option | list | config )
    [ \t]+ (?P<name> [A-Za-z0-9_]+ )
    (?: [ \t]+ (?: '(?P<quoted> [^'\n]* )' | (?P<plain> [^ \t\r\v\f\n'"\\#;]+ ) ) )? [ \t]* (?: \n | \Z )
    """,
    re.VERBOSE,
)
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an option, or one item of a list, and where it begins."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Option:
    """What a section says under one name: one value, or the items of a list."""

    name: str
    values: tuple[Value, ...]
    is_list: bool = False

    @property
    def place(self) -> Place:
        """Where the first value stands."""
        return self.values[0].place


@dataclass(frozen=True, slots=True)
class Section:
    """`config TYPE 'NAME'` and the options below it."""

    type: str
    name: str  # empty where none is written
    place: Place
    options: dict[str, Option] = field(default_factory=dict)


def parse(data: bytes, path: str, report: Report) -> list[Section]:
    """The sections of a file, in order. Mistakes go to the report; what can be read behind one is still read."""
    return _Parser(_decode(data, path, report), path, report).sections()


def quote(text: str) -> str:
    """The text as one UCI word, as `uci export` writes it.

    >>> print(quote("it's"))
    'it'\\''s'
    """
    return "'" + text.replace("'", "'\\''") + "'"


def _decode(data: bytes, path: str, report: Report) -> str:
    for number, line in enumerate(data.split(b"\n") if b"\0" in data or not _is_text(data) else (), 1):
        if b"\0" in line:
            report.error(Place(path, number), "NUL byte", "remove it")
        try:
            line.decode()
        except UnicodeDecodeError as error:
            bad = line[error.start]
            report.error(Place(path, number), f"byte {bad:#04x} is not UTF-8", "save the file as UTF-8")
    text = data.replace(b"\0", b"?").decode(errors="replace")
    if text.startswith(_BYTE_ORDER_MARK):
        report.error(Place(path, 1), "byte order mark", "save the file as UTF-8 without one; uci cannot read it")
    return text.removeprefix(_BYTE_ORDER_MARK)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int  # offset
    spans: int | None = None  # offset of its first quoted part that holds a line break


class _Unclosed(Exception):
    """A quote that is never closed, or that closes only at a quote which was to open something else."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class _Parser:
    def __init__(self, text: str, path: str, report: Report) -> None:
        self._text = text
        self._path = path
        self._report = report
        self._line_ends = [found.start() for found in re.finditer("\n", text)]
        self._found: list[Section] = []
        self._named: dict[str, Section] = {}
        self._current: Section | None = None

    def sections(self) -> list[Section]:
        for words in self._statements():
            self._statement(words)
        return self._found

    def _place(self, offset: int) -> Place:
        return Place(self._path, bisect_right(self._line_ends, offset - 1) + 1)

    # Text to words

    def _statements(self) -> Iterator[list[_Word]]:
        at = 0
        while at < len(self._text):
            try:
                words, at = self._scan(at)
            except _Unclosed as unclosed:
                self._complain_of_quote(unclosed.offset)
                at = self._end_of_line(unclosed.offset) + 1
                continue
            if words:
                yield words

    def _scan(self, at: int) -> tuple[list[_Word], int]:
        """One statement's words, and the offset behind the statement."""
        if found := _PLAIN.match(self._text, at):
            return [_Word(text, found.start("keyword")) for text in found.groups() if text is not None], found.end()
        words: list[_Word] = []
        while True:
            at = self._skip(_BLANKS, at)
            match self._text[at : at + 1]:
                case "" | "\n" | ";":
                    break
                case "#":
                    at = self._end_of_line(at)
                    break
            word, at = self._word(at, _first_spanning(words))
            words.append(word)
        spanning = _first_spanning(words)
        if spanning is not None and words and len(words) > 1 + _most_words(words[0].text):
            raise _Unclosed(spanning)
        return words, at + 1

    def _word(self, at: int, spanning: int | None) -> tuple[_Word, int]:
        start, parts = at, []
        spans: int | None = None
        while found := _PART.match(self._text, at):
            if spans is None and found.lastgroup in ("single", "double") and "\n" in found[0]:
                spans = at
                if _SWALLOWED.search(found[0]) and _VALUE_TEXT.match(self._text, found.end()):
                    raise _Unclosed(at)
            parts.append(self._part(found))
            at = found.end()
        if self._text[at : at + 1] in ("'", '"'):
            first = spans if spanning is None else spanning
            raise _Unclosed(at if first is None else first)
        return _Word("".join(parts), start, spans), at

    def _part(self, found: re.Match[str]) -> str:
        text = found[found.lastgroup] if found.lastgroup else ""
        if found.lastgroup != "double":
            return text
        for escape in _ESCAPE.finditer(text):
            if escape[1] and escape[1] not in '"\\':
                self._report.warning(
                    self._place(found.start("double") + escape.start()),
                    f"a backslash in double quotes is dropped: {escape[0]} is read as {escape[1]}",
                    "use single quotes, which keep it",
                )
        return _ESCAPE.sub(lambda escape: escape[1] or "", text)

    def _complain_of_quote(self, offset: int) -> None:
        mark = self._text[offset]
        self._report.error(self._place(offset), f"the quote {mark} is not closed", f"write {mark} behind the value")

    def _end_of_line(self, at: int) -> int:
        return self._skip(_REST_OF_LINE, at)

    def _skip(self, what: re.Pattern[str], at: int) -> int:
        found = what.match(self._text, at)
        return found.end() if found else at

    # Words to sections

    def _statement(self, words: list[_Word]) -> None:
        place = self._place(words[0].start)
        keyword = _LETTERS.get(words[0].text, words[0].text)
        if keyword not in _STATEMENTS:
            remedy = suggestion(keyword, _STATEMENTS) or "a line begins with package, config, option or list"
            self._report.error(place, f"unknown statement {shown(keyword)}", remedy)
            return
        most = _STATEMENTS[keyword][1]
        if len(words) > most + 1:
            extra = " ".join(word.text for word in words[most + 1 :])
            place_of_extra = self._place(words[most + 1].start)
            self._report.error(
                place_of_extra, f"{shown(extra)} stands behind the {keyword}", "put a value with blanks in quotes"
            )
        arguments = words[1 : most + 1]
        if keyword == "package":
            self._package(place, arguments)
        elif keyword == "config":
            self._config(place, arguments)
        else:
            self._option(place, keyword, arguments)

    def _package(self, place: Place, words: list[_Word]) -> None:
        if words:
            self._check_name(words[0].text.replace("-", "_"), place)  # uci allows a hyphen here and nowhere else
        else:
            self._report.error(place, "'package' has no name", "write: package logtrigger")
        self._current = None

    def _config(self, place: Place, words: list[_Word]) -> None:
        names = [word.text for word in words]
        self._current = Section(names[0] if names else "", names[1] if len(names) > 1 else "", place)
        if not names:
            self._report.error(place, "'config' has no section type", "write one such as: config rule")
        elif all([self._check_name(name, place) for name in names]):  # a list: each of them is looked at
            self._check_unique(self._current)
            self._found.append(self._current)

    def _check_unique(self, section: Section) -> None:
        first = self._named.setdefault(section.name, section)
        if section.name and first is not section:
            self._report.error(
                section.place,
                f"a section is called '{section.name}' on line {first.place.line} already",
                "uci would merge the two: choose another name or none",
            )

    def _option(self, place: Place, keyword: str, words: list[_Word]) -> None:
        if self._current is None:
            self._report.error(place, f"'{keyword}' before any section", "write a line such as: config rule")
            return
        if not words:
            self._report.error(place, f"'{keyword}' has no name", f"write: {keyword} NAME 'value'")
            return
        name = words[0].text
        if not self._check_name(name, place):
            return
        if len(words) < 2:
            self._report.error(place, f"'{name}' has no value", f"write: {keyword} {name} 'value'")
        elif not words[1].text:
            self._report.error(place, f"'{name}' has an empty value", "write a value or remove the line")
        else:
            value = Value(words[1].text, self._place(words[1].start))
            self._add(self._current, Option(name, (value,), keyword == "list"))

    def _add(self, section: Section, new: Option) -> None:
        old = section.options.setdefault(new.name, new)
        if old is new:
            return
        line = old.place.line
        if old.is_list != new.is_list:
            fault = f"'{new.name}' is {_KIND[new.is_list]} here, but {_KIND[old.is_list]} on line {line}"
            self._report.error(new.place, fault, f"write: list {new.name} 'value' in both places")
        elif new.is_list:
            section.options[new.name] = replace(old, values=old.values + new.values)
        else:
            self._report.error(new.place, f"'{new.name}' is set on line {line} already", "keep one of the two")

    def _check_name(self, name: str, place: Place) -> bool:
        if _NAME.fullmatch(name):
            return True
        self._report.error(place, f"illegal name {shown(name)}", "a name has letters A-Z and a-z, digits and _ only")
        return False


def _first_spanning(words: list[_Word]) -> int | None:
    return next((word.spans for word in words if word.spans is not None), None)


def _most_words(keyword: str) -> int:
    return _STATEMENTS.get(_LETTERS.get(keyword, keyword), (0, 0))[1]
