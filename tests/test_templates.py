"""Texts with fields: what is no template, what is inserted, and that it cannot leave its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.errors import PatternError
from logtrigger.templates import Template, in_json, one_line


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{user}{ip}", "bob192.0.2.7"),
        ("{{user}}", "{user}"),
        ("{{{user}}}", "{bob}"),
        ('{{"ip": "{ip}"}}', '{"ip": "192.0.2.7"}'),
        ("{missing}!", "!"),
    ],
)
def test_render(text: str, rendered: str) -> None:
    assert Template(text).render({"user": "bob", "ip": "192.0.2.7"}) == rendered


def test_what_is_inserted_is_no_template() -> None:
    assert Template("{user}").render({"user": "{ip}{", "ip": "x"}) == "{ip}{"


@pytest.mark.parametrize(
    ("text", "fault", "column"),
    [
        ("a {", "'{' stands alone", 3),
        ("a } b", "'}' stands alone", 3),
        ("{}", "'' is no name", 1),
        ("{user.name}", "'user.name' is no name", 1),
        ("{user!r}", "no name", 1),
        ("{0}", "no name", 1),
        ("{a{b}", "'{' stands alone", 1),
    ],
)
def test_what_is_no_template(text: str, fault: str, column: int) -> None:
    with pytest.raises(PatternError, match="column") as caught:
        Template(text)
    assert fault in caught.value.fault
    assert caught.value.column == column


def test_unknown_names() -> None:
    Template("{user} {ip}").check(["user", "ip"])
    with pytest.raises(PatternError) as caught:
        Template("from {usr}").check(["user", "ip"])
    assert (caught.value.fault, caught.value.remedy, caught.value.column) == (
        "there is no field 'usr'",
        "did you mean 'user'?",
        6,
    )


@given(st.text())
def test_json_stays_json(value: str) -> None:
    text = Template('{{"message": "{message}", "n": 1}}').render({"message": value}, in_json)
    assert json.loads(text) == {"message": value, "n": 1}


@given(st.text())
def test_a_line_stays_one_line(value: str) -> None:
    assert len(Template("Subject: {x}").render({"x": value}, one_line).splitlines()) == 1


@given(st.text())
def test_any_text_can_be_written(text: str) -> None:
    assert Template(text.replace("{", "{{").replace("}", "}}")).render({}) == text
