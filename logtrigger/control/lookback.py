"""The lines that brought a counter to its trigger, or that name an address, found again in the file they came from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from logtrigger import headers
from logtrigger.model import Position, Trigger
from logtrigger.recognise import Line, Recogniser
from logtrigger.text import cut, safe

BACK = 1 << 18  # bytes of the file that are looked through
_BLOCK = 1 << 15  # of these at once
_LINE = 2048  # bytes of a line that are shown
_SLACK = 2.0  # seconds by which the time of a line may be off


@dataclass(frozen=True, slots=True)
class Counted:
    """A line that a counter counted."""

    text: str  # made safe and cut
    time: float | None  # as its header says; None: it does not


def stream(trigger: Trigger) -> str:
    """Which run of bytes its line was read from."""
    return trigger.id.removeprefix(f"{trigger.rule}@").rpartition(":")[0]


def counted(trigger: Trigger, position: Position, recognisers: Sequence[Recogniser], now: float) -> Iterator[Counted | None]:
    """The lines before the one that triggered, the newest first; None now and then, for others to have their turn.

    Args:
        trigger: what filled its window.
        position: of the file that its line was read from.
        recognisers: of the rules that count together.
        now: settles a year that a line leaves out.
    """
    wanted = trigger.count - sum(one.rule.weight for one in recognisers if one.rule.name == trigger.rule)
    span = next((one.rule.time for one in recognisers if one.rule.name == trigger.rule), None)
    ended = headers.parse(trigger.message.encode()).time(now)  # by the same clock as the lines before it
    with open(position.path, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if (status.st_dev, status.st_ino) != (position.device, position.inode):
            return
        for line in _backwards(file, trigger.offset):
            if wanted <= 0:
                return
            if line is None:
                yield None
                continue
            weight = _weight(line, trigger, recognisers)
            if weight is None:
                continue
            time = headers.parse(line).time(now)
            if span is not None and ended is not None and time is not None and time < ended - span - _SLACK:
                return
            wanted -= weight
            yield Counted(cut(safe(line.rstrip(b"\r")), _LINE), time)


def keys(address: str, position: Position, recogniser: Recogniser) -> Iterator[tuple[str, ...] | None]:
    """By what a rule has counted the events that name an address, the newest first; None now and then, as in `counted`."""
    wanted = address.encode()
    with open(position.path, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if (status.st_dev, status.st_ino) != (position.device, position.inode):
            return
        for line in _backwards(file, position.offset):
            if line is None:
                yield None
            elif wanted in line and (found := recogniser.recognise(Line(line, 0, len(line)))) is not None:
                fields = recogniser.fields(found)
                if address in fields.values():
                    yield recogniser.key(fields)


def _weight(line: bytes, trigger: Trigger, recognisers: Iterable[Recogniser]) -> int | None:
    """How much a line counted in the window of a trigger; None: it is another's, or nobody's."""
    for one in recognisers:
        found = one.recognise(Line(line, 0, len(line)))
        if found is not None and one.key(one.fields(found)) == trigger.key:
            return one.rule.weight if one.rule.distinct is None else 0
    return None


def _backwards(file: BinaryIO, end: int) -> Iterator[bytes | None]:
    """The lines of a file before a place, the last one first; None after each block."""
    least, tail = max(0, end - BACK), b""
    while end > least:
        begin = max(least, end - _BLOCK)
        block = os.pread(file.fileno(), end - begin, begin) + tail
        head, *lines = block.split(b"\n")
        yield from (line for line in reversed(lines) if line)
        yield None
        tail, end = head, begin
    if not least and tail:
        yield tail
