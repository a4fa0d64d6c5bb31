"""The system log, wherever this machine keeps it: found at the start and judged again hourly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from logtrigger.errors import SourceError
from logtrigger.loop import Timer
from logtrigger.model import Position
from logtrigger.rule import SYSTEM_LOG
from logtrigger.sources.base import Host, Source
from logtrigger.sources.file import FileSource
from logtrigger.sources.machine import UNREADABLE, Choice, Machine, choices, nothing_found
from logtrigger.sources.receiver.unix import UnixReceiver

JUDGE_EVERY = 3600.0  # seconds


class SystemLogSource:
    """Reads the best of the machine's logs that can be opened; says which one and why.

    All files of one daemon are followed from the start, be they dead or missing, so that one which comes to life loses no
    line. Once an hour it is asked whether the present log still counts. As long as it does it is kept, whatever else has
    appeared: what both hold would be counted twice. When it does not and another one does, reading moves there: to the
    journal from the last line the files have seen, to files from their end.
    """

    def __init__(
        self,
        host: Host,
        machine: Machine | None = None,
        judge_every: float = JUDGE_EVERY,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = SYSTEM_LOG
        self._host = host
        self._moved = moved  # called when reading goes on elsewhere
        self._machine = machine or Machine(path=os.environ.get("PATH", os.defpath))
        self._judge_every = judge_every
        self._choice: Choice | None = None
        self._source: Source | None = None
        self._paused = False
        self._judged: float | None = None  # the youngest change of its files at the last judgement, epoch seconds
        self._timer: Timer | None = None

    def open(self) -> None:
        """Raises SourceError, naming all that was looked at, where there is nothing to read."""
        found, against = choices(self._machine)
        if not self._open_first(found, against):
            raise nothing_found(against)
        self._judge_later()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._source is not None:
            self._source.close()
        self._source = None

    @property
    def reading(self) -> str:
        """What it has chosen, in words."""
        return str(self._choice) if self._choice is not None else ""

    @property
    def tells_senders(self) -> bool:
        """Whether what is read now tells who wrote a line."""
        return getattr(self._source, "tells_senders", True)

    def unreadable(self) -> Sequence[str]:
        """What of it cannot be read, and why."""
        return getattr(self._source, "unreadable", list[str])()

    def pause(self) -> None:
        self._paused = True
        if self._source is not None:
            self._source.pause()

    def resume(self) -> None:
        self._paused = False
        if self._source is not None:
            self._source.resume()

    def positions(self) -> Iterable[Position]:
        return self._source.positions() if self._source is not None else ()

    def _open_first(self, found: Iterable[Choice], against: list[str]) -> bool:
        """Open the first that can be opened; the others' faults go to `against`."""
        for fault in (text for text in against if UNREADABLE in text):
            self._host.report(0, f"{self.name}: {fault}; trying the next one")
        for choice in found:
            source = self._make(choice)
            try:
                source.open()
            except SourceError as error:
                self._host.report(0, f"{error}; trying the next one")
                against.append(str(error))
                continue
            self._host.report(1, f"{self.name}: reading {choice}, as {choice.reason}")
            self._choice, self._source = choice, source
            self._judged = _last_change(choice)
            if choice.socket:
                self._forget_all()
            if self._paused:
                source.pause()
            return True
        return False

    def _forget_all(self) -> None:
        """What an earlier run followed and nobody does now: later on it would be caught up with, line by line again."""
        for position in list(self._host.positions(self.name)):
            self._host.forget(position.stream)

    def _make(self, choice: Choice) -> Source:
        if choice.files:
            return FileSource(self._host, self.name, choice.files, missing_level=3)  # one of them is enough
        if choice.program == "journalctl":
            from logtrigger.sources.journal import JournalSource

            return JournalSource(self._host, self.name, since=choice.since)
        if choice.program:
            from logtrigger.sources.logread import LogreadSource

            return LogreadSource(self._host, self.name)
        return UnixReceiver(self._host, self.name, choice.socket)

    def _judge_later(self) -> None:
        self._timer = self._host.loop.call_later(self._judge_every, self._judge)

    def _judge(self) -> None:
        """Keep to the present log if it still counts; else move to the best one that does, if any."""
        self._judge_later()
        present = self._choice
        if present is None or present.socket:
            return  # the socket is there because of us, and serves as long as it is
        found, against = choices(self._machine, since=self._judged)
        if any(choice.place == present.place for choice in found):
            self._judged = _last_change(present)
            return
        others = [_from_then(choice, present) for choice in found if not choice.socket]
        if others:
            self._move(others, present, against)

    def _move(self, others: list[Choice], present: Choice, against: list[str]) -> None:
        old = self._source
        self._host.report(1, f"{self.name}: {present} is written no longer")
        if self._open_first(others, against) and old is not None:
            getattr(old, "abandon", old.close)()
            self._moved()


def _from_then(choice: Choice, present: Choice) -> Choice:
    """The journal is read from where the files ended, not from now."""
    last = _last_change(present)
    if choice.program != "journalctl" or last is None:
        return choice
    return replace(choice, since=int(last) + 1)


def _last_change(choice: Choice) -> float | None:
    times = [os.stat(path).st_mtime for path in choice.files if os.path.exists(path)]
    return max(times, default=None)
