"""A script's output is bounded and safe."""

from __future__ import annotations

import pytest

from logtrigger.programs import MAX_BYTES, MAX_LINES, Output


def lines_of(*parts: bytes) -> tuple[str, ...]:
    output = Output()
    for part in parts:
        output.feed(part)
    return output.lines()


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        ([], ()),
        ([b""], ()),
        ([b"\n"], ("",)),
        ([b"one\ntwo"], ("one", "two")),
        ([b"on", b"e\nt", b"wo\r\n"], ("one", "two")),
        ([b"\x1b]0;title\x07 \xff \xe2\x80\xae"], ("?]0;title? \ufffd ?",)),
    ],
)
def test_lines(parts: list[bytes], lines: tuple[str, ...]) -> None:
    assert lines_of(*parts) == lines


def test_lines_are_bounded() -> None:
    assert lines_of(b"x\n" * MAX_LINES) == ("x",) * MAX_LINES
    lines = lines_of(*[b"x\n"] * (MAX_LINES + 1))
    assert lines == (*["x"] * MAX_LINES, "(cut off here; it wrote 65 lines, 130 bytes in all)")


def test_bytes_are_bounded() -> None:
    lines = lines_of(*[b"x" * 1000] * 1000, b"\n")
    assert lines == ("x" * MAX_BYTES, "(cut off here; it wrote 1 line, 1,000,001 bytes in all)")


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        ([], ()),
        ([b"one\ntwo"], ("one", "two")),
        ([b"one\r\n", b"two\x1b\n"], ("one", "two?")),
        ([b"one\n", b"x" * MAX_BYTES, b"\nthree\n"], ("one",)),
        ([b"x\n"] * (MAX_LINES + 1), ("x",) * MAX_LINES),
    ],
)
def test_whole_lines(parts: list[bytes], lines: tuple[str, ...]) -> None:
    """What is read as lines of a log: never our own note, nor half of one."""
    output = Output()
    for part in parts:
        output.feed(part)
    assert output.whole() == lines
