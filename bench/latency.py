"""How long it takes from a line's write to its action: logtrigger beside the peers that are installed.

One try: append one line with a fresh address to the program's own log, and wait until its action has made the file
named after that address. The programs take turns in random order, after a random pause, so that none is always met at
the same point of its polling. All run the same script and are waited for in the same way.

Prints a Markdown table on standard output; progress and whatever is missing go to standard error.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

POLL = 0.0002  # seconds between two looks for the marker
PATIENCE = 10.0  # seconds until a try counts as lost
START = 60.0  # seconds until a program must have reacted to its first line
PAUSE = 1.0  # seconds, at most, before each round: the longest period at which a peer polls


@dataclass(frozen=True, slots=True)
class Bench:
    """The folder of one program: what it reads, what it runs, where its markers appear."""

    folder: Path

    @classmethod
    def made_in(cls, folder: Path) -> Bench:
        bench = cls(folder)
        bench.markers.mkdir(parents=True)
        bench.log.touch()
        # logtrigger gives the address in the environment, the others as an argument.
        bench.script.write_text(f'#!/bin/sh\n: >"{bench.markers}/${{LT_ip:-$1}}"\n')
        bench.script.chmod(0o755)
        return bench

    @property
    def log(self) -> Path:
        return self.folder / "auth.log"

    @property
    def script(self) -> Path:
        return self.folder / "mark.sh"

    @property
    def markers(self) -> Path:
        return self.folder / "markers"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to measure: where its executable is, and how it is told to watch a bench."""

    name: str
    executable: Callable[[], str | None]
    version: Callable[[], str]
    prepare: Callable[[Bench], Sequence[str]]  # writes the configuration, returns the command
    ready: str = ""  # what it prints when it reads; "" where it does not say


def first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip().partition("\n")[0]


def prepare_logtrigger(bench: Bench) -> Sequence[str]:
    config = bench.write(
        "logtrigger",
        f"""config logtrigger
	option state '{bench.folder}/state.db'

config rule
	option name 'bench'
	option pattern 'Failed password for %s from %s port %d ssh2'
	option fields 'user ip port'
	option file '{bench.log}'
	option maxfail '1'
	option script '{bench.script}'
""",
    )
    return [sys.executable, "-m", "logtrigger", "-c", str(config), "-D", "1"]


def prepare_fail2ban(backend: str) -> Callable[[Bench], Sequence[str]]:
    """A server of its own, with its own socket, and nothing of /etc/fail2ban. No database: it would only cost time."""

    def prepare(bench: Bench) -> Sequence[str]:
        folder = bench.folder
        bench.write(
            "fail2ban/fail2ban.conf",
            f"""[Definition]
loglevel = ERROR
logtarget = STDOUT
syslogsocket = auto
socket = {folder}/fail2ban.sock
pidfile = {folder}/fail2ban.pid
dbfile = None
""",
        )
        bench.write(
            "fail2ban/jail.conf",
            f"""[bench]
enabled = true
backend = {backend}
filter = bench
logpath = {bench.log}
maxretry = 1
findtime = 600
bantime = 86400
usedns = no
action = bench
""",
        )
        bench.write(
            "fail2ban/filter.d/bench.conf",
            r"""[Definition]
failregex = ^\s*\S+ sshd\[\d+\]: Failed password for \S+ from <ADDR> port \d+ ssh2$
""",
        )
        bench.write(
            "fail2ban/action.d/bench.conf",
            f"""[Definition]
actionban = {bench.script} <ip>
actionunban =
""",
        )
        server = ["fail2ban-server", "-c", f"{folder}/fail2ban", "-s", f"{folder}/fail2ban.sock"]
        return [*server, "-p", f"{folder}/fail2ban.pid", "-f", "start"]

    return prepare


def has_pyinotify() -> str | None:
    """fail2ban-server, where its own Python has pyinotify."""
    server = shutil.which("fail2ban-server")
    if server is None:
        return None
    interpreter = Path(server).read_text(errors="replace").partition("\n")[0].removeprefix("#!").split()
    probe = subprocess.run([*interpreter, "-W", "ignore", "-c", "import pyinotify"], capture_output=True)
    return server if probe.returncode == 0 else None


def prepare_sec(bench: Bench) -> Sequence[str]:
    config = bench.write(
        "sec.conf",
        rf"""type=Single
ptype=RegExp
pattern=sshd\[\d+\]: Failed password for \S+ from (\d+\.\d+\.\d+\.\d+) port \d+ ssh2$
desc=bench
action=shellcmd {bench.script} $1
""",
    )
    return ["sec", f"--conf={config}", f"--input={bench.log}"]


def fail2ban_version() -> str:
    return first_line("fail2ban-server", "--version").removeprefix("Fail2Ban v")


PEERS = (
    Peer(
        "logtrigger",
        lambda: sys.executable,
        lambda: importlib.metadata.version("logtrigger"),
        prepare_logtrigger,
        ready="ready",
    ),
    Peer("fail2ban, pyinotify", has_pyinotify, fail2ban_version, prepare_fail2ban("pyinotify")),
    Peer(
        "fail2ban, polling",
        lambda: shutil.which("fail2ban-server"),
        fail2ban_version,
        prepare_fail2ban("polling"),
    ),
    Peer(
        "SEC",
        lambda: shutil.which("sec"),
        lambda: first_line("sec", "--version").rpartition(" ")[2],
        prepare_sec,
    ),
)


