"""Delivering triggers to one far end, which may be slow or away for a while: in order, tried again, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from logtrigger.actions.base import Result
from logtrigger.actions.queue import HEAD
from logtrigger.actions.senders.base import Partly, Refused, Sender, Unreachable
from logtrigger.durations import spoken
from logtrigger.loop import Loop, Timer
from logtrigger.model import Trigger
from logtrigger.text import safe_text

Done = Callable[[Result | None], None]

AGAIN = 0.5  # seconds until the next try where the machine has no room for a thread
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0  # seconds until the next try; each is twice the one before
TELL_EVERY = 60.0  # seconds between two faults that are told, where each is another one
_MOST_TOLD = 10  # different faults that are told until it works again


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is given up, and when."""

    age: float = 86_400.0  # seconds since the trigger after which it is told no more
    every: float = 0.0  # seconds from one message to the next, at least


@dataclass(slots=True)
class Health:
    """How a far end does, for who asks."""

    sent: int = 0  # triggers
    given_up: int = 0
    last_success: float | None = None  # epoch seconds
    last_error: str = ""
    last_error_at: float | None = None


class Outbox:
    """An action (see base.py) that hands its triggers to a sender.

    What is not sent when the daemon stops stays undone in the store's table, and is sent after the next start.

    Args:
        name: of the action.
        sender: tells somebody.
        loop: in whose thread results are told.
        report: tells the operator (level, text).
        clock: epoch seconds.
        limits: what is given up.
        present: what an earlier time comes to by the clock as it is now, which somebody may have set.
    """

    def __init__(
        self,
        name: str,
        sender: Sender,
        loop: Loop,
        report: Callable[[int, str], None],
        clock: Callable[[], float],
        limits: Limits = Limits(),
        present: Callable[[float], float] = float,
    ) -> None:
        self.name, self._present = name, present
        self.health = Health()
        self._sender, self._loop, self._report, self._clock, self._limits = sender, loop, report, clock, limits
        self._waiting: deque[tuple[Trigger, Done]] = deque()
        self._sending = 0  # of those that wait, how many at the front are being sent
        self._pause = FIRST_PAUSE  # seconds until the next try, if the one to come fails
        self._earliest = 0.0  # when something is sent next, monotonic
        self._told_of: int | None = getattr(sender, "told", None)  # of so many a message tells, further ones it counts
        self._is_hurried = False
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._beginning: Timer | None = None  # tries again to start it
        self._is_closed = self._is_failing = False
        self._told: set[str] = set()  # what has been said since it last worked
        self._told_at = -TELL_EVERY  # when a fault was said last, monotonic
        self._lost = 0  # given up since it last worked

    @property
    def parallel(self) -> int:
        """How many triggers may wait here at once: as many as the sender can make use of, and memory may hold."""
        return self._sender.most if self._told_of is not None else min(self._sender.most, HEAD)

    @property
    def counts(self) -> bool:
        """Whether it tells of the first triggers only, and takes the others without their texts."""
        return self._told_of is not None

    @property
    def fails(self) -> bool:
        """Whether the last try failed."""
        return self._is_failing

    @property
    def next_in(self) -> float | None:
        """Seconds until what waits is tried; None: nothing waits, or it is being tried."""
        if self._sending or not self._waiting:
            return None
        return max(0.0, self._earliest - time.monotonic())

    def start(self, trigger: Trigger, done: Done) -> None:
        """Send it as soon as it is its turn."""
        with self._news:
            if self._told_of is not None and len(self._waiting) - self._sending >= self._told_of:
                trigger = trigger.bare()
            self._waiting.append((trigger, done))
            self._news.notify()
        if self._beginning is None:
            self._begin()

    def _begin(self) -> None:
        """See to it that the thread runs; a machine under attack may lack even that for a while."""
        self._beginning = None
        if self._thread is not None or self._is_closed:
            return
        thread = threading.Thread(target=self._work, name=f"action {self.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._beginning = self._loop.call_later(AGAIN, self._begin)
        else:
            self._thread = thread

    def retry(self) -> None:
        """Try at once what has failed: somebody may have mended it."""
        with self._news:
            if self._is_failing and not self._sending:
                self._earliest, self._pause = 0.0, FIRST_PAUSE
                self._news.notify()

    def hurry(self) -> None:
        """Send what waits for `every` now, even if the box is closed right after this."""
        with self._news:
            self._is_hurried = True
            if not self._sending and not self._is_failing:
                self._sending = min(len(self._waiting), self._sender.most)
            self._news.notify()

    def close(self) -> list[tuple[Trigger, Done]]:
        """Begin to send nothing more; gives what waits, which is the caller's now.

        What is being sent ends as it ends, which may take the sender's time.
        """
        with self._news:
            self._is_closed = True
            left = [self._waiting.pop() for _ in range(len(self._waiting) - self._sending)]
            self._news.notify()
        return left[::-1]

    # In the thread

    def _work(self) -> None:
        while batch := self._next():
            begun = time.monotonic()
            if self._send(batch, begun):
                self._pause, self._earliest = FIRST_PAUSE, begun + self._limits.every
            else:
                self._earliest = time.monotonic() + self._pause
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._sender.close()

    def _next(self) -> list[tuple[Trigger, Done]]:
        """What is to be sent, once it is time; nothing when closed."""
        with self._news:
            while not self._is_closed and not self._sending:
                wait = 0.0 if self._is_hurried and not self._is_failing else self._earliest - time.monotonic()
                if self._waiting and wait <= 0:
                    self._sending = min(len(self._waiting), self._sender.most)
                else:
                    self._news.wait(wait if self._waiting else None)
            return [self._waiting[i] for i in range(self._sending)]

    def _send(self, batch: list[tuple[Trigger, Done]], begun: float) -> bool:
        """Whether the batch is dealt with."""
        now = self._clock()
        stale = [one for one in batch if now - self._present(one[0].time) > self._limits.age]
        if stale:
            why = self.health.last_error if self._is_failing else "it waited for too long"
            batch, result = stale, Result(False, f"given up: {why}", told=True)
            self._say(f"{why}; given up after {spoken(self._limits.age)}")
        else:
            try:
                said = self._sender.send([trigger for trigger, _ in batch])
                result = Result(True, safe_text(said), time.monotonic() - begun)
            except Unreachable as error:
                self._failed(str(error), "trying again")
                self._put_back()
                return False
            except Partly as error:
                self._failed(str(error), "given up")
                self._finish(batch, Result(True, "taken", time.monotonic() - begun), error.refused)
                return True
            except Exception as error:  # Refused, or a fault of a library, which must not end the deliveries
                fault = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
                self._failed(fault, "given up")
                result = Result(False, safe_text(fault), time.monotonic() - begun, told=True)
        self._finish(batch, result)
        return True

    def _put_back(self) -> None:
        """They wait on; where nothing is sent any more, they are left undone."""
        with self._news:
            left = [self._waiting.popleft() for _ in range(self._sending)] if self._is_closed else []
            self._sending = 0
        self._loop.call_threadsafe(partial(_tell_each, left, None))

    def _finish(
        self, batch: list[tuple[Trigger, Done]], result: Result, refused: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Take these off, and tell how they ended; those that were refused, by their ids, otherwise than the rest."""
        gone = {id(done) for _, done in batch}
        with self._news:
            self._waiting = deque(one for one in self._waiting if id(one[1]) not in gone)
            self._sending = 0
        failed = [one for one in batch if one[0].id in refused]
        batch = [one for one in batch if one[0].id not in refused]
        for trigger, done in failed:
            self._give_up(1)
            why = Result(False, safe_text(refused[trigger.id]), result.seconds, told=True)
            self._loop.call_threadsafe(partial(_tell_each, [(trigger, done)], why))
        if not batch:
            return
        if result.ok:
            self.health.sent += len(batch)
            self.health.last_success = self._clock()
            if not failed:
                self._works()
        else:
            self._give_up(len(batch))
        self._loop.call_threadsafe(partial(_tell_each, batch, result))

    def _give_up(self, triggers: int) -> None:
        self.health.given_up += triggers
        self._lost += triggers

    def _failed(self, fault: str, meant: str) -> None:
        self.health.last_error, self.health.last_error_at = safe_text(fault), self._clock()
        self._is_failing = True
        self._say(f"{self.health.last_error}; {meant}")

    def _say(self, text: str) -> None:
        """Tell of a fault: once, until it works again; other faults a while later, if they are there still."""
        now = time.monotonic()
        if text not in self._told and len(self._told) < _MOST_TOLD and now - self._told_at >= TELL_EVERY:
            self._told.add(text)
            self._told_at = now
            self._tell(0, f"{self.name}: {text}")

    def _works(self) -> None:
        """Whoever has heard of a fault hears that it is over, and what it has cost."""
        if self._told:
            lost = f"; {self._lost:,} given up meanwhile" if self._lost else ""
            self._tell(0, f"{self.name}: delivers again{lost}")
            self._told.clear()
            self._lost = 0
        self._is_failing = False

    def _tell(self, level: int, text: str) -> None:
        self._loop.call_threadsafe(lambda: self._report(level, text))


def _tell_each(batch: list[tuple[Trigger, Done]], result: Result | None) -> None:
    for _, done in batch:
        done(result)
