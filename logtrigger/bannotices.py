"""What those who are named in `on_ban` and `on_unban` are told: bans that begin, last longer than was said, and end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from logtrigger.durations import spoken
from logtrigger.model import Ban, Unban

LONGER = 60.0  # seconds by which an end must lie behind the one that was told last

Tell = Callable[[str, str, Mapping[str, str]], None]  # state, text, fields


class BanNotices:
    """Makes a notice of each change that somebody can act on.

    Whoever keeps a list of their own by these has what we block: each network is told of when its ban begins, when its end is
    put off by a minute or more in all, and when it is over, be it as a part of a wider one.

    Args:
        tell: gets the notices.
        wanted: whether anybody wants to hear of a `ban` or an `unban`.
    """

    def __init__(self, tell: Tell, wanted: Callable[[str], bool]) -> None:
        self._tell, self._wanted = tell, wanted
        self._ends: dict[str, float] = {}  # network -> the end that was told last; inf: for ever

    def changed(self, change: Ban | Unban) -> None:
        """A ban has begun or ended."""
        network = change.network
        if isinstance(change, Unban):
            self._ends.pop(network, None)
            if self._wanted("unban"):
                self._say("unban", network, f"{network} is no longer banned: {change.how}")
        elif self._wanted("ban"):
            self._ends[network] = _end(change)
            self._say("ban", network, f"{network} is banned {_for(change)} by {_whose(change)}")

    def extended(self, ban: Ban) -> None:
        """A ban will end later than it would have."""
        if not self._wanted("ban") or _end(ban) < self._ends.get(ban.network, -inf) + LONGER:
            return
        self._ends[ban.network] = _end(ban)
        self._say("extended", ban.network, f"{ban.network} stays banned, {_for(ban)} in all, by {_whose(ban)}")

    def _say(self, state: str, network: str, text: str) -> None:
        self._tell(state, text, {"ip": network.partition("/")[0], "network": network})


def _end(ban: Ban) -> float:
    return inf if ban.until is None else ban.until


def _for(ban: Ban) -> str:
    return "for ever" if ban.until is None else f"for {spoken(max(1, round(ban.until - ban.since)))}"


def _whose(ban: Ban) -> str:
    return f"rule {ban.rule}" if ban.rule else ban.by
