"""Work on several cores: a replay, and pieces that know nothing of each other.

In a replay rules that count together go to one process, and each process reads all logs.

What a rule finds does not depend on rules it does not count together with, so each process runs its share as if there were no
others, and the triggers are put in order again by log, place and rule. Processes are forked: the configuration and what was
compiled are there at once. Where a log can be read only once, as standard input, it is passed on to all of them.
"""

from __future__ import annotations

import io
import marshal
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BufferedReader
from itertools import count
from operator import itemgetter
from typing import Any, NoReturn, TypeVar

from logtrigger.engine import Engine, MatcherFactory
from logtrigger.fill import Fill
from logtrigger.matcher import Matcher
from logtrigger.model import Chunk
from logtrigger.replay import Log, Summary
from logtrigger.replay import replay as replay_here
from logtrigger.rule import Rule, Settings
from logtrigger.together import together

_READ = 1 << 18  # bytes
_AHEAD = 1 << 23  # bytes of output that a process may be ahead of the slowest, where it can wait
_LARGE, _QUICKLY_COMPILED = 1 << 24, 100  # bytes of logs, and rules: when compiling their patterns anew pays
_SAMPLES, _SAMPLE = 50, 1 << 14  # how many at most, of how many bytes: what share of the work each rule is
_TIMED = 12  # rules that are timed with these
_EVENT = 5e-6  # seconds that an event of the others takes, about
_END = 1 << 62  # behind every line of a log
_SIZE = 4  # bytes of a frame's length
_FAILED = 1 << 31  # a length that is an errno
_ENDED = 1  # exit status of a process that failed, and has said why

T = TypeVar("T")
Tell = Callable[[str], None]  # text of some triggers
Form = Callable[[Fill, int], str]  # a trigger and the number of its line, to text
Place = tuple[int, int]  # number of a log, offset in it
Item = tuple[int, int, int, str]  # log, offset, rule, text


class WorkerError(Exception):
    """A process of ours that did not come to its end; the text says how."""


@dataclass(frozen=True, slots=True)
class Once(Log):
    """A log that can be read only once, such as a pipe."""


def replay(
    settings: Settings, logs: Sequence[Log], now: float, form: Form, tell: Tell, build: MatcherFactory, jobs: int
) -> Summary:
    """As `logtrigger.replay.replay`, on `jobs` processes; `tell` gets the texts that `form` makes of triggers, in order.

    Raises:
        OSError: a log cannot be read; its filename says which.
        WorkerError: a process died.
    """
    matcher = build([rule.patterns for rule in settings.rules])
    task = _Task(settings, range(len(settings.rules)), logs, now, form, build)
    shares = shared_out(settings, _weights(task, matcher), jobs) if jobs > 1 else []
    if len(shares) < 2:
        return replay_here(settings, logs, now, lambda trigger, line: tell(form(trigger, line)), lambda _: matcher)
    workers: list[_Worker] = []
    try:
        with _interrupts_later():
            for share in shares:
                part = replace(task, share=share, build=_share_of(matcher, share, logs, build))
                workers.append(_fork(part, workers))
        once = [log for log in logs if isinstance(log, Once)]
        feeds = [worker.feed for worker in workers]
        threading.Thread(target=_pass_on, args=(once, feeds), daemon=True).start()
        _gather(workers, tell, can_wait=not once)
        return _sum(settings, workers)
    finally:
        for worker in workers:
            worker.end()


def shared_out(settings: Settings, weights: Mapping[str, float], jobs: int) -> list[list[int]]:
    """The rules in at most `jobs` shares of about the same weight; those that count together are in one."""
    families: dict[int, list[int]] = {}
    for index, first in enumerate(together(settings.rules)):
        families.setdefault(first, []).append(index)
    load = {number: sum(weights[settings.rules[index].name] for index in rules) for number, rules in families.items()}
    shares: list[tuple[float, list[int]]] = [(0.0, []) for _ in range(jobs)]
    for number in sorted(families, key=lambda number: (-load[number], number)):
        lightest = min(range(jobs), key=lambda share: (shares[share][0], len(shares[share][1])))
        weight, rules = shares[lightest]
        shares[lightest] = weight + load[number], sorted([*rules, *families[number]])
    return [rules for _, rules in shares if rules]


def _weights(task: _Task, matcher: Matcher) -> dict[str, float]:
    """How much work each rule is, about: its events in samples of the logs, or for the busiest rules the time they take."""
    samples = list(_samples([log for log in task.logs if not isinstance(log, Once)]))
    rules = task.settings.rules
    events = _try_out(task, rules, samples, matcher)
    weights = {name: count * _EVENT + 1e-9 for name, count in events.items()}
    only: Callable[..., Matcher] | None = getattr(matcher, "only", None)
    if only is not None:
        for index in sorted(range(len(rules)), key=lambda index: -weights[rules[index].name])[:_TIMED]:
            alone = only([index], compiled_anew=False)
            began = time.process_time()
            _try_out(task, [replace(rules[index], reset_by=())], samples, alone)
            weights[rules[index].name] = time.process_time() - began
    return weights


