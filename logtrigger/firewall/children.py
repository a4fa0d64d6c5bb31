"""Runs the tools and commands of a firewall one after the other, without waiting for them."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from logtrigger.loop import Loop, Timer
from logtrigger.programs import PATH, Output, start

TIMEOUT = 60.0  # seconds that a command may take
_POLL = 0.05  # seconds, where the kernel has no pidfd_open(2): before Linux 5.3


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int  # its exit status; below zero the signal that ended it
    lines: tuple[str, ...]  # what it wrote

    def __str__(self) -> str:
        how = f"exit {self.code}" if self.code >= 0 else f"ended by signal {-self.code}"
        return f"{how}: {self.lines[0]}" if self.lines else how


@dataclass(slots=True)
class _Command:
    arguments: Sequence[str]
    env: Mapping[str, str]
    done: Callable[[Ended], None]
    pid: int = 0
    pipe: int = -1
    pidfd: int = -1
    timer: Timer | None = None
    due: float = 0.0
    output: Output = field(default_factory=Output)


class Children:
    """A queue of commands, of which one runs at a time. Their standard input is empty; no shell is involved."""

    def __init__(self, loop: Loop, timeout: float = TIMEOUT) -> None:
        self._loop = loop
        self._timeout = timeout
        self._queue: deque[_Command] = deque()
        self._running: _Command | None = None

    def __len__(self) -> int:
        """How many have not ended yet."""
        return len(self._queue) + (self._running is not None)

    def run(self, arguments: Sequence[str], done: Callable[[Ended], None], env: Mapping[str, str] | None = None) -> None:
        """Run a command after those before it, with this environment and PATH; `done` hears of its end, later."""
        self._queue.append(_Command(arguments, {**(env or {}), "PATH": PATH, "LC_ALL": "C"}, done))
        if self._running is None and len(self._queue) == 1:
            self._loop.call_soon(self._next)

    def close(self) -> None:
        """End what runs, forget what waits; nobody hears of it."""
        self._queue.clear()
        if self._running is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, signal.SIGKILL)
            self._end(self._running, tell=False)

    def _next(self) -> None:
        if self._running is not None or not self._queue:
            return
        command = self._queue.popleft()
        try:
            self._start(command)
        except (OSError, ValueError) as error:
            why = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
            command.done(Ended(127, (f"cannot be started: {why}",)))
            self._loop.call_soon(self._next)

    def _start(self, command: _Command) -> None:
        path = find_program(command.arguments[0])
        command.pipe, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.set_blocking(writer, True)
            command.pid = start(path, command.arguments, command.env, writer)
        except BaseException:
            os.close(command.pipe)
            raise
        finally:
            os.close(writer)
        self._running = command
        command.due = time.monotonic() + self._timeout
        self._loop.watch(command.pipe, lambda: self._read(command))
        with suppress(OSError, AttributeError):
            command.pidfd = os.pidfd_open(command.pid)
            self._loop.watch(command.pidfd, lambda: self._end(command))
        self._wait(command)

    def _wait(self, command: _Command) -> None:
        left = max(0.0, command.due - time.monotonic())
        command.timer = self._loop.call_later(left if command.pidfd >= 0 else min(left, _POLL), lambda: self._check(command))

    def _check(self, command: _Command) -> None:
        """The time is over, or it may have ended."""
        if time.monotonic() >= command.due:
            with suppress(ProcessLookupError):
                os.killpg(command.pid, signal.SIGKILL)
            self._end(command)
        elif os.waitid(os.P_PID, command.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            self._end(command)
        else:
            self._wait(command)

    def _read(self, command: _Command) -> None:
        if command.pipe < 0:
            return
        with suppress(BlockingIOError):
            data = os.read(command.pipe, 65_536)
            command.output.feed(data)
            if not data:
                self._loop.unwatch(command.pipe)
                os.close(command.pipe)
                command.pipe = -1

    def _end(self, command: _Command, tell: bool = True) -> None:
        self._read(command)  # a child of its own may hold the pipe for ever
        _, status = os.waitpid(command.pid, 0)
        if command.timer is not None:
            command.timer.cancel()
        for fd in (command.pipe, command.pidfd):
            if fd >= 0:
                self._loop.unwatch(fd)
                os.close(fd)
        command.pipe = command.pidfd = -1
        self._running = None
        if tell:
            self._loop.call_soon(self._next)
            command.done(Ended(os.waitstatus_to_exitcode(status), command.output.lines()))


def find_program(name: str) -> str:
    """The path of a program, looked for where root's programs are. Raises FileNotFoundError."""
    for folder in [""] if "/" in name else PATH.split(":"):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    raise FileNotFoundError(2, "No such file or directory", name)


def has_program(name: str) -> bool:
    """Whether there is such a program."""
    try:
        return bool(find_program(name))
    except FileNotFoundError:
        return False
