"""A script that logs the very line that starts it: by a real syslog daemon, and by a /dev/log of our own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.box import ROOT, Box, box, wait_for
from tests.scripts.netns import namespace

pytestmark = [pytest.mark.root, pytest.mark.tool("ip", "unshare", "nsenter", "logger")]

LINE = "the disk is full"


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Box]:
    with namespace() as network, box(network, tmp_path) as one:
        yield one


@contextmanager
def logtrigger(one: Box, times: int, source: str = "") -> Iterator[Path]:
    """The daemon with a rule whose script logs the rule's line again, so often; what it says."""
    script = one.files / "again.sh"
    script.write_text(f"#!/bin/sh\necho ran >>{one.files}/ran\n" + f"logger -t app '{LINE}'\n" * times)
    script.chmod(0o755)
    rules = one.files / "rules"
    rules.write_text(
        f"config logtrigger\n option state '{one.files}/state.db'\n"
        f"config rule\n option name loop\n option pattern '{LINE}'\n option script '{script}'\n{source}"
    )
    rules.chmod(0o600)
    (one.files / "ran").touch()
    command = [sys.executable, "-m", "logtrigger", "-c", str(rules), "-D", "1"]
    with one.running(*command, env={"PYTHONPATH": str(ROOT)}) as said:
        wait_for(lambda: "ready\n" in said.read_text(), "logtrigger is ready")
        yield said


def runs(one: Box) -> int:
    return os.path.getsize(one.files / "ran") // len("ran\n")


@pytest.mark.tool("rsyslogd")
def test_through_a_syslog_daemon(one: Box) -> None:
    """Two lines for each: by itself it would never end, and grow."""
    with one.system_log() as log:
        one.run("logger", "the machine is up")
        wait_for(log.exists, "rsyslogd writes")
        with logtrigger(one, 2, f" option file '{log}'\n") as said:
            one.run("logger", "-t", "app", LINE)
            wait_for(lambda: "one same message has triggered it over 100 times within 10s" in said.read_text(), "the pause")
            wait_for(lambda: runs(one) == 100, "the scripts that had been started")
            time.sleep(0.5)
            assert runs(one) == 100
            assert said.read_text().count("one same message") == 1


def test_through_a_socket_of_our_own(one: Box) -> None:
    """Here the kernel says that the script itself has written the line, as long as its process can be seen."""
    with logtrigger(one, 1) as said:
        one.run("logger", "-t", "app", LINE)
        wait_for(lambda: runs(one) >= 1, "the script")
        time.sleep(1)
        assert runs(one) <= 100
        assert "reading /dev/log" in said.read_text()
