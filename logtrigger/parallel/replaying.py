"""A replay on several processes: what they find, told in the order of the logs."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from logtrigger.engine import MatcherFactory
from logtrigger.matcher import Owner
from logtrigger.parallel.frames import READ, Once, pass_on, taken
from logtrigger.parallel.processes import death, end, forked, interrupts_later
from logtrigger.parallel.shares import share_of, shared_out, weigh
from logtrigger.parallel.worker import END, Form, Item, Place, Task, work
from logtrigger.replay import Log, Summary
from logtrigger.replay import replay as replay_here
from logtrigger.rule import Settings

_AHEAD = 1 << 23  # bytes of output that a process may be ahead of the slowest, where it can wait

Tell = Callable[[str], None]  # text of some triggers


def replay(
    settings: Settings, logs: Sequence[Log], now: float, form: Form, tell: Tell, build: MatcherFactory, jobs: int
) -> Summary:
    """As `logtrigger.replay.replay`, on `jobs` processes; `tell` gets the texts that `form` makes of triggers, in order.

    Raises:
        OSError: a log cannot be read; its filename says which.
        WorkerError: a process died.
    """
    matcher = build([Owner(rule.patterns, rule.programs) for rule in settings.rules])
    task = Task(settings, range(len(settings.rules)), logs, now, form, build)
    shares = shared_out(settings, weigh(task, matcher), jobs) if jobs > 1 else []
    if len(shares) < 2:
        return replay_here(settings, logs, now, lambda trigger, line: tell(form(trigger, line)), lambda _: matcher)
    workers: list[_Worker] = []
    try:
        with interrupts_later():
            for share in shares:
                part = replace(task, share=share, build=share_of(matcher, share, logs, build))
                workers.append(_fork(part, workers))
        once = [log for log in logs if isinstance(log, Once)]
        feeds = [worker.feed for worker in workers]
        threading.Thread(target=pass_on, args=(once, feeds), daemon=True).start()
        _gather(workers, tell, can_wait=not once)
        return _sum(settings, workers)
    finally:
        for worker in workers:
            worker.end()


@dataclass(slots=True, eq=False)
class _Worker:
    """A process at work, and what it has said that is not told yet."""

    pid: int
    out: int  # what it says
    feed: int  # what it is given of logs that can be read only once
    said: bytearray
    items: deque[Item]
    upto: Place = (0, 0)  # nothing that it will still say lies before this
    waiting: int = 0  # bytes of the texts in items
    result: Any = None

    @property
    def failed(self) -> bool:
        """Whether a log could not be read."""
        return self.upto[1] == END

    def take(self) -> bool:
        """Take what it has said; False where it will say no more."""
        data = os.read(self.out, READ)
        self.said += data
        for upto, items, result in taken(self.said):
            self.upto, self.result = (upto[0], upto[1]), result
            self.items += items
            self.waiting += sum(len(item[3]) for item in items)
        if not data and self.result is None:
            pid, self.pid = self.pid, 0
            raise death(pid)
        return bool(data)

    def before(self, place: Place) -> Iterator[Item]:
        """What it found before a place."""
        while self.items and self.items[0][:2] < place:
            item = self.items.popleft()
            self.waiting -= len(item[3])
            yield item

    def end(self) -> None:
        """End the process, whatever it does, and leave nothing of it."""
        end(self.pid)
        os.close(self.out)


def _fork(task: Task, others: Sequence[_Worker]) -> _Worker:
    foreign = [descriptor for other in others for descriptor in (other.out, other.feed)]
    return _Worker(*forked(lambda out, feed: work(task, out, feed), foreign), bytearray(), deque())


def _gather(workers: Sequence[_Worker], tell: Tell, *, can_wait: bool) -> None:
    """Tell what all processes find, in the order of the logs, until each has come to its end.

    One that is far ahead is not listened to for a while; not so where all are given the same stream, which keeps them together.
    """
    listening = {worker.out: worker for worker in workers}
    while listening:
        ready = [out for out, worker in listening.items() if not can_wait or worker.waiting < _AHEAD]
        poll = select.poll()
        for out in ready:
            poll.register(out, select.POLLIN)
        for out, _ in poll.poll():
            if not listening[out].take():
                del listening[out]
        slowest = min(workers, key=lambda worker: worker.upto)
        _tell_before(slowest.upto, workers, tell)
        if slowest.failed:
            return  # what lies behind the log that cannot be read does not count


def _tell_before(place: Place, workers: Sequence[_Worker], tell: Tell) -> None:
    found = [item for worker in workers for item in worker.before(place)]
    if found:
        found.sort(key=itemgetter(0, 1, 2))  # what one rule finds at a line stays in its order
        tell("".join([item[3] for item in found]))


def _sum(settings: Settings, workers: Sequence[_Worker]) -> Summary:
    """What it all came to. Raises OSError where a log could not be read."""
    failed = min((worker for worker in workers if worker.failed), key=lambda worker: worker.upto, default=None)
    if failed is not None:
        raise OSError(*failed.result)
    lines = max(worker.result[0] for worker in workers)
    events: dict[str, int] = {}
    triggers: dict[str, int] = {}
    for worker in workers:
        events |= worker.result[1]
        triggers |= worker.result[2]
    names = [rule.name for rule in settings.rules]
    return Summary(lines, {name: events[name] for name in names}, {name: triggers[name] for name in names})
