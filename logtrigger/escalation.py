"""Who was banned before, and how much longer the next ban lasts for it. Neither clock nor store is known here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from logtrigger.addresses import Network
from logtrigger.model import Offender
from logtrigger.rule import Escalation
from logtrigger.within import Prefixes

MOST = 100_000  # networks that are remembered; beyond it one that was banned longest ago is forgotten
_LONGEST = 365 * 86_400.0  # seconds that a ban may grow to where nobody says


def lasting(seconds: float, escalation: Escalation, before: int, chance: float) -> float:
    """How long a ban lasts.

    Args:
        seconds: the first one.
        escalation: how further ones grow.
        before: how many there have been.
        chance: from 0 to 1, for the part that nobody can foresee.

    >>> [lasting(60.0, Escalation(factor=2.0, longest=300.0), before, 0.0) for before in range(4)]
    [60.0, 120.0, 240.0, 300.0]
    >>> lasting(60.0, Escalation(part=0.1), 3, 0.5)
    63.0
    """
    longest = max(seconds, _LONGEST if escalation.longest is None else escalation.longest)
    grown = seconds
    for _ in range(before):
        if grown >= longest or escalation.factor == 1.0:
            break
        grown *= escalation.factor
    grown = min(grown, longest)
    return grown + chance * (grown * escalation.part + escalation.extra)


class Offenders:
    """How often networks were banned, in all or by one rule.

    What changes is in `changed`, for the store; a count of 0 there means: forget it.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[tuple[str, str], Offender] = {}  # by network and scope; the one banned last stands last
        # Those of them that were banned once, and those that came again, in the same order
        self._once: dict[tuple[str, str], None] = {}
        self._again: dict[tuple[str, str], None] = {}
        self.changed: list[Offender] = []

    def __len__(self) -> int:
        return len(self._known)

    def restore(self, offenders: Iterable[Offender]) -> None:
        """Put back what an earlier run knew, the oldest first."""
        for one in offenders:
            self._put(one)

    def count(self, network: str, scope: str, now: float) -> int:
        """How many earlier bans count: halved for each `decay` that has passed since the last one was over."""
        one = self._known.get((network, scope))
        return 0 if one is None else _left(one, now)

    def counts(self, network: str, now: float) -> list[tuple[str, int]]:
        """By scope, the earlier bans that count."""
        found = [(key[1], one) for key, one in self._known.items() if key[0] == network]
        return [(scope, left) for scope, one in found if (left := _left(one, now))]

    def note(self, network: str, scope: str, count: int, until: float, decay: float) -> None:
        """This was ban number `count`; it lasts until then."""
        one = Offender(network, scope, count, until, decay)
        self._put(one)
        self.changed.append(one)
        if len(self._known) > self._most:
            # Half of the room is for those who came again: a flood of newcomers does not push them out, nor they all newcomers.
            fuller = self._once if len(self._once) > len(self._again) else self._again
            self._drop(next(iter(fuller)))

    def until(self, network: str, scope: str, until: float) -> None:
        """Its last ban lasts until then by now."""
        one = self._known.get((network, scope))
        if one is not None and one.until < until:
            self._known[network, scope] = one = replace(one, until=until)
            self.changed.append(one)

    def forget(self, networks: Iterable[str], within: Sequence[Network] = ()) -> None:
        """It was a mistake to ban these very networks, and all within the others: they begin anew."""
        pardoned, lies_within = frozenset(networks), Prefixes(within).hold
        for key in [key for key in self._known if key[0] in pardoned or (within and lies_within(key[0]))]:
            self._drop(key)

    def expire(self, now: float) -> None:
        """Forget those of whom nothing counts any more."""
        for key in [key for key, one in self._known.items() if not _left(one, now)]:
            self._drop(key)

    def shift(self, seconds: float) -> None:
        """The clock was set: quiet times stay what they were."""
        self._known = {key: replace(one, until=one.until + seconds) for key, one in self._known.items()}
        self.changed += self._known.values()

    def _put(self, one: Offender) -> None:
        key = one.network, one.scope
        self._forget(key)
        self._known[key] = one
        (self._once if one.count <= 1 else self._again)[key] = None

    def _drop(self, key: tuple[str, str]) -> None:
        self.changed.append(replace(self._known[key], count=0))
        self._forget(key)

    def _forget(self, key: tuple[str, str]) -> None:
        for table in (self._known, self._once, self._again):
            table.pop(key, None)


def _left(one: Offender, now: float) -> int:
    quiet = now - one.until
    return one.count if quiet < one.decay else one.count >> min(64, int(quiet // one.decay))
