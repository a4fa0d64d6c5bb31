"""Recognising events: the quick way says no more than the thorough one. What is an event is in test_engine.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from logtrigger.patterns import format, regex, scanf
from logtrigger.patterns.pattern import Anchor, Pattern
from logtrigger.recognise import KEY_JOINT, Line, Recogniser
from logtrigger.rule import BanOptions, Rule
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
    "made",
    [
        rule(SSHD, "user ip port", key=("user", "ip")),
        rule(SSHD, "user ip port", programs=["sshd"]),
        rule("sshd[%d]: " + SSHD, "pid user ip"),
        rule("d password for %s from %s port %d%s", "user ip", programs=["sshd"]),
        rule("%s port %d ssh2", "ip", programs=["sshd"]),
        rule(" port %d ssh2|from %s", "port|x", key=()),
        rule(SSHD, "user ip port", programs=["sshd"], anchor="message"),
        rule("h %s Failed %s", "tag rest", anchor="time", key=("tag",)),
        rule("h sshd[7]: " + SSHD, "user ip port", anchor="time"),
        rule(SSHD, "user ip port", when=["user == root"]),
        rule(SSHD, "user ip port", ignore=["10.0.0.0/8"]),
        rule(SSHD, "user ip port", ban=BanOptions(field="ip", seconds=1.0)),
        rule(SSHD, "user ip port", ban=BanOptions(field="ip", seconds=1.0, prefix4=24, prefix6=48)),
        rule(SSHD, "user ip port", ban=BanOptions(field="ip", seconds=1.0, prefix4=24), key=("user", "ip")),
    ],
    ids=lambda made: f"{made.patterns[0].text} {made.patterns[0].anchor}",
)
def test_quick_key_is_the_key(made: Rule) -> None:
    recogniser = Recogniser(made)
    if recogniser.quick is None:
        return
    for user in ("root", "x from 9.9.9.9 port 22 ssh2", "sshd[9]: Failed password for y"):
        for header in ("Nov 14 22:00:00 h sshd[7]: ", "Nov 14 22:00:00 h root: ", "Nov 14 22:00:00 h sshd: ", ""):
            for address in ("::FFFF:192.0.2.7", "192.0.2.7", "2001:DB8::7"):
                line = line_of(failed(address, user, header) + " \r")
                captures = recogniser.quick(line.data, line.begin, len(line.data.rstrip()))
                found = recogniser.recognise(line)
                if captures is not None:
                    assert found is not None
                    assert recogniser.first.raw_key(captures) == found.reading.key(found.values)
                    assert list(recogniser.first.normal(captures)) == list(found.values)


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
    if recogniser.quick is not None and recogniser.quick(line.data, line.begin, len(line.data.rstrip())):
        assert is_event


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
