"""Actions that are told of the daemon itself and of bans, and those that feed back what they print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.rule import NOTICE

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

LOG = "config action log\n option type log\n option path /tmp/log\n"
TOLD = "config logtrigger\n list on_start log\n list on_stop log\n list on_ban 'log other'\n"
SCRIPT = "config action geo\n option type script\n option script /bin/sh\n option feed 1\n"
ASKS = "config rule\n option name asks\n option pattern 'login %s'\n option fields ip\n list action geo\n"
READS = "config rule\n option name reads\n option pattern 'user %s: %s'\n option source action:geo\n option script /bin/sh\n"


def test_who_is_told(write: Write) -> None:
    other = LOG.replace("log\n", "other\n", 1) + " option text '{state}: {body}, {network}'\n list when 'state == ban'\n"
    settings, warnings = config.load(write("rules.conf", TOLD + LOG + other))
    assert settings.notices == {"start": ("log",), "stop": ("log",), "ban": ("log", "other"), "unban": (), "rule_silent": ()}
    assert [len(action.when[NOTICE]) for action in settings.actions] == [0, 1]
    assert warnings == ()


def test_what_is_fed_back(write: Write) -> None:
    settings, warnings = config.load(write("rules.conf", SCRIPT + " option max_waiting 7\n" + ASKS + READS))
    assert (settings.rules[1].source, settings.actions[0].own.feed, settings.actions[0].max_waiting) == ("action:geo", True, 7)
    assert warnings == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            TOLD + LOG,
            "rules.conf:4: error: no action is called 'other' (write: config action 'other', and below it what it does)",
        ),
        (
            TOLD.replace(" other", "") + LOG + " option text '{user} did it'\n",
            "rules.conf:8: error: 'text': what is told of logtrigger itself has no field 'user'"
            " (there are ip, network and rule)",
        ),
        (
            "config logtrigger\n list on_ban b\nconfig action b\n option type ban\n option time 1h\n",
            "rules.conf:2: error: 'b' is an action of type ban: there is nobody to ban (name another action)",
        ),
        (
            SCRIPT + ASKS + READS.replace(":geo", ":gea"),
            "rules.conf:13: error: 'source': no action is called 'gea' (did you mean 'action:geo'?)",
        ),
        (
            SCRIPT.replace(" option feed 1\n", "") + ASKS + READS,
            "rules.conf:12: error: 'source': the action 'geo' feeds nothing back "
            "(an action of type script does, with option feed '1')",
        ),
        (
            SCRIPT + ASKS + READS + " option sender root\n",
            "rules.conf:15: error: 'sender': an action does not tell which user wrote a line "
            "(read a source with journal '1' or listen 'unix:/dev/log', or use option program)",
        ),
        (
            SCRIPT + ASKS + READS.replace(":geo", ":../geo"),
            "rules.conf:13: error: 'source' cannot be 'action:../geo' "
            "(write the name of a config section: letters, digits and underscores)",
        ),
    ],
)
def test_mistakes(complaints: Complaints, text: str, complaint: str) -> None:
    assert complaint in complaints(text)
