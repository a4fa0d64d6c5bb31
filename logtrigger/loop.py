"""The one event loop: file descriptors, timers and calls from other threads, over `selectors`.

asyncio would cost 10 MB and 40 ms for what the daemon needs of it; see docs/architecture.md.
"""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable

Callback = Callable[[], None]

REST = 1.0  # seconds that a descriptor is left alone after what it called has failed

LONGEST_WAIT = 86_400.0  # seconds; epoll_wait(2) takes no more than 24 days


class Timer:
    """A call that is due at a monotonic time; `cancel` takes it back."""

    __slots__ = ("callback", "due")

    def __init__(self, due: float, callback: Callback) -> None:
        self.due = due
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Never call it."""
        self.callback = None


class Loop:
    """Runs callbacks in one thread. Only `call_threadsafe` may be used from another one."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._calls: deque[Callback] = deque()
        self._thread = threading.get_ident()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._running = self._closed = False
        self._closing = threading.Lock()
        self._resting: dict[int, list[tuple[Callback | None, Callback | None]]] = {}  # descriptors, and what they call
        self.on_fault: Callable[[Exception], None] | None = None  # is told when a callback fails; without it, `turn` raises
        self.watch(self._wake_read, self._drain)

    @property
    def wake_fd(self) -> int:
        """A descriptor that wakes the loop when a byte is written to it (for signal.set_wakeup_fd)."""
        return self._wake_write

    def watch(self, fd: int, on_readable: Callback) -> None:
        """Call on_readable whenever fd can be read, until `unwatch`."""
        self._selector.register(fd, selectors.EVENT_READ, (on_readable, None))

    def change(self, fd: int, on_readable: Callback | None, on_writable: Callback | None) -> None:
        """From now on call these for a watched fd, when it can be read or written; one of them at least."""
        if fd in self._resting:
            self._resting[fd][0] = (on_readable, on_writable)
            return
        self._selector.modify(fd, _events(on_readable, on_writable), (on_readable, on_writable))

    def unwatch(self, fd: int) -> None:
        """Stop watching fd. Must come before the descriptor is closed."""
        if self._resting.pop(fd, None) is not None:
            return
        self._selector.unregister(fd)

    def call_later(self, seconds: float, callback: Callback) -> Timer:
        """Call once, `seconds` from now on the monotonic clock."""
        timer = Timer(time.monotonic() + seconds, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def call_soon(self, callback: Callback) -> None:
        """Call in the next turn of the loop."""
        self._calls.append(callback)

    def call_threadsafe(self, callback: Callback) -> None:
        """Call in the loop's thread; may be used from any thread."""
        self._calls.append(callback)
        self.wake()

    def wake(self) -> None:
        """End the current wait."""
        with self._closing:  # a thread may come to its end later than the loop, whose descriptor is another's by then
            if self._closed:
                return
            try:
                os.write(self._wake_write, b"\0")
            except BlockingIOError:
                pass  # the pipe is full of wake-ups already

    def run(self) -> None:
        """Run until `stop`."""
        self._running = True
        while self._running:
            self.turn()

    def stop(self) -> None:
        """Let `run` return after the current turn."""
        self._running = False
        self.wake()

    def turn(self, longest: float | None = None) -> None:
        """Wait for the next thing to do, `longest` seconds at most, and do everything that is due."""
        watched = self._selector.get_map()
        for key, events in self._selector.select(self._wait(longest)):
            for event, callback in zip((selectors.EVENT_READ, selectors.EVENT_WRITE), key.data, strict=True):
                # An earlier callback of this turn may have closed it, given it to another, or changed what is wanted.
                if events & event and callback is not None and watched.get(key.fd) is key:
                    self._call(callback, key.fd)
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            callback = heapq.heappop(self._timers)[2].callback
            if callback is not None:
                self._call(callback)
        for _ in range(len(self._calls)):
            self._call(self._calls.popleft())

    def close(self) -> None:
        """Give up all descriptors; what other threads call after that is not called any more."""
        with self._closing:
            self._closed = True
            os.close(self._wake_write)
        self._selector.close()
        os.close(self._wake_read)

    def _call(self, callback: Callback, fd: int | None = None) -> None:
        """The outer edge of all that the loop calls: a fault ends one callback and nothing else."""
        try:
            callback()
        except Exception as error:
            if self.on_fault is None:
                raise
            self.on_fault(error)
            if fd is not None:
                self._rest(fd)

    def _rest(self, fd: int) -> None:
        """Leave a descriptor alone for a moment: what made its callback fail may still be there to be read."""
        key = self._selector.get_map().get(fd)
        if key is None:
            return  # its owner has given it up
        resting = [key.data]
        self._selector.unregister(fd)
        self._resting[fd] = resting
        self.call_later(REST, lambda: self._go_on(fd, resting))

    def _go_on(self, fd: int, resting: list[tuple[Callback | None, Callback | None]]) -> None:
        if self._resting.get(fd) is resting:
            del self._resting[fd]
            self._selector.register(fd, _events(*resting[0]), resting[0])

    def _wait(self, longest: float | None) -> float | None:
        if self._calls:
            return 0.0
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return longest
        wait = min(max(0.0, self._timers[0][0] - time.monotonic()), LONGEST_WAIT)
        return wait if longest is None else min(wait, longest)

    def _drain(self) -> None:
        try:
            while len(os.read(self._wake_read, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass


def _events(on_readable: Callback | None, on_writable: Callback | None) -> int:
    """What is to be waited for, where these are called."""
    return (selectors.EVENT_READ if on_readable else 0) | (selectors.EVENT_WRITE if on_writable else 0)
