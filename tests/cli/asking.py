"""A running daemon for the tests of the commands that ask it, and what they say."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

from click.testing import CliRunner, Result

from logtrigger.cli.commands import main
from tests.live import Live, live

NO_FIREWALL = "config firewall\n\toption backend 'null'\n"


@contextmanager
def asked(folder: Path, *rules: str, **options: object) -> Iterator[Live]:
    """A daemon that runs in a folder, and blocks nothing."""
    with live(folder) as one:
        one.configure(*(rules or [one.rule()]), NO_FIREWALL, **options)
        with one.running():
            yield one


def ask(one: Live, *words: str) -> Result:
    """What a command says, in this process."""
    return CliRunner().invoke(main, ["-c", str(one.folder / "rules"), *words])


def command(one: Live, *words: str) -> list[str]:
    """The same as the words of a process."""
    return [sys.executable, "-m", "logtrigger", "-c", str(one.folder / "rules"), *words]


def on_terminal(one: Live, *words: str, columns: int, lines: int = 24) -> str:
    """What it shows on a terminal of this size."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, pack("HHHH", lines, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(command(one, *words), stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 1 << 16):
            said += piece
    except OSError:
        pass  # the other side is closed
    os.close(ours)
    process.wait(10)
    return said.decode().replace("\r\n", "\n")
