"""A daemon as small as a source can bear: it turns the loop, keeps what is delivered and remembers positions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from logtrigger.loop import Loop
from logtrigger.model import Chunk, Position
from logtrigger.sources.base import Source


def until(loop: Loop, condition: Callable[[], object], seconds: float = 10) -> None:
    """Turn the loop until the condition holds; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        left = end - time.monotonic()
        assert left > 0, "did not come true in time"
        loop.turn(min(left, 0.05))


class TestHost:
    """What the sources' tests look at: chunks, reports and the store's content."""

    __test__ = False

    def __init__(self, max_line: int = 1 << 20) -> None:
        self.loop = Loop()
        self.max_line = max_line
        self.chunks: list[Chunk] = []
        self.reports: list[tuple[int, str]] = []
        self.stored: dict[str, Position] = {}
        self.events: list[str] = []  # register, deliver and forget with their stream, in order
        self.own: set[int] = set()  # processes
        self.on_deliver: Callable[[Chunk], None] = lambda chunk: None

    def deliver(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        self.events.append(f"deliver {chunk.stream}")
        self.on_deliver(chunk)

    def register(self, position: Position) -> None:
        self.stored[position.stream] = position
        self.events.append(f"register {position.stream}")

    def forget(self, stream: str) -> None:
        self.stored.pop(stream, None)
        self.events.append(f"forget {stream}")

    def positions(self, source: str) -> Iterable[Position]:
        return [position for position in self.stored.values() if position.source == source]

    def is_own(self, pid: int) -> bool:
        return pid in self.own

    def report(self, level: int, text: str) -> None:
        self.reports.append((level, text))

    @property
    def lines(self) -> list[bytes]:
        return b"".join(chunk.data for chunk in self.chunks).splitlines()

    def said(self, text: str) -> list[str]:
        return [report for _, report in self.reports if text in report]

    def wait_for(self, *lines: bytes) -> None:
        """Turn until exactly these lines have come, in any grouping."""
        until(self.loop, lambda: len(self.lines) >= len(lines))
        assert self.lines == list(lines)

    def settle(self, seconds: float = 0.2) -> None:
        """Turn for a while, for what must not happen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.loop.turn(0.02)

    def commit(self, source: Source) -> None:
        """What the store thread does each second."""
        self.stored.update({position.stream: position for position in source.positions()})


@contextmanager
def running(source: Source, host: TestHost, crash: bool = False) -> Iterator[None]:
    """An open source; its positions are stored at the end, unless it crashes."""
    source.open()
    try:
        yield
    finally:
        if not crash:
            host.commit(source)
        source.close()
