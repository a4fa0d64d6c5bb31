"""Which patterns can be forged: what is said to be safe is attacked at random, and what is shown as a forgery is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from logtrigger import patterns
from logtrigger.config import forgery, regexlines
from logtrigger.errors import PatternError, Place
from logtrigger.patterns.form import Form, Literal
from logtrigger.recognise import Line, Recogniser
from logtrigger.rule import Rule

EVIL = b"203.0.113.9"
BEGINNINGS = ["", "sshd[%d]: ", "user ", "from ", "x: "]
LITERALS = [" ", ": ", ", ", " from ", "=", " x", "[", "]", "] ", "a:", "/", "user ", ":", "-", " ("]
ENDS = ["", "", " x", "]", ": ok"]


def rule(*texts: tuple[str, str], syntax: str = "scanf") -> Rule:
    """A rule of patterns, each with its fields, that counts by `ip`, `f1` or whichever field is an address first."""
    compiled = tuple(patterns.compile(text, fields.split(), syntax) for text, fields in texts)
    kinds = [pair for pattern in compiled for pair in zip(pattern.fields, pattern.types, strict=True)]
    key = next(((name,) for name, kind in kinds if kind == "ip"), ())
    return Rule(name="a", place=Place("rules.conf", 1), patterns=compiled, key=key, script=Path("/bin/sh"))


@st.composite
def scanf(draw: Any) -> tuple[str, str]:
    """A pattern with an address in it, and its fields."""
    text, fields = draw(st.sampled_from(BEGINNINGS)), []
    if "%" in text:
        fields.append("-")
    for number in range(draw(st.integers(1, 4))):
        text += draw(st.sampled_from(LITERALS)) if number or not text else ""
        kind = draw(st.sampled_from(["text", "word", "ip", "int"]))
        text += "%d" if kind == "int" else "%s"
        fields.append(f"f{number}:{kind}")
    assume(any(field.endswith(":ip") for field in fields))
    return text + draw(st.sampled_from(ENDS)), " ".join(fields)


def attack(draw: Any, form: Form) -> bytes:
    """Free text that a stranger would try: pieces of the pattern with an address of his choice."""
    literals = [element.text for element in form.elements if isinstance(element, Literal)]
    if draw(st.booleans()):
        copy = filled(form, EVIL, lambda: draw(st.sampled_from([b"x", b"", b"y"])))
        begin = draw(st.sampled_from([0, 0, *range(len(copy))]))
        around = st.sampled_from([b"", b"x", b" "])
        return bytes(draw(around) + copy[begin:] + draw(around))
    pieces = st.sampled_from([*literals, EVIL, EVIL, b"20", b"2001:db8:", b"x", b" ", b"5", b"=", b":", b"0" * 401])
    return b"".join(draw(st.lists(pieces, max_size=6)))


def filled(form: Form, address: bytes, free: Any) -> bytes:
    parts = []
    for element in form.elements:
        if isinstance(element, Literal):
            parts.append(element.text)
        elif element.kind.is_gap:
            text = free()
            parts.append(b"".join(text.split()) if element.kind.excludes else text)
        else:
            parts.append(address if element.kind.name == "ip" else b"22")
    return b"".join(parts)


def addresses(rule: Rule, line: bytes) -> list[bytes] | None:
    """Those that the rule reads of a line; None where it is no event."""
    found = Recogniser(rule).recognise(Line(line, 0, len(line)))
    if found is None:
        return None
    return [value for value, kind in zip(found.values, found.reading.pattern.types, strict=True) if kind == "ip"]


@settings(max_examples=400, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.data())
def test_no_line_forges_what_cannot_be_forged(data: Any) -> None:
    """Whatever the free text is made of, the daemon's own addresses are read; with one pattern, and with two."""
    texts = data.draw(st.lists(scanf(), min_size=1, max_size=2))
    try:
        tried = rule(*texts)
    except PatternError:
        assume(False)
    assume(not any(forgery.find(tried)))
    for _ in range(8):
        form = data.draw(st.sampled_from(tried.patterns))
        assert isinstance(form, Form)
        true = data.draw(st.sampled_from([b"192.0.2.1", b"3.0.113.9", b"db8::9"]))
        line = forgery.header(b"daemon", form.anchor) + filled(form, true, lambda form=form: attack(data.draw, form))
        assert set(addresses(tried, line) or [true]) == {true}, line


@settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(scanf())
def test_what_is_shown_is_read(text: tuple[str, str]) -> None:
    """A line that is shown makes the rule read what is said, and not what the daemon wrote."""
    try:
        tried = rule(text)
    except PatternError:
        assume(False)
    for found in forgery.find(tried):
        if found.line:
            assert found.read != found.true
            assert found.read in (addresses(tried, found.line) or [])


def test_alternative_behind_one_that_fails() -> None:
    """Where free text is left empty the pattern of the line fails, and the next one reads what a stranger wrote elsewhere."""
    first, second = ("sshd[%d]: login from %s as %s: %s", "- ip user why"), ("bad %s from %s", "user ip")
    assert not any(forgery.find(rule(first)))
    tried = rule(first, second)
    found = next(forgery.find(tried))
    assert (found.pattern, addresses(tried, found.line)) == (0, [EVIL])
    tagged = rule(first, ("sshd[%d]: bad %s from %s", "- user ip"))
    assert not any(forgery.find(tagged))


def test_lines_of_an_expression() -> None:
    line = regexlines.template(r"^Failed \w+ for (?P<user>.*) from (?P<ip>\S+)(?: port \d+)? (?:ssh2|x)$", {"ip": b"192.0.2.1"})
    assert line is not None
    assert line.text() == b"Failed x for  from 192.0.2.1 ssh2" or line.text() == b"Failed x for x from 192.0.2.1 ssh2"
    assert regexlines.template(r"(a)\1", {}) is None


def test_forged_expression() -> None:
    tried = rule((r"login of .* from (?P<ip>\S+): .*", ""), syntax="regex")
    [found] = forgery.find(tried)
    assert (found.true, found.read) == (b"192.0.2.1", EVIL)
    assert addresses(tried, found.line) == [EVIL]
