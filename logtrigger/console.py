"""What a person reads while logtrigger works: the output of -D.

Level 0 errors; 1 one line a trigger; 2 a block a trigger, with every variable and how its script ended; 3 every event with its
counter; 4 every line with its source; above that whole lines, however long.
"""

from __future__ import annotations

import os
import shlex
import textwrap
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from logtrigger.actions.base import Result
from logtrigger.durations import spoken
from logtrigger.model import Chunk, Event, Trigger
from logtrigger.rule import Rule
from logtrigger.text import safe

_RED, _GREEN, _BOLD, _DIM, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
_LONG = 800  # characters of a value or line that are shown: ten lines of a terminal
_LONG_KEY = 60  # the same of a key
_NARROWEST = 20  # columns left for a text, however long what stands before it

Width = Callable[[], int]


class Output(Protocol):
    """Where it goes: a text stream, or what passes on to one."""

    def write(self, text: str, /) -> int: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...
    def fileno(self) -> int: ...


class Console:
    """Writes to one stream, up to one level.

    Nothing it is given can move a cursor, nor look like a line of its own: controls are replaced, and on a terminal a text
    that needs more than one line goes on indented.

    Args:
        stream: standard error, usually.
        level: what to show, as above; anything beyond 5 is 5.
        clock: epoch seconds, for the time before each line.
        width: tells the columns of the terminal; None: there is none, a text is one line.
        colour: mark errors, triggers and output with ANSI colours.
    """

    def __init__(
        self, stream: Output, level: int, clock: Callable[[], float], *, width: Width | None = None, colour: bool = False
    ) -> None:
        self.level = level
        self._stream, self._clock, self._width, self._colour = stream, clock, width, colour
        self._open_block = ""  # id of the trigger whose block was written last, while its script runs

    @classmethod
    def on(cls, stream: Output, level: int | None, clock: Callable[[], float]) -> Console:
        """A console that suits the stream: wide and coloured as the terminal it is, or plain. Level None: by the stream."""
        terminal = stream.isatty()
        chosen = int(terminal) if level is None else level
        return cls(stream, chosen, clock, width=(lambda: _columns(stream)) if terminal else None, colour=terminal)

    def report(self, level: int, text: str) -> None:
        """Say one thing of this level."""
        if level <= self.level:
            self._line(text, _RED if level == 0 else "")

    def trigger(self, trigger: Trigger, rule: Rule, variables: Mapping[str, str], note: str) -> None:
        """A window has filled. `note` tells what is done about it."""
        if self.level >= 1:
            self._line(f"trigger {trigger.rule}: {_why(trigger, rule)}; {note}", _BOLD)
        if self.level >= 2:
            column = max(map(len, variables), default=0)
            for name, value in variables.items():
                self._write(f"  {name:<{column}} ", self._short(value) or "(empty)")
            self._open_block = trigger.id

    def result(self, trigger: Trigger, what: str, result: Result) -> None:
        """What a trigger caused has ended. Failures are errors."""
        if self.level < 2:
            if not result.ok and not result.told:
                self._failure(trigger, what, result)
            return
        if self._open_block != trigger.id:
            self._line(f"what {trigger.id} caused has ended:")
        for line in result.output:
            self._write("  | ", line, _DIM)
        self._write("  ", f"{what}: {result.text} after {_took(result.seconds)}", _GREEN if result.ok else _RED)
        self._open_block = ""

    def event(self, event: Event, rule: Rule) -> None:
        """A rule has recognised a line."""
        if self.level >= 3:
            span = f" in {spoken(rule.time)}" if rule.time and rule.maxfail > 1 else ""
            line = self._short(safe(event.line))
            self._line(f"event {event.rule}: {event.count}/{rule.maxfail}{span}{_of(event.key)}: {line}")

    def chunk(self, chunk: Chunk) -> None:
        """Lines have come in."""
        if self.level >= 4:
            for line in chunk.data[:-1].split(b"\n"):
                self._line(f"line {chunk.origin}: {self._short(safe(line))}", _DIM)

    def _failure(self, trigger: Trigger, what: str, result: Result) -> None:
        self._line(f"{trigger.rule}: {what}: {result.text}", _RED)
        for line in result.output:
            self._line(f"{trigger.rule}: | {line}", _RED)

    def _short(self, text: str) -> str:
        if len(text) <= _LONG or self.level > 4:
            return text
        return f"{text[:_LONG]}… ({len(text)} characters)"

    def _line(self, text: str, paint: str = "") -> None:
        self._open_block = ""
        self._write(f"{datetime.fromtimestamp(self._clock()):%H:%M:%S} ", text, paint)

    def _write(self, lead: str, text: str, paint: str = "") -> None:
        text = safe(text.encode("utf-8", "replace"))
        lines = [text] if self._width is None else _wrapped(text, max(_NARROWEST, self._width() - len(lead)))
        begin, end = (paint, _PLAIN) if paint and self._colour else ("", "")
        try:
            for line in lines:
                self._stream.write(f"{begin}{lead}{line}{end}\n")
                lead = " " * len(lead)
            self._stream.flush()
        except OSError:
            pass  # nobody reads any more; the work goes on


def _why(trigger: Trigger, rule: Rule) -> str:
    counted = f"value{'s' * (trigger.count != 1)} of {rule.distinct.field}" if rule.distinct else ""
    events = f"{trigger.count} {counted}" if counted else f"{trigger.count} event" + "s" * (trigger.count != 1)
    limit = f" (maxfail {rule.maxfail})" if rule.maxfail > 1 else ""
    span = f" within {spoken(rule.time)}" if rule.time and limit else ""
    late = f", {spoken(trigger.late)} late" if trigger.late else ""
    if trigger.state == "absent":
        return trigger.message
    if trigger.state == "back":
        return f"back{_of(trigger.key)}{late}, from {trigger.source}"
    return f"{events}{_of(trigger.key)}{span}{limit}{late}, from {trigger.source}"


def _of(key: tuple[str, ...]) -> str:
    """Whose counter it is; quoted where a value could be taken for our own words."""
    parts = (part if len(part) <= _LONG_KEY else f"{part[:_LONG_KEY]}…" for part in key)
    return f" of {shlex.join(parts)}" if key else ""


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _columns(stream: Output) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80  # it has gone away


def _wrapped(text: str, room: int) -> list[str]:
    """The text in lines that fit, broken at blanks where there are any."""
    room = room // 2 if _has_wide(text) else room
    return textwrap.wrap(text, room, break_on_hyphens=False) or [""]


def _has_wide(text: str) -> bool:
    """Whether some character takes two columns."""
    if text.isascii():
        return False
    from unicodedata import east_asian_width  # a megabyte that few machines ever need

    return any(east_asian_width(character) in "WF" for character in text)