def _try_out(task: _Task, rules: Sequence[Rule], samples: Sequence[bytes], matcher: Matcher) -> dict[str, int]:
    """Have some rules look at samples; how many events each has."""
    engine = Engine(replace(task.settings, rules=tuple(rules)), every_source=True, build=lambda _: matcher)
    for number, data in enumerate(samples):
        for trigger in engine.fills(Chunk("", "", str(number), 0, len(data), data, catching_up=True), task.now):
            task.form(trigger, 0)
    return engine.events()


def _samples(logs: Sequence[Log]) -> Iterator[bytes]:
    """Whole lines from here and there, a hundredth of all, or less. What cannot be read is left to those who read all."""
    every = max(100 * _SAMPLE, sum(map(_size, logs)) // _SAMPLES)
    for log in logs:
        with suppress(OSError), log.open() as stream:
            for place in range(every // 2, os.fstat(stream.fileno()).st_size, every):
                stream.seek(place)
                data = stream.read(_SAMPLE)
                yield data[data.find(b"\n") + 1 : data.rfind(b"\n") + 1]


def _share_of(matcher: Matcher, share: Sequence[int], logs: Sequence[Log], build: MatcherFactory) -> MatcherFactory:
    """What makes the matcher of a share: out of the one for all, where that can be had."""
    only: Callable[..., Matcher] | None = getattr(matcher, "only", None)
    if only is None:
        return build
    pays = len(share) <= _QUICKLY_COMPILED and sum(map(_size, logs)) >= _LARGE
    return lambda _: only(share, compiled_anew=pays)


def _size(log: Log) -> int:
    """Bytes of a log, as far as that can be known."""
    if isinstance(log, Once):
        return _LARGE
    try:
        with log.open() as stream:
            return os.fstat(stream.fileno()).st_size
    except OSError:
        return 0


# In a process of its own


@dataclass(frozen=True, slots=True)
class _Task:
    """What a process is to do: these rules, by their numbers, over all logs."""

    settings: Settings
    share: Sequence[int]
    logs: Sequence[Log]
    now: float
    form: Form
    build: MatcherFactory


class _Report:
    """What a process has found, on its way to the one that asked."""

    def __init__(self, out: int, share: Sequence[int], names: Sequence[str]) -> None:
        self._out = out
        self._numbers = {names[index]: index for index in share}
        self._items: list[Item] = []
        self.log = -1  # that is read now

    def add(self, trigger: Fill, text: str) -> None:
        self._items.append((self.log, trigger.offset, self._numbers[trigger.rule], text))

    def send(self, upto: Place, result: object = None) -> None:
        """Everything found before this place, which nothing that follows lies before."""
        _send(self._out, (upto, self._items, result))
        self._items = []


class _Watched(io.RawIOBase):
    """A log being read. When it is asked for more, all before it has been looked at, and is reported."""

    def __init__(self, source: io.RawIOBase | BufferedReader, log: int, report: _Report) -> None:
        self._source, self._log, self._report = source, log, report
        self._read = 0
        self._whole = 0  # where the first line begins that is not read to its end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._report.send((self._log, self._whole))
        count = self._source.readinto(buffer) or 0
        line_end = bytes(memoryview(buffer)[:count]).rfind(b"\n")
        if line_end >= 0:
            self._whole = self._read + line_end + 1
        self._read += count
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


class _Fed(io.RawIOBase):
    """A log that another process reads for us: frames, the last of them empty or an error."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._left = 0
        self._over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left and not self._over:
            size = int.from_bytes(_read_all(self._descriptor, _SIZE), "big")
            self._over = size == 0 or size >= _FAILED
            if size >= _FAILED:
                raise OSError(size - _FAILED, os.strerror(size - _FAILED))
            self._left = size
        data = os.read(self._descriptor, min(self._left, len(buffer))) if self._left else b""
        if self._left and not data:
            raise EOFError
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def _work(task: _Task, out: int, feed: int) -> None:
    rules = task.settings.rules
    report = _Report(out, task.share, [rule.name for rule in rules])

    def watched(number: int, log: Log) -> Log:
        def open_it() -> BufferedReader:
            report.log = number
            report.send((number, 0))
            source = _Fed(feed) if isinstance(log, Once) else log.open()
            return BufferedReader(_Watched(source, number, report), 1)

        return Log(log.name, open_it)

    logs = [watched(number, log) for number, log in enumerate(task.logs)]
    settings = replace(task.settings, rules=tuple(rules[index] for index in task.share))
    try:
        found = replay_here(settings, logs, task.now, lambda t, line: report.add(t, task.form(t, line)), task.build)
        report.send((_END, 0), (found.lines, found.events, found.triggers))
    except OSError as error:
        report.send((report.log, _END), (error.errno, error.strerror, error.filename))


# In the process that asked


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
        return self.upto[1] == _END

    def take(self) -> bool:
        """Take what it has said; False where it will say no more."""
        data = os.read(self.out, _READ)
        self.said += data
        while len(self.said) >= _SIZE and len(self.said) - _SIZE >= (size := int.from_bytes(self.said[:_SIZE], "big")):
            upto, items, self.result = marshal.loads(bytes(self.said[_SIZE : _SIZE + size]))
            self.upto = upto[0], upto[1]
            del self.said[: _SIZE + size]
            self.items += items
            self.waiting += sum(len(item[3]) for item in items)
        if not data and self.result is None:
            pid, self.pid = self.pid, 0
            raise _death(pid)
        return bool(data)

    def before(self, place: Place) -> Iterator[Item]:
        """What it found before a place."""
        while self.items and self.items[0][:2] < place:
            item = self.items.popleft()
            self.waiting -= len(item[3])
            yield item

    def end(self) -> None:
        """End the process, whatever it does, and leave nothing of it."""
        _end(self.pid)
        os.close(self.out)


def _fork(task: _Task, others: Sequence[_Worker]) -> _Worker:
    foreign = [descriptor for other in others for descriptor in (other.out, other.feed)]
    return _Worker(*_forked(lambda out, feed: _work(task, out, feed), foreign), bytearray(), deque())


def _forked(body: Callable[[int, int], None], foreign: Sequence[int]) -> tuple[int, int, int]:
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


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Ctrl-C waits until every process knows what to do about it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _death(pid: int) -> WorkerError:
    """What became of a process that says nothing more."""
    _, status = os.waitpid(pid, 0)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    fate = f"was ended by signal {number} ({signal.strsignal(number)})" if number else "failed"
    return WorkerError(f"a process of ours {fate}; run it again, perhaps with --jobs 1")


def _end(pid: int) -> None:
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


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


def _pass_on(logs: Sequence[Log], feeds: Sequence[int]) -> None:
    """Give what each of these logs holds to every process, which read them in the same order."""
    try:
        for log in logs:
            for frame in _frames(log):
                for feed in feeds:
                    _write(feed, frame)
    except OSError:
        pass  # a process has died, which is told elsewhere
    finally:
        for feed in feeds:
            os.close(feed)


def _frames(log: Log) -> Iterator[bytes]:
    try:
        with log.open() as stream:
            while data := stream.read1(_READ):
                yield len(data).to_bytes(_SIZE, "big") + data
        yield bytes(_SIZE)
    except OSError as error:
        yield (_FAILED + (error.errno or 0)).to_bytes(_SIZE, "big")


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _read_all(descriptor: int, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        data = os.read(descriptor, size - len(found))
        if not data:
            raise EOFError
        found += data
    return bytes(found)


# Pieces of work that know nothing of each other


class Pool:
    """Processes that each do one piece of work after another. To be closed.

    Args:
        work: what is done with a piece. Pieces and results consist of what `marshal` takes.
        jobs: how many processes; with one the work is done here.
    """

    def __init__(self, work: Callable[[Any], Any], jobs: int) -> None:
        self._work = work
        self._workers: list[tuple[int, int, int]] = []  # process, what it says, what it is given
        with _interrupts_later():
            for _ in range(jobs if jobs > 1 else 0):
                foreign = [descriptor for _, *both in self._workers for descriptor in both]
                self._workers.append(_forked(self._serve, foreign))

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
            _end(pid)
            os.close(out)
            os.close(feed)
        self._workers = []

    def _serve(self, out: int, feed: int) -> None:
        while True:
            _send(out, self._work(_received(feed)))

    def _give(self, slot: int, piece: Any) -> None:
        with suppress(BrokenPipeError):  # it has died, which shows where its result should come
            _send(self._workers[slot][2], piece)

    def _done(self, slot: int, piece: T) -> tuple[T, Any]:
        pid, out, feed = self._workers[slot]
        try:
            return piece, _received(out)
        except EOFError:
            self._workers[slot] = 0, out, feed
            raise _death(pid) from None


def _send(descriptor: int, value: Any) -> None:
    data = marshal.dumps(value)
    _write(descriptor, len(data).to_bytes(_SIZE, "big") + data)


def _received(descriptor: int) -> Any:
    return marshal.loads(_read_all(descriptor, int.from_bytes(_read_all(descriptor, _SIZE), "big")))
