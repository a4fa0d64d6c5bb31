"""The pictures of the documents: the real program is run on a terminal, and what it shows is drawn.

python -m tools.pictures          draws docs/*.svg anew
"""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

from tools.terminal import picture

ROOT = Path(__file__).parents[1]
COLUMNS = 96
BOUND = 30.0  # seconds that anything may take

_SHOWN = "/etc/logtrigger"  # the folder that the pictures tell of; the one in its place has a name as long
_RULE = """\
config logtrigger
	option state 'state.db'

config rule
	option name 'Door'
	option file '{folder}/door.log'
	option pattern 'door[%d]: wrong code %s from %s'
	option fields '- code ip'
	option maxfail '3'
	option time '10m'
	option script 'ring.sh'
"""
_SCRIPT = "#!/bin/sh\nprintf 'somebody at %s is ringing\\n' \"$LT_ip\"\n"
_LINES = [
    "Nov 21 17:20:03 gate door[812]: wrong code 1234 from 192.0.2.7",
    "Nov 21 17:20:09 gate door[812]: wrong code 0000 from 192.0.2.7",
    "Nov 21 17:20:14 gate door[812]: wrong code 4321 from 192.0.2.7",
]


class Shown:
    """A program on a terminal, and all that it has shown."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self._fd, theirs = pty.openpty()
        ioctl(theirs, TIOCSWINSZ, pack("HHHH", 60, COLUMNS, 0, 0))
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "logtrigger", *words], cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self.text = ""

    def until(self, enough: Callable[[str], bool]) -> None:
        """Read until that has been shown, or the program has ended. Raises TimeoutError."""
        end = time.monotonic() + BOUND
        while not enough(self.text):
            if not select.select([self._fd], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"in vain: {self.text!r}")
            try:
                self.text += os.read(self._fd, 65_536).decode()
            except OSError:  # EIO: nobody has the terminal open any more
                return

    def close(self) -> str:
        self.process.wait(BOUND)
        os.close(self._fd)
        return self.text


def draw() -> dict[str, str]:
    """The pictures, by the names of their files."""
    folder = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    try:
        return {
            "trigger.svg": _drawn("-c door.conf -D 2", _trigger(folder), folder, "logtrigger -D 2 shows a trigger"),
            "match.svg": _drawn(
                "match 'wrong code %s from %s' --fields 'code ip' door.log",
                _match(folder),
                folder,
                "logtrigger match explains a line that nearly matches",
            ),
        }
    finally:
        shutil.rmtree(folder)


def _trigger(folder: Path) -> str:
    (folder / "door.conf").write_text(_RULE.format(folder=folder))
    (folder / "ring.sh").write_text(_SCRIPT)
    (folder / "door.log").touch()
    for file in (folder, *folder.iterdir()):
        file.chmod(0o700)
    shown = Shown(["-c", "door.conf", "-D", "2"], folder)
    shown.until(lambda text: " ready" in text)
    with open(folder / "door.log", "a") as log:
        log.writelines(f"{line}\n" for line in _LINES)
    shown.until(lambda text: "exit 0" in text and text.endswith("\n"))
    shown.process.send_signal(signal.SIGINT)
    shown.until(lambda text: False)
    return shown.close()


def _match(folder: Path) -> str:
    (folder / "door.log").write_text(f"{_LINES[0].replace('192.0.2.7', '192.0.2.7:40001')}\n")
    shown = Shown(["match", "wrong code %s from %s", "--fields", "code ip", "door.log"], folder)
    shown.until(lambda text: False)
    return shown.close()


def _drawn(command: str, shown: str, folder: Path, title: str) -> str:
    assert len(str(folder)) == len(_SHOWN)
    return picture(f"\x1b[2m#\x1b[0m \x1b[1mlogtrigger {command}\x1b[0m\n{shown.replace(str(folder), _SHOWN)}", title, COLUMNS)


def main() -> None:
    for name, drawn in draw().items():
        (ROOT / "docs" / name).write_text(drawn)


if __name__ == "__main__":
    main()
