"""Patterns take a whole message."""

from __future__ import annotations

import pytest

from logtrigger.ecs import anchoring
from logtrigger.errors import PatternError


@pytest.mark.parametrize(
    ("text", "syntax"),
    [("x %s", "scanf"), ("x {a}", "format"), ("x (?P<a>.+)", "regex"), ("(?i)X (?P<a>.+)|nothing", "regex"), ("%s", "scanf")],
)
def test_from_the_first_character_to_the_last(text: str, syntax: str) -> None:
    pattern = anchoring.compile(text, ["a"] if syntax == "scanf" else [], syntax)
    line = b"head: x yes"
    assert pattern.match(line, 6, len(line)) is not None
    assert (pattern.match(line, 0, len(line)) is None) is (text != "%s")
    assert pattern.match(b"x", 0, 1) is None or text == "%s"


def test_the_end_is_asked_for() -> None:
    assert anchoring.compile("x [0-9]", syntax="regex").match(b"x 55", 0, 4) is None
    assert anchoring.compile("x [0-9]", syntax="regex").match(b"x 5 ", 0, 4) is not None


def test_no_tag() -> None:
    with pytest.raises(PatternError, match="program's tag"):
        anchoring.compile("sshd[%d]: hello")
