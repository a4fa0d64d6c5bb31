"""A program that runs for as long as we do: its output as lines, its end and its next start."""

from __future__ import annotations

import os
import select
import shlex
import signal
import time
from collections.abc import Callable, Sequence

from logtrigger.errors import SourceError
from logtrigger.loop import Timer
from logtrigger.programs import start
from logtrigger.sources.base import Host
from logtrigger.sources.lines import Lines, Piece
from logtrigger.sources.tail import new_stream
from logtrigger.text import cut, safe

READ = 1 << 16  # bytes; as much as a pipe usually holds
PIPE_READS = 16  # that empty the largest one (fs.pipe-max-size)
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before a program is started again; doubled while it ends early
GRACE = 2.0  # seconds between SIGTERM and SIGKILL
WELL = "exit status 0"
SAID_A_RUN = 20  # lines of standard error that are reported in one run
SAID_LENGTH = 1024  # bytes of each

Take = Callable[["Run", list[Piece]], None]


class Run:
    """One life of the program: its process group, its pipes, its stream."""

    def __init__(self, argv: Sequence[str], max_line: int) -> None:
        self.stream = new_stream()
        self.lines = Lines(max_line)
        self.errors = Lines(SAID_LENGTH)
        self.said = 0
        self.is_open = True
        self.started = time.monotonic()
        self.out, out = os.pipe2(os.O_CLOEXEC)
        try:
            self.err, err = os.pipe2(os.O_CLOEXEC)
        except OSError:  # there are no more descriptors: these two shall not be missing, too
            os.close(self.out)
            os.close(out)
            raise
        try:
            self.pid = start(argv[0], argv, {**os.environ, "LC_ALL": "C"}, out, err)
        except OSError:
            self.close_pipes()
            raise
        finally:
            os.close(out)
            os.close(err)
        self.pidfd = _pidfd(self.pid)

    def close_pipes(self) -> None:
        """Read nothing more of what it prints."""
        if self.is_open:
            os.close(self.out)
            os.close(self.err)
        self.is_open = False

    def has_ended(self) -> bool:
        """Whether the program has ended. It is not reaped yet: its number stays taken while its group is signalled."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def reap(self) -> str:
        """How it ended. Asks for this one process only."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return "exit status unknown"  # somebody else has reaped it
        if not pid:
            return "it does not end, not even when killed"
        code = os.waitstatus_to_exitcode(status)
        return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"

    def signal(self, number: int) -> None:
        """To the whole group: also to what the program has started."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def wait(self, seconds: float) -> None:
        """Return when it has ended, or after so many seconds."""
        end = time.monotonic() + seconds
        poll = select.poll()
        if self.pidfd is not None:
            poll.register(self.pidfd, select.POLLIN)
        while not self.has_ended() and (left := end - time.monotonic()) > 0:
            poll.poll(1000 * left if self.pidfd is not None else 10)

    def bury(self) -> str:
        """End what is left of the group; how the program ended."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGKILL)
        self.wait(GRACE)
        if self.pidfd is not None:
            os.close(self.pidfd)
        return self.reap()


