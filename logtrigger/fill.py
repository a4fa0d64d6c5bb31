"""An event that filled its window, on the way to being a trigger: what costs to find out is found out for those who ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from logtrigger.absence import Missing
from logtrigger.addresses import AddressSet
from logtrigger.digests import blake2s
from logtrigger.durations import in_one_unit
from logtrigger.model import Chunk, Trigger
from logtrigger.recognise import KEY_JOINT, LONG_KEY, MAX_VALUE, Line, Match, Recogniser
from logtrigger.text import safe_start


@dataclass(frozen=True, slots=True)
class Reading:
    """What the triggers of a chunk have in common."""

    chunk: Chunk
    now: float  # when it was read, epoch seconds
    is_replay: bool
    ignore: AddressSet  # addresses that are never banned


class Fill:
    """What its `trigger` will say, at once where that is cheap."""

    __slots__ = ("_fields", "_found", "_key", "_line", "_place", "_reading", "_recogniser", "count", "offset", "rule", "time")

    def __init__(
        self,
        recogniser: Recogniser,
        reading: Reading,
        place: tuple[bytes, int, int],
        offset: int,
        event: tuple[str, float, int],
    ) -> None:
        self._recogniser, self._reading, self._place = recogniser, reading, place
        self._line: Line | None = None
        self._found: Match | None = None
        self._fields: Mapping[str, str] | None = None
        self.rule = recogniser.rule.name
        self.offset = offset  # of the line in its stream
        self._key, self.time, self.count = event

    @property
    def source(self) -> str:
        return self._reading.chunk.origin

    @property
    def key(self) -> tuple[str, ...]:
        key, names = self._key, self._recogniser.rule.key
        if LONG_KEY in key:
            return self._recogniser.key(self.fields)
        return tuple(key.split(KEY_JOINT)) if names else ()

    @property
    def message(self) -> str:
        data, begin, end = self._place
        raw = data[begin:end]
        text = raw[:MAX_VALUE].decode("latin-1")
        if len(text) == len(raw) and text.isascii() and text.isprintable():
            return text  # which nearly every line is
        return safe_start(raw.rstrip(b"\r"), MAX_VALUE)

    @property
    def state(self) -> str:
        """What has changed, where that is what is told, and no counter that has filled: here what was missing is back."""
        return "" if self._recogniser.rule.absent is None else "back"

    @property
    def late(self) -> int:
        return 0 if self._reading.is_replay else max(0, int(self._reading.now - self.time))

    @property
    def fields(self) -> Mapping[str, str]:
        if self._fields is None:
            self._fields = self._recogniser.fields(self.found)
        return self._fields

    @property
    def line(self) -> Line:
        if self._line is None:
            self._line = Line(*self._place)
        return self._line

    @property
    def found(self) -> Match:
        if self._found is None:
            self._found = self._recogniser.recognise(self.line)
            assert self._found is not None  # it is an event
        return self._found

    def trigger(self) -> Trigger:
        """All of it."""
        reading, line, found = self._reading, self.line, self.found
        header = line.header_fields()
        return Trigger(
            id=f"{self.rule}@{reading.chunk.stream}:{self.offset}",
            rule=self.rule,
            time=self.time,
            count=self.count,
            key=self.key,
            fields=self.fields,
            message=self.message,
            body=safe_start(line.raw[line.header.body :], MAX_VALUE),
            source=self.source,
            offset=self.offset,
            late=self.late,
            ignored=found.reading.address(found.values) in reading.ignore,
            host=header["host"],
            program=header["program"],
            pid=header["pid"],
            extra=self._recogniser.places(self.fields),
            state=self.state,
        )


class Absence(Fill):
    """A key that no event has come for in too long a time, found at a line of an old log or, live, at none.

    Its fields are those of the last line, where that is kept; else those that it is counted by.
    """

    __slots__ = ("_missing",)

    def __init__(self, recogniser: Recogniser, reading: Reading, missing: Missing, offset: int, time: float) -> None:
        line = missing.line or b""
        super().__init__(recogniser, reading, (line, 0, len(line)), offset, (missing.key, time, 0))
        self._missing = missing

    @property
    def state(self) -> str:
        return "absent"

    @property
    def late(self) -> int:
        return 0  # it is missing now

    @property
    def message(self) -> str:
        """Such as `no event of db1 for 25h; last at 2026-07-14 12:00:00`."""
        missing, wait = self._missing, self._recogniser.rule.absent or 0.0
        whose = f" of {' '.join(self.key)}" if self._recogniser.rule.key else ""
        at = f"{datetime.fromtimestamp(missing.seen):%Y-%m-%d %H:%M:%S}"
        return f"no event{whose} for {in_one_unit(wait)}; {'last at' if missing.ever else 'none since'} {at}"

    @property
    def fields(self) -> Mapping[str, str]:
        if self._fields is None:
            if (found := self._last) is not None:
                self._fields = self._recogniser.fields(found)
            else:
                rule = self._recogniser.rule
                known = dict(zip(rule.key, self._key.split(KEY_JOINT), strict=False))
                self._fields = {name: known.get(name, "") for name in rule.fields}
        return self._fields

    @property
    def _last(self) -> Match | None:
        if self._found is None and self._missing.line is not None:
            self._found = self._recogniser.recognise(self.line)
        return self._found

    def trigger(self) -> Trigger:
        message, fields = self.message, self.fields
        found, header = self._last, self.line.header_fields()
        digest = blake2s(self._key.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        return Trigger(
            id=f"{self.rule}@absent:{digest}:{self._missing.seen:.6f}",
            rule=self.rule,
            time=self.time,
            count=0,
            key=self.key,
            fields=fields,
            message=message,
            body=safe_start(self.line.raw, MAX_VALUE) or message,
            source=self.source,
            offset=self.offset,
            ignored=found is not None and found.reading.address(found.values) in self._reading.ignore,
            host=header["host"],
            program=header["program"],
            pid=header["pid"],
            extra=self._recogniser.places(fields),
            state=self.state,
        )
