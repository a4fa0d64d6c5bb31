"""An event that filled its window, on the way to being a trigger: what costs to find out is found out for those who ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from logtrigger.addresses import AddressSet
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

    def __init__(
        self, recogniser: Recogniser, reading: Reading, line: tuple[bytes, int, int], offset: int, event: tuple[str, float, int]
    ) -> None:
        self._recogniser, self._reading, self._place = recogniser, reading, line
        self.offset = offset  # of the line in its stream
        self._key, self.time, self.count = event

    @property
    def rule(self) -> str:
        return self._recogniser.rule.name

    @property
    def source(self) -> str:
        return self._reading.chunk.origin

    @property
    def key(self) -> tuple[str, ...]:
        names = self._recogniser.rule.key
        if LONG_KEY in self._key:
            return self._recogniser.key(self.fields)
        return tuple(self._key.split(KEY_JOINT)) if names else ()

    @property
    def message(self) -> str:
        data, begin, end = self._place
        return safe_start(data[begin:end].rstrip(b"\r"), MAX_VALUE)

    @property
    def late(self) -> int:
        return 0 if self._reading.is_replay else max(0, int(self._reading.now - self.time))

    @cached_property
    def fields(self) -> Mapping[str, str]:
        return self._recogniser.fields(self._found)

    @cached_property
    def _line(self) -> Line:
        return Line(*self._place)

    @cached_property
    def _found(self) -> Match:
        found = self._recogniser.recognise(self._line)
        assert found is not None  # it is an event
        return found

    def trigger(self) -> Trigger:
        """All of it."""
        reading, line, found = self._reading, self._line, self._found
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
        )
