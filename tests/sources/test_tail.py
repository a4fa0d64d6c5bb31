"""What a single open file can tell. How files are followed is tested in test_file.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logtrigger.model import Position
from logtrigger.sources.tail import READ, Tail, has_writer, last_line_end


def tail_of(path: Path, offset: int = 0, lain: int = 0) -> Tail:
    return Tail(os.open(path, os.O_RDONLY), Position("s", "app", str(path), 1, 2, offset), 1 << 20, lain)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (b"", 0),
        (b"one\n", 4),
        (b"one\nhalf", 4),
        (b"half", 0),
        (b"\n" + b"x" * 70_000, 70_001),
        (b"x" * 70_000 + b"\nhalf", 70_001),
    ],
)
def test_last_line_end(tmp_path: Path, text: bytes, end: int) -> None:
    (tmp_path / "log").write_bytes(text)
    assert last_line_end(os.open(tmp_path / "log", os.O_RDONLY)) == end


def test_a_writer_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    with path.open("ab"):
        assert has_writer(fd) is True
    assert has_writer(fd) is False
    assert has_writer(os.open(tmp_path, os.O_RDONLY)) is None


def test_no_chunk_is_half_old_half_new(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\nnew\n")
    tail = tail_of(path, lain=4)
    chunks = [*tail.read(8), *tail.read(8)]
    assert [(chunk.data, chunk.catching_up) for chunk in chunks] == [(b"old\n", True), (b"new\n", False)]
    assert tail.at_end


def test_a_line_that_began_before_the_file_was_opened_is_old(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"half done\n")
    tail = tail_of(path, lain=4)
    assert [*tail.read(10), *tail.read(10)][0].catching_up


def test_a_turn_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x\n" * READ)
    tail = tail_of(path)
    assert len(tail.read(2 * READ)[0].data) == READ
    assert not tail.at_end


def test_a_position_is_what_was_delivered(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nhalf")
    tail = tail_of(path)
    (chunk,) = tail.read(12)
    assert tail.position().offset == 0
    tail.offset = chunk.end
    known = tail.position()
    assert (known.offset, known.head[:3], known.tail[:2]) == (8, "12:", "8:")
    assert tail.position() is known


def test_a_closed_tail_still_has_a_position(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    tail = tail_of(path)
    tail.offset = tail.read(4)[0].end
    tail.close()
    assert (tail.position().offset, tail.position().tail[:2]) == (4, "4:")
