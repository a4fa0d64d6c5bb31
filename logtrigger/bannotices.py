"""What those who are named in `on_ban` and `on_unban` are told: bans that begin, last longer than was said, and end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from logtrigger.durations import spoken
from logtrigger.model import Ban, Unban

LONGER = 60.0  # seconds by which a ban must last longer than was told last

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
        # network -> for how many seconds it was said last that it is banned, inf: for ever; ends move where the clock is set
        self._told: dict[str, float] = {}

    def changed(self, change: Ban | Unban) -> None:
        """A ban has begun or ended."""
        network = change.network
        if isinstance(change, Unban):
            self._told.pop(network, None)
            if self._wanted("unban"):
                self._say("unban", network, f"{network} is no longer banned: {change.how}")
        elif self._wanted("ban"):
            self._told[network] = _length(change)
            self._say("ban", network, f"{network} is banned {_for(change)} by {_whose(change)}")

    def extended(self, ban: Ban) -> None:
        """A ban will end later than it would have."""
        if not self._wanted("ban") or _length(ban) < self._told.get(ban.network, -inf) + LONGER:
            return
        self._told[ban.network] = _length(ban)
        self._say("extended", ban.network, f"{ban.network} stays banned, {_for(ban)} in all, by {_whose(ban)}")

    def _say(self, state: str, network: str, text: str) -> None:
        self._tell(state, text, {"ip": network.partition("/")[0], "network": network})


def _length(ban: Ban) -> float:
    return inf if ban.until is None else ban.until - ban.since


def _for(ban: Ban) -> str:
    return "for ever" if ban.until is None else f"for {spoken(max(1, round(ban.until - ban.since)))}"


def _whose(ban: Ban) -> str:
    return f"rule {ban.rule}" if ban.rule else ban.by
