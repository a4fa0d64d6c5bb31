"""What the words behind `logtrigger` ask for, before any parser is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from logtrigger.cli import plain_daemon


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("", (None, None, False)),
        ("-c rules", (Path("rules"), None, False)),
        ("-c rules -D 2 --dry-run", (Path("rules"), 2, True)),
        ("-c one -c two", (Path("two"), None, False)),
        ("-c check", (Path("check"), None, False)),
        # Whatever is not as plain is left to the parser, which knows more forms and what to say of a mistake.
        ("-crules", None),
        ("-D2", None),
        ("-D two", None),
        ("-D -1", None),
        ("-D \u0662", None),
        ("-c", None),
        ("-D", None),
        ("--dry", None),
        ("check", None),
        ("-c rules check", None),
        ("--help", None),
    ],
)
def test_daemon_asked_for_plainly(words: str, asked: object) -> None:
    assert plain_daemon(words.split()) == asked


@pytest.mark.parametrize("words", ["-crules -D0 check", "-c rules check"])
def test_command_as_a_process(words: str, tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("config rule\n option name r\n option pattern line\n option script /bin/sh\n")
    (tmp_path / "rules").chmod(0o600)
    command = [sys.executable, "-m", "logtrigger", *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == ((2, "") if "-D" in words else (0, "rules: 1 rule, no mistakes\n"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_behind_standard_output_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("config rule\n option name r\n option pattern line\n option script /bin/sh\n")
    (tmp_path / "rules").chmod(0o600)
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "logtrigger", "check", "-c", "rules"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "logtrigger: No space left on device\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["match", "%s"], ["ecs", "-"]])
def test_full_disk_behind_what_is_found(words: list[str]) -> None:
    """Python tries once more at its end, from 3.13 on with an exit status of its own."""
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "logtrigger", *words]
        done = subprocess.run(command, input="hi\n", stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "standard output: No space left on device\n")
