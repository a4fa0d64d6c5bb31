"""What the tests of actions share: scripts in a file, triggers, and a loop that is driven until something has happened."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logtrigger.loop import Loop
from logtrigger.model import Trigger

BOUND = 30.0  # seconds; on a busy machine a script may take its time


@pytest.fixture
def make_trigger() -> Callable[..., Trigger]:
    def make(number: int = 1, **changes: object) -> Trigger:
        values: dict[str, object] = {
            "id": f"sshd:1:{number}",
            "rule": "sshd",
            "time": 1_500_000_000.75,
            "count": 3,
            "key": ("1.2.3.4", "root"),
            "fields": {"user": "root", "ip": "1.2.3.4"},
            "message": "Jul 14 02:40:00 gate sshd[77]: Failed password for root from 1.2.3.4",
            "body": "Failed password for root from 1.2.3.4",
            "source": "/var/log/auth.log",
            "host": "gate",
            "program": "sshd",
            "pid": "77",
        }
        return Trigger(**(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_script(tmp_path: Path) -> Callable[..., Path]:
    def make(text: str, mode: int = 0o700, name: str = "script.sh") -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    return make


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop that signals wake."""
    loop = Loop()
    before = signal.set_wakeup_fd(loop.wake_fd, warn_on_full_buffer=False)
    yield loop
    signal.set_wakeup_fd(before)
    loop.close()


@pytest.fixture
def until(loop: Loop) -> Callable[[Callable[[], bool]], None]:
    """Drives the loop until a condition holds."""

    def drive(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + BOUND
        while not condition():
            assert time.monotonic() < end, "what was waited for has not happened"
            loop.turn(0.1)

    return drive


@pytest.fixture
def on_child(loop: Loop) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Sets what is called in the loop when a child ends, as the daemon does."""
    before = signal.getsignal(signal.SIGCHLD)

    def set_reaper(reap: Callable[[], None]) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: loop.call_soon(reap))

    yield set_reaper
    signal.signal(signal.SIGCHLD, before)
