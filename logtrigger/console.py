"""What a person reads while logtrigger works: the output of -D.

Level 0 errors; 1 one line a trigger; 2 a block a trigger, with every variable and how its script ended; 3 every event with its
counter; 4 every line with its source.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TextIO

from logtrigger.actions.base import Result
from logtrigger.durations import spoken
from logtrigger.model import Chunk, Event, Trigger
from logtrigger.rule import Rule
from logtrigger.text import safe

_RED, _GREEN, _BOLD, _DIM, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


class Console:
    """Writes to one stream, up to one level.

    Args:
        stream: standard error, usually.
        level: what to show, as above; anything beyond 4 is 4.
        clock: epoch seconds, for the time before each line.
        width: columns to wrap a block's values at; None: do not wrap.
        colour: mark errors, triggers and output with ANSI colours.
    """

    def __init__(
        self, stream: TextIO, level: int, clock: Callable[[], float], *, width: int | None = None, colour: bool = False
    ) -> None:
        self.level = level
        self._stream, self._clock, self._width, self._colour = stream, clock, width, colour
        self._open_block = ""  # id of the trigger whose block was written last, while its script runs

    @classmethod
    def on(cls, stream: TextIO, level: int | None, clock: Callable[[], float]) -> Console:
        """A console that suits the stream: wide and coloured as the terminal it is, or plain. Level None: by the stream."""
        terminal = stream.isatty()
        width = shutil.get_terminal_size().columns if terminal else None
        chosen = int(terminal) if level is None else level
        return cls(stream, chosen, clock, width=width, colour=terminal)

    def report(self, level: int, text: str) -> None:
        """Say something of this level; its every line stands for itself."""
        if level <= self.level:
            paint = _RED if level == 0 else ""
            for line in text.splitlines():
                self._line(line, paint)

    def trigger(self, trigger: Trigger, rule: Rule, variables: Mapping[str, str], note: str) -> None:
        """A window has filled. `note` tells what is done about it."""
        if self.level >= 1:
            self._line(f"trigger {trigger.rule}: {_why(trigger, rule)}; {note}", _BOLD)
        if self.level >= 2:
            for name, value in variables.items():
                self._variable(name, value, max(map(len, variables)))
            self._open_block = trigger.id

    def result(self, trigger: Trigger, what: str, result: Result) -> None:
        """What a trigger caused has ended. Failures are errors."""
        if self.level < 2:
            if not result.ok:
                self._failure(trigger, what, result)
            return
        if self._open_block != trigger.id:
            self._line(f"of trigger {trigger.rule}, {trigger.id}:")
        for line in result.output:
            self._write(f"  | {line}", _DIM)
        self._write(f"  {what}: {result.text} after {result.seconds * 1000:.1f} ms", _GREEN if result.ok else _RED)
        self._open_block = ""

    def event(self, event: Event, rule: Rule) -> None:
        """A rule has recognised a line."""
        if self.level >= 3:
            key = f" of {' '.join(event.key)}" if event.key else ""
            span = f" in {spoken(rule.time)}" if rule.time and rule.maxfail > 1 else ""
            self._line(f"event {event.rule}: {event.count}/{rule.maxfail}{span}{key}: {safe(event.line)}")

    def chunk(self, chunk: Chunk) -> None:
        """Lines have come in."""
        if self.level >= 4:
            for line in chunk.data[:-1].split(b"\n"):
                self._line(f"line {chunk.origin}: {safe(line)}", _DIM)

    def _failure(self, trigger: Trigger, what: str, result: Result) -> None:
        self._line(f"{trigger.rule}: {what}: {result.text}", _RED)
        for line in result.output:
            self._line(f"{trigger.rule}: | {line}", _RED)

    def _variable(self, name: str, value: str, column: int) -> None:
        lead = f"  {name:<{column}} "
        room = None if self._width is None else max(20, self._width - len(lead))
        lines = textwrap.wrap(value, room, drop_whitespace=False, break_on_hyphens=False) if room else [value]
        for index, line in enumerate(lines or [""]):
            self._write((lead if index == 0 else " " * len(lead)) + line)

    def _line(self, text: str, paint: str = "") -> None:
        self._open_block = ""
        self._write(f"{datetime.fromtimestamp(self._clock()):%H:%M:%S} {text}", paint)

    def _write(self, text: str, paint: str = "") -> None:
        try:
            self._stream.write(f"{paint}{text}{_PLAIN}\n" if paint and self._colour else f"{text}\n")
            self._stream.flush()
        except OSError:
            pass  # nobody reads any more; the work goes on


def _why(trigger: Trigger, rule: Rule) -> str:
    of = f" of {' '.join(trigger.key)}" if trigger.key else ""
    span = f" within {spoken(rule.time)}" if rule.time and rule.maxfail > 1 else ""
    events = f"{trigger.count} event" + "s" * (trigger.count != 1)
    late = f", {spoken(trigger.late)} late" if trigger.late else ""
    return f"{events}{of}{span} (maxfail {rule.maxfail}{late}), from {trigger.source}"
