"""Lines that stand for several: only directly behind a header, never more than so many, and cheap to take apart."""

from __future__ import annotations

import pytest

from logtrigger.model import Chunk
from logtrigger.repeats import MOST, Repeats

NOW = 1_700_000_000.0
HEAD = "Nov 14 22:00:00 h sshd[7]: "


def pieces(*chunks: str, stream: str = "s", repeats: Repeats | None = None) -> list[tuple[str, int, int, int]]:
    """What the chunks come apart to, empty pieces left out."""
    repeats, offset, found = repeats or Repeats(), 0, []
    for chunk in chunks:
        data = chunk.encode()
        found += [
            (piece.decode(), begin, end, times)
            for piece, begin, end, times in repeats.pieces(Chunk("", "", stream, offset, offset + len(data), data))
            if piece
        ]
        offset += len(data)
    return found


def test_ordinary_lines_stay_together() -> None:
    assert pieces("a\nb\n", "c\n") == [("a\nb\n", 0, 4, 1), ("c\n", 4, 6, 1)]


def test_quoted_message_is_put_in_place_of_what_says_it() -> None:
    text = f"{HEAD}message repeated 3 times: [ bad x]\n"
    end = 2 + len(text)
    assert pieces(f"a\n{text}b\n") == [("a\n", 0, 2, 1), (f"{HEAD}bad x\n", 2, end, 3), ("b\n", end, end + 2, 1)]


@pytest.mark.parametrize(
    ("text", "message", "times"),
    [
        ("message repeated 2 times: [ x]", "x", 2),
        ("message repeated 2 times: [x]", "x", 2),
        ("message repeated 2 times: [ x]] ", "x]", 2),
        ("message repeated 2 times: [ x] \t\r", "x", 2),
        ("message repeated 2 times: [ x", "x", 2),  # cut
        ("message repeated 999999999 times: [ x]", "x", MOST),
        ("message repeated 0 times: [ x]", "x", 0),
    ],
)
def test_quoted_message(text: str, message: str, times: int) -> None:
    assert [(piece, n) for piece, _, _, n in pieces(f"{HEAD}{text}\n")] == [(f"{HEAD}{message}\n", times)]


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}x message repeated 2 times: [ y]",
        f"{HEAD}message repeated two times: [ y]",
        f"{HEAD}message repeated -2 times: [ y]",
        f"{HEAD}message repeated 9999999999 times: [ y]",
        f"{HEAD}message repeated 2 times",
        f"{HEAD}last message repeated 2 times today",
        f"{HEAD}The last message repeated 2 times",
        "message repeated 2 times: [ y]",
        "last message repeated 2 times",
        f"{HEAD}root: message repeated 2 times: [ y]",
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    assert pieces(f"a\n{text}\n") == [(f"a\n{text}\n", 0, 3 + len(text), 1)]


LAST = "Nov 14 22:05:00 h last message repeated 4 times\n"


@pytest.mark.parametrize("chunks", [[f"x\n{HEAD}a\n", LAST], [f"x\n{HEAD}a\n{LAST}"], ["x\n", f"{HEAD}a\n", LAST]])
def test_last_message_happens_again(chunks: list[str]) -> None:
    """With the time of the line that says so, wherever chunks were cut."""
    assert [(piece, n) for piece, _, _, n in pieces(*chunks)][-1] == ("Nov 14 22:05:00 h sshd[7]: a\n", 4)


def test_last_message_may_be_a_repeated_one() -> None:
    quoted = f"{HEAD}message repeated 3 times: [ b]\n"
    for chunks in ([f"{HEAD}a\n{quoted}{LAST}{LAST}"], [f"{HEAD}a\n", quoted, LAST, LAST]):
        found = [(piece.partition("]: ")[2], n) for piece, _, _, n in pieces(*chunks)]
        assert found == [("a\n", 1), ("b\n", 3), ("b\n", 4), ("b\n", 4)]


def test_last_message_is_one_of_the_same_stream() -> None:
    repeats = Repeats()
    pieces(f"{HEAD}a\n", stream="one", repeats=repeats)
    assert "sshd" not in pieces(LAST, stream="two", repeats=repeats)[0][0]
    assert "sshd" in pieces(LAST, stream="one", repeats=repeats)[0][0]
    repeats.forget("one")
    assert "sshd" not in pieces(LAST, stream="one", repeats=repeats)[0][0]


def test_long_line_is_not_remembered() -> None:
    """Memory is bounded; such a line happens again as nothing."""
    assert "xx" not in pieces(f"{HEAD}{'x' * 10_000}\n", LAST)[-1][0]


@pytest.mark.parametrize("body", [" " * 1_000_000 + "x", "]" * 1_000_000 + "x", "message repeated 2 times: [ " * 40_000])
def test_long_line_is_taken_apart_in_linear_time(body: str) -> None:
    assert len(pieces(f"{HEAD}message repeated 2 times: [ {body}\n")) == 1


def test_another_program_cannot_say_that_a_line_happened_again() -> None:
    assert [n for *_, n in pieces(f"{HEAD}bad x\n", "Nov 14 22:00:00 h bob: last message repeated 900 times\n")] == [1, 1]
