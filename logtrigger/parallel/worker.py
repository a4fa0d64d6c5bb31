"""A process with its share of the rules: it reads all logs, and says what it finds, and how far it has come."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from typing import Any

from logtrigger.engine import MatcherFactory
from logtrigger.fill import Fill
from logtrigger.parallel.frames import Fed, Once, send
from logtrigger.replay import Log
from logtrigger.replay import replay as replay_here
from logtrigger.rule import Settings

END = 1 << 62  # behind every line of a log

Form = Callable[[Fill, int], str]  # a trigger and the number of its line, to text
Place = tuple[int, int]  # number of a log, offset in it
Item = tuple[int, int, int, str]  # log, offset, rule, text


@dataclass(frozen=True, slots=True)
class Task:
    """What a process is to do: these rules, by their numbers, over all logs."""

    settings: Settings
    share: Sequence[int]
    logs: Sequence[Log]
    now: float
    form: Form
    build: MatcherFactory


def work(task: Task, out: int, feed: int) -> None:
    """Do it all, and report to the descriptor `out`; logs that can be read only once come by `feed`."""
    rules = task.settings.rules
    report = _Report(out, task.share, [rule.name for rule in rules])

    def watched(number: int, log: Log) -> Log:
        def open_it() -> BufferedReader:
            report.log = number
            report.send((number, 0))
            source = Fed(feed) if isinstance(log, Once) else log.open()
            return BufferedReader(_Watched(source, number, report), 1)

        return Log(log.name, open_it)

    logs = [watched(number, log) for number, log in enumerate(task.logs)]
    settings = replace(task.settings, rules=tuple(rules[index] for index in task.share))
    try:
        found = replay_here(settings, logs, task.now, lambda t, line: report.add(t, task.form(t, line)), task.build)
        report.send((END, 0), (found.lines, found.events, found.triggers))
    except OSError as error:
        report.send((report.log, END), (error.errno, error.strerror, error.filename))


class _Report:
    """What a process has found, on its way to the one that asked."""

    def __init__(self, out: int, share: Sequence[int], names: Sequence[str]) -> None:
        self._out = out
        self._numbers = {names[index]: index for index in share}
        self._items: list[Item] = []
        self.log = -1  # that is read now

    def add(self, trigger: Fill, text: str) -> None:
        self._items.append((self.log, trigger.offset, self._numbers[trigger.rule], text))

    def send(self, upto: Place, result: object = None) -> None:
        """Everything found before this place, which nothing that follows lies before."""
        send(self._out, (upto, self._items, result))
        self._items = []


class _Watched(io.RawIOBase):
    """A log being read. When it is asked for more, all before it has been looked at, and is reported."""

    def __init__(self, source: io.RawIOBase | BufferedReader, log: int, report: _Report) -> None:
        self._source, self._log, self._report = source, log, report
        self._read = 0
        self._whole = 0  # where the first line begins that is not read to its end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._report.send((self._log, self._whole))
        count = self._source.readinto(buffer) or 0
        line_end = bytes(memoryview(buffer)[:count]).rfind(b"\n")
        if line_end >= 0:
            self._whole = self._read + line_end + 1
        self._read += count
        return count

    def close(self) -> None:
        self._source.close()
        super().close()
