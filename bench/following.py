"""What following files costs: a file that is written at full speed, and a thousand files that rest.

Parts: `busy` (200,000 lines appended at once, 20 rules; processor time until the program rests again) and `idle` (1,000 files
to which nothing is written: how often the program wakes, and what it costs); fail2ban and SEC beside it where installed.

Prints Markdown on standard output, or puts it into a page; progress and whatever is missing go to standard error.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import corpora, latency, report, rules
from bench.corpora import Corpus
from bench.report import Goal
from bench.throughput import processor, say

FILES = 1000
REST = 1.5  # seconds without work after which a program has read what there was
PATIENCE = 60.0  # seconds until a program counts as one that never rests
SETTLE = 5.0  # seconds after the start before a program is taken to rest

_INTRODUCTION = (
    "What does it cost to follow a file that is written at full speed, and a thousand files that rest? What is measured, and"
    " how it is kept fair, is in [bench/README.md](../bench/README.md)."
)
_NOTHING = rules.Rule("nothing", "never written by anybody %s from %s", "user ip", key="ip")

# What a watch that the kernel refuses does: as on a network file system.
_POLLING = """
import sys
from logtrigger.sources.inotify import Watcher
def refuse(self, path, mask):
    self.fault = 'as on a network file system'
Watcher._add = refuse
from logtrigger.cli import main
main()
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be followed, with which rules, in a folder of the program's own."""

    folder: Path
    logs: str  # a path, or a glob
    rules: Sequence[rules.Rule]
    datepattern: str

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path


@dataclass(frozen=True, slots=True)
class Follower:
    """A program that follows files, or one way to use it."""

    name: str
    missing: Callable[[], bool]
    command: Callable[[Case], Sequence[str]]


def _logtrigger(start: Sequence[str]) -> Callable[[Case], Sequence[str]]:
    def command(case: Case) -> Sequence[str]:
        text = rules.for_logtrigger(case.rules, f"{case.folder}/state.db", case.logs)
        text = "\n".join(line for line in text.splitlines() if "option script" not in line) + "\n"
        return [sys.executable, *start, "-c", str(case.write("logtrigger", text)), "-D", "0"]

    return command


def _fail2ban(backend: str) -> Callable[[Case], Sequence[str]]:
    def command(case: Case) -> Sequence[str]:
        prepare = latency.prepare_fail2ban(backend)
        words = prepare(latency.Bench.made_in(case.folder))
        jail = case.folder / "fail2ban/jail.conf"
        text = jail.read_text().replace("maxretry = 1\n", "maxretry = 1000000\n")
        jail.write_text(text.replace(f"logpath = {case.folder}/auth.log", f"logpath = {case.logs}"))
        case.write("fail2ban/filter.d/bench.conf", rules.for_fail2ban(case.rules, case.datepattern))
        return words

    return command


def _sec(case: Case) -> Sequence[str]:
    for name, text in rules.for_sec(case.rules, counting=True, by_program=False).items():
        case.write(f"{name}.sec", text)
    return ["sec", f"--conf={case.folder}/*.sec", f"--input={case.logs}"]


def _no_fail2ban() -> bool:
    return shutil.which("fail2ban-server") is None


