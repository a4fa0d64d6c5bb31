"""The real logrotate at work on a log that the real daemon follows: every line counts once, in each of its ways to rotate."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import find_tool
from tests.live import Live, live
from tests.torture import counted

pytestmark = pytest.mark.tool("logrotate")

ROUNDS = 4
PAUSE = 0.02  # seconds between two lines while logrotate copies: what comes between its copy and its cut is lost to everybody


class Rotated:
    """A log, its writer and its logrotate."""

    def __init__(self, one: Live, ways: str) -> None:
        self.one = one
        self._copies, self._dates = "copy" in ways, "dateext" in ways
        self.written = 0
        self._lock = threading.Lock()
        (one.folder / "old").mkdir()
        self._configuration = one.folder / "logrotate.conf"
        self._configuration.write_text(f"{one.log} {{\n  rotate 50\n  {ways}\n}}\n")
        self._configuration.chmod(0o600)

    def write(self, lines: int) -> None:
        with self._lock:
            first, self.written = self.written + 1, self.written + lines
            self.one.write(*(f"plain number {number} ends" for number in range(first, self.written + 1)))

    def rotate(self) -> None:
        """With a copy, no line is written meanwhile: that loss would be logrotate's own."""
        time.sleep(1.1 if self._dates else 0)  # it wants a new name, and knows no less than seconds
        command = [find_tool("logrotate") or "logrotate", "--force", "--state", str(self.one.folder / "rotate.state")]
        if self._copies:
            self._lock.acquire()
        try:
            done = subprocess.run([*command, str(self._configuration)], capture_output=True, text=True)
        finally:
            if self._copies:
                self._lock.release()
        assert done.returncode == 0, done.stderr

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A line every now and then."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(PAUSE):
                self.write(1)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


WAYS = {
    "create": "create",
    "create, compressed": "create\n  compress",
    "create, compressed later": "create\n  compress\n  delaycompress",
    "create, compressed with xz": "create\n  compress\n  compresscmd xz\n  compressext .xz",
    "create, dated": "create\n  dateext\n  dateformat -%Y%m%d-%s",
    "create, dated before the extension": "create\n  dateext\n  dateformat -%Y%m%d-%s\n  extension .log\n  compress",
    "create in another folder": "create\n  olddir old",
    "create in another folder, compressed": "create\n  olddir old\n  compress",
    "copytruncate": "copytruncate",
    "copytruncate, compressed": "copytruncate\n  compress",
    "copytruncate, dated": "copytruncate\n  dateext\n  dateformat .%Y-%m-%d-%s",
    "copytruncate in another folder": "copytruncate\n  olddir old",
    "copytruncate in another folder, compressed": "copytruncate\n  olddir old\n  compress",
    "copy": "copy",
}


@pytest.fixture(params=WAYS)
def rotated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rotated]:
    with live(tmp_path) as one:
        source = f"config source 'log'\n\toption file '{one.log}'\n\tlist rotated '{one.folder}/old'\n"
        given = {"file": None, "source": "log", "script": None, "fields": "n:int"}
        rules = [
            one.rule("Each", "plain number %d ends", **given, key="n", maxfail=1000),
            one.rule("Mark", "mark %s ends", **given | {"fields": "what", "script": one.note}),
        ]
        one.configure(source, *rules)
        yield Rotated(one, WAYS[request.param])


def test_each_line_counts_once(rotated: Rotated) -> None:
    one = rotated.one
    for number in range(ROUNDS):
        with one.running(level=1):
            rotated.write(100)
            with rotated.busy():
                rotated.rotate()
            rotated.write(10)
        rotated.write(10)  # while it is stopped
        rotated.rotate()
        rotated.write(10)
        if number % 2:
            rotated.rotate()
    with one.running(level=1):
        rotated.write(1)
        one.write("mark last ends")
        one.wait_runs(1)
        time.sleep(0.5)
    assert counted(one, "Each") == dict.fromkeys(range(1, rotated.written + 1), 1)
    assert "not read" not in one.output
