"""`logtrigger match`: try a pattern on lines, and see why those do not match that should."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO

import click

from logtrigger import headers, patterns
from logtrigger.advice import Writing, advice
from logtrigger.cli import print_no_more
from logtrigger.durations import amount
from logtrigger.errors import PatternError, Place, SourceError
from logtrigger.explain import Miss, Misses
from logtrigger.matcher import LiteralMatcher, Owner
from logtrigger.model import Chunk
from logtrigger.parallel import Pool, WorkerError
from logtrigger.patterns.form import Conversion, Element, Form
from logtrigger.patterns.pattern import Pattern
from logtrigger.repeats import Repeats
from logtrigger.sources.lines import Lines
from logtrigger.text import safe

_MATCHED, _NONE, _ERROR = 0, 1, 2  # exit statuses, as grep's
_READ = 1 << 18  # bytes
_MAX_LINE = 1 << 20  # bytes
_SHOWN = 5  # near misses that are explained
_WIDTH = 78  # columns of an explanation
_UNNAMED = re.compile(r"%[0-9]+\Z")


@dataclass(frozen=True, slots=True)
class _Match:
    """One line that matches."""

    place: Place
    fields: Mapping[str, bytes]
    message: bytes


TextOf = Callable[[_Match], str]
_Piece = tuple[str, int, bytes]  # of a log: its name, the number of the first line, whole lines


@click.command(short_help="try a pattern on a log")
@click.argument("pattern")
@click.argument("logs", nargs=-1, type=click.Path(allow_dash=True), metavar="[LOG…|-]")
@click.option("--fields", default="", metavar="NAMES", help="Names for the conversions in order, as in option fields.")
@click.option(
    "--syntax", type=click.Choice(["scanf", "format", "regex"]), default="scanf", help="What the pattern is written in [scanf]."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to tell matches [text].")
@click.option("--nocase", is_flag=True, help="Capital and small letters are alike.")
@click.option("--jobs", type=click.IntRange(1), default=1, metavar="N", help="How many processes look at the lines [1].")
@click.pass_context
def match(
    context: click.Context, pattern: str, logs: Sequence[str], fields: str, syntax: str, form: str, nocase: bool, jobs: int
) -> None:
    """Try PATTERN on the lines of logs, or of standard input.

    \b
    logtrigger match 'Failed password for %s from %s port %d ssh2' \\
        --fields 'user ip port' /var/log/auth.log

    Matching lines go to standard output with what each conversion took; in text form lines that nearly match follow, with
    the place where the pattern stopped and what to write instead. Conversions without a name go by their number: %1, %2 in
    text, "1", "2" in JSON. A pattern that begins with a dash goes behind the options and a --.

    The exit status is 0 where some line matches, 1 where none does, 2 after an error.
    """
    try:
        compiled = _compile(pattern, fields.split(), syntax, nocase)
    except PatternError as error:
        click.echo(_complaint(pattern, error), err=True)
        context.exit(_ERROR)
    try:
        status = _match(compiled, logs or ["-"], form, Writing.of(syntax), jobs)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        print_no_more()
        status = _MATCHED
    except OSError as error:
        print_no_more()
        click.echo(f"standard output: {error.strerror}", err=True)
        status = _ERROR
    except WorkerError as error:
        click.echo(error, err=True)
        status = _ERROR
    context.exit(status)


def _match(pattern: Pattern, logs: Sequence[str], form: str, writing: Writing, jobs: int) -> int:
    is_text, several = form == "text", len(logs) > 1
    misses = Misses(pattern) if is_text and isinstance(pattern, Form) else None
    trial = _Trial(pattern, _text_of(several) if is_text else _json_of(pattern, several), misses, jobs)
    try:
        failed = [name for name in logs if not trial.read(name)]
    finally:
        trial.close()
    if misses:
        _tell_misses(misses, trial.matched, several, writing)
    if is_text:
        _summarise(trial, pattern)
    return _ERROR if failed else _MATCHED if trial.matched else _NONE


def _compile(text: str, fields: Sequence[str], syntax: str, nocase: bool) -> Pattern:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PatternError("the pattern is not UTF-8", "write such characters as %s", error.start + 1) from None
    pattern = patterns.compile(text, fields, syntax=syntax, nocase=nocase)
    if syntax == "scanf" and isinstance(pattern, Form):
        return Form(text, list(_numbered(pattern.elements, len(fields))), nocase=nocase, anchor=pattern.anchor)
    return pattern


def _numbered(elements: Iterable[Element], named: int) -> Iterator[Element]:
    """The elements, a number as the name of each conversion behind the first `named` ones."""
    number = 0
    for element in elements:
        if isinstance(element, Conversion):
            number += 1
            if number > named:
                element = replace(element, name=f"%{number}")
        yield element


def _complaint(pattern: str, error: PatternError) -> str:
    """Place, fault and way out, and the pattern with a caret under the place.

    >>> print(_complaint("from %5d", PatternError("'%5' has a width", "write %d", 6)))
    PATTERN:6: error: '%5' has a width (write %d)
      from %5d
           ^
    """
    shown = safe(pattern.encode("utf-8", "replace"))
    remedy = f" ({error.remedy})" if error.remedy else ""
    if error.column is None:
        return f"PATTERN: error: {error.fault}{remedy}\n  {shown}"
    return f"PATTERN:{error.column}: error: {error.fault}{remedy}\n{_with_caret(shown, error.column - 1)}"


class _Trial:
    """A pattern, on one log after another."""

    def __init__(self, pattern: Pattern, text_of: TextOf, misses: Misses | None, jobs: int) -> None:
        self.matched = 0
        self.lines = 0
        self._pattern = pattern
        self._matcher = LiteralMatcher([Owner([pattern])])
        self._text_of = text_of
        self._misses = misses
        self._is_over = False
        self._pool = Pool(self._look, jobs)

    def close(self) -> None:
        self._pool.close()

    def read(self, name: str) -> bool:
        """Look at all lines of a log, until it ends or Ctrl-C; False where it cannot be read, which is told."""
        shown = "stdin" if name == "-" else safe(os.fsencode(name))
        try:
            for piece, (matched, text, near, seen) in self._pool.results(
                iter(()) if self._is_over else _numbered_pieces(name, shown)
            ):
                self._tell(piece, matched, text, near, seen)
        except SourceError as error:
            click.echo(f"{shown}: {error}", err=True)
            return False
        except KeyboardInterrupt:
            self._is_over = True  # enough seen
        return True

    def _look(self, piece: _Piece) -> tuple[int, str, list[tuple[int, int]], list[int]]:
        """What is in a piece: how many lines match, what to say of them, and where the others lie that were looked at."""
        name, number, data = piece
        found, text, near, seen = _Places(name, number, data), [], list[tuple[int, int]](), list[int]()
        for begin, end, _ in self._matcher.scan(data):
            seen.append(begin)
            values = _values(self._pattern, data, begin, end)
            if values is None:
                near.append((begin, end))
            else:
                fields = dict(zip(self._pattern.fields, values, strict=True))
                text.append(self._text_of(_Match(found.of(begin), fields, data[begin:end].rstrip(b"\r"))))
        return len(text), "".join(text), near if self._misses else [], seen if self._misses else []

    def _tell(self, piece: _Piece, matched: int, text: str, near: Sequence[tuple[int, int]], seen: Sequence[int]) -> None:
        name, number, data = piece
        self.matched += matched
        self.lines += data.count(b"\n")
        sys.stdout.write(text)
        if self._misses:
            found = _Places(name, number, data)
            for begin, end in near:
                self._misses.add(found.of(begin), data[begin:end])
            self._look_for_likely(_Places(name, number, data), set(seen))
        sys.stdout.flush()

    def _look_for_likely(self, found: _Places, seen: set[int]) -> None:
        assert self._misses is not None
        for begin, end in self._misses.likely(found.data):
            if begin not in seen:
                self._misses.add_likely(found.of(begin), found.data[begin:end])


@dataclass(slots=True)
class _Places:
    """Numbers of lines in one piece of a log; to be asked for in order."""

    name: str
    number: int
    data: bytes
    at: int = 0

    def of(self, begin: int) -> Place:
        self.number += self.data.count(b"\n", self.at, begin)
        self.at = begin
        return Place(self.name, self.number)


def _numbered_pieces(name: str, shown: str) -> Iterator[_Piece]:
    number = 1
    for data in _pieces(name):
        yield shown, number, data
        number += data.count(b"\n")


def _pieces(name: str) -> Iterator[bytes]:
    """Whole lines, as the engine sees them: those that stand for several are put in place of their reference.

    Raises:
        SourceError: the log cannot be read.
    """
    splitter, repeats = Lines(_MAX_LINE), Repeats()
    try:
        with click.open_file(name, "rb") as stream:
            for piece in chain.from_iterable(chain(map(splitter.feed, _blocks(stream)), map(Lines.finish, [splitter]))):
                chunk = Chunk("", "", "", piece.offset, piece.end, piece.data)
                yield from (data for data, *_ in repeats.pieces(chunk))
    except OSError as error:
        raise SourceError(error.strerror) from None


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    read = getattr(stream, "read1", stream.read)  # read1 waits for some bytes only
    return iter(lambda: read(_READ), b"")


def _values(pattern: Pattern, data: bytes, begin: int, end: int) -> Sequence[bytes] | None:
    """What the conversions take of a line; a pattern that begins with a program's tag matches there only."""
    if not pattern.anchor:
        return pattern.match(data, begin, end)
    start = headers.begin(pattern.anchor, headers.parse(data[begin:end]), data, begin, end)
    return None if start is None else pattern.match(data, start, end)