FOLLOWERS = (
    Follower("logtrigger", lambda: False, _logtrigger(["-m", "logtrigger"])),
    Follower("logtrigger, polling", lambda: False, _logtrigger(["-c", _POLLING])),
    Follower("fail2ban, pyinotify", lambda: latency.has_pyinotify() is None, _fail2ban("pyinotify")),
    Follower("fail2ban, polling", _no_fail2ban, _fail2ban("polling")),
    Follower("SEC", lambda: shutil.which("sec") is None, _sec),
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has taken so far."""

    seconds: float  # of processor time
    wakes: int  # how often its threads have waited for something

    @classmethod
    def of(cls, pid: int) -> Usage:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime, proc_pid_stat(5)
        wakes = 0
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            line = next(line for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))
            wakes += int(line.split()[1])
        return cls(seconds, wakes)


@contextmanager
def _running(follower: Follower, case: Case) -> Iterator[int]:
    """The program at work, once it rests; its process number."""
    command = follower.command(case)
    with (case.folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        time.sleep(SETTLE)
        _rest(process.pid)
        if process.poll() is not None:
            raise RuntimeError(f"{follower.name} has ended:\n{(case.folder / 'output').read_text(errors='replace')}")
        yield process.pid
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _rest(pid: int) -> None:
    """Return when the program has done nearly nothing for a while; there are some that never rest."""
    before, end = -1.0, time.monotonic() + PATIENCE
    while (now := Usage.of(pid).seconds) - before > 0.02 * REST and time.monotonic() < end:
        before = now
        time.sleep(REST)


def busy(follower: Follower, corpus: Corpus, wanted: Sequence[rules.Rule], folder: Path) -> float:
    """Processor seconds that the program takes for a log that is appended at once."""
    folder.mkdir()
    log = folder / "log"
    log.write_bytes(corpus.path.read_bytes()[: 1 << 12])  # fail2ban looks at the beginning of a file, to know it again
    with _running(follower, Case(folder, str(log), wanted, corpus.kind.datepattern)) as pid:
        begin = Usage.of(pid)
        with log.open("ab") as out:
            out.write(b"\n" + corpus.path.read_bytes())
        time.sleep(REST)
        _rest(pid)
        return Usage.of(pid).seconds - begin.seconds


def idle(follower: Follower, seconds: float, corpus: Corpus, folder: Path) -> tuple[float, float]:
    """Wake-ups a second, and processor time in percent of one core, with many files to which nothing is written."""
    (folder / "logs").mkdir(parents=True)
    for number in range(FILES):
        (folder / "logs" / f"program{number:04}.log").write_text(f"Jul 14 12:00:00 gate program: {number}\n")
    with _running(follower, Case(folder, f"{folder}/logs/*.log", [_NOTHING], corpus.kind.datepattern)) as pid:
        begin = Usage.of(pid)
        time.sleep(seconds)
        end = Usage.of(pid)
    return (end.wakes - begin.wakes) / seconds, 100 * (end.seconds - begin.seconds) / seconds


def _busy_section(followers: Sequence[Follower], corpus: Corpus, runs: int, work: Path) -> str:
    ways: list[tuple[str, Sequence[rules.Rule]]] = [("20 rules", rules.RULES), ("one rule, never met", [_NOTHING])]
    rows, speeds = [], {}
    for follower in followers:
        cells = [follower.name]
        for number, (name, wanted) in enumerate(ways):
            taken = []
            for run in range(runs):
                taken.append(busy(follower, corpus, wanted, work / f"busy.{followers.index(follower)}.{number}.{run}"))
            seconds = max(statistics.median(taken), 0.01)
            speeds[follower.name, number] = corpus.lines / seconds
            say(f"{follower.name}, {name}: {seconds:.2f} s")
            cells += [f"{seconds:.2f}", f"{corpus.lines / seconds:,.0f}"]
        rows.append(cells)
    head = ["program", *(f"{name}, {unit}" for name, _ in ways for unit in ("cpu s", "lines/cpu s"))]
    goals = [
        Goal(f"20 rules on the {corpus.kind.name} log", "≥ 300,000 lines/s", f"{speed:,.0f} lines/s", speed >= 300_000)
        for (name, number), speed in speeds.items()
        if name == "logtrigger" and number == 0
    ]
    title = (
        f"### A file at full speed\n\n**{corpus.kind.name}** log, {corpus.lines:,} lines appended at once, no action is run."
    )
    return f"{title}\n\n{report.table(head, rows)}\n\n{report.goals(goals)}"


def _idle_section(followers: Sequence[Follower], corpus: Corpus, seconds: float, work: Path) -> str:
    rows, goals = [], []
    for number, follower in enumerate(followers):
        wakes, load = idle(follower, seconds, corpus, work / f"idle.{number}")
        say(f"{follower.name}: {wakes:.2f} wake-ups a second, {load:.2f} %")
        rows.append([follower.name, f"{wakes:.2f}", f"{load:.2f}"])
        if follower.name == "logtrigger":
            goals.append(Goal("wake-ups", "≤ 0.2 a second", f"{wakes:.2f}", wakes <= 0.2))
        elif follower.name == "logtrigger, polling":
            goals.append(Goal("polling", "< 1 % of one core", f"{load:.2f} %", load < 1))
    title = f"### {FILES:,} files that rest\n\nOver {seconds:.0f} s, of all threads together."
    return f"{title}\n\n{report.table(('program', 'wake-ups/s', 'cpu %'), rows)}\n\n{report.goals(goals)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.following", description=(__doc__ or "").partition("\n")[0])
    names = [follower.name for follower in FOLLOWERS]
    parser.add_argument("--only", choices=("busy", "idle"), help="just this part")
    parser.add_argument("--program", action="append", choices=names, help="just this program; may be repeated")
    parser.add_argument("--lines", type=int, default=200_000, help="of the log (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of rest (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="at full speed (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the log (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="where logs are kept (%(default)s)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the result into this page")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    kind = corpora.KINDS[0] if corpora.real_logs() else corpora.SYNTHETIC
    corpus = corpora.make(kind, given.folder.resolve(), given.lines, given.seed)
    followers = [one for one in FOLLOWERS if not given.program or one.name in given.program]
    for one in [one for one in followers if one.missing()]:
        say(f"{one.name}: not installed, left out")
        followers.remove(one)
    where = f"{platform.system()} {platform.release()} {platform.machine()}, {processor()}, Python {platform.python_version()}."
    parts = ["## Following", _INTRODUCTION, where]
    with tempfile.TemporaryDirectory(prefix="logtrigger-bench-") as folder:
        if given.only != "idle":
            parts.append(_busy_section(followers, corpus, given.runs, Path(folder)))
        if given.only != "busy":
            parts.append(_idle_section(followers, corpus, given.seconds, Path(folder)))
    text = "\n\n".join(parts)
    report.put(given.write, "following", text)


if __name__ == "__main__":
    main()
