"""What a receiver says of its peers: they can do wrong more often than anybody wants to read."""

from __future__ import annotations

from logtrigger.loop import Timer
from logtrigger.sources.base import Host

EVERY = 60.0  # seconds


class Notices:
    """Reports the first few of a kind at once, and of the rest how many there were, once a minute.

    Args:
        said: how many are reported at once, in a minute.
        rest: what is said of the others; `{count}` stands for how many.
    """

    def __init__(self, host: Host, level: int, rest: str, said: int = 1) -> None:
        self._host, self._level, self._rest, self._said = host, level, rest, said
        self._timer: Timer | None = None
        self._left = said
        self._count = 0

    def add(self, text: str, count: int = 1) -> None:
        """It has happened, `count` times."""
        if self._timer is None:
            self._timer = self._host.loop.call_later(EVERY, self._minute)
        if self._left:
            self._left -= 1
            self._host.report(self._level, text)
        else:
            self._count += count

    def close(self) -> None:
        """Say what is not said yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tell_rest()

    def _minute(self) -> None:
        self._timer = None
        if self._tell_rest():  # a minute of silence follows a summary, too
            self._timer = self._host.loop.call_later(EVERY, self._minute)
        else:
            self._left = self._said

    def _tell_rest(self) -> bool:
        count, self._count = self._count, 0
        if count:
            self._host.report(self._level, self._rest.replace("{count}", str(count)))
        return count > 0