def _json_of(pattern: Pattern, several: bool) -> TextOf:
    kinds = dict(zip(pattern.fields, pattern.types, strict=True))

    def text_of(found: _Match) -> str:
        facts: dict[str, object] = {"source": found.place.path} if several else {}
        facts["line"] = found.place.line
        facts["fields"] = {name.lstrip("%"): typed(value, kinds[name]) for name, value in found.fields.items()}
        facts["message"] = safe(found.message)
        return json.dumps(facts) + "\n"

    return text_of


def typed(raw: bytes, kind: str) -> str | int | float:
    """A captured value as JSON has it: a number where the type is one.

    >>> typed(b"007", "int"), typed(b"0x1f", "number"), typed(b"017", "number"), typed(b"1f", "hex"), typed(b"007", "word")
    (7, 31, 15, 31, '007')
    """
    read = _NUMBERS.get(kind)
    return read(raw.decode("ascii")) if read else safe(raw)


def _by_prefix(text: str) -> int:
    """A whole number of the base that its prefix says.

    >>> _by_prefix("-0b11"), _by_prefix("+010"), _by_prefix("0")
    (-3, 8, 0)
    """
    digits = text.lstrip("+-")
    if digits.isdigit():
        return int(text, 8 if digits.startswith("0") else 10)
    return int(text, 0)


