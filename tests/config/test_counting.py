"""`distinct`, and the condition that stands for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.rule import Distinct

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

HEAD = "config rule\n option name a\n option script /bin/sh\n option pattern 'login of %s from %s'\n option fields 'user ip'\n"


@pytest.mark.parametrize(
    ("options", "key", "distinct"),
    [
        (" option maxfail 10\n option distinct user\n", ("ip",), Distinct("user", 32, 64)),
        (
            " option maxfail 9\n option key user\n option distinct ip\n option ban_prefix6 56\n",
            ("user",),
            Distinct("ip", 32, 56),
        ),
        (" option maxfail 2\n option key user\n option distinct ip_country\n", ("user",), Distinct("ip_country", 32, 64)),
        (" option maxfail 2\n option distinct host\n", ("ip",), Distinct("host", 32, 64)),
        (" option maxfail 2\n", ("ip",), None),
    ],
)
def test_what_is_counted(write: Write, options: str, key: tuple[str, ...], distinct: Distinct | None) -> None:
    settings, _ = config.load(write("rules.conf", HEAD + options))
    assert (settings.rules[0].key, settings.rules[0].distinct) == (key, distinct)


def test_readable_form(write: Write) -> None:
    text = HEAD + " list when 'country_changed user within 2h'\n list when 'user != bob'\n"
    [rule] = config.load(write("rules.conf", text))[0].rules
    assert (rule.key, rule.distinct, rule.maxfail, rule.time) == (("user",), Distinct("country", 32, 64), 2, 7200.0)
    assert [condition.text for condition in rule.when] == ["user != bob"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            " option maxfail 2\n option distinct usr\n",
            "rules.conf:7: error: 'distinct' names 'usr', which is no field (did you mean 'user'?)",
        ),
        (
            " option maxfail 2\n option distinct ip\n",
            "rules.conf:7: error: 'distinct' names 'ip', of which each counter sees one value only "
            "(the rule is counted by ip: name another field, or write option key)",
        ),
        (
            " option maxfail 2\n option distinct country\n",
            "rules.conf:7: error: 'distinct' names 'country', of which each counter sees one value only "
            "(the rule is counted by ip: name another field, or write option key)",
        ),
        (
            " option distinct user\n",
            "rules.conf:6: error: 'distinct' with maxfail 1 counts nothing (write option maxfail '2' or more)",
        ),
        (
            " option maxfail 2\n option distinct user\n option weight 2\n",
            "rules.conf:8: error: 'weight' beside 'distinct': values have none (remove one of the two)",
        ),
        (
            " option maxfail 1001\n option distinct user\n",
            "rules.conf:6: error: 'maxfail' is too much for 'distinct': 1001 (write at most 1000)",
        ),
        (
            " option when 'country_changed user in 2h'\n",
            "rules.conf:6: error: 'when': 'country_changed user in 2h' is no condition (write country_changed user within 2h)",
        ),
        (
            " option when 'country_changed user within 2x'\n",
            "rules.conf:6: error: 'when': 'country_changed user within 2x' is no condition "
            "(write country_changed user within 2h)",
        ),
        (
            " option when 'country_changed usr within 2h'\n",
            "rules.conf:6: error: 'key' names 'usr', which is no field (did you mean 'user'?)",
        ),
        (
            " option maxfail 3\n option when 'country_changed user within 2h'\n",
            "rules.conf:6: error: 'maxfail' beside the condition 'country_changed user within 2h', which settles it "
            "(remove it, or instead of the condition write option key 'user', distinct 'country', maxfail '2', time '2h')",
        ),
    ],
)
def test_mistakes(complaints: Complaints, options: str, complaint: str) -> None:
    assert complaint in complaints(HEAD + options)


def test_rules_of_a_group_count_alike(complaints: Complaints) -> None:
    text = HEAD + " option group g\n option maxfail 3\n option distinct user\n"
    text += text.replace("name a", "name b").replace(" option distinct user\n", "")
    assert any("differ in distinct" in complaint for complaint in complaints(text))


def test_place_that_is_counted_needs_a_database(complaints: Complaints) -> None:
    found = complaints(HEAD + " option maxfail 2\n option key user\n option distinct country\n")
    assert any("asks for country, and there is no database" in complaint for complaint in found)
