"""What `completion` prints, in the shells it is for: keys are typed, and the line is looked at."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

import pytest
from click.testing import CliRunner

from logtrigger.cli.commands import main
from tests.cli.asking import ask, asked

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds

TYPED = [  # what is typed, and what is offered for its last word
    ("logtrigger unb", "unban"),
    ("logtrigger match --nocas", "--nocase"),
    ("logtrigger completion f", "fish"),
    ("logtrigger -c rules unban 19", "192.0.2.7"),
    ("logtrigger -c rules unban 2001:db", "2001:db8::7"),
    ("logtrigger replay old", "old.log"),
]


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """Where `logtrigger` is this one."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/logtrigger"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m logtrigger "$@"\n')
    program.chmod(0o755)
    given = {"PATH": f"{tmp_path}/bin:{os.environ.get('PATH', os.defpath)}", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    return given | {"TERM": "xterm", "LC_ALL": "C.UTF-8", "PS1": "> "}


def script(shell: str, folder: Path) -> Path:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    path = folder / f"completion.{shell}"
    path.write_text(done.stdout)
    return path


class Terminal:
    """A shell that somebody types into."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._seen = ""

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def until(self, text: str) -> None:
        """Wait for a text after what was waited for before."""
        end = time.monotonic() + PATIENCE
        while text not in self._seen:
            left = end - time.monotonic()
            assert left > 0 and select.select([self._fd], [], [], left)[0], f"no {text!r} in {self._seen!r}"
            self._seen += os.read(self._fd, 65_536).decode("utf-8", "replace")
        self._seen = self._seen.partition(text)[2]


@contextmanager
def typing(words: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, pack("HHHH", 24, 200, 0, 0))
    process = subprocess.Popen(
        words, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        process.kill()
        process.wait(PATIENCE)
        os.close(ours)


@pytest.mark.tool("bash", "zsh")
@pytest.mark.parametrize(
    ("shell", "options", "before"),
    [
        ("bash", ["--norc", "--noprofile", "-i"], "bind 'set enable-bracketed-paste off'"),
        ("zsh", ["-f", "-i"], "bindkey -e; autoload -U compinit; compinit -u -D"),
    ],
    ids=["bash", "zsh"],
)
def test_typed_into(shell: str, options: list[str], before: str, tmp_path: Path, environment: Mapping[str, str]) -> None:
    with asked(tmp_path) as one:
        assert ask(one, "ban", "2001:db8::7").exit_code == ask(one, "ban", "192.0.2.7").exit_code == 0
        (tmp_path / "old.log").touch()
        with typing([shell, *options], tmp_path, environment) as terminal:
            terminal.type(f"{before}; . {script(shell, tmp_path)}; echo rea''dy\n")
            terminal.until("ready")
            for keys, word in TYPED:
                terminal.type(f"{keys}\t\x01echo @\x05@\n")  # go to the line's beginning, to its end: the shell shows the line
                terminal.until(f"@{keys.rpartition(' ')[0]} {word}")


@pytest.mark.tool("fish")
def test_fish(tmp_path: Path, environment: Mapping[str, str]) -> None:
    with asked(tmp_path) as one:
        assert ask(one, "ban", "2001:db8::7").exit_code == ask(one, "ban", "192.0.2.7").exit_code == 0
        (tmp_path / "old.log").touch()
        asking = "; ".join(f"complete -C '{keys}'" for keys, _ in TYPED)
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {script('fish', tmp_path)}; {asking}"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        offered = [line.partition("\t")[0] for line in done.stdout.splitlines()]
        assert offered == [word for _, word in TYPED], done.stderr


@pytest.mark.parametrize("words", ["logtrigger nonsense ", "logtrigger -D ", "logtrigger ban ", "logtrigger unban '2001"])
def test_no_complaint_amid_a_line(words: str, tmp_path: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["logtrigger"],
        cwd=tmp_path,
        env={**environment, "_LOGTRIGGER_COMPLETE": "bash_complete", "COMP_WORDS": words},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_another_shell() -> None:
    done = CliRunner().invoke(main, ["completion", "csh"])
    assert done.exit_code == 2 and "bash" in done.stderr