@dataclass(slots=True)
class Run:
    """A started program, and what was measured of it."""

    peer: Peer
    bench: Bench
    process: subprocess.Popen[bytes]
    number: int  # in the second part of the addresses it is shown
    tries: int = 0
    times: list[float] = field(default_factory=list)  # seconds
    lost: int = 0

    @classmethod
    def started(cls, peer: Peer, folder: Path, number: int) -> Run:
        bench = Bench.made_in(folder)
        command = peer.prepare(bench)
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        return cls(peer, bench, process, number)

    def attempt(self, patience: float = PATIENCE) -> float | None:
        """Seconds from the write of a fresh line to its marker; None if none came in time."""
        self.tries += 1
        address = f"10.{self.number}.{self.tries >> 8}.{self.tries & 255}"
        marker = str(self.bench.markers / address)
        stamp = time.strftime("%b %e %H:%M:%S")
        line = f"{stamp} bench sshd[4242]: Failed password for root from {address} port 40022 ssh2\n".encode()
        log = os.open(self.bench.log, os.O_WRONLY | os.O_APPEND)
        begin = time.perf_counter()
        os.write(log, line)
        now = begin
        while not os.path.exists(marker):
            if (now := time.perf_counter()) - begin > patience:
                os.close(log)
                return None
            time.sleep(POLL)
        now = time.perf_counter()
        os.close(log)
        return now - begin

    def wait_until_it_reads(self) -> None:
        """Return when the program has reacted to a line, or raise with what it said."""
        deadline = time.perf_counter() + START
        while time.perf_counter() < deadline and self.process.poll() is None:
            if self.peer.ready and self.peer.ready not in self.output():
                time.sleep(0.05)
            elif self.attempt(patience=2.0) is not None:
                return
        raise RuntimeError(f"{self.peer.name} reacts to no line:\n{self.output().strip()}")

    def measure(self) -> None:
        seconds = self.attempt()
        if seconds is None:
            self.lost += 1
        else:
            self.times.append(seconds)

    def output(self) -> str:
        return (self.bench.folder / "output").read_text(errors="replace")

    def stop(self) -> None:
        """End the process and its group, which hold nothing but what was started here."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
                try:
                    self.process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    continue

    def row(self) -> str:
        if not self.times:
            return f"| {self.peer.name} | {self.peer.version()} | | | | | {self.lost} |"
        ranked = sorted(self.times)
        p99 = ranked[-(-len(ranked) * 99 // 100) - 1]  # nearest rank
        figures = (ranked[0], statistics.median(ranked), p99, ranked[-1])
        cells = " | ".join(f"{seconds * 1000:.1f}" for seconds in figures)
        return f"| {self.peer.name} | {self.peer.version()} | {cells} | {self.lost} |"


def table(runs: Sequence[Run], tries: int) -> str:
    """The result as Markdown."""
    where = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    rows = [run.row() for run in runs]
    return "\n".join(
        [
            f"Line written to script's marker seen, milliseconds, {tries} tries each ({where}):",
            "",
            "| program | version | min | median | p99 | max | lost |",
            "|---|---|--:|--:|--:|--:|--:|",
            *rows,
        ]
    )


def measure(peers: Sequence[Peer], folder: Path, tries: int, warmup: int, seed: int) -> list[Run]:
    """Start every peer, let each react `warmup` times, then measure them in turns."""
    chance = random.Random(seed)
    runs: list[Run] = []
    try:
        for number, peer in enumerate(peers, start=1):
            run = Run.started(peer, folder / str(number), number)
            runs.append(run)
            run.wait_until_it_reads()
            for _ in range(warmup):
                run.attempt()
            say(f"{peer.name} {peer.version()}: reads its log")
        for done in range(tries):
            time.sleep(chance.uniform(0, PAUSE))
            for run in chance.sample(runs, len(runs)):
                run.measure()
            if (done + 1) % 10 == 0:
                say(f"{done + 1} of {tries} rounds")
    finally:
        for run in runs:
            run.stop()
    return runs


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def choose(names: Sequence[str] | None, peers: Mapping[str, Peer]) -> list[Peer]:
    """The wanted peers that are installed; says which are not."""
    wanted = [peers[name] for name in names or peers]
    for peer in wanted:
        if peer.executable() is None:
            say(f"{peer.name}: not installed, left out")
    return [peer for peer in wanted if peer.executable() is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    peers = {peer.name: peer for peer in PEERS}
    parser.add_argument("--tries", type=int, default=100, help="measured tries for each program (%(default)s)")
    parser.add_argument("--warmup", type=int, default=3, help="tries before that (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the random pauses and turns (%(default)s)")
    parser.add_argument("--only", action="append", choices=peers, help="measure just this program; may be repeated")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="logtrigger-bench-") as folder:
        try:
            runs = measure(choose(options.only, peers), Path(folder), options.tries, options.warmup, options.seed)
        except RuntimeError as error:
            sys.exit(str(error))
    print(table(runs, options.tries))


if __name__ == "__main__":
    main()
