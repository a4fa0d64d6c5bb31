"""What a single open file can tell. How files are followed is tested in test_file.py."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from logtrigger.model import Chunk, Position
from logtrigger.sources import content as content_module
from logtrigger.sources import fingerprint
from logtrigger.sources.content import open_content
from logtrigger.sources.tail import READ, Tail, Unlike, has_writer, last_line_end


def tail_of(path: Path, offset: int = 0, lain: int = 0) -> Tail:
    return Tail(open_content(str(path)), Position("s", "app", str(path), 1, 2, offset), 1 << 20, lain)


def read(tail: Tail) -> list[Chunk]:
    data = tail.fetch()
    assert tail.holds(data)
    return tail.take(data)


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
    chunks = [*read(tail), *read(tail)]
    assert [(chunk.data, chunk.catching_up) for chunk in chunks] == [(b"old\n", True), (b"new\n", False)]
    assert tail.at_end


def test_a_line_that_began_before_the_file_was_opened_is_old(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"half done\n")
    tail = tail_of(path, lain=4)
    assert [*read(tail), *read(tail)][0].catching_up


def test_a_turn_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x\n" * READ)
    tail = tail_of(path)
    assert len(read(tail)[0].data) == READ
    assert not tail.at_end


def test_a_position_is_what_was_delivered(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nhalf")
    tail = tail_of(path)
    (chunk,) = read(tail)
    assert tail.position().offset == 0
    tail.offset = chunk.end
    known = tail.position()
    assert (known.offset, known.head[:3], known.tail[:2]) == (8, "12:", "8:")
    assert tail.position() is known


def test_a_closed_tail_still_has_a_position(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    tail = tail_of(path)
    tail.offset = read(tail)[0].end
    tail.close()
    assert (tail.position().offset, tail.position().tail[:2]) == (4, "4:")


def test_what_was_fetched_before_a_cut_is_told_from_what_came_after(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    tail = tail_of(path)
    data = tail.fetch()
    path.write_bytes(b"two\nthree\n")
    assert not tail.holds(data)
    assert tail.holds(tail.fetch())


def test_a_position_that_was_asked_for_before_a_cut_tells_of_what_is_read_after_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n" * 300)
    tail = tail_of(path)
    assert tail.position().head == fingerprint.head(open_content(str(path)))
    path.write_bytes(b"other\n" * 300)
    read(tail)
    assert tail.position().head == fingerprint.head(open_content(str(path)))


@pytest.mark.parametrize("read_to", [3, 900, 2000, 5000])
def test_a_copy_is_known_by_what_was_read(tmp_path: Path, read_to: int) -> None:
    text = b"".join(b"line %d\n" % number for number in range(1000))
    path, copy = tmp_path / "log", tmp_path / "copy"
    path.write_bytes(text[:read_to])
    tail = tail_of(path)
    read(tail)

    def is_copied(data: bytes) -> tuple[bool, bool]:
        copy.write_bytes(data)
        content = open_content(str(copy))
        return tail.is_copied_in(content), tail.is_cut_in(content, len(data))

    assert is_copied(text[:read_to]) == (True, True)
    assert is_copied(text) == (True, False)
    assert is_copied(text[: read_to - 1]) == (False, True)
    assert is_copied(b"L" + text[1:]) == (False, False)
    assert is_copied(text[: read_to - 1] + b"?") == (False, False)


def test_a_packed_file_is_read_from_where_the_plain_one_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_module, "STEP", 1000)
    text = b"".join(b"line %d\n" % number for number in range(2000))
    plain, packed, other = tmp_path / "log", tmp_path / "log.gz", tmp_path / "other.gz"
    plain.write_bytes(text[:9000])
    tail = tail_of(plain)
    tail.offset = read(tail)[-1].end
    packed.write_bytes(gzip.compress(text))
    rest = Tail(open_content(str(packed)), tail.position(), 1 << 20, 0)
    chunks = []
    for _ in range(20):
        chunks += read(rest)
    assert rest.at_end
    assert b"".join(chunk.data for chunk in chunks) == text[tail.offset :]
    assert chunks[0].offset == tail.offset
    other.write_bytes(gzip.compress(text[:8000] + b"x" * 5000))
    unlike = Tail(open_content(str(other)), tail.position(), 1 << 20, 0)
    with pytest.raises(Unlike):
        for _ in range(20):
            read(unlike)


def test_a_packed_file_is_known_to_be_at_its_end_with_its_last_bytes(tmp_path: Path) -> None:
    """Should the daemon stop now, and the file be deleted: nothing was missed."""
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"one\n"))
    tail = tail_of(path)
    read(tail)
    assert tail.at_end and tail.is_over(0.0, 0.0)
