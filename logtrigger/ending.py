"""The daemon's orderly end: nothing more is read, what runs is waited for, and everything is stored."""

from __future__ import annotations

import time
from collections.abc import Callable

from logtrigger.commits import Commits
from logtrigger.dispatch import Dispatch
from logtrigger.errors import StoreError
from logtrigger.feeds import Feeds
from logtrigger.loop import Loop

_PATIENCE = 5.0  # seconds, beyond the time limit of scripts
_FAREWELL = 5.0  # seconds to be told of a stop
_LAST_SENDS = 35.0  # seconds for what is being sent when we stop: more than senders wait for an answer
_LOOK_EVERY = 0.02  # seconds, for the end of the last action after the input's end


class Ending:
    """Ends what it is given, and at last the loop.

    Args:
        report: tells the operator.
        limit: gives the seconds that a script may take.
        begins: called when a stop begins.
        ends: called before everything is stored, to hand over what is to be.
    """

    def __init__(
        self,
        loop: Loop,
        feeds: Feeds,
        dispatch: Dispatch,
        commits: Commits,
        report: Callable[[int, str], None],
        limit: Callable[[], float],
        begins: Callable[[], None],
        ends: Callable[[], None],
    ) -> None:
        self._loop, self._feeds, self._dispatch, self._commits = loop, feeds, dispatch, commits
        self._report, self._limit, self._begins, self._ends = report, limit, begins, ends
        self.has_begun = self._is_waiting = self._is_over = False

    def stop(self) -> None:
        """End in order: read nothing more, wait for running scripts, store everything. A second time: end scripts now.

        Who is told of the stop has some seconds for it, and so has what is being sent; else they are told after the next start.
        """
        if self.has_begun:
            self._dispatch.scripts.terminate()
            self._wait_for_work()
            self._leave_what_is_sent()
            return
        self.has_begun = True
        self._begins()
        try:
            self._feeds.pause()
        finally:
            self._dispatch.notice("stop", "logtrigger is stopping")
            self._dispatch.actions.hurry()
            self._dispatch.when_told(self._wait_for_work)
            self._loop.call_later(_FAREWELL, self._wait_for_work)

    def wind_up(self, before: tuple[object, ...] = (), since: float = 0.0) -> None:
        """Nothing can come any more: end when everything is done that has been caused.

        What makes no progress, such as mail to a server that is away, is left for the next run.
        """
        work, now = self._dispatch.work, time.monotonic()
        if self.has_begun or not self._feeds.are_over:
            return
        self._dispatch.actions.hurry()
        left = (work.running, work.waiting, work.spilled)
        if left != before:
            since = now
        if any(left) and now - since < self._limit() + _PATIENCE:
            self._loop.call_later(_LOOK_EVERY, lambda: self.wind_up(left, since))
        else:
            self._report(1, "the input has ended")
            self.stop()

    def _wait_for_work(self) -> None:
        if self._is_waiting:
            return
        self._is_waiting = True
        self._loop.call_later(_LAST_SENDS, self._leave_what_is_sent)
        self._dispatch.drain(self._finish)
        if running := self._dispatch.running():
            self._report(1, f"stopping; waiting for {running} (Ctrl-C or SIGTERM again ends that)")

    def _leave_what_is_sent(self) -> None:
        """Wait no longer for what does not come to an end by itself in a reasonable time; scripts do, by their own limit."""
        if self._is_over:
            return
        if self._dispatch.scripts.pids:
            self._loop.call_later(1.0, self._leave_what_is_sent)
            return
        self._report(1, "what is being sent still is left for the next start")
        self._finish()

    def _finish(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        try:
            self._ends()
            self._commits.last()
        except StoreError as error:
            self._report(0, str(error))
        finally:
            self._report(1, "stopped")
            self._loop.stop()
