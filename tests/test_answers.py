"""Answers: what captures tell, and what of that is remembered. That they agree with a thorough look is in test_ways.py."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from logtrigger import answers
from logtrigger.answers import Answer, Answers, Part, asked_for, shape_of
from logtrigger.recognise import KEY_JOINT
from logtrigger.rule import BanOptions, Rule
from logtrigger.ways import Ways
from tests.script import SSHD, rule

FIELDS = "user ip port"


def answers_of(made: Rule, *, may_miss: bool = True) -> Answers:
    """The answers for captures in the order in which a rule asks for them."""
    names = [name for name in asked_for(made) if name in made.fields]
    normalisers = dict(zip(made.patterns[0].fields, made.patterns[0].normalisers, strict=True))
    parts = [Part((re.compile(rb"[0-9A-Fa-f.:]+"),) if name == "ip" else (), normalisers[name]) for name in names]
    return Answers(shape_of(made, made.patterns, names, parts, may_miss=may_miss))


@pytest.mark.parametrize(
    ("options", "captures", "answer"),
    [
        ({}, (b"192.0.2.7",), "192.0.2.7"),
        ({}, (b"2001:DB8::7",), "2001:db8::7"),
        ({}, (b"a.example",), None),  # not of its type: the pattern may match elsewhere
        ({}, (b"",), False),
        ({"key": ("user", "ip")}, (b"a\tb", b"192.0.2.7"), f"a b{KEY_JOINT}192.0.2.7"),
        ({"key": ("user", "ip")}, (b"a", b""), f"a{KEY_JOINT}"),
        ({"when": ["user == a"]}, (b"192.0.2.7", b"a"), "192.0.2.7"),
        ({"when": ["user == a"]}, (b"192.0.2.7", b"b"), False),
        ({"when": ["ip in 2001:db8::/32"]}, (b"2001:DB8::7",), "2001:db8::7"),
        ({"when": ["program == a"]}, (b"192.0.2.7",), None),  # captures do not tell of the header
        ({"excepts": ["a%s"]}, (b"192.0.2.7",), None),
        ({"excepts": ["a%s"]}, (b"",), False),
        ({"ignore": ["192.0.2.0/24"]}, (b"192.0.2.7",), False),
        ({"ignore": ["192.0.2.0/24"]}, (b"192.0.3.7",), "192.0.3.7"),
        ({"ban": BanOptions(field="ip", seconds=1.0, prefix4=24)}, (b"192.0.2.7",), "192.0.2.0/24"),
    ],
)
def test_what_captures_tell(options: dict[str, Any], captures: tuple[bytes, ...], answer: Answer) -> None:
    made = answers_of(rule(SSHD, FIELDS, **options))
    for _ in range(2):  # also when it is remembered
        assert made[captures] == answer
        if len(captures) == 1:
            assert made[captures[0]] == answer
    assert made.strangers == (0 if answer is not None else 4 if len(captures) == 1 else 2)


def test_empty_captures_of_a_line_that_was_found() -> None:
    assert answers_of(rule(SSHD, FIELDS, key=("user",)), may_miss=False)[b""] == ""


def test_addresses_that_not_all_patterns_have_first_are_not_told_of() -> None:
    """`ignore` is for the first address of the pattern that matches."""
    made = rule(f"{SSHD}|a %s %s", "user ip|other:ip ip", ignore=["192.0.2.0/24"])
    names = asked_for(made)
    assert names == ["ip", "other"]
    shape = shape_of(made, made.patterns, names, [Part((), None)] * 2, may_miss=True)
    assert Answers(shape)[b"192.0.3.7", b""] is None


def test_answers_of_one_shape_are_remembered_together() -> None:
    """Also where addresses are counted by the prefix that is banned."""
    made = Ways("")
    for one in (rule("sshd[%d]: a %s", "- ip"), rule("su[%d]: b %s from %s|su[%d]: c %s", "- x ip|- ip")):
        assert made.of(one) is not None
        assert made.of(replace(one, ban=BanOptions(field="ip", seconds=1.0))) is not None
    assert len(made._answers) == 2


def test_no_more_answers_are_remembered_than_are_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_MOST", 10)
    made = answers_of(rule(SSHD, FIELDS, key=("user",)))
    for number in range(35):
        assert made[b"user %d" % number] == f"user {number}"
    assert made[b"x" * 65] == "x" * 65
    assert len(made) == 5
