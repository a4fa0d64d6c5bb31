"""What a dead far end costs everything else: lines a second from a log to a file, with and without one.

A log is written at once; one line in so many triggers a rule, whose actions write it to a file and, in some of the rounds,
tell a web server that is not there or never answers. What counts is the time until the file has all of them, and the daemon's
memory then.

Prints Markdown on standard output; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.latency import say

PATIENCE = 120.0  # seconds
FAR_ENDS = ("none", "nobody there", "never answers")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds until the file had every line, and KiB of memory then."""

    seconds: float
    resident: int


def configure(folder: Path, url: str) -> None:
    dead = f"config action 'dead'\n\toption type 'webhook'\n\toption url '{url}'\n" if url else ""
    text = f"""config logtrigger
\toption state '{folder}/state.db'

config rule
\toption name 'Hit'
\toption pattern 'app[%d]: hit %s'
\toption fields '- what'
\toption file '{folder}/log'
\tlist action 'lines'
{"	list action 'dead'" if url else ""}

config action 'lines'
\toption type 'log'
\toption path '{folder}/lines'
{dead}"""
    path = folder / "rules"
    path.write_text(text)
    path.chmod(0o600)


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


def run(far_end: str, lines: int, every: int) -> Run:
    """Write a log at once to a running daemon, and wait for the file."""
    with tempfile.TemporaryDirectory() as name, socket.socket() as silent:
        folder = Path(name)
        silent.bind(("127.0.0.1", 0))
        if far_end == "never answers":
            silent.listen()
        configure(folder, "" if far_end == "none" else f"http://127.0.0.1:{silent.getsockname()[1]}/")
        log, written = folder / "log", folder / "lines"
        log.touch()
        process = subprocess.Popen(
            [sys.executable, "-m", "logtrigger", "-c", str(folder / "rules"), "-D", "1"], stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        try:
            while "ready" not in (line := process.stderr.readline()):
                if not line:
                    raise SystemExit("logtrigger has ended")
            # Nobody reads what it says from now on, which it does not mind.
            text = "".join(
                f"Jul 14 12:00:00 h app[7]: {'hit' if number % every == 0 else 'nothing of'} {number}\n"
                for number in range(lines)
            )
            began = time.perf_counter()
            log.write_text(text)
            wanted, found = (lines + every - 1) // every, 0
            while found < wanted:
                if time.perf_counter() - began > PATIENCE:
                    raise SystemExit(f"{found} of {wanted} lines after {PATIENCE:g} s")
                time.sleep(0.005)
                found = written.read_bytes().count(b"\n") if written.exists() else 0
            return Run(time.perf_counter() - began, resident(process.pid))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stderr.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--every", type=int, default=50, help="one line in so many triggers")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    runs: dict[str, list[Run]] = {name: [] for name in FAR_ENDS}
    for number in range(options.runs):
        for name in FAR_ENDS:  # in turns, so that the machine's load is the same for all
            runs[name].append(run(name, options.lines, options.every))
            say(f"run {number + 1}, far end {name}: {runs[name][-1].seconds:.2f} s")
    print(f"{options.lines:,} lines, one in {options.every} triggers; median of {options.runs} runs.\n")
    print("| far end | lines/s | until the last line is in the file | memory |\n|---|---:|---:|---:|")
    for name, found in runs.items():
        seconds = statistics.median(one.seconds for one in found)
        memory = statistics.median(one.resident for one in found) / 1024
        print(f"| {name} | {options.lines / seconds:,.0f} | {seconds:.2f} s | {memory:.0f} MB |")


if __name__ == "__main__":
    main()