def _decimal(text: str) -> int:
    return int(text) if text.lstrip("+-").isdigit() else int(text, 0)


_NUMBERS: Mapping[str, Callable[[str], int | float]] = {
    "int": _decimal,
    "port": int,
    "number": _by_prefix,
    "octal": lambda text: int(text, 8),
    "hex": lambda text: int(text, 16),
    "binary": lambda text: int(text, 2),
    "float": float,
    "n": lambda text: int(re.sub("[,.]", "", text)),
    "%": lambda text: float(text[:-1]) / 100,
}


def _text_of(several: bool) -> TextOf:
    def text_of(found: _Match) -> str:
        width = max(map(len, found.fields), default=0)
        fields = "".join(f"    {name:<{width}} = {safe(value)}\n" for name, value in found.fields.items())
        return f"{_place(found.place, several)}: {safe(found.message)}\n{fields}"

    return text_of


def _place(place: Place, several: bool) -> str:
    return str(place) if several else str(place.line)


def _tell_misses(misses: Misses, matched: int, several: bool, writing: Writing) -> None:
    found = misses.ranked(strict=matched > 0)
    shown = [_explanation(misses, miss, several, writing) for miss in found[:_SHOWN]]
    sys.stdout.write("\n" * (matched > 0 and bool(shown)) + "\n".join(shown))
    more = sum(miss.count for miss in found[_SHOWN:]) + misses.overlooked
    if more:
        have, do = ("has", "does") if more == 1 else ("have", "do")
        click.echo(f"{amount(more, 'more line')} {have} something of the pattern and {do} not match", err=True)


def _explanation(misses: Misses, miss: Miss, several: bool, writing: Writing) -> str:
    explainer, stop = misses.explainer, miss.stop
    alike = f", and {miss.count - 1:,} more in the same way" if miss.count > 1 else ""
    facts = {
        "fits": explainer.reached(stop),
        "wanted": explainer.wanted(stop),
        "found": explainer.standing(stop, miss.line),
        "advice": advice(misses.form, miss.line, miss.begin, stop, writing),
    }
    shown = _with_caret(safe(miss.line.rstrip()), len(safe(miss.line[: stop.at])))
    return f"{_place(miss.place, several)}: nearly matches{alike}\n{shown}\n" + "".join(
        f"{_wrapped(name, text)}\n" for name, text in facts.items() if text
    )


def _wrapped(name: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=f"  {name:<6}  ", subsequent_indent=" " * 10, break_on_hyphens=False)


def _with_caret(text: str, column: int) -> str:
    """The text, or what fits of it, and a caret below the place, from 0."""
    room = _WIDTH - 4
    first = 0 if len(text) <= room else max(0, min(column - room // 2, len(text) - room))
    before, behind = "…" * (first > 0), "…" * (first + room < len(text))
    return f"  {before}{text[first : first + room]}{behind}\n  {' ' * (len(before) + column - first)}^"


def _summarise(trial: _Trial, pattern: Pattern) -> None:
    click.echo(f"{trial.matched:,} of {trial.lines:,} lines match", err=True)
    unnamed = [name for name in pattern.fields if _UNNAMED.match(name)]
    if unnamed and trial.matched:
        click.echo(f"name {', '.join(unnamed)} with --fields 'NAME NAME …' in order, - for what you do not need", err=True)
