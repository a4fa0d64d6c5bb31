"""`widen`: what is made of it, and what contradicts itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.rule import Distinct

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

HEAD = "config rule\n option name a\n option pattern 'from %s'\n option fields ip\n option ban 1h\n option maxfail 5\n"


def test_rules_that_are_made(write: Write) -> None:
    text = HEAD + " option time 10m\n option script /bin/sh\n option widen '24/5 16/20 56/5'\n"
    settings, said = config.load(write("rules.conf", text))
    first, *made = settings.rules
    assert (said, first.name, first.of, settings.number_of_rules) == ((), "a", "", 1)
    assert [(one.name, one.of, one.maxfail, one.time, one.script) for one in made] == [
        ("a/24", "a", 5, 600.0, None),
        ("a/16", "a", 20, 600.0, None),
        ("a/56", "a", 5, 600.0, None),
    ]
    assert all(one.ban is not None and one.ban.widened and one.distinct == Distinct("ip", 32, 64) for one in made)
    assert [(one.ban.prefix4, one.ban.prefix6) for one in made if one.ban] == [(24, 64), (16, 64), (32, 56)]
    assert [one.when[0].text for one in made] == ["ip in 0.0.0.0/0", "ip in 0.0.0.0/0", "ip in ::/0"]


def test_rule_that_does_not_ban_widens_nothing(write: Write) -> None:
    text = "config defaults\n option widen 24/5\n" + HEAD.replace("ban 1h", "ban no") + " option script /bin/sh\n"
    assert len(config.load(write("rules.conf", text))[0].rules) == 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            " option ban_prefix4 24\n option widen 24/5\n",
            "rules.conf:8: error: 'widen' to /24, but by 'ban_prefix4' addresses are banned by /24 anyway "
            "(write a prefix shorter than 24, or a longer ban_prefix4)",
        ),
        (
            " option widen 64/5\n",
            "rules.conf:7: error: 'widen' to /64, but by 'ban_prefix6' addresses are banned by /64 anyway "
            "(write a prefix shorter than 64, or a longer ban_prefix6)",
        ),
        (" option widen '24/5 24/6'\n", "rules.conf:7: error: 'widen' has /24 twice (keep one of the two)"),
        (
            " option widen '24/5 16/3'\n",
            "rules.conf:7: error: 'widen' wants 3 addresses for /16, and 5 for /24 "
            "(write a higher number for the wider prefix)",
        ),
        (
            " option widen '24'\n",
            "rules.conf:7: error: 'widen' cannot be '24' "
            "(write prefixes and numbers of addresses, such as '24/5 16/20' or, for IPv6, '56/5')",
        ),
        (
            " option widen '24/1'\n",
            "rules.conf:7: error: 'widen' cannot be '24/1' (write a number of addresses from 2 to 1000)",
        ),
        (
            " option widen '7/5'\n",
            "rules.conf:7: error: 'widen' cannot be '7/5' "
            "(write prefixes and numbers of addresses, such as '24/5 16/20' or, for IPv6, '56/5')",
        ),
    ],
)
def test_mistakes(complaints: Complaints, options: str, complaint: str) -> None:
    assert complaints(HEAD + options) == [complaint]
