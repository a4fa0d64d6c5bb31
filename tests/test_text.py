"""Text from a log made safe: replaced, never deleted, and never longer than it may be."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.text import cut, safe, safe_start


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        ("J\u00f6rg \u65e5\u672c".encode(), "J\u00f6rg \u65e5\u672c"),
        (b"a\tb", "a b"),
        (b"a\0b\nc\rd\x7fe", "a?b?c?d?e"),
        (b"\x1b[31mred\x1b]0;title\x07", "?[31mred?]0;title?"),
        ("\u009b31m\u0085".encode(), "?31m?"),  # C1, as UTF-8
        (b"\x9b31m", "\ufffd31m"),  # C1, as a bare byte
        ("\u202egnp.exe\u2066\u200f\u061c".encode(), "?gnp.exe???"),
        ("a\u2028b\u2029".encode(), "a?b?"),
        (b"\xff\xfe\xc3", "\ufffd\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),  # a surrogate
        (b"$(reboot) `x` ' \" % ; |", "$(reboot) `x` ' \" % ; |"),  # a shell never sees it as code
    ],
)
def test_safe(raw: bytes, text: str) -> None:
    assert safe(raw) == text


@given(st.binary(max_size=50) | st.text(max_size=50).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_safe_text_moves_no_cursor(raw: bytes) -> None:
    """As many characters as before, none of them a control."""
    text = safe(raw)
    assert len(text) == len(raw.decode("utf-8", "replace"))
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)
    assert not any(
        unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI") for c in text
    )


@given(st.text(max_size=20), st.integers(0, 40))
def test_cut_text_fits(text: str, most: int) -> None:
    """The longest beginning that fits, no character in two."""
    short = cut(text, most)
    assert text.startswith(short)
    assert len(short.encode()) <= most
    assert short == text or len(text[: len(short) + 1].encode()) > most


def test_safe_start_tells_that_there_was_more() -> None:
    assert safe_start(b"a\0" * 5, 10) == "a?a?a?a?a?"
    assert safe_start(b"x" * 11, 10) == "x" * 11
    assert len(safe_start(b"x" * 1000, 10)) == 14
