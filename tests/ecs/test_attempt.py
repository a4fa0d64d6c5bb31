"""Several patterns at once find what one after the other finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.ecs import anchoring, attempt
from logtrigger.ecs.attempt import Attempt

FORMATS = [
    "{ip} x: {rest}",
    "{ip}:{port:port} x: {rest}",
    "{name}/{ip} x: {rest}",
    "{name}/{ip}:{port:port} x: {rest}",
    "x",
    # From here on some have no quick expression.
    "{name}/{:word}:{ip}:{port:port} x: {rest}",
    "{:word}:{ip}:{port:port} x: {rest}",
    "x {rest}",
    "{rest} x",
]
PATTERNS = [anchoring.compile(text, syntax="format") for text in FORMATS]
pieces = st.sampled_from(
    ["udp4", "[2001:db8::7]", "10.0.0.1", "2001:db8::7", ":", "80", "/", "bob", " x: ", " ", "x", "é", "8.8.8.8"]
)


@given(st.lists(pieces, max_size=9).map("".join))
def test_joined(text: str) -> None:
    line = text.encode().rstrip()
    slowly, at_once = Attempt(PATTERNS), Attempt(PATTERNS)
    slowly._few, at_once._few = 1, 0
    first, second = slowly.find(line, 0, len(line)), at_once.find(line, 0, len(line))
    assert (first and (first[0], tuple(first[1]))) == (second and (second[0], tuple(second[1])))


@pytest.mark.parametrize("nocase", [False, True])
def test_what_cannot_be_joined(nocase: bool) -> None:
    patterns = [anchoring.compile("a (?P<n>[0-9]+)", syntax="regex"), anchoring.compile("A %s", ["n"], nocase=nocase)]
    one = Attempt(patterns)
    for _ in range(2 * attempt._FEW):
        assert one.find(b"A 5", 0, 3) == (1, (b"5",))
        assert one.find(b"-a 5", 1, 4) == (0, [b"5"])
        assert one.find(b"b", 0, 1) is None
