"""The linear way alone: the places of blocks, found from the right in pieces of the line. How it reads is in test_form.py."""

from __future__ import annotations

import pytest

from logtrigger.patterns import scanf

LONG = 200_000


def linear(pattern: str, fields: str, line: bytes) -> list[bytes] | None:
    found = scanf.compile(pattern, fields.split()).match_linear(line, 0, len(line))
    return None if found is None else list(found)


@pytest.mark.parametrize("distance", [0, 1, 1022, 1023, 1024, 1025, 3071, 3072, 3073, 65_535, 65_536, 65_537, LONG])
def test_block_is_found_wherever_it_is(distance: int) -> None:
    """Also where it lies across two of the pieces that the line is searched in, whose ends are at such distances."""
    tail = b"x" * distance
    line = b"a " * LONG + b"from 192.0.2.7 by " + tail + b"!"
    assert linear("%s from %s by %s!", "user ip rest", line) == (
        [b"a " * (LONG - 1) + b"a", b"192.0.2.7", tail] if distance else None
    )


def test_number_is_whole_across_pieces() -> None:
    """A number that ends where a piece does is not cut there."""
    for distance in range(1000, 1060):
        line = b"a " + b"1" * 40 + b"x" * distance + b"from ::1"
        assert linear("a %s%dx%s from %s", "u n r ip", line + b" from ::1") is None
        assert linear("%d%s from %s", "n r ip", line + b" from ::1") == [b"1" * 40, b"x" * distance + b"from ::1", b"::1"]


def test_words_are_followed_from_both_sides() -> None:
    """A word ends at the blank, wherever one begins to look."""
    word = b"b" * LONG
    assert linear("a%sb%sc", "x y:word", b"a" + word + b"c") == [b"b", b"b" * (LONG - 2)]
    assert linear("a%sb%sc", "x y:word", b"a" + word + b" c") is None
    assert linear("%s b%sc", "x:word y:word", word + b" " + word + b" bb bxc") == [b"bb", b"x"]


def test_part_of_an_address_is_none() -> None:
    """What could be the address's own beginning may not stand before the text that precedes it."""
    assert linear("%s:%s", "x ip", b"user 2001:db8::1") is None
    assert linear("%s:%s.", "x ip", b"user 2001:db8::1.") is None
    assert linear("%s:%s", "x ip", b"user:2001:db8::1") == [b"user", b"2001:db8::1"]
    assert linear("%s:%s", "x ip", b"a:b:192.0.2.7") == [b"a:b", b"192.0.2.7"]
