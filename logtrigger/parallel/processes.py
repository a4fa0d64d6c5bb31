"""Processes forked off for a piece of work: begun, ended, and what is said of one that dies."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

_ENDED = 1  # exit status of a process that failed, and has said why


class WorkerError(Exception):
    """A process of ours that did not come to its end; the text says how."""


def forked(body: Callable[[int, int], None], foreign: Sequence[int]) -> tuple[int, int, int]:
    """A process that does this: its number, what it says, and what it is given. `foreign` are descriptors it is to close."""
    sys.stdout.flush()
    sys.stderr.flush()
    (out, out_end), (feed_end, feed) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(lambda: body(out_end, feed_end), [out, feed, *foreign])
    os.close(out_end)
    os.close(feed_end)
    return pid, out, feed


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Ctrl-C waits until every process knows what to do about it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def death(pid: int) -> WorkerError:
    """What became of a process that says nothing more."""
    _, status = os.waitpid(pid, 0)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    fate = f"was ended by signal {number} ({signal.strsignal(number)})" if number else "failed"
    return WorkerError(f"a process of ours {fate}; run it again, perhaps with --jobs 1")


def end(pid: int) -> None:
    """End a process, whatever it does, and leave nothing of it; 0 stands for one that is gone."""
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _be_child(body: Callable[[], None], foreign: Sequence[int]) -> NoReturn:
    status = _ENDED
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the one that asked, who ends us
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for descriptor in foreign:
            os.close(descriptor)
        body()
        status = 0
    except (BrokenPipeError, EOFError):
        pass  # nobody listens any more
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)
