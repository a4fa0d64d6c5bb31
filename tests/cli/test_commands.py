"""The command line as a whole: what goes with what, and where an option may stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from logtrigger import __version__
from logtrigger.cli.commands import COMMANDS, main
from logtrigger.config import DEFAULT_PATH

RULES = "config rule\n option name r\n option pattern line\n option script /bin/sh\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules").write_text(RULES)
    Path("rules").chmod(0o600)


@pytest.mark.parametrize("words", ["-c rules check", "check -c rules", "-c none check -c rules"])
def test_configuration_before_or_after_the_command(words: str) -> None:
    """The later one counts, where both are given."""
    done = run(*words.split())
    assert (done.exit_code, done.stdout) == (0, "rules: 1 rule, no mistakes\n")


def test_version() -> None:
    done = run("--version")
    assert (done.exit_code, done.stdout) == (0, f"logtrigger, version {__version__}\n")


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("check", "--help"), ("replay", "-h")])
def test_help_goes_to_standard_output(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    assert str(DEFAULT_PATH) in done.stdout


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help_fits_a_terminal(words: list[str]) -> None:
    assert max(map(len, run(*words, "--help").stdout.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(name: str) -> None:
    assert f" logtrigger {name}" in run(name, "--help").stdout.partition("\n")[2]
    assert f"\n  {name} " in run("--help").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("-D", "two"),
        ("-D", "-1"),
        ("--dry-rnu",),
        ("chekc",),
        ("-c",),
        ("-D", "2", "check"),
        ("--dry-run", "replay"),
    ],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: " in done.stderr
