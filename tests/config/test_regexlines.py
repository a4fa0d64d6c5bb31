"""Lines made from a regular expression are lines that it matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.config.regexlines import forged, template

VALUES = {"ip": b"192.0.2.1", "user": b"bob"}


@pytest.mark.parametrize(
    "expression",
    [
        r"Failed password for (?P<user>.*) from (?P<ip>\S+) port \d+",
        r"^login(?: failed)?: (?P<user>[a-z]+)@(?P<ip>[0-9.]+)$",
        r"(?:bad|wrong) (?:user|name) (?P<user>.+?) \[(?P<ip>[^\]]+)\]",
    ],
)
def test_a_line_is_matched_and_holds_the_values(expression: str) -> None:
    line = template(expression, VALUES)
    assert line is not None
    found = re.search(expression.encode(), line.text())
    assert found is not None
    assert found.groupdict() == VALUES


@given(st.from_regex(re.compile(r"\A[a-z ]{1,8}(?:\[a-z\]\+|\\d\{2\}|\.\*|\(x\|y\)|z\?){0,3}[a-z]{0,4}\Z")))
def test_every_line_that_is_made_is_matched(expression: str) -> None:
    line = template(expression, {})
    assert line is None or re.search(expression.encode(), line.text())


@pytest.mark.parametrize("expression", [r"(a)\1", r"a{30}b(?:c|d){30}.*(e.*){30}"])
def test_what_is_not_known_here_has_no_line(expression: str) -> None:
    assert template(expression, VALUES) is None


def test_free_text_behind_the_address_can_repeat_it() -> None:
    line = template(r"from (?P<ip>\S+): .*", VALUES)
    assert line is not None
    assert any(text.count(b"from ") == 2 and b"203.0.113.9" in text for text in forged(line, "ip", b"203.0.113.9"))


def test_without_free_text_there_is_nothing_to_write_into() -> None:
    line = template(r"from (?P<ip>[0-9.]+)$", VALUES)
    assert line is not None
    assert not list(forged(line, "ip", b"203.0.113.9"))
