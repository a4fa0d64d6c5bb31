"""Recognising events: what they count by, where patterns begin. What is an event is in test_engine.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from logtrigger.headers import KnownStamps
from logtrigger.patterns import format, regex, scanf
from logtrigger.patterns.pattern import Anchor, Pattern
from logtrigger.recognise import KEY_JOINT, Line, Recogniser
from logtrigger.rule import BanOptions
from logtrigger.ways import Ways
from tests.script import SSHD, failed, rule


def line_of(text: str) -> Line:
    raw = text.encode()
    return Line(b"before\n" + raw + b"\n", 7, 7 + len(raw))


def test_line_end_is_no_part_of_a_line() -> None:
    assert line_of("Nov 14 22:00:00 h a[7]: b\r").raw == b"Nov 14 22:00:00 h a[7]: b"
    assert line_of("Nov 14 22:00:00 h\x1b a[7]: b").header_fields() == {"host": "h?", "program": "a", "pid": "7"}
    assert line_of("b").header_fields() == {"host": "", "program": "", "pid": ""}


def test_key_is_made_of_the_fields_in_its_order() -> None:
    made = Recogniser(rule(SSHD, "user ip port", key=("port", "user")))
    found = made.recognise(line_of(failed(user="b\tb")))
    assert found is not None
    assert found.reading.key(found.values) == f"22{KEY_JOINT}b b"
    assert found.reading.key(found.values, ["user", "nothing"]) == f"b b{KEY_JOINT}"
    assert made.fields(found) == {"user": "b b", "ip": "192.0.2.7", "port": "22"}


@pytest.mark.parametrize(
    ("anchor", "text", "is_event"),
    [
        ("message", "Nov 14 22:00:00 h sshd[7]: Failed 1.2.3.4", True),
        ("message", "Nov 14 22:00:00 h sshd: Failed 1.2.3.4 ", True),
        ("message", "<38>1 2023-11-14T22:00:00Z h sshd 7 - - Failed 1.2.3.4", True),
        ("message", "sshd[7]: Failed 1.2.3.4", True),
        ("message", "Nov 14 22:00:00 h sshd[7]: x Failed 1.2.3.4", False),
        ("message", "Nov 14 22:00:00 h sshd[7]: sshd[7]: Failed 1.2.3.4", False),
        ("message", "Nov 14 22:00:00 h root: Failed 1.2.3.4", False),
        ("message", "Failed 1.2.3.4", False),
        ("time", "Nov 14 22:00:00 Failed 1.2.3.4", True),
        ("time", "2023-11-14 22:00:00 Failed 1.2.3.4", True),
        ("time", "[2023-11-14T22:00:00.5Z] Failed 1.2.3.4", True),
        ("time", "Failed 1.2.3.4", True),
        ("time", "Nov 14 22:00:00 h sshd[7]: Failed 1.2.3.4", False),
        ("time", "Nov 14 22:00:00 x: Failed 1.2.3.4", False),
        ("time", "x Failed 1.2.3.4", False),
    ],
)
@pytest.mark.parametrize("pattern", [scanf.compile, format.compile, regex.compile])
def test_anchored_pattern_begins_where_the_message_does(
    anchor: Anchor, text: str, is_event: bool, pattern: Callable[..., Pattern]
) -> None:
    written = {scanf: "Failed %s", format: "Failed {ip}", regex: r"(?i)failed (?P<ip>\S+)|nothing"}
    compiled = {m.compile: m.compile(w, ["ip"] if m is scanf else (), anchor=anchor) for m, w in written.items()}[pattern]
    made = replace(rule("a"), patterns=(compiled,), programs=frozenset({"sshd"} if anchor == "message" else ()), key=("ip",))
    recogniser, line = Recogniser(made), line_of(text)
    assert (recogniser.recognise(line) is not None) is is_event
    way = Ways("logtrigger").of(made)
    if way is not None and (answer := way.one(line.data, line.begin, line.end, KnownStamps())) is not None:
        assert (answer is not False) is is_event


def test_exceptions_are_anchored_with_the_patterns() -> None:
    made = Recogniser(rule("Failed %s for %s", "ip user", programs=["sshd"], anchor="message", excepts=["Failed 10.%s for %s"]))
    assert made.recognise(line_of("Nov 14 22:00:00 h sshd[7]: Failed 10.0.0.1 for x")) is None
    assert made.recognise(line_of("Nov 14 22:00:00 h sshd[7]: Failed 1.2.3.4 for Failed 10.0.0.1 for x")) is not None


@pytest.mark.parametrize(
    ("options", "address", "key"),
    [
        ({}, "192.0.2.7", "192.0.2.7"),
        ({}, "2001:DB8::7", "2001:db8::/64"),
        ({"prefix4": 24}, "192.0.2.7", "192.0.2.0/24"),
        ({"prefix6": 128}, "2001:DB8::7", "2001:db8::7"),
        ({"prefix6": 48}, "::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_banned_address_is_counted_by_its_prefix(options: dict[str, Any], address: str, key: str) -> None:
    made = Recogniser(rule(SSHD, "user ip port", ban=BanOptions(field="ip", seconds=1.0, **options)))
    found = made.recognise(line_of(failed(address)))
    assert found is not None
    assert found.reading.key(found.values) == key
    assert made.key(made.fields(found)) == (key,)
    assert made.fields(found)["ip"] == address.lower().removeprefix("::ffff:")


def test_address_that_is_not_counted_is_not_widened() -> None:
    made = Recogniser(rule(SSHD, "user ip port", key=("user",), ban=BanOptions(field="ip", seconds=1.0)))
    found = made.recognise(line_of(failed("2001:db8::7")))
    assert found is not None
    assert found.reading.key(found.values) == "root"
