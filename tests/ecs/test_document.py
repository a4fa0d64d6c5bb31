"""A document is what a plain reading of the sets comes to, whatever the fields hold and lack."""

from __future__ import annotations

import json
from collections.abc import Mapping as Map
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.ecs import anchoring, fields
from logtrigger.ecs.document import Front, Shape
from logtrigger.ecs.mapping import Copy, Dataset, Event, Set, Text, type_of
from logtrigger.ecs.transforms import TRANSFORMS
from logtrigger.errors import Place
from logtrigger.templates import Template

PLACE = Place("x.conf", 1)
PATTERN = anchoring.compile("(?P<a>.*)\\|(?P<b>.*)\\|(?P<n>[0-9]*)", ["n:text"], "regex")
TARGETS = (
    "event.reason",
    "user.name",
    "related.user",
    "related.hosts",
    "observer.mac",
    "own.thing.x",
    "own.n",
    "event.severity",
)


def plain(sets: Sequence[Set], values: Map[str, str], time: str, message: str) -> dict[str, Any]:
    """The slow way."""
    document: dict[str, Any] = {"message": message} | ({"@timestamp": time} if time else {})
    for target in dict.fromkeys(one.target for one in sets):
        found: list[Any] = []
        for one in (one for one in sets if one.target == target):
            if isinstance(one, Text):
                text = one.text.render(values)
            else:
                text = values.get(one.field, "")
                text = TRANSFORMS[one.transform](text) if one.transform and text else text
            value: Any = text
            if type_of(target, "own") == "long":
                value = int(text) if text.isascii() and text.isdigit() and int(text) < 1 << 63 else ""
            if value != "" and value not in found:
                found.append(value)
        if not found:
            continue
        if target not in fields.MANY:
            found = found[:1]
        *above, last = target.split(".")
        node = document
        for part in above:
            node = node.setdefault(part, {})
        node[last] = found if target in fields.LISTS or len(found) > 1 else found[0]
    return document


sets = st.lists(
    st.one_of(
        st.builds(Copy, st.sampled_from(TARGETS), st.sampled_from(["a", "b", "n", "host", "pid"])),
        st.builds(Copy, st.sampled_from(TARGETS), st.sampled_from(["a", "b"]), st.sampled_from(["lower", "dn_name"])),
        st.builds(Text, st.sampled_from(TARGETS), st.sampled_from(["x%sy", "7", "{a} of {host}", "{b}"]).map(Template)),
    ),
    max_size=8,
)
texts = st.text(st.characters(exclude_characters="|\n\r\x0b\x0c\x85\u2028\u2029", exclude_categories=["Cs"]), max_size=8)


@given(
    own=sets,
    whole=sets,
    rows=st.lists(
        st.tuples(
            texts, texts, st.sampled_from(["", "0", "007", "99999999999999999999"]), st.sampled_from(["", "gate"]), texts
        ),
        max_size=4,
    ),
    time=st.sampled_from(["", "2023-10-31T15:09:59Z"]),
)
def test_as_a_plain_reading_has_it(
    own: list[Set], whole: list[Set], rows: list[tuple[str, str, str, str, str]], time: str
) -> None:
    event = Event("e", PLACE, (PATTERN,), tuple(own))
    dataset = Dataset("own", PLACE, sets=tuple(whole))
    shape = Shape(dataset, event, PATTERN)
    for a, b, n, host, message in rows:
        front = Front(host, {"host": host} if host else {})
        values = [text.encode() for text in (a, b, n)]
        got = shape.text(f'"{time}"' if time else "", json.dumps(message), values, front, "812" if host else "")
        known = {"a": a, "b": b, "n": n} | ({"host": host, "pid": "812"} if host else {})
        assert json.loads(got) == plain(dataset.sets_of(event), known, time, message)


def test_what_an_event_says_hides_what_its_dataset_says() -> None:
    dataset = Dataset("own", PLACE, sets=(Text("event.category", Template("network")), Text("event.type", Template("info"))))
    event = Event("e", PLACE, (PATTERN,), (Text("event.category", Template("session")),))
    got = json.loads(Shape(dataset, event, PATTERN).text("", '"m"', [b"", b"", b""]))
    assert got["event"] == {"category": ["session"], "type": ["info"]}


@pytest.mark.parametrize(
    ("target", "text", "value"),
    [
        ("client.port", b"22", 22),
        ("client.port", b"65535", 65535),
        ("client.port", b"65536", None),
        ("client.nat.port", b"-5", None),
        ("event.severity", b"-5", -5),
        ("event.severity", b"9223372036854775807", 9223372036854775807),
        ("event.severity", b"9223372036854775808", None),
        ("event.risk_score", b"1.5", 1.5),
        ("tls.resumed", b"true", True),
        ("tls.resumed", b"yes", None),
        ("event.risk_score", b"x", None),
        ("own.count", b"7", "7"),
    ],
)
def test_types(target: str, text: bytes, value: object) -> None:
    event = Event("e", PLACE, (PATTERN,), (Copy(target, "a"),))
    got = json.loads(Shape(Dataset("own", PLACE), event, PATTERN).text("", '"m"', [text, b"", b""]))
    above, _, last = target.rpartition(".")
    assert got.get(above, {}).get(last) == value


def test_many_hosts_take_bounded_memory() -> None:
    event = Event("e", PLACE, (PATTERN,), (Copy("host.name", "host"),))
    shape = Shape(Dataset("own", PLACE), event, PATTERN)
    for number in range(3000):
        got = shape.text("", '"m"', [b"", b"", b""], Front(number, {"host": f"h{number}"}))
        assert json.loads(got)["host"]["name"] == f"h{number}"
    assert len(shape._frames) <= 512
