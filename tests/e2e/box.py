"""A machine in small: its own network, processes and mounts, so that real daemons can run as root and harm nothing.

Its /etc is a copy, its /dev, /run and /var/log are its own; everything in it ends with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.scripts.netns import PATH, Namespace
from tests.sources.journald import PROGRAM as JOURNALD

ROOT = Path(__file__).parents[2]
BOUND = 30.0  # seconds that anything may take
PASSWORD = "right"
HASH = "$6$logtrigger$pqAfvcD2bLoBEvH9Opo2m4LJBgiXXIDssN5BdAh2aJ5WdzyPO5s1KvByOBFeBPU3tETlHXsdzvBBlapvsOvnp0"

# Run as process 1 of the box, with the folder for its own files. It says "ready" and then only waits.
_SETUP = """
set -e
own=$1; shift
mount -t tmpfs -o mode=755 box "$own"
cp -a /etc "$own/etc"
mkdir "$own/dev" "$own/dev/pts"
for name in null zero full random urandom tty ptmx; do cp -a "/dev/$name" "$own/dev/$name"; done
mount --bind /dev/pts "$own/dev/pts"
sed -i "s|^root:[^:]*:[^:]*:|root:$HASH:20000:|" "$own/etc/shadow"
mount --bind "$own/etc" /etc
mount --rbind "$own/dev" /dev
for folder in /run /var/log; do mount -t tmpfs -o mode=755 box "$folder"; done
mkdir /run/sshd
for program; do mount --bind /dev/null "$program"; done
echo ready
exec sleep 1000000
"""


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Look until the condition holds; fail when that takes too long."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Box:
    """A running box. `own` is the folder whose content inside the box only the box sees; `files` is seen from both sides."""

    pid: int
    network: Namespace
    files: Path

    def run(self, *command: str) -> str:
        """Run a command in the box as root; what it prints."""
        done = subprocess.run(self._inside(command), env=_env(), capture_output=True, text=True, check=True)
        return done.stdout

    @contextmanager
    def running(self, *command: str, env: dict[str, str] | None = None) -> Iterator[Path]:
        """A program running in the box; the file that its standard error goes to."""
        output = self.files / f"{Path(command[0]).name}.err"
        with output.open("wb") as file:
            process = subprocess.Popen(self._inside(command), env=_env() | (env or {}), stdout=file, stderr=file)
        try:
            yield output
            assert process.poll() is None, f"{command[0]} has ended: {output.read_text()}"
        finally:
            process.terminate()
            process.wait(BOUND)

    def _inside(self, command: Sequence[str]) -> list[str]:
        return ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--", *command]

    @contextmanager
    def system_log(self) -> Iterator[Path]:
        """A syslog daemon on the box's /dev/log; the file it writes."""
        log, configuration = self.files / "system.log", self.files / "rsyslog.conf"
        configuration.write_text(
            'module(load="imuxsock" SysSock.Name="/dev/log")\n'
            f'*.* action(type="omfile" file="{log}" template="RSYSLOG_TraditionalFileFormat")\n'
        )
        with self.running("rsyslogd", "-n", "-f", str(configuration), "-i", "/run/rsyslogd.pid"):
            wait_for(lambda: self.run("sh", "-c", "test ! -S /dev/log || echo there"), "rsyslogd opens /dev/log")
            yield log

    @contextmanager
    def journald(self) -> Iterator[None]:
        """systemd's journal on the box's /dev/log, in memory."""
        configuration = self.files / "journald.conf"
        configuration.write_text("[Journal]\nStorage=volatile\nReadKMsg=no\nRateLimitIntervalSec=0\n")
        self.run("mkdir", "-p", "/run/systemd/journal", "/run/systemd/journald.conf.d")
        self.run("cp", str(configuration), "/run/systemd/journald.conf.d/test.conf")
        self.run("ln", "-s", "/run/systemd/journal/dev-log", "/dev/log")
        self.run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")  # the /sys of a new network has none
        with self.running(JOURNALD):
            wait_for(lambda: self.run("sh", "-c", "test ! -S /run/systemd/journal/dev-log || echo there"), "journald")
            yield

    @contextmanager
    def logtrigger(self, log: Path) -> Iterator[Callable[[str], int]]:
        """The daemon with the shipped rules, on this log; how often it has said something so far, by a piece of the line."""
        self.run("mkdir", "-p", "/etc/config", "/etc/logtrigger")
        self.run("cp", str(ROOT / "etc/config/logtrigger"), "/etc/config/logtrigger")
        self.run("cp", *map(str, (ROOT / "scripts").glob("*.sh")), "/etc/logtrigger")
        configuration = self.files / "logtrigger.conf"
        configuration.write_text(
            "config logtrigger\n"
            "\tlist include '/etc/config/logtrigger'\n"
            f"\toption state '{self.files}/state.db'\n"
            "config override\n"
            "\toption rule '*'\n"
            f"\toption file '{log}'\n"
            f"\tlist env 'LOGTRIGGER_LOGDIR={self.files}/logs'\n"
        )
        configuration.chmod(0o600)
        command = [sys.executable, "-m", "logtrigger", "-c", str(configuration), "-D", "3"]
        with self.running(*command, env={"PYTHONPATH": str(ROOT)}) as output:
            wait_for(lambda: "ready\n" in output.read_text(), "logtrigger is ready")
            yield lambda piece: output.read_text().count(piece)


@contextmanager
def box(network: Namespace, folder: Path, hidden: Sequence[str] = ()) -> Iterator[Box]:
    """A box in this network namespace; it has none of the `hidden` programs."""
    for name in ("own", "files"):
        (folder / name).mkdir()
    programs = [path for name in hidden if (path := shutil.which(name, path=PATH))]
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _SETUP, "sh"]
    process = subprocess.Popen(
        network.command(*command, str(folder / "own"), *programs),
        env=_env() | {"HASH": HASH},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout and process.stdout.readline() == "ready\n", "the box cannot be built"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        yield Box(int(children), network, folder / "files")
    finally:
        process.kill()
        process.communicate()


def _env() -> dict[str, str]:
    return {"PATH": PATH, "HOME": os.environ.get("HOME", "/root"), "LANG": "C"}
