"""Whoever is logged in has a second try: who that is, and how short the first ban of his day."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Callable, Iterable
from math import inf

from logtrigger import places, sessions
from logtrigger.addresses import Network
from logtrigger.durations import spoken
from logtrigger.model import Trigger, Trust
from logtrigger.rule import FirewallOptions, Rule
from logtrigger.trusts import ON_TRIAL, Trusts

_DAY = 86_400.0  # seconds between two bans that are short as somebody is logged in
_HAIR = 0.001  # seconds by which the same end may come out later
_LONGEST = 256  # characters of a name: 10,000 are remembered
_SESSIONS = 2.0  # seconds that what is known of sessions is good for, at least
_SHARE = 20.0  # times as long as it took to find that out: with very many processes it may be a second


class Guard:
    """Who is logged in, or was lately, and who of them was spared today.

    Args:
        options: whether anybody is spared, and for how long he is banned then.
        record: takes what has changed, for the store.
        report: tells the operator.
        monotonic: seconds that nobody sets.
    """

    def __init__(
        self,
        options: FirewallOptions,
        record: Callable[[Iterable[Trust]], None],
        report: Callable[[int, str], None],
        monotonic: Callable[[], float],
    ) -> None:
        self.options = options
        self.trusts = Trusts()
        self._take, self._report, self._monotonic = record, report, monotonic
        self._live: dict[str, str] = {}  # who is logged in: by address, the user
        self._good_until = -inf  # monotonic

    def restore(self, trusts: Iterable[Trust], now: float) -> None:
        """Put back what an earlier run knew."""
        self.trusts.restore(trusts)
        self.expire(now)

    def expire(self, now: float) -> None:
        """Forget what is over."""
        self.trusts.expire(now)
        self._record()

    def shift(self, seconds: float) -> None:
        """The clock was set."""
        self.trusts.shift(seconds)
        self._record()

    def trust(self, trigger: Trigger, rule: Rule, now: float) -> str:
        """A good login: remember from where, and whose it was; gives what is done, in words."""
        address, user = trigger.fields.get(places.first(rule.types), ""), trigger.fields.get("user", "")
        if not address or not user:
            return "nobody to trust: the line has no address or no user"
        if len(user) > _LONGEST:
            return f"nobody to trust: a name of {len(user):,} characters"
        if trigger.time + rule.trust > now:
            self.trusts.note(address, user, trigger.time + rule.trust)
            self._record()
        return f"trusting {address} with failures of {shlex.quote(user)} for {spoken(round(rule.trust))}"

    def shortened(self, network: str, trigger: Trigger, seconds: float | None, now: float, *, is_banned: bool) -> float | None:
        """How long a ban is to last (None: for ever); of somebody who is in a short while at first, once a day.

        Args:
            seconds: how long it would last.
            is_banned: it is banned already, so that the first ban is over.
        """
        trial = self.options.trial
        if not self.options.guard or (seconds is not None and seconds <= trial):
            return seconds
        over = self.trusts.until(network, ON_TRIAL)
        if over > now:  # what comes in while the first ban lasts is no second offence
            began = over - _DAY
            return began + trial - _HAIR - trigger.time if trigger.time < began + trial - _HAIR else seconds
        if is_banned:
            return seconds
        why = self._is_in(network, trigger.fields.get("user", ""), now)
        if not why:
            return seconds
        self.trusts.note(network, ON_TRIAL, trigger.time + _DAY)
        self._record()
        if trigger.time + trial > now:  # else it was over before anybody read of it
            self._report(
                0,
                f"{network}: {why}, and fails by rule {trigger.rule}: banned for {spoken(round(trial))} only, this once today; "
                f"to lift that now: logtrigger unban {network}",
            )
        return trial

    def holds_somebody(self, network: str, now: float) -> bool:
        """Whether somebody of a network is logged in, or was lately, so that it must not be banned for others in it."""
        if not self.options.guard:
            return False
        return bool(self._session(ipaddress.ip_network(network)) or self.trusts.users(network, now))

    def _is_in(self, network: str, user: str, now: float) -> str:
        """What speaks for a network: that somebody is logged in from there, or that this very user was lately."""
        if session := self._session(ipaddress.ip_network(network)):
            return f"{shlex.quote(session)} is logged in from there over SSH"
        if user and user in self.trusts.users(network, now):
            return f"{shlex.quote(user)} has logged in from there lately"
        return ""

    def _session(self, network: Network) -> str:
        """Who is logged in from a network over SSH; empty: nobody."""
        began = self._monotonic()
        if began > self._good_until:
            try:
                self._live = sessions.live()
            except OSError:
                self._live = {}
            ended = self._monotonic()
            self._good_until = ended + max(_SESSIONS, _SHARE * (ended - began))
        return next((user for address, user in self._live.items() if ipaddress.ip_address(address) in network), "")

    def _record(self) -> None:
        if self.trusts.changed:
            changed, self.trusts.changed = self.trusts.changed, []
            self._take(changed)
