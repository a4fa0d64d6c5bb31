"""Files take turns, and what was rotated away comes before what stands there now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logtrigger.loop import Loop
from logtrigger.model import Position
from logtrigger.sources.content import open_content
from logtrigger.sources.reading import Reading
from logtrigger.sources.tail import Tail


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Tail]:
    def make(name: str) -> Tail:
        path = tmp_path / name
        path.touch()
        return Tail(open_content(str(path)), Position(name, "app", str(path), 1, 2, 0), 100, 0)

    return make


def turn(loop: Loop, times: int = 20) -> None:
    for _ in range(times):
        loop.turn(0)


def test_one_a_turn_and_each_once(loop: Loop, make: Callable[[str], Tail]) -> None:
    read: list[str] = []
    reading = Reading(loop, lambda tail: read.append(tail.stream))
    for tail in (one := make("one"), make("two"), one):
        reading.queue(tail)
    loop.turn(0)
    assert read == ["one"]
    turn(loop)
    assert read == ["one", "two"]


def test_a_later_generation_waits(loop: Loop, make: Callable[[str], Tail]) -> None:
    read: list[str] = []

    def step(tail: Tail) -> None:
        read.append(tail.stream)
        tail.at_end = read.count(tail.stream) == 2
        if not tail.at_end:
            reading.queue(tail)

    reading = Reading(loop, step)
    old, between, new = make("old"), make("between"), make("new")
    reading.queue(new)
    reading.read_first(old, new)
    reading.read_first(between, new)  # found later, but older than what waits
    turn(loop, 30)
    assert read == ["old", "old", "between", "between", "new", "new"]


def test_nobody_waits_for_a_closed_file_or_in_a_ring(loop: Loop, make: Callable[[str], Tail]) -> None:
    read: list[str] = []
    reading = Reading(loop, lambda tail: read.append(tail.stream))
    old, new = make("old"), make("new")
    reading.read_first(old, new)
    reading.read_first(new, old)
    assert old.after is None
    old.close()
    reading.queue(new)
    turn(loop)
    assert read == ["new"]


def test_paused(loop: Loop, make: Callable[[str], Tail]) -> None:
    read: list[str] = []
    reading = Reading(loop, lambda tail: read.append(tail.stream))
    reading.paused = True
    reading.queue(make("one"))
    turn(loop)
    assert read == []
    reading.resume()
    turn(loop)
    assert read == ["one"]
