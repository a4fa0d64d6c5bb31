"""Any cut of a stream into reads gives the same lines at the same offsets."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.sources.lines import SLACK, Lines, Piece

Line = tuple[int, int, bytes]  # offset, end, text


def plain(stream: bytes, max_line: int, finished: bool) -> list[Line]:
    """The lines of a stream, found the slow way."""
    lines: list[Line] = []
    at = 0
    *whole, rest = stream.split(b"\n")
    for text in whole:
        lines.append((at, at + len(text) + 1, shown(text, max_line)))
        at += len(text) + 1
    if finished and rest:
        lines.append((at, at + len(rest), shown(rest, max_line)))
    return lines


def shown(text: bytes, max_line: int) -> bytes:
    half = max_line // 2
    return text if len(text) <= max_line else text[:half] + text[len(text) - (max_line - half) :]


def single(pieces: list[Piece]) -> list[Line]:
    """The lines of the pieces one by one; a piece whose length is not that of its place must hold one line."""
    lines: list[Line] = []
    for piece in pieces:
        texts = piece.data.split(b"\n")
        assert texts.pop() == b""
        if len(piece.data) != piece.end - piece.offset:
            assert len(texts) == 1
            lines.append((piece.offset, piece.end, texts[0]))
            continue
        at = piece.offset
        for text in texts:
            lines.append((at, at + len(text) + 1, text))
            at += len(text) + 1
    return lines


@given(
    reads=st.lists(st.binary(max_size=12) | st.sampled_from([b"\n", b"a\n", b"\r\n", b"\0", b"x" * 30, b"\n\n\n"])),
    max_line=st.integers(2, 20),
    finished=st.booleans(),
)
def test_any_cut_into_reads_gives_the_same_lines(reads: list[bytes], max_line: int, finished: bool) -> None:
    lines = Lines(max_line)
    pieces = [piece for data in reads for piece in lines.feed(data)]
    if finished:
        pieces += lines.finish()
    assert single(pieces) == plain(b"".join(reads), max_line, finished)
    assert lines.offset + lines.held == len(b"".join(reads))


def test_offsets_begin_where_reading_begins() -> None:
    assert Lines(100, offset=7).feed(b"a\nb\n") == [Piece(7, 11, b"a\nb\n")]


def test_a_half_line_is_kept_back_and_not_counted() -> None:
    lines = Lines(100)
    assert lines.feed(b"one\ntw") == [Piece(0, 4, b"one\n")]
    assert (lines.offset, lines.held) == (4, 2)
    assert lines.feed(b"o\n") == [Piece(4, 8, b"two\n")]


def test_whole_lines_are_passed_on_without_a_copy() -> None:
    data = b"one\ntwo\n"
    assert Lines(100).feed(data)[0].data is data


@pytest.mark.parametrize("text", [b"\0a\0", b"\xff\xfe", b"\xe2\x82", b"a\r", b"\x0b\x0c\x1c\x85\xe2\x80\xa8"])
def test_only_a_line_feed_ends_a_line(text: bytes) -> None:
    assert Lines(100).feed(text + b"\n") == [Piece(0, len(text) + 1, text + b"\n")]


def test_a_long_line_keeps_its_beginning_and_its_end() -> None:
    lines = Lines(8)
    pieces = lines.feed(b"a\n" + b"1234" + b"-" * 50 + b"5678\nb\n")
    assert pieces == [Piece(0, 2, b"a\n"), Piece(2, 61, b"12345678\n"), Piece(61, 63, b"b\n")]


def test_memory_is_bounded_however_long_a_line_gets() -> None:
    lines = Lines(1000)
    for _ in range(200):
        assert lines.feed(b"x" * 10_000) == []
        assert sys.getsizeof(lines._held) < 2 * (1000 + SLACK + 10_000)
    assert lines.feed(b"end\n") == [Piece(0, 2_000_004, b"x" * 997 + b"end\n")]


def test_a_finished_stream_ends_its_last_line() -> None:
    lines = Lines(100)
    lines.feed(b"one\ntwo")
    assert lines.finish() == [Piece(4, 7, b"two\n")]
    assert (lines.offset, lines.finish()) == (7, [])
