"""Scripts: started with what was captured in their environment, watched, and ended when they take too long.

A script inherits working directory and umask: the daemon is to be in `/` and to have umask 077 before it starts any.
"""

from __future__ import annotations

import errno
import math
import os
import signal
import time
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from pathlib import Path

from logtrigger.actions.base import Result
from logtrigger.actions.environment import environment
from logtrigger.loop import Loop, Timer
from logtrigger.model import Trigger
from logtrigger.programs import Output, start

SHELL = "/bin/sh"
GRACE = 2.0  # seconds between SIGTERM and SIGKILL
AGAIN = 0.5  # seconds until the next try where the machine lacks something

_PIPE = 65_536  # bytes that fit into a pipe, pipe(7)

Finished = Callable[[Result], None]


class Scripts:
    """Runs scripts. Whoever owns SIGCHLD must call `reap` when it arrives."""

    def __init__(self, loop: Loop, timeout: float) -> None:
        self.timeout = timeout  # seconds, for scripts that start from now on
        self._loop = loop
        self._terminated = False
        self._running: dict[int, _Run] = {}
        self._timer: Timer | None = None  # one for all: a cancelled timer stays in the loop until it is due

    @property
    def pids(self) -> Set[int]:
        """The running scripts' process ids, which are their process groups' too."""
        return self._running.keys()

    def run(self, path: Path, trigger: Trigger, env: Iterable[tuple[str, str]], done: Finished) -> None:
        """Start the script. `done` gets its end once; at once, if it cannot be started.

        Where the machine only lacks processes, memory or descriptors just now, it is tried again for as long as the script
        might have run: a machine under attack is short of everything.
        """
        self._try(str(path), environment(trigger, env), done, time.monotonic())

    def _try(self, path: str, env: dict[str, str], done: Finished, began: float) -> None:
        started = time.monotonic()
        try:
            pid, fd = spawn(path, env)
        except (OSError, ValueError) as error:
            if _will_pass(error) and started - began < self.timeout and not self._terminated:
                self._loop.call_later(AGAIN, lambda: self._try(path, env, done, began))
            else:
                done(Result(False, f"cannot be started: {_why(error)}"))
            return
        run = self._running[pid] = _Run(pid, fd, done, started, self.timeout)
        self._loop.watch(fd, lambda: self._read(run))
        self._arm()

    def reap(self) -> None:
        """See which scripts have ended. Never touches another child of this process."""
        for run in list(self._running.values()):
            if not run.dying and (status := _wait(run.pid)) is not None:
                self._end(run, status)

    def owns(self, pid: int) -> bool:
        """Whether a process is a script that runs, or was started by one; False where it has ended meanwhile."""
        try:
            return bool(self._running) and os.getpgid(pid) in self._running
        except (OSError, OverflowError):
            return False

    def terminate(self) -> None:
        """End all that run, as if their time were over, and start no more that could not be started."""
        self._terminated = True
        for run in self._running.values():
            if not run.over:
                run.due, run.fault = 0.0, "stopped with logtrigger"
        self._check()

    def _arm(self) -> None:
        due = min((run.due for run in self._running.values()), default=math.inf)
        if due == math.inf or (self._timer is not None and self._timer.due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(due - time.monotonic(), self._check)

    def _check(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.reap()
        now = time.monotonic()
        for run in self._running.values():
            if run.due <= now:
                self._overdue(run, now)
        self.reap()
        self._arm()

    def _overdue(self, run: _Run, now: float) -> None:
        """First ask the group to end, then make it: whoever is left of it, also where the script itself has gone."""
        _signal_group(run.pid, signal.SIGKILL if run.over else signal.SIGTERM)
        run.due = math.inf if run.over else now + GRACE
        run.over = True

    def _read(self, run: _Run) -> None:
        if run.fd < 0:
            return  # closed in this same turn of the loop
        with suppress(BlockingIOError):
            data = os.read(run.fd, _PIPE)
            run.output.feed(data)
            if not data:
                self._close(run)

    def _close(self, run: _Run) -> None:
        if run.fd >= 0:
            self._loop.unwatch(run.fd)
            os.close(run.fd)
            run.fd = -1

    def _end(self, run: _Run, status: int) -> None:
        """The process has gone; a child of it may hold the pipe for ever, so take what is there and close."""
        self._read(run)
        self._close(run)
        del self._running[run.pid]
        run.done(run.result(status))


class ScriptAction:
    """A rule's script, as an action."""

    name = "script"

    def __init__(self, scripts: Scripts, path: Path, env: Iterable[tuple[str, str]] = ()) -> None:
        self._scripts = scripts
        self._path = path
        self._env = tuple(env)

    def start(self, trigger: Trigger, done: Finished) -> None:
        self._scripts.run(self._path, trigger, self._env, done)


class _Run:
    """One running script."""

    __slots__ = ("done", "due", "fault", "fd", "output", "over", "pid", "started")

    def __init__(self, pid: int, fd: int, done: Finished, started: float, timeout: float) -> None:
        self.pid = pid
        self.fd = fd  # where its output is read; -1: no more
        self.done = done
        self.output = Output()
        self.started = started
        self.due = self.started + timeout  # when its group gets the next signal
        self.over = False  # it has got SIGTERM
        self.fault = "took too long"  # why

    @property
    def dying(self) -> bool:
        """SIGKILL is still to come: until then the process is not waited for, so that no other gets its group's number."""
        return self.over and self.due < math.inf

    def result(self, status: int) -> Result:
        code = os.waitstatus_to_exitcode(status)
        text = f"exit {code}" if code >= 0 else f"ended by signal {-code}"
        if self.over:
            text = f"{self.fault}, {text}"
        ok = code == 0 and not self.over
        return Result(ok, text, time.monotonic() - self.started, self.output.lines(), self.output.whole())


def spawn(path: str, env: dict[str, str]) -> tuple[int, int]:
    """Start a script in a process group of its own; its pid, and where its output can be read without blocking.

    Directly if it has a run bit, else by the shell, as also where no `#!` says who is to run it.

    Raises:
        OSError, ValueError: it cannot be started.
    """
    os.stat(path)  # a missing file is the system's error, not the shell's
    variables = {name.encode(): value.encode("utf-8", "surrogateescape") for name, value in env.items()}
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        os.set_blocking(reader, False)
        return _start(path, variables, writer), reader
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)


def _start(path: str, env: dict[bytes, bytes], writer: int) -> int:
    if os.access(path, os.X_OK):
        try:
            return start(path, [path], env, writer)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
    return start(SHELL, [SHELL, path], env, writer)


def _will_pass(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


def _why(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    if error.errno == errno.ENOENT and error.filename is not None and os.path.exists(error.filename):
        return "the program named in its first line does not exist"
    return os.strerror(error.errno or 0)


def _wait(pid: int) -> int | None:
    """The status with which our child has ended; None while it runs."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0xFF00  # somebody else took its status: exit 255
    return status if ended else None


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
