"""`absent` and `forget`: what they come to, and what cannot stand beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

HEAD = "config rule\n option name Backup\n option script /bin/sh\n option pattern 'backup of %s done'\n option fields machine\n"
WAITS = HEAD + " option key machine\n option absent 25h\n"


def test_what_is_waited_for(write: Write) -> None:
    settings, warnings = config.load(write("rules.conf", WAITS))
    assert (settings.rules[0].absent, settings.rules[0].forget, warnings) == (90_000.0, 30 * 86_400.0, ())


def test_defaults_that_count_are_not_meant(write: Write) -> None:
    defaults = "config defaults\n option maxfail 5\n option time 10m\n option ban 1h\n"
    [rule] = config.load(write("rules.conf", defaults + WAITS))[0].rules
    assert (rule.absent, rule.maxfail, rule.time, rule.ban) == (90_000.0, 1, None, None)


def test_a_rule_that_counts_does_not_wait(write: Write) -> None:
    text = "config defaults\n option absent 1h\n" + HEAD + " option key machine\n option maxfail 2\n"
    [rule] = config.load(write("rules.conf", text))[0].rules
    assert (rule.absent, rule.maxfail) == (None, 2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            WAITS + " option maxfail 3\n",
            "rules.conf:8: error: 'maxfail' beside 'absent': the rule tells that events stay away, and counts none "
            "(remove it, or write a rule of its own with 'maxfail')",
        ),
        (
            HEAD + " option forget 3d\n",
            "rules.conf:6: error: 'forget' says nothing of a rule without 'absent' (add option absent '25h', or remove it)",
        ),
        (
            WAITS + " option forget 1d\n",
            "rules.conf:8: error: 'forget' is 1d, and 'absent' 1d1h: all is forgotten before it is missing "
            "(write option forget '2d2h' or more)",
        ),
        (
            WAITS + "config rule\n option name Other\n option pattern 'x %s'\n option fields machine\n option key machine\n"
            " option script /bin/sh\n option maxfail 2\n option reset_by Backup\n",
            "rules.conf:15: error: 'reset_by': rule 'Backup' waits for events (absent) and resets nothing (name another rule)",
        ),
        (
            HEAD.replace("machine", "ip") + " option absent 1d\n list action b\nconfig action b\n option type ban\n"
            " option time 1h\n",
            "rules.conf:7: error: rule 'Backup' waits for events (absent): there is nobody to ban (remove it)",
        ),
    ],
)
def test_mistakes(complaints: Complaints, text: str, complaint: str) -> None:
    assert complaint in complaints(text)
