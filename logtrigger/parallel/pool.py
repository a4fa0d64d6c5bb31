"""Pieces of work that know nothing of each other, done by several processes in turn."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

from logtrigger.parallel.frames import received, send
from logtrigger.parallel.processes import death, end, forked, interrupts_later

T = TypeVar("T")


class Pool:
    """Processes that each do one piece of work after another. To be closed.

    Args:
        work: what is done with a piece. Pieces and results consist of what `marshal` takes.
        jobs: how many processes; with one the work is done here.
    """

    def __init__(self, work: Callable[[Any], Any], jobs: int) -> None:
        self._work = work
        self._workers: list[tuple[int, int, int]] = []  # process, what it says, what it is given
        with interrupts_later():
            for _ in range(jobs if jobs > 1 else 0):
                foreign = [descriptor for _, *both in self._workers for descriptor in both]
                self._workers.append(forked(self._serve, foreign))

    def results(self, pieces: Iterator[T]) -> Iterator[tuple[T, Any]]:
        """Each piece with its result, in order. What `pieces` raises is raised behind the results of those before it.

        Raises:
            WorkerError: a process died.
        """
        if not self._workers:
            yield from ((piece, self._work(piece)) for piece in pieces)
            return
        under_way: deque[tuple[int, T]] = deque()
        fault: BaseException | None = None
        for number in count():
            try:
                piece = next(pieces)
            except StopIteration:
                break
            except (Exception, KeyboardInterrupt) as error:
                fault = error
                break
            slot = number % len(self._workers)
            done = self._done(*under_way.popleft()) if len(under_way) == len(self._workers) else None
            self._give(slot, piece)
            under_way.append((slot, piece))
            if done:
                yield done
        while under_way:
            yield self._done(*under_way.popleft())
        if fault is not None:
            raise fault

    def close(self) -> None:
        """End all processes."""
        for pid, out, feed in self._workers:
            end(pid)
            os.close(out)
            os.close(feed)
        self._workers = []

    def _serve(self, out: int, feed: int) -> None:
        while True:
            send(out, self._work(received(feed)))

    def _give(self, slot: int, piece: Any) -> None:
        with suppress(BrokenPipeError):  # it has died, which shows where its result should come
            send(self._workers[slot][2], piece)

    def _done(self, slot: int, piece: T) -> tuple[T, Any]:
        pid, out, feed = self._workers[slot]
        try:
            return piece, received(out)
        except EOFError:
            self._workers[slot] = 0, out, feed
            raise death(pid) from None
