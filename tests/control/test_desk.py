"""Requests that ask for what there is not are answered with what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from logtrigger.control.desk import COMMANDS, Desk
from logtrigger.control.protocol import Refused, Request

DOCUMENT = Path(__file__).parents[2] / "docs/control.md"


@pytest.mark.parametrize(
    ("command", "arguments", "error", "remedy"),
    [
        ("statsu", {}, "unknown command 'statsu'", "did you mean 'status'?"),
        (
            "zebra",
            {},
            "unknown command 'zebra'",
            "there are status, rules, rule, bans, ban, unban, events, why, reload, metrics, pause, resume, firewall and probe",
        ),
        ("x" * 1000, {}, f"unknown command '{'x' * 40}'", "there are status"),
        ("status", {"rule": "x"}, "'status' takes no 'rule'", ""),
        ("bans", {"network": ["1.2.3.4"]}, "'bans' takes no 'network'", "did you mean 'networks'?"),
        ("bans", {"networks": "1.2.3.4"}, "'networks' is to be a list of texts", ""),
        ("bans", {"networks": [1]}, "'networks' is to be a list of texts", ""),
        ("bans", {"most": -1}, "'most' is to be a whole number from 0 to 1000000000", ""),
        ("bans", {"most": True}, "'most' is to be a whole number from 0 to 1000000000", ""),
        ("ban", {}, "'network' is missing", ""),
        ("ban", {"network": None}, "'network' is missing", ""),
        ("ban", {"network": "1.2.3.4", "seconds": 1.5}, "'seconds' is to be a whole number from 0 to 1000000000", ""),
        ("ban", {"network": "1.2.3.4", "seconds": 1e99}, "'seconds' is to be a whole number from 0 to 1000000000", ""),
        ("ban", {"network": "1.2.3.4", "force": "no"}, "'force' is to be true or false", ""),
        ("rule", {"name": 7}, "'name' is to be a text", ""),
        ("probe", {"text": 20 * "\ud800"}, "'text' is to be a text", ""),
        ("bans", {"networks": ["\udfff"]}, "'networks' is to be a list of texts", ""),
    ],
)
def test_refused(command: str, arguments: dict[str, Any], error: str, remedy: str) -> None:
    nobody: Any = None
    with pytest.raises(Refused) as caught:
        Desk(nobody).answer(Request(command, arguments, 0))
    assert caught.value.error == error
    assert caught.value.remedy.startswith(remedy)


def test_every_command_is_documented() -> None:
    """The table for programs names all commands, and the arguments of each."""
    table = DOCUMENT.read_text().split("| command | arguments | rows |\n")[1].split("\n\n")[0]
    found = {
        row[1].strip(" `"): set(re.findall(r"`(\w+)`", row[2])) for line in table.splitlines()[1:] if (row := line.split("|"))
    }
    assert found == {name: set(command.takes) for name, command in COMMANDS.items()}
