"""Two patterns over one line: alphabets, and the lines that one writes and the other reads in another way."""

from __future__ import annotations

import pytest

from logtrigger.config import readings
from logtrigger.patterns import scanf
from logtrigger.patterns.form import Form
from logtrigger.patterns.format import CODES
from logtrigger.patterns.types import CONVERSIONS, FIELD_TYPES, FieldType


def chars(bits: int) -> bytes:
    return bytes(byte for byte in range(256) if bits >> byte & 1)


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        (FIELD_TYPES["ip"], b".0123456789:ABCDEFabcdef"),
        (FIELD_TYPES["mac"], b"-0123456789:ABCDEFabcdef"),
        (FIELD_TYPES["port"], b"0123456789"),
        (CONVERSIONS["d"], b"+-0123456789"),
        (CONVERSIONS["b"], b"01Bb"),
    ],
)
def test_alphabet(kind: FieldType, held: bytes) -> None:
    assert chars(readings.alphabet(kind)) == held


def test_free_text() -> None:
    assert chars(readings.free_text(FIELD_TYPES["text"])) == bytes(byte for byte in range(256) if byte != 10)
    assert b" " not in chars(readings.free_text(FIELD_TYPES["word"]))
    assert chars(readings.free_text(CODES["w"])) == b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def astray(form: Form, target: int, within: int | None = None) -> bytes | None:
    tokens = {target: b"192.0.2.1"}
    return readings.astray(
        readings.row(form.elements, tokens),
        readings.row(form.elements, {target: b"203.0.113.9"}),
        target,
        frozenset([target]),
        anywhere=False,
        within=within,
    )


def test_shortest_line_that_can_be_read_otherwise() -> None:
    """Elements: "of", user, " from ", ip, ": ", why."""
    form = scanf.compile("of %s from %s: %s", ["user", "ip", "why"])
    assert astray(form, 3, within=1) == b"of x from 203.0.113.9: from 192.0.2.1: x"
    assert astray(form, 3, within=5) == b"of x from 192.0.2.1: from 203.0.113.9: x"


def test_none_behind_a_word() -> None:
    form = scanf.compile("of %s from %s: %s", ["user:word", "ip", "why"])
    assert astray(form, 3) is None


def test_case() -> None:
    assert [chars(cell.chars) for cell in readings.row(scanf.compile("a1").elements, nocase=True)] == [b"Aa", b"1"]