class Program:
    """Runs a program (an argument list, no shell) and hands on the lines it prints; started again when it ends.

    What it prints to standard error is reported. While it is paused it waits at its full pipe.

    Args:
        host: whose loop watches it, and whom its end is reported to.
        name: of the source it runs for.
        command: the arguments of the next run.
        take: gets whole lines, with their place in what this run has printed.
        max_line: bytes of a line; without it the host's.
        once: it is not started again; called when all has been handed on, with whether it ended well.
    """

    def __init__(
        self,
        host: Host,
        name: str,
        command: Callable[[], Sequence[str]],
        take: Take,
        *,
        max_line: int | None = None,
        once: Callable[[bool], None] | None = None,
    ) -> None:
        self._host, self._name, self._command, self._take = host, name, command, take
        self._max_line = max_line or host.max_line
        self._once = once
        self._origin = ""
        self._run: Run | None = None
        self._watched: set[int] = set()
        self._timer: Timer | None = None
        self._wait = FIRST_WAIT
        self._paused = False

    def open(self) -> None:
        """Start the program. Raises SourceError where there is no such program."""
        try:
            self._start()
        except OSError as error:
            raise SourceError(
                f"{self._name}: {self._origin} cannot be started: {error.strerror} (install it, or name another command)"
            ) from error

    def close(self) -> None:
        """End the program and whatever it has started; waits for GRACE seconds at most."""
        if self._timer is not None:
            self._timer.cancel()
        run, self._run = self._run, None
        if run is None:
            return
        self._unwatch_all()
        run.signal(signal.SIGTERM)
        run.close_pipes()
        run.wait(GRACE)
        run.bury()

    def pause(self) -> None:
        self._paused = True
        if self._run is not None:
            self._unwatch(self._run.out)

    def resume(self) -> None:
        self._paused = False
        if self._run is not None and self._run.is_open:
            self._watch(self._run.out)
            self._host.loop.call_soon(self._exited)

    def _start(self) -> None:
        self._timer = None
        argv = self._command()
        self._origin = shlex.join(argv)
        self._run = run = Run(argv, self._max_line)
        loop = self._host.loop
        if not self._paused:
            self._watch(run.out)
        loop.watch(run.err, self._read_errors)
        self._watched.add(run.err)
        if run.pidfd is not None:
            loop.watch(run.pidfd, self._exited)
            self._watched.add(run.pidfd)

    def _read(self) -> None:
        if self._run is None:
            return
        data = os.read(self._run.out, READ)
        self._deliver(self._run, self._run.lines.feed(data))
        if not data:
            self._finish()

    def _deliver(self, run: Run, pieces: list[Piece]) -> None:
        if pieces:
            self._take(run, pieces)

    def _read_errors(self) -> None:
        run = self._run
        if run is None:
            return
        data = os.read(run.err, READ)
        self._report_errors(run, run.errors.feed(data) if data else run.errors.finish())
        if not data:
            self._unwatch(run.err)

    def _report_errors(self, run: Run, pieces: list[Piece]) -> None:
        for line in (line for piece in pieces for line in piece.data.splitlines()):
            run.said += 1
            if run.said <= SAID_A_RUN:
                self._host.report(1, f"{self._name}: {self._origin} says: {cut(safe(line), SAID_LENGTH)}")
            elif run.said == SAID_A_RUN + 1:
                self._host.report(1, f"{self._name}: {self._origin} says more, which is not shown")

    def _exited(self) -> None:
        """The program has ended; something it started may still hold the pipe, and is not waited for."""
        run = self._run
        if run is None or not run.has_ended():
            return
        if not run.is_open:
            self._bury()
            return
        if self._paused:
            self._unwatch_pidfd(run)  # what is in the pipe is read after the pause
            return
        os.set_blocking(run.out, False)
        try:
            for _ in range(PIPE_READS):
                data = os.read(run.out, READ)
                self._deliver(run, run.lines.feed(data))
                if not data or self._run is not run:
                    break
        except BlockingIOError:
            pass
        self._finish()

    def _finish(self) -> None:
        """The end of a run: what is left of it is ended, and the next one planned."""
        run = self._run
        if run is None:
            return
        self._deliver(run, run.lines.finish())
        if self._run is not run:
            return  # closed meanwhile
        self._unwatch(run.out)
        self._unwatch(run.err)
        self._drain_errors(run)
        run.close_pipes()
        if run.has_ended():
            self._bury()
        else:  # it may be about to
            self._timer = self._host.loop.call_later(GRACE / 10, self._terminate)

    def _terminate(self) -> None:
        if self._run is not None:
            self._run.signal(signal.SIGTERM)
            self._timer = self._host.loop.call_later(GRACE, self._bury)

    def _drain_errors(self, run: Run) -> None:
        os.set_blocking(run.err, False)
        try:
            data = os.read(run.err, READ)
        except BlockingIOError:
            data = b""
        self._report_errors(run, [*run.errors.feed(data), *run.errors.finish()])

    def _bury(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._unwatch_all()
        ending = run.bury()
        if self._once is not None:
            if ending != WELL:
                self._host.report(1, f"{self._name}: {self._origin} ended ({ending})")
            self._once(ending == WELL)
            return
        if time.monotonic() - run.started >= LONGEST_WAIT:
            self._wait = FIRST_WAIT
        self._host.report(1, f"{self._name}: {self._origin} ended ({ending}); it is started again in {self._wait:.0f} s")
        self._restart_later()

    def _restart_later(self) -> None:
        self._timer = self._host.loop.call_later(self._wait, self._restart)
        self._wait = min(2 * self._wait, LONGEST_WAIT)

    def _restart(self) -> None:
        try:
            self._start()
        except OSError as error:
            self._host.report(0, f"{self._name}: {self._origin} cannot be started: {error.strerror}; it is tried again")
            self._restart_later()

    def _watch(self, fd: int) -> None:
        if fd not in self._watched:
            self._host.loop.watch(fd, self._read)
            self._watched.add(fd)

    def _unwatch(self, fd: int) -> None:
        if fd in self._watched:
            self._host.loop.unwatch(fd)
            self._watched.remove(fd)

    def _unwatch_all(self) -> None:
        for fd in list(self._watched):
            self._unwatch(fd)

    def _unwatch_pidfd(self, run: Run) -> None:
        if run.pidfd is not None:
            self._unwatch(run.pidfd)


def _pidfd(pid: int) -> int | None:
    """None on kernels before 5.3: the end of the pipe must tell then."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None
