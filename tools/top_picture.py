"""The picture of `logtrigger top`: a real daemon under load, and the screen as Textual has drawn it.

python -m tools.top_picture          draws docs/top.svg anew, and says what the screen and the daemon cost
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from asyncio import run  # noqa: TID251 - Textual's own loop
from pathlib import Path

from logtrigger.cli.why import told
from logtrigger.control.client import Client

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/top.svg"
SECONDS = 20  # of load before the picture
A_SECOND = 10_000  # lines

_MAIN = """\
config logtrigger
	option state '{folder}/state.db'
	list use 'sshd dropbear recidive'

config firewall
	option backend 'null'

config override
	list rule 'sshd_*'
	option file '{folder}/auth.log'

config rule
	option name 'door_opened'
	option file '{folder}/door.log'
	option pattern 'door[%d]: opened by %s'
	option fields '- who'
	option maxfail '1000'
"""
_FAILED = "Nov 21 17:20:03 gate sshd[812]: Failed password for root from 192.0.2.{} port {} ssh2\n"
_OPENED = "Nov 21 17:20:03 gate door[7]: opened by guest{}\n"


def load(folder: Path, over: threading.Event) -> None:
    """Lines, so many a second."""
    number, begun = 0, time.monotonic()
    with (folder / "auth.log").open("a") as auth, (folder / "door.log").open("a") as door:
        while not over.wait(0.1):
            due = int((time.monotonic() - begun) * A_SECOND)
            door.write("".join(_OPENED.format(n % 90) for n in range(number, due)))
            auth.write("".join(_FAILED.format(n % 40, n % 60_000) for n in range(number, due, 100)))
            number = due
            door.flush()
            auth.flush()


async def screen(socket: Path) -> tuple[str, float]:
    """The picture after a while, and the part of a core that the screen has taken meanwhile."""
    from logtrigger.top.app import Top

    app = Top(lambda: Client([socket]), told)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(5)
        before, begun = time.process_time(), time.monotonic()
        await pilot.pause(SECONDS)
        taken = (time.process_time() - before) / (time.monotonic() - begun)
        return app.export_screenshot(title="logtrigger top"), taken


def main() -> None:
    """Draw it."""
    with tempfile.TemporaryDirectory() as name:
        folder, over = Path(name), threading.Event()
        for log in ("auth.log", "door.log"):
            (folder / log).touch()
        configuration = folder / "logtrigger"
        configuration.write_text(_MAIN.format(folder=folder))
        configuration.chmod(0o600)
        command = [sys.executable, "-m", "logtrigger", "-c", str(configuration), "-D", "0"]
        daemon = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
        loading = subprocess.Popen([sys.executable, "-c", _LOADING.format(root=str(ROOT), folder=name)])
        try:
            while not (folder / "state.db.control").exists():
                time.sleep(0.1)
            before = _cpu(daemon.pid)
            begun = time.monotonic()
            picture, taken = run(screen(folder / "state.db.control"))
            daemons = (_cpu(daemon.pid) - before) / (time.monotonic() - begun)
        finally:
            over.set()
            loading.kill()
            loading.wait()
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(60)
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    PICTURE.write_text(picture.replace(name, "/var/log"))
    print(f"the screen takes {taken:.1%} of a core, the daemon {daemons:.1%}, at {A_SECOND:,} lines a second")


_LOADING = """
import sys, threading
sys.path.insert(0, {root!r})
from pathlib import Path
from tools.top_picture import load
load(Path({folder!r}), threading.Event())
"""


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
