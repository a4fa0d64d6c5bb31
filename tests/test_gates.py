"""Gates: what a chunk cannot hold is closed, and nothing that it does hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logtrigger.gates import Gates, Need

NOBODY = frozenset[str]()


def need(*literals: str, programs: str = "") -> Need:
    """Of one pattern with these literals, the longest of which is looked for."""
    texts = [literal.encode() for literal in literals]
    return Need(max(texts, key=len), [texts], frozenset(programs.split()))


LINE = b"Nov 14 22:00:00 h sshd[7]: Failed password for x from 192.0.2.7\n"


@pytest.mark.parametrize(
    ("wanted", "is_open"),
    [
        (need("Failed "), True),
        (need("Failed ", "from "), True),
        (need("Failed ", '"'), False),  # a byte is not there
        (need("Failed ", "\n"), True),
        (need("Failed ", programs="sshd"), True),
        (need("Failed ", programs="su sshd"), True),
        (need("Failed ", programs="su"), False),
        (Need(b"Failed ", [[b"Failed ", b'"'], [b"Failed "]], NOBODY), True),  # one of the patterns needs less
        (Need(b"Failed ", [[b"Failed ", b'"'], [b"Failed ", b"#"]], NOBODY), True),  # none of them may match: that is not told
        (Need(b"Failed ", [[b"Failed ", b'"'], [b"Failed ", b'"#']], NOBODY), False),
    ],
)
def test_what_is_needed_is_there_or_not(wanted: Need, is_open: bool) -> None:
    gates = Gates([need("h "), wanted, need("x ")])
    assert gates.open(LINE * 2) == [0, 1, 2] if is_open else [0, 2]


def test_a_text_that_many_share_is_looked_for_in_their_place() -> None:
    shared = [need("rom: Failed", f"{word}d") for word in ("passwor", "wor", "roo")]
    gates = Gates([*shared, need("Failed")])
    assert [text for text, _ in gates._texts] == [b"rom: Failed"]
    assert gates.open(LINE) == [3]


def test_nothing_is_said_of_programs_where_headers_are_unknown() -> None:
    gates = Gates([need("Failed", programs="su")])
    assert gates.open(LINE.partition(b"h ")[2]) == [0]
    assert gates.open(LINE + b"".join(b"%d\n" % number for number in range(300))) == [0]
    assert gates.open(LINE + b"su: x\n") == [0]
    assert gates.open(LINE + b"sudo: x\n") == []


TEXTS = st.text("ab", min_size=1, max_size=4).map(str.encode)


@settings(max_examples=300)
@given(st.lists(st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=2), max_size=6), st.binary(max_size=9))
def test_what_a_chunk_holds_is_open(patterns: list[list[list[bytes]]], data: bytes) -> None:
    data = bytes(b"ab\n"[byte % 3] for byte in data)
    needs = [Need(some[0][0], [[some[0][0], *literals] for literals in some], NOBODY) for some in patterns]
    held = [n for n, one in enumerate(needs) if any(all(text in data for text in some) for some in one.literals)]
    assert set(held) <= set(Gates(needs).open(data))
