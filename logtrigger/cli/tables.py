"""Text that fits the terminal: tables, paragraphs, spans of time. Where there is no terminal, nothing is cut."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from logtrigger.durations import amount, spoken
from logtrigger.text import safe_text

_GAP = "  "
_LEAST = 6  # columns that are left of what is cut
_PAGE = 500  # rows whose widths are settled together


def width() -> int | None:
    """The columns of the terminal that standard output is; None: it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def height() -> int:
    """The lines of that terminal."""
    return shutil.get_terminal_size().lines


@dataclass(frozen=True, slots=True)
class Column:
    """A column that may be cut where there is no room for all: at its end, or at its start, where the end tells more."""

    head: str
    keeps_end: bool = False


def table(heads: Sequence[str | Column], rows: Iterable[Sequence[str]], room: int | None) -> Iterator[str]:
    """The rows as lines with columns side by side, a page at a time. Other columns are cut as a last resort only.

    >>> list(table(["A", Column("B")], [["1", "a long text"]], 9))
    ['A  B', '1  a lon…']
    """
    source = iter(rows)
    shown: Sequence[Sequence[str]] = [[head.head if isinstance(head, Column) else head for head in heads]]
    soft = [isinstance(head, Column) for head in heads]
    keeps_end = [isinstance(head, Column) and head.keeps_end for head in heads]
    widths = [0] * len(heads)
    while page := [*shown, *([safe(cell) for cell in row] for row in islice(source, _PAGE))]:
        widths = [max(before, *map(columns, column)) for before, column in zip(widths, zip(*page, strict=True), strict=True)]
        fitting = _fit(widths, soft, room)
        for row in page:
            cells = [_padded(cell, most, end) for cell, most, end in zip(row, fitting, keeps_end, strict=True)]
            yield _GAP.join(cells).rstrip()
        shown = []


def paragraph(label: str, text: str, indent: int, room: int | None) -> str:
    """A label and a text beside it, which goes on below itself where it is long.

    >>> print(paragraph("store", "one two three", 7, 17))
    store  one two
           three
    """
    lead = f"{label:<{indent}}"
    if room is None:
        return lead + safe(text)
    lines = textwrap.wrap(safe(text), max(10, room - indent), break_on_hyphens=False) or [""]
    return "\n".join((lead if number == 0 else " " * indent) + one for number, one in enumerate(lines)).rstrip()


def safe(text: str) -> str:
    """As it may be shown: what a log line said moves no cursor. Empty is a dash."""
    return safe_text(text.encode("utf-8", "replace").decode("utf-8")) or "-"


def moment(time: float) -> str:
    """A time, in this machine's zone."""
    return f"{datetime.fromtimestamp(time):%Y-%m-%d %H:%M:%S}"


def roughly(seconds: float) -> str:
    """A span by its two largest units, as nobody counts the seconds of a day.

    >>> roughly(93784), roughly(0.2), roughly(3600)
    ('1d2h', '0s', '1h')
    """
    whole = int(seconds)
    for size, unit in ((86_400, 3_600), (3_600, 60)):
        if whole >= size:
            return spoken(whole - whole % unit)
    return spoken(whole) if whole >= 1 else "0s"


def size(count: int) -> str:
    """So many bytes, for a person.

    >>> size(812), size(74168)
    ('812 bytes', '72 KiB')
    """
    if count < 1024:
        return amount(count, "byte")
    return f"{count / 1024:,.0f} KiB" if count < 1 << 20 else f"{count / (1 << 20):,.1f} MiB"


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # a megabyte that few need

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def _fit(widths: Sequence[int], soft: Sequence[bool], room: int | None) -> list[int]:
    """The widths, the largest of the soft ones cut until all fit; then, if need be, the largest of all."""
    fitting = list(widths)
    surplus = 0 if room is None else sum(fitting) + len(_GAP) * (len(fitting) - 1) - room
    for chosen, least in ((soft, _LEAST), ([True] * len(fitting), 3)):
        while surplus > 0:
            widest = max(range(len(fitting)), key=lambda at: fitting[at] * chosen[at])
            if not chosen[widest] or fitting[widest] <= least:
                break
            fitting[widest] -= 1
            surplus -= 1
    return fitting


def _padded(text: str, most: int, keeps_end: bool) -> str:
    if columns(text) > most:
        while text and columns(text) >= most:
            text = text[1:] if keeps_end else text[:-1]
        text = f"…{text}" if keeps_end else f"{text}…"
    return text + " " * (most - columns(text))
