"""Whoever writes the log chooses the values: no shipped script may make more of them than text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scripts.conftest import SCRIPTS, Run
from tests.scripts.netns import PATH

ALL = [*sorted(SCRIPTS.glob("*.sh")), SCRIPTS.parent / "examples/quickstart/show.sh"]
# Each would leave a file in the working folder, end the script or change what it writes, if it were more than text.
HOSTILE = {
    "command": "$(touch owned)",
    "backquotes": "`touch owned`",
    "semicolon": "; touch owned #",
    "and": "1.2.3.4 && touch owned",
    "pipe": "|touch owned",
    "background": "& touch owned &",
    "redirect": "> owned",
    "quote": "'; touch owned; '",
    "double quote": '"; touch owned; "',
    "newline": "1.2.3.4\ntouch owned\n",
    "carriage return": "1.2.3.4\r",
    "escape": "\x1b[2J\x07",
    "glob": "/*",
    "star": "*",
    "brackets": "[a-z]* ?",
    "option": "-n",
    "option with value": "-e \\n",
    "end of options": "--",
    "format": "%s%s%n%d",
    "backslash": "\\",
    "escapes": "\\n\\0101\\c",
    "path": "../../../../tmp/owned",
    "assignment": "PATH=/nowhere",
    "parameter": "${PATH}",
    "arithmetic": "$((1/0))",
    "test": "a = a -o x",
    "bracket": "] || touch owned ; [ x",
    "blanks": "  two  words  ",
    "unicode": "Zoë \u20ac \U0001f512",
    "long": "x" * (16 << 10),
    "long number": "1" * (16 << 10),
    "long dots": "1." * (8 << 10),
    "long colons": "::" * (8 << 10),
    "long command": "$(touch owned)" * 1000,
    "empty": "",
}
NO_ADDRESS = {
    "and a command": "1.2.3.4; rm -rf /",
    "everybody": "0.0.0.0/0",
    "everybody 6": "::/0",
    "network": "10.0.0.0/8",
    "network 6": "fd00::/8",
    "range": "1.2.3.4-1.2.3.9",
    "two": "1.2.3.4, 5.6.7.8",
    "set": "1.2.3.4 } ; flush ruleset ; add element inet x y { 1.2.3.4",
    "name": "localhost",
    "file": "@/etc/passwd",
    "negated": "!1.2.3.4",
    "nobody": "0.0.0.0",
    "nobody 6": "::",
}
VARIABLES = ["name", "message", "user", "ip", "body", "key", "host", "program", "pid", "count", "ignored", "source", "id"]
GOOD = {"LT_name": "SSH_Login", "LT_message": "a message", "LT_ip": "192.0.2.7", "LT_user": "root"}


@pytest.fixture
def path(fakes: Path) -> str:
    """A PATH on which the firewall's tools are fakes, so that these tests need no root and touch no firewall."""
    return f"{fakes}:{PATH}"


@pytest.mark.parametrize("script", ALL, ids=lambda path: path.name)
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_every_variable(run: Run, path: str, logs: Path, script: Path, value: str) -> None:
    """All at once, as a log line would have it: nothing is made of them, and nothing is written elsewhere."""
    done = run(script, {f"LT_{name}": value for name in VARIABLES}, path)
    assert done.returncode in (0, 1)
    assert {file.name for file in logs.iterdir()} <= {"blockedIPs.log", "failed_logins.log"}


@pytest.mark.parametrize("name", ["name", "message", "ip", "ignored", "user"])
@pytest.mark.parametrize("script", ALL, ids=lambda path: path.name)
def test_one_variable(run: Run, path: str, script: Path, name: str) -> None:
    """Each that a script looks at alone among good ones, and one that none does."""
    for value in HOSTILE.values():
        assert run(script, GOOD | {f"LT_{name}": value}, path).returncode in (0, 1)


@pytest.mark.parametrize("value", [*HOSTILE.values(), *NO_ADDRESS.values()], ids=[*HOSTILE, *NO_ADDRESS])
def test_what_is_no_address_is_not_blocked(run: Run, path: str, logs: Path, calls: Callable[[], list[str]], value: str) -> None:
    done = run("ipblock.sh", GOOD | {"LT_ip": value}, path)
    assert done.returncode == 1
    assert "nothing is blocked" in done.stderr
    assert calls() == []
    assert list(logs.iterdir()) == []


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_message_is_logged_as_one_line(run: Run, path: str, logs: Path, value: str) -> None:
    one_line = "".join("?" if character < " " or character == "\x7f" else character for character in value)
    run("logit.sh", GOOD | {"LT_message": value}, path)
    assert (logs / "logins.log").read_text() == one_line + "\n"
    run("ipblock.sh", GOOD | {"LT_message": value}, path)
    assert (logs / "failed_logins.log").read_text() == (one_line or "?") + "\n"


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_rule_name_is_logged_as_one_line(run: Run, path: str, logs: Path, value: str) -> None:
    run("ipblock.sh", GOOD | {"LT_name": value}, path)
    one_line = "".join("?" if character < " " or character == "\x7f" else character for character in value)
    assert (logs / "blockedIPs.log").read_text()[20:] == f"192.0.2.7 {one_line}\n"


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_tools_are_told_the_address_only(run: Run, path: str, calls: Callable[[], list[str]], value: str) -> None:
    """Whatever else is in the environment, the firewall hears of one checked address."""
    run("ipblock.sh", {f"LT_{name}": value for name in VARIABLES} | {"LT_ip": "192.0.2.7", "LT_ignored": ""}, path)
    assert [call for call in calls() if "192.0.2.7" in call] == [
        "nft <create element inet logtrigger_block blocked4 { 192.0.2.7 }>"
    ]
    assert not any("owned" in call for call in calls())
