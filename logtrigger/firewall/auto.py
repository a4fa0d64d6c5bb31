"""Chooses the firewall that this machine has."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from logtrigger.errors import FirewallError
from logtrigger.firewall import iptables, nftables

# Why each cannot be used here, in the order of preference; empty: it can.
PROBES: Mapping[str, Callable[[], str]] = {nftables.NAME: nftables.why_not, iptables.NAME: iptables.why_not}


def choose(probes: Mapping[str, Callable[[], str]] = PROBES) -> tuple[str, str]:
    """The name of the first kind that can be used, and why it is this one.

    Raises:
        FirewallError: none can; what is missing for each.

    >>> choose({"nftables": lambda: "there is no nft", "iptables": lambda: ""})
    ('iptables', 'nftables cannot be used: there is no nft')
    """
    reasons: list[str] = []
    for name, why_not in probes.items():
        reason = why_not()
        if not reason:
            return name, "; ".join(reasons) or f"{name} can be used"
        reasons.append(f"{name} cannot be used: {reason.removeprefix(f'{name}: ')}")
    raise FirewallError("no firewall can be used here: " + "; ".join(reasons))
