"""logit.sh: each kind of event to its own file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.scripts.conftest import SCRIPTS, Run

RULES = SCRIPTS.parent / "etc/config/logtrigger"


@pytest.mark.parametrize(
    ("rule", "file"),
    [
        ("DDNS_Status", "ddns.log"),
        ("SIP_Login", "logins.log"),
        ("Dropbear_Login", "logins.log"),
        ("Dropbear_Notice", "dropbear.log"),
        ("MiniUPNPD", "miniupnpd.log"),
        ("SSH_Login", "logins.log"),
        ("LuCI_Login", "logins.log"),
        ("SIP_WrongPass", "failed_logins.log"),
        ("SSH_InvalidUser", "failed_logins.log"),
        ("Dropbear_FailedExit", "failed_logins.log"),
        ("Blocked_Address", "blockedIPs.log"),
        ("DHCP_Lease", "dhcp.log"),
    ],
)
def test_file_of_a_rule(run: Run, logs: Path, rule: str, file: str) -> None:
    for message in ("first", "second"):
        assert run("logit.sh", {"LT_name": rule, "LT_message": message}).returncode == 0
    assert {path.name: path.read_text() for path in logs.iterdir()} == {file: "first\nsecond\n"}


@pytest.mark.parametrize("rule", ["", "Homework", "logins.log", "_", "login"])
def test_unknown_rule_is_told(run: Run, logs: Path, rule: str) -> None:
    done = run("logit.sh", {"LT_name": rule, "LT_message": "text"})
    assert (done.returncode, list(logs.iterdir())) == (1, [])
    assert "no file is known for this rule" in done.stderr


def test_rules_that_use_it_are_known(run: Run) -> None:
    """Every rule of the shipped configuration that runs logit.sh has a file."""
    sections = RULES.read_text().split("\nconfig rule\n")[1:]
    names = [text.split("option name '")[1].split("'")[0] for text in sections if "/logit.sh'" in text]
    assert len(names) >= 8
    for name in names:
        assert run("logit.sh", {"LT_name": name, "LT_message": "text"}).returncode == 0


def test_folder_is_made(run: Run, tmp_path: Path) -> None:
    variables = {"LT_name": "SIP_Login", "LT_message": "text", "LOGTRIGGER_LOGDIR": f"{tmp_path}/new/folder"}
    assert run("logit.sh", variables).returncode == 0
    assert (tmp_path / "new/folder/logins.log").read_text() == "text\n"
    assert (tmp_path / "new/folder/logins.log").stat().st_mode & 0o77 == 0


def test_folder_that_cannot_be(run: Run) -> None:
    done = run("logit.sh", {"LT_name": "SIP_Login", "LT_message": "text", "LOGTRIGGER_LOGDIR": "/dev/null/folder"})
    assert done.returncode != 0
    assert "/dev/null/folder" in done.stderr


def test_long_lines_of_several_at_once_stay_whole(shell: tuple[str, ...], logs: Path) -> None:
    lines = [letter * (16 << 10) for letter in "abcdefgh"]
    env = {"PATH": "/usr/bin:/bin", "LT_name": "SIP_Login", "LOGTRIGGER_LOGDIR": str(logs)}
    running = [subprocess.Popen([*shell, SCRIPTS / "logit.sh"], env=env | {"LT_message": line}) for line in lines]
    assert [process.wait(30) for process in running] == [0] * len(lines)
    assert sorted((logs / "logins.log").read_text().splitlines()) == lines
