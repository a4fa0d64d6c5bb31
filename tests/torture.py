"""The torture test of following files: numbered lines under every kind of rotation, while the daemon is stopped and killed.

    python -m tests.torture [--seed N] [--lines N] [--kill] [--keep]

A writer appends lines to several files and rotates them at random by each method that rotation knows, never losing a line
itself; meanwhile logtrigger is stopped in order, or ended by kill -9, and started again at random moments. Who is right is
told by the store and by what scripts have noted:

* A rule counts each number by itself. Its counters, which are never pruned, say how often each line was an event.
* A rule triggers at every line. Triggers are numbered without gaps, so that the highest number is how many there were.
* A rule runs a script at every hundredth line, which notes number, LT_id and time.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import lzma
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.live import Live, live

ROOT = Path(__file__).parents[1]
SAMPLE = 100  # one line of so many runs a script
CREW = 4  # files from the start; others appear later
# Seconds before a kill from which an action may run again: a commit comes each second if the one before has been written, and
# that takes its time where each of many thousand lines triggers.
REDONE = 5.0

PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}

clock = time.time  # noqa: TID251 - what the scripts' notes are compared with


# The writer, a process of its own


class Log:
    """One file, written to in whole lines or by halves, and all that has become of it."""

    def __init__(self, path: Path, writer: Writer) -> None:
        self.path = path
        self.writer = writer
        self.dice = writer.dice
        self.generation = 0
        self.out = path.open("ab", buffering=0)
        self.old: list[Path] = []  # generations
        self.ends: list[Path] = []  # their last lines have been read when these files exist
        self.methods: list[tuple[Callable[[], None], float]] = [
            (self.rename, 4),
            (self.rename_late, 2),
            (self.copytruncate, 4),
            (lambda: self.twice(self.rename), 1),
            (lambda: self.twice(self.copytruncate), 1),
            (self.rewrite, 0.3),
            (self.delete, 0.3),
        ]

    def write(self, text: bytes) -> None:
        cut = self.dice.randrange(len(text)) if self.dice.random() < 0.02 else 0
        for part in (text[:cut], text[cut:]):
            if part:
                self.out.write(part)

    def rotate(self) -> None:
        methods, weights = zip(*self.methods, strict=True)
        self.dice.choices(methods, weights)[0]()
        if self.old and self.dice.random() < 0.4:
            self.compress(self.dice.choice(self.old))
        if len(self.old) > 12:
            self.tidy()

    def twice(self, method: Callable[[], None]) -> None:
        """Two rounds that hardly anybody can look between."""
        method()
        self.write(self.writer.between())
        method()

    def rename(self) -> None:
        os.rename(self.path, self._next())
        self.out.close()
        self.out = self.path.open("ab", buffering=0)

    def rename_late(self) -> None:
        """The program has not been told yet and writes on to the renamed file."""
        os.rename(self.path, self._next())
        new = self.path.open("ab", buffering=0)
        for _ in range(self.dice.randrange(5)):
            self.write(b"late\n")
            time.sleep(self.dice.random() / 100)
        self.out.close()
        self.out = new

    def copytruncate(self) -> None:
        shutil.copyfile(self.path, self._next())
        os.truncate(self.path, 0)

    def rewrite(self) -> None:
        self._lose()
        os.truncate(self.path, 0)

    def delete(self) -> None:
        self._lose()
        self.path.unlink()
        self.out.close()
        self.out = self.path.open("ab", buffering=0)

    def tidy(self) -> None:
        """Delete old generations, so that inodes are used again, once they have been read."""
        self.writer.wait_for(self.ends)
        for path in self.old:
            path.unlink()
        self.old.clear()
        self.ends.clear()

    def _lose(self) -> None:
        """Before lines go for good: who has read them cannot know, after a restart, that there were no more."""
        self.writer.wait_for([self.writer.mark(self.path)])
        with self.path.with_name("gone").open("a") as gone:
            gone.write(f"beyond byte {self.path.stat().st_size}, if anything\n")

    def compress(self, path: Path) -> None:
        """As gzip does it: the packed file grows beside the plain one, which is deleted then."""
        if path.suffix in PACKERS:
            return
        suffix = self.dice.choice(list(PACKERS))
        packed = path.with_name(path.name + suffix)
        data = PACKERS[suffix](path.read_bytes())
        with packed.open("wb", buffering=0) as out:
            half = len(data) // 2
            out.write(data[:half])
            time.sleep(self.dice.random() / 50)
            out.write(data[half:])
        shutil.copystat(path, packed)
        path.unlink()
        self.old[self.old.index(path)] = packed

    def _next(self) -> Path:
        """The name for the present generation, free: numbers are shifted, dates are new each time."""
        self.generation += 1
        self.ends.append(self.writer.mark(self.path))
        if self.dice.random() < 0.5:
            name = self.path.with_name(f"{self.path.name}-2026{self.generation:04}")
        else:
            name = self.path.with_name(f"{self.path.name}.1")
            self._shift(name)
        self.old.append(name)
        return name

    def _shift(self, name: Path) -> None:
        """app.log.1 becomes app.log.2, packed or not, and so on: the last first."""
        chain = [name]
        while chain[-1] in self._plain():
            number = int(chain[-1].name.rpartition(".")[2]) + 1
            chain.append(self.path.with_name(f"{self.path.name}.{number}"))
        for older, newer in reversed(list(zip(chain[1:], chain, strict=False))):
            at = self.old[self._plain().index(newer)]
            moved = older.with_name(older.name + at.name.removeprefix(newer.name))
            os.rename(at, moved)
            self.old[self.old.index(at)] = moved

    def _plain(self) -> list[Path]:
        return [path.with_suffix("") if path.suffix in PACKERS else path for path in self.old]


class Writer:
    """Writes numbered lines to all files of a folder."""

    def __init__(self, folder: Path, seed: int, lines: int, pause: float, stored: float) -> None:
        self.folder = folder
        self.stored = stored  # seconds after which what was read is also stored
        self.dice = random.Random(seed)
        self.lines = lines
        self.pause = pause
        self.marks = self.betweens = 0
        self.logs = [self._log(number) for number in range(CREW)]

    def run(self) -> None:
        number = 0
        while number < self.lines:
            log = self.dice.choice(self.logs)
            burst = min(self.dice.choice([1, 3, 30, 300]), self.lines - number)
            for following in range(number + 1, number + burst + 1):
                log.write(self._line(following))
            number += burst
            if self.dice.random() < 0.15:
                log.rotate()
            if self.dice.random() < 0.01 and len(self.logs) < 3 * CREW:
                self.logs.append(self._log(len(self.logs)))
            if self.pause:
                time.sleep(self.dice.random() * self.pause * burst)
        for log in self.logs:
            self.mark(log.path)
        (self.folder / "marks").write_text(str(self.marks))

    def _log(self, number: int) -> Log:
        return Log(self.folder / f"app{'abcdefghijklmnop'[number]}.log", self)

    def _line(self, number: int) -> bytes:
        kind = "sampled" if number % SAMPLE == 0 else "plain"
        pad = "x" * self.dice.choice([0, 0, 0, 10, 200])
        return f"2026-07-14 app[{self.dice.randrange(10)}]: {pad} {kind} number {number} ends\n".encode()

    def between(self) -> bytes:
        """Files that begin alike cannot always be told apart after kill -9, when their first lines have no stored end."""
        self.betweens += 1
        return f"between {self.betweens}\n".encode() if self.stored else b"between\n"

    def mark(self, path: Path) -> Path:
        """Write a line to path; the file that exists when it has been read."""
        self.marks += 1
        with path.open("ab", buffering=0) as out:
            out.write(f"mark {self.marks} ends\n".encode())
        return self.folder / f"mark.{self.marks}"

    def wait_for(self, marks: Sequence[Path]) -> None:
        """Until these marks have been read. Nobody kills the daemon meanwhile: what it has read but not stored yet it must be
        able to read again."""
        hold = self.folder / "hold"
        hold.touch()
        while not all(mark.exists() for mark in marks):
            time.sleep(0.005)
        if self.stored:
            time.sleep(self.stored)
        hold.unlink()
        time.sleep(self.dice.choice([0, 0.1]))


# The judge


class Torture:
    """One run: a folder, a daemon that is interrupted, and a writer."""

    def __init__(self, one: Live, seed: int, lines: int, kill: bool, pause: float) -> None:
        self.one = one
        self.dice = random.Random(seed)
        self.seed, self.lines, self.kill, self.pause = seed, lines, kill, pause
        self.logs = one.folder / "logs"
        self.logs.mkdir()
        self.kills: list[float] = []
        self.stops = 0

    def run(self) -> list[str]:
        """What is wrong; nothing, if all is well."""
        self._configure()
        self.one.start(level=1)
        self.one.wait_ready()
        command = [sys.executable, "-m", "tests.torture", "--write", str(self.logs), "--seed", str(self.seed)]
        command += ["--stored", "2.5"] if self.kill else []
        writer = subprocess.Popen([*command, "--lines", str(self.lines), "--pause", str(self.pause)], cwd=ROOT)
        try:
            while writer.poll() is None:
                time.sleep(self.dice.uniform(0.02, 2.0))
                self._interrupt()
            assert writer.returncode == 0, "the writer failed"
        finally:
            writer.kill()
            writer.wait()
        self._settle()
        return self._faults()

    def _configure(self) -> None:
        note = self.one.script("sampled.sh", f'echo "$LT_n $LT_id $(date +%s.%N)" >>{self.one.ran}')
        mark = self.one.script("mark.sh", f': >"{self.logs}/mark.$LT_n"')
        given = {"file": f"{self.logs}/app*.log", "fields": "n:int"}
        rules = [
            self.one.rule("Each", "number %d ends", **given, key="n", maxfail=1_000_000, script=None),
            self.one.rule("One", "number %d ends", **given, key="none", script=None),
            self.one.rule("Sampled", "sampled number %d ends", **given, script=note),
            self.one.rule("Mark", "mark %d ends", **given, script=mark),
        ]
        self.one.configure(*rules, max_keys=2 * self.lines)

    def _interrupt(self) -> None:
        if self.kill:
            while (self.logs / "hold").exists():
                time.sleep(0.01)
            self.one.kill()
            while self._outlived():
                time.sleep(0.01)
            self.kills.append(clock())
        else:
            assert self.one.stop() == 0, self.one.output[-5000:]
        self.stops += 1
        time.sleep(self.dice.choice([0, 0, 0.3, 1]) * self.dice.random())
        self.one.start(level=1)
        self.one.wait_ready()

    def _outlived(self) -> bool:
        """Whether a script still runs that the killed daemon had started: it would note a time after the kill."""
        folder = os.fsencode(self.one.folder) + b"/"
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if any(word.startswith(folder) and word.endswith(b".sh") for word in path.read_bytes().split(b"\0")):
                    return True
        return False

    def _settle(self) -> None:
        """Wait until each file has been read to its end, and a little for what comes late."""
        size = -1
        end = time.monotonic() + 60
        while time.monotonic() < end and (size != self.one.ran.stat().st_size or not self._marked()):
            size = self.one.ran.stat().st_size
            time.sleep(1.5)
        assert self.one.stop() == 0, self.one.output[-5000:]

    def _marked(self) -> bool:
        """Whether all that the writer marked has been seen."""
        return len(list(self.logs.glob("mark.*"))) == int((self.logs / "marks").read_text())

    def _faults(self) -> list[str]:
        return [*self._miscounted(), *self._misnumbered(), *self._misrun(), *self._said()]

    def _miscounted(self) -> list[str]:
        seen = counted(self.one, "Each")
        wanted = range(1, self.lines + 1)
        missed = [number for number in wanted if not seen[number]]
        twice = [number for number in wanted if seen[number] > 1]
        alien = [number for number in seen if not 0 < number <= self.lines]
        told = [("missed", missed), ("counted more than once", twice), ("never written", alien)]
        return [f"{what}: {len(numbers)} lines: {numbers[:10]} …" for what, numbers in told if numbers]

    def _misnumbered(self) -> list[str]:
        ((highest,),) = self.one.query('SELECT max(seq) FROM "trigger"')
        wanted = self.lines + self.lines // SAMPLE + int((self.logs / "marks").read_text())
        return [] if highest == wanted else [f"{highest} triggers, not {wanted}"]

    def _misrun(self) -> list[str]:
        """Each sampled number once; after kill -9 once more under its old id, if that was just before."""
        runs: dict[int, list[tuple[str, float]]] = defaultdict(list)
        for line in self.one.runs():
            noted, name, ran = line.split()
            runs[int(noted)].append((name, float(ran)))
        faults = [f"no script ran for {n}" for n in range(SAMPLE, self.lines + 1, SAMPLE) if n not in runs]
        for number, done in runs.items():
            if len({name for name, _ in done}) > 1:
                faults.append(f"number {number} ran under several ids: {done}")
            for _, at in done[:-1]:
                if not any(0 <= kill - at < REDONE for kill in self.kills):
                    faults.append(f"number {number} ran again, long after its first run: {done}")
        return faults[:10]

    def _said(self) -> list[str]:
        """No loss was told where there could be none."""
        gone = self.logs / "gone"
        told = gone.read_text().splitlines() if gone.exists() else []
        lines = [line for line in self.one.output.splitlines() if "not read" in line]
        return [line for line in lines if not any(one in line for one in told)][:5]


def counted(one: Live, rule: str) -> Counter[int]:
    """How many events a rule with a number as its key, and a maxfail out of reach, has counted for each."""
    seen: Counter[int] = Counter()
    for namespace, key, data in one.query('SELECT namespace, key, data FROM "window"'):
        assert isinstance(namespace, str) and isinstance(key, str) and isinstance(data, bytes)
        if namespace.endswith(rule):
            seen[int(key.strip('[]" '))] += sum(weight for _, weight in json.loads(data)[0])
    return seen


def torture(folder: Path, seed: int, lines: int, kill: bool, pause: float) -> list[str]:
    """Run it once; what is wrong."""
    with live(folder) as one:
        run = Torture(one, seed, lines, kill, pause)
        began = time.monotonic()
        faults = run.run()
        ending = "killed" if kill else "stopped"
        print(f"seed {seed}: {lines} lines in {time.monotonic() - began:.0f} s, {ending} {run.stops} times")
        return faults


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.torture", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--lines", type=int, default=250_000, help="in each of the two parts")
    parser.add_argument(
        "--pause", type=float, default=0.0, help="seconds that the writer waits for each line, on average twice"
    )
    parser.add_argument("--part", choices=("orderly", "kill"), help="one part alone")
    parser.add_argument("--keep", type=Path, help="a new folder in which everything is left")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--stored", type=float, default=0.0, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.write:
        Writer(given.write, given.seed, given.lines, given.pause, given.stored).run()
        return 0
    print(f"--seed {given.seed}", flush=True)
    failed = False
    for part in [given.part] if given.part else ["orderly", "kill"]:
        folder = given.keep / part if given.keep else Path(tempfile.mkdtemp(prefix="torture."))
        folder.mkdir(parents=True, exist_ok=True)
        faults = torture(folder, given.seed, given.lines, part == "kill", given.pause)
        print(f"{part}: {'no line missed, none twice' if not faults else 'NOT WELL'}", *faults, sep="\n  ", flush=True)
        failed = failed or bool(faults)
        if not given.keep:
            shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
