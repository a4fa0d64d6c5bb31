"""`logtrigger rules --library`: what there is, what is in use, whose file it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from logtrigger.cli.commands import main
from logtrigger.config import library

Ask = Callable[..., Result]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Asks with a configuration that uses one service, and a local file instead of another's."""
    monkeypatch.setattr(library, "LOCAL", tmp_path / "local")
    (tmp_path / "local").mkdir()
    (tmp_path / "local/tty-events.conf").write_text("# tty-events: my consoles\n")
    path = tmp_path / "main"
    path.write_text("config logtrigger\n list use 'sudo-events'\n")
    path.chmod(0o600)
    return lambda *words: CliRunner().invoke(main, ["rules", "--library", *words, "-c", str(path)])


def test_table(ask: Ask, tmp_path: Path) -> None:
    said = ask()
    lines = {line.split()[0]: line for line in said.stdout.splitlines()}
    assert said.exit_code == 0
    assert lines["SERVICE"].split() == ["SERVICE", "IN", "USE", "RULES", "WATCHES"]
    assert lines["sudo-events"].split()[:3] == ["sudo-events", "yes", "5"]
    assert lines["sshd-events"].split()[1] == "-"
    assert lines["tty-events"].endswith(f"my consoles ({tmp_path}/local/tty-events.conf)")


def test_json(ask: Ask, tmp_path: Path) -> None:
    rows = {row["service"]: row for row in json.loads(ask("--json").stdout)}
    assert rows["sudo-events"]["used"] and not rows["sshd-events"]["used"]
    assert "OpenSSH_Login" in rows["sshd-events"]["rules"]
    assert rows["sshd-events"]["hides"] is None
    mine = rows["tty-events"]
    assert (mine["path"], mine["rules"]) == (str(tmp_path / "local/tty-events.conf"), [])
    assert mine["hides"].endswith("etc/logtrigger/rules.d/tty-events.conf")


def test_one(ask: Ask) -> None:
    lines = {line[:12].strip(): line[12:] for line in ask("tty-events").stdout.splitlines()}
    assert lines["watches"] == "my consoles"
    assert lines["used"] == "not in use: list use 'tty-events' in config logtrigger"
    assert lines["instead of"].endswith("etc/logtrigger/rules.d/tty-events.conf")
    assert json.loads(ask("sudo-events", "--json").stdout)["used"] is True


def test_one_that_there_is_not(ask: Ask) -> None:
    said = ask("tty-event")
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr.startswith("the library has no rules for 'tty-event' (did you mean 'tty-events'? there are ")


def test_without_a_configuration(tmp_path: Path) -> None:
    """One that is named must be there; the standard one need not."""
    said = CliRunner().invoke(main, ["rules", "--library", "-c", str(tmp_path / "no")])
    assert (said.exit_code, said.stdout) == (2, "")
    assert "cannot be read: No such file or directory" in said.stderr
