"""Which addresses somebody has logged in from, and which were spared for that lately. Neither clock nor store is known here."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from logtrigger.model import Trust
from logtrigger.within import Within

MOST = 10_000  # addresses and users that are remembered; beyond it the one noted longest ago is forgotten
EACH = 100  # addresses of one user; and so of the others, whoever logs in from one address after the other
ON_TRIAL = ""  # the user of those that were spared
_WORTH = 60.0  # seconds, in which a trust that grows and grows is stored anew once


class Trusts:
    """Good logins by address and user, and networks that are on trial.

    What changes is in `changed`, for the store; an end of 0.0 there means: forget it.
    """

    def __init__(self, most: int = MOST, each: int = EACH) -> None:
        self._most, self._each = most, each
        self._ends: dict[tuple[str, str], float] = {}  # (address, user) -> until; the one noted last stands last
        self._users: dict[str, set[str]] = {}
        self._addresses: dict[str, dict[str, None]] = {}  # of each user; the one noted last stands last
        self._within = Within()  # the addresses
        self.changed: list[Trust] = []

    def __len__(self) -> int:
        return len(self._ends)

    def restore(self, trusts: Iterable[Trust]) -> None:
        """Put back what an earlier run knew, what ends first at first."""
        for one in trusts:
            self._put(one.address, one.user, one.until)

    def note(self, address: str, user: str, until: float) -> None:
        """Trust a user's login from an address until then, or longer if it was trusted for longer."""
        before = self._ends.get((address, user), 0.0)
        self._put(address, user, max(until, before))
        if until // _WORTH > before // _WORTH:
            self.changed.append(Trust(address, user, until))
        if len(self._addresses[user]) > (self._most // 2 if user == ON_TRIAL else self._each):
            self._drop((next(iter(self._addresses[user])), user))
        elif len(self._ends) > self._most:
            self._drop(next(iter(self._ends)))

    def users(self, network: str, now: float) -> set[str]:
        """Who has logged in from an address of a network."""
        inner = [network, *self._within.find(ipaddress.ip_network(network))]
        return {
            user
            for address in inner
            for user in self._users.get(address, ())
            if user != ON_TRIAL and self._ends[address, user] > now
        }

    def until(self, address: str, user: str) -> float:
        """When a trust ends; 0.0: there is none."""
        return self._ends.get((address, user), 0.0)

    def expire(self, now: float) -> None:
        """Forget what is over."""
        for key in [key for key, until in self._ends.items() if until <= now]:
            self._drop(key)

    def shift(self, seconds: float) -> None:
        """The clock was set: what remains of each stays the same."""
        self._ends = {key: until + seconds for key, until in self._ends.items()}
        self.changed += [Trust(*key, until) for key, until in self._ends.items()]

    def _put(self, address: str, user: str, until: float) -> None:
        if self._ends.pop((address, user), None) is None:
            if address not in self._users:
                self._users[address] = set()
                self._within.add(address)
            self._users[address].add(user)
        addresses = self._addresses.setdefault(user, {})
        addresses.pop(address, None)
        addresses[address] = None
        self._ends[address, user] = until

    def _drop(self, key: tuple[str, str]) -> None:
        address, user = key
        del self._ends[key]
        del self._addresses[user][address]
        if not self._addresses[user]:
            del self._addresses[user]
        users = self._users[address]
        users.discard(user)
        if not users:
            del self._users[address]
            self._within.discard(address)
        self.changed.append(Trust(address, user, 0.0))
