"""A real logtrigger process in a folder of its own: what it is given, and what it has said and done."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

BOUND = 40.0  # seconds that anything may take; on a busy machine a script may take its time


class Live:
    """A folder with a configuration, a log, a script and a state; and the daemon, if it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "app.log"
        self.state = folder / "state.db"
        self.ran = folder / "ran"  # each script's LT_id, in the order in which they ended
        self.process: subprocess.Popen[bytes] | None = None
        self.said = ""  # by earlier processes
        self.log.touch()
        self.ran.touch()

    # What it is given

    def rule(self, name: str = "Hit", pattern: str = "hit %s", **options: object) -> str:
        """A rule on the log, which notes that its script ran."""
        given = {"fields": "who", "file": self.log, "script": self.note, **options}
        lines = [f"\toption {key} '{value}'" for key, value in given.items() if value is not None]
        return "\n".join(["config rule", f"\toption name '{name}'", f"\toption pattern '{pattern}'", *lines, ""])

    def configure(self, *rules: str, **options: object) -> None:
        """Write the configuration: these rules, these options of the daemon."""
        given = {"state": self.state, **options}
        lines = [f"\toption {key} '{value}'" for key, value in given.items()]
        path = self.folder / "rules"
        path.write_text("\n".join(["config logtrigger", *lines, *(rules or [self.rule()])]))
        path.chmod(0o600)

    @property
    def note(self) -> Path:
        """A script that notes its LT_id in `ran`."""
        return self.script("note.sh", f'echo "$LT_id" >>{self.ran}')

    def script(self, name: str, text: str) -> Path:
        path = self.folder / name
        if not path.exists():
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o700)
        return path

    def write(self, *lines: str | bytes) -> None:
        """Append lines to the log, all at once."""
        text = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
        with self.log.open("ab", buffering=0) as log:
            log.write(text)

    # The process

    def start(self, *arguments: str, level: int = 2, before: Sequence[str] = ()) -> None:
        """Start the daemon without waiting for it."""
        command = [*before, sys.executable, "-m", "logtrigger", "-c", "rules", "-D", str(level), *arguments]
        self.said = self.output
        with (self.folder / "said").open("wb") as said:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            )

    def wait_ready(self) -> None:
        self.wait_for(" ready\n")

    @contextmanager
    def running(self, *arguments: str, level: int = 2, before: Sequence[str] = ()) -> Iterator[None]:
        """The daemon from its `ready` to an orderly stop."""
        self.start(*arguments, level=level, before=before)
        try:
            self.wait_ready()
            yield
            assert self.stop() == 0, self.output
        finally:
            self.kill()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it in order; its exit status."""
        self.signal(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit status, once it has ended by itself."""
        assert self.process is not None
        return self.process.wait(BOUND)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(BOUND)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    # What it has said and done

    @property
    def newest(self) -> str:
        """What the present process has said."""
        path = self.folder / "said"
        return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""

    @property
    def output(self) -> str:
        """What every process has said."""
        return self.said + self.newest

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until the present process has said a text so often."""
        self.until(lambda: self.newest.count(text) >= count, f"{count} × {text!r}")

    def runs(self) -> list[str]:
        """The LT_id of each script that has run."""
        return self.ran.read_text().splitlines()

    def wait_runs(self, count: int) -> None:
        self.until(lambda: len(self.runs()) >= count, f"{count} scripts")

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something has come true that the present process is to do."""
        end = time.monotonic() + BOUND
        while not condition():
            ended = self.has_ended()
            assert condition() or (time.monotonic() < end and not ended), f"in vain: {what}\n{self.output[-5000:]}"
            time.sleep(0.005)

    def write_until_runs(self) -> None:
        """For a daemon that does not say when it is ready: what was written before its first start is not read."""

        def runs() -> bool:
            self.write("hit me")
            return bool(self.runs())

        self.until(runs, "a script")

    def query(self, question: str) -> list[tuple[object, ...]]:
        """Ask the state, while no daemon uses it."""
        with closing(sqlite3.connect(f"file:{self.state}?mode=ro", uri=True)) as db:
            return db.execute(question).fetchall()

    def undone(self) -> int:
        return len(self.query("SELECT 1 FROM action WHERE state = 'undone'"))


@contextmanager
def live(folder: Path) -> Iterator[Live]:
    """A folder in which nothing runs any more at the end."""
    one = Live(folder)
    try:
        yield one
    finally:
        one.kill()


def open_files(pid: int) -> list[str]:
    """What a process has open, by name."""
    return [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
