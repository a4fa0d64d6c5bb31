"""Who is banned, and for how long: decided here, without clock, firewall or store.

A ban takes some 400 bytes. What led to it is kept for the newest ones only; the store keeps it for all.
"""

from __future__ import annotations

import enum
import heapq
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from sys import intern
from typing import NamedTuple

from logtrigger.addresses import Network, canonical, unmapped
from logtrigger.model import Ban, Unban
from logtrigger.within import Prefixes, Within

LINES = 3  # of those that led to a ban
LINE = 2048  # bytes of such a line
WIDEST = {4: 8, 6: 32}  # the shortest prefix that is banned without being forced
_DETAILED = 1_000  # bans whose trigger and lines stay in memory


class Outcome(enum.Enum):
    """What came of a wish to ban."""

    NEW = "new"
    EXTENDED = "extended"
    COVERED = "covered"  # it, or a wider one, is banned for as long or longer
    FULL = "full"  # no room: somebody has asked for all the bans there are


class _Held(NamedTuple):
    since: float
    until: float  # inf: for ever
    rule: str
    by: str
    times: int
    nth: int


class _Details(NamedTuple):
    trigger: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of a wish to ban, and the ban that holds now."""

    outcome: Outcome
    ban: Ban
    displaced: tuple[Unban, ...] = ()  # given up, to make room


class Bans:
    """All bans that hold, by network.

    Args:
        most: how many there may be. Beyond it one of a rule goes: what ends first; where all are for ever, the oldest.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: dict[str, _Held] = {}  # the newest last
        self._details: dict[str, _Details] = {}  # of the newest ones; the newest last
        # Heaps, which may hold ends that have been put off since: of rules' bans, and of those that somebody has asked for
        self._ends: list[tuple[float, str]] = []
        self._asked_ends: list[tuple[float, str]] = []
        # version -> prefix length -> how many bans have it, where that is not the whole address
        self._wide: dict[int, dict[int, int]] = {4: {}, 6: {}}
        self._within: Within | None = None  # all of them, where prefixes are to be folded

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, network: str) -> bool:
        """Whether this very network is banned."""
        return network in self._held

    def __iter__(self) -> Iterator[str]:
        """The networks, the longest banned first."""
        return iter(self._held)

    def ban(self, wish: Ban, now: float) -> Decision:
        """Take up a ban.

        Its end is never before the one that the network has already; what is over is taken as if it had been forgotten.
        """
        network, until = wish.network, inf if wish.until is None else wish.until
        held = self._held.get(network)
        if held is not None and held.until <= now:
            held = None
        if held is None:
            wider = self._covering(network, until, now)
            if wider is not None:
                return Decision(Outcome.COVERED, self._again(wider, wish))
            displaced = () if network in self._held else self.make_room(now, 1)
            if len(self._held) - (network in self._held) >= self.most:
                return Decision(Outcome.FULL, wish)
            self._remove(network)
            self._put(network, _Held(wish.since, until, wish.rule, wish.by, wish.times, wish.nth))
            self._detail(network, wish.trigger, wish.lines)
            return Decision(Outcome.NEW, self._ban(network), displaced)
        if until <= held.until:
            return Decision(Outcome.COVERED, self._again(network, wish))
        self._held[network] = held = held._replace(until=until, rule=wish.rule, by=wish.by)
        self._push_end(network, held)
        return Decision(Outcome.EXTENDED, self._again(network, wish))

    def restore(self, bans: Iterable[Ban]) -> None:
        """Put back bans of an earlier run, the oldest first."""
        for ban in bans:
            until = inf if ban.until is None else ban.until
            self._remove(ban.network)
            self._put(ban.network, _Held(ban.since, until, intern(ban.rule), intern(ban.by), ban.times, ban.nth))
            if ban.lines or ban.trigger:
                self._detail(ban.network, ban.trigger, ban.lines)

    def unban(self, *networks: Network) -> list[str]:
        """Lift the bans of these networks and of all within; gives what was lifted. Many cost hardly more than one."""
        lifted = dict[str, None]()
        wide = list[Network]()
        for network in map(unmapped, networks):
            if network.prefixlen < network.max_prefixlen:
                wide.append(network)
            elif (text := canonical(network)) in self._held:
                lifted[text] = None
        if wide:
            lies_within = Prefixes(wide).hold
            lifted.update((held, None) for held in self._held if lies_within(held))
        return self._lift(list(lifted))

    def touching(self, networks: Iterable[Network]) -> list[str]:
        """The bans that have an address in common with one of these networks. Many cost hardly more than one."""
        wanted = list(networks)
        if not wanted:
            return []
        around = dict.fromkeys(text for network in wanted for text in self._candidates(network) if text in self._held)
        lies_within = Prefixes(wanted).hold
        return list(around | dict.fromkeys(held for held in self._held if lies_within(held)))

    def lift(self, networks: Iterable[str]) -> list[str]:
        """Lift the bans of these very networks; gives what was lifted."""
        return self._lift([network for network in networks if network in self._held])

    def unban_rule(self, rule: str) -> list[str]:
        """Lift the bans of a rule; gives what was lifted."""
        return self._lift([network for network, held in self._held.items() if held.rule == rule])

    def unban_all(self) -> list[str]:
        """Lift every ban; gives what was lifted."""
        lifted = list(self._held)
        self._held.clear()
        self._details.clear()
        self._ends.clear()
        self._asked_ends.clear()
        self._wide = {4: {}, 6: {}}
        self._within = None if self._within is None else Within()
        return lifted

    def prepare_to_fold(self) -> None:
        """Keep what `fold` needs to be quick."""
        if self._within is None:
            self._within = Within(self._held)

    def fold(self, network: str) -> list[str]:
        """Give up the bans within one that holds and ends no earlier; gives their networks."""
        wide, until = ipaddress.ip_network(network), self._held[network].until
        inner = self._within.find(wide) if self._within is not None else filter(Prefixes([wide]).hold, self._held)
        return self._lift([one for one in inner if one != network and self._held[one].until <= until])

    def expire(self, now: float) -> list[Unban]:
        """Forget the bans that are over at `now`; gives their ends."""
        over = []
        for ends in (self._ends, self._asked_ends):
            while ends and ends[0][0] <= now:
                until, network = heapq.heappop(ends)
                held = self._held.get(network)
                if held is not None and held.until == until:
                    self._remove(network)
                    over.append(Unban(network, until, "expired"))
        return over

    def make_room(self, now: float, number: int = 0) -> tuple[Unban, ...]:
        """Give up rules' bans until there is room for so many more, as far as that goes; gives their ends.

        The one that ends first goes first. So bans for an hour, however many, push out what is over within the hour, or each
        other. What is for ever goes last, the oldest first: if it stayed, one flood would end all banning. What somebody has
        asked for stays.
        """
        over = list[Unban]()
        while len(self._held) + number > self.most and (network := self._first_to_go()) is not None:
            self._remove(network)
            over.append(Unban(network, now, "given up for another"))
        return tuple(over)

    def next_end(self) -> float | None:
        """When there may be something to expire; None: never."""
        return min((ends[0][0] for ends in (self._ends, self._asked_ends) if ends), default=None)

    def newest(self) -> float | None:
        """When the latest ban began; None: there is none."""
        return max((held.since for held in self._held.values()), default=None)

    def shift(self, seconds: float) -> None:
        """The clock was set: move all times, so that what remains of each ban stays the same."""
        self._held = {
            network: held._replace(since=held.since + seconds, until=held.until + seconds)
            for network, held in self._held.items()
        }
        self._rebuild_ends()

    # Questions

    def get(self, network: str) -> Ban | None:
        """The ban of this very network."""
        return self._ban(network) if network in self._held else None

    def covering(self, network: Network) -> list[Ban]:
        """The bans that this address or network lies in, the widest first."""
        network = unmapped(network)
        return [self._ban(text) for text in self._candidates(network) if text in self._held]

    def remaining(self, now: float) -> Iterator[tuple[str, float | None]]:
        """Every ban with the seconds that are left of it; None: for ever. What is over is left out."""
        for network, held in self._held.items():
            if held.until == inf:
                yield network, None
            elif held.until > now:
                yield network, held.until - now

    def by_rule(self) -> dict[str, int]:
        """How many bans each rule has; under the empty name those that somebody asked for."""
        counts: dict[str, int] = {}
        for held in self._held.values():
            counts[held.rule] = counts.get(held.rule, 0) + 1
        return counts

    # Keeping

    def _ban(self, network: str) -> Ban:
        held = self._held[network]
        trigger, lines = self._details.get(network, ("", ()))
        until = None if held.until == inf else held.until
        return Ban(network, held.since, until, held.rule, held.by, held.times, trigger, lines, held.nth)

    def _again(self, network: str, wish: Ban) -> Ban:
        """Note that a network was banned anew; gives its ban."""
        held = self._held[network]
        self._held[network] = held._replace(times=held.times + wish.times)
        lines = self._details.get(network, _Details("", ())).lines
        self._detail(network, wish.trigger, (*lines, *wish.lines))
        return self._ban(network)

    def _put(self, network: str, held: _Held) -> None:
        self._held[network] = held
        if self._within is not None:
            self._within.add(network)
        self._push_end(network, held)
        version, prefix = _shape(network)
        if prefix is not None:
            self._wide[version][prefix] = self._wide[version].get(prefix, 0) + 1

    def _remove(self, network: str) -> bool:
        if self._held.pop(network, None) is None:
            return False
        self._details.pop(network, None)
        if self._within is not None:
            self._within.discard(network)
        version, prefix = _shape(network)
        if prefix is not None:
            self._wide[version][prefix] -= 1
            if not self._wide[version][prefix]:
                del self._wide[version][prefix]
        return True

    def _lift(self, networks: list[str]) -> list[str]:
        for network in networks:
            self._remove(network)
        if len(self._ends) + len(self._asked_ends) > 2 * len(self._held) + 1_000:
            self._rebuild_ends()
        return networks

    def _detail(self, network: str, trigger: str, lines: tuple[str, ...]) -> None:
        self._details.pop(network, None)
        self._details[network] = _Details(trigger, lines[-LINES:])
        if len(self._details) > _DETAILED:
            del self._details[next(iter(self._details))]

    def _push_end(self, network: str, held: _Held) -> None:
        if held.until == inf:
            return
        if len(self._ends) + len(self._asked_ends) > 2 * len(self._held) + 1_000:
            self._rebuild_ends()  # the new one is among them
        else:
            heapq.heappush(self._asked_ends if held.by else self._ends, (held.until, network))

    def _rebuild_ends(self) -> None:
        self._ends, self._asked_ends = [], []
        for network, held in self._held.items():
            if held.until != inf:
                (self._asked_ends if held.by else self._ends).append((held.until, network))
        heapq.heapify(self._ends)
        heapq.heapify(self._asked_ends)

    def _first_to_go(self) -> str | None:
        """The ban of a rule that ends first; None: there is none of a rule."""
        while self._ends:
            until, network = self._ends[0]
            held = self._held.get(network)
            if held is not None and held.until == until and not held.by:
                return network
            heapq.heappop(self._ends)
        return next((network for network, held in self._held.items() if not held.by), None)

    def _covering(self, network: str, until: float, now: float) -> str | None:
        """A wider network that is banned until then or longer."""
        if not self._wide[6 if ":" in network else 4]:
            return None
        for text in self._candidates(ipaddress.ip_network(network)):
            held = self._held.get(text)
            if held is not None and held.until >= until and held.until > now and text != network:
                return text
        return None

    def _candidates(self, network: Network) -> list[str]:
        """The networks that hold this one and could be banned, the widest first, itself last."""
        prefixes = sorted(prefix for prefix in self._wide[network.version] if prefix < network.prefixlen)
        return [canonical(network.supernet(new_prefix=prefix)) for prefix in prefixes] + [canonical(network)]


def _shape(network: str) -> tuple[int, int | None]:
    """The version of a canonical network, and its prefix where that is not the whole address."""
    _, slash, prefix = network.partition("/")
    return 6 if ":" in network else 4, int(prefix) if slash else None
