"""Tables fit the terminal, whatever stands in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.cli.tables import Column, columns, paragraph, roughly, safe, size, table

HEADS: list[str | Column] = ["RULE", Column("READS", keeps_end=True), Column("LAST LINE")]


def test_without_a_terminal_nothing_is_cut() -> None:
    rows = [["sshd", "/var/log/auth.log", "x" * 300]]
    assert list(table(HEADS, rows, None))[1] == f"sshd  /var/log/auth.log  {'x' * 300}"


def test_what_is_cut_keeps_the_end_that_tells_more() -> None:
    _, line = table(HEADS, [["sshd", "/var/log/auth.log", "Failed password for root"]], 32)
    rule, reads, last = line.split("  ")
    assert rule == "sshd" and reads.startswith("…") and reads.endswith("auth.log")
    assert last.startswith("Failed") and last.endswith("…")


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=50), st.text(max_size=50)), max_size=5), st.integers(20, 120))
def test_every_line_fits_and_moves_no_cursor(rows: list[tuple[str, str, str]], room: int) -> None:
    for line in table(HEADS, rows, room):
        assert columns(line) <= room
        assert "\n" not in line and "\x1b" not in line


def test_paragraphs_go_on_below_themselves() -> None:
    assert paragraph("store", "one two three four", 7, 17).splitlines() == ["store  one two", "       three four"]


@pytest.mark.parametrize(("seconds", "text"), [(59, "59s"), (61, "1m1s"), (3661, "1h1m"), (90_000, "1d1h")])
def test_spans(seconds: float, text: str) -> None:
    assert roughly(seconds) == text


def test_sizes_and_empty_texts() -> None:
    assert (size(1), size(5 << 20), safe(""), safe("a\x1b[2J")) == ("1 byte", "5.0 MiB", "-", "a?[2J")
