"""What nftables is told: the text of our table, of bans and of their end."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from logtrigger.firewall.networks import BITS, netmask
from logtrigger.rule import FirewallOptions

TABLE = "inet logtrigger"
HOOKS = ("ingress", "prerouting", "input", "forward", "output", "postrouting")  # nft(8); a chain is named after its hook
# A kernel of 32 bits may count no more than 2^30 ticks, of which there are up to 1,000 a second.
LONGEST = 9_999 * 86_400.0 if sys.maxsize > 1 << 32 else 10 * 86_400.0  # seconds
# The kernel clears away what is over when it comes round to it, some time within a second or two, and counts it until then.
_FADING = 100_000

_SET_NAME = re.compile(r"ban(?P<version>[46])(?:_(?P<prefix>\d{1,3}))?")


@dataclass(frozen=True, slots=True, order=True)
class BanSet:
    """The set of all banned networks with one prefix length: a hash, looked up with the masked address of the sender.

    >>> BanSet(4, 32).name, BanSet(6, 64).name
    ('ban4', 'ban6_64')
    """

    version: int
    prefix: int

    @classmethod
    def named(cls, name: str) -> BanSet | None:
        """The set of this name; None if it is none of ours."""
        found = _SET_NAME.fullmatch(name)
        if found is None:
            return None
        version = int(found["version"])
        prefix = int(found["prefix"] or BITS[version])
        ban_set = cls(version, prefix)
        return ban_set if 0 < prefix <= BITS[version] and ban_set.name == name else None

    @property
    def name(self) -> str:
        return f"ban{self.version}" + ("" if self.prefix == BITS[self.version] else f"_{self.prefix}")

    @property
    def key(self) -> str:
        return f"ipv{self.version}_addr"

    @property
    def match(self) -> str:
        """The senders that are in it, for a rule."""
        protocol = "ip" if self.version == 4 else "ip6"
        mask = "" if self.prefix == BITS[self.version] else f" & {netmask(self.version, self.prefix)}"
        return f"{protocol} saddr{mask} @{self.name}"


# Before the bans: whoever bans the network that this machine is in is still to find its router and be found by it.
NEVER = ("iif lo accept", "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept")
USUAL = (BanSet(4, 32), BanSet(6, 64))


def verdicts(options: FirewallOptions) -> list[str]:
    """What follows the sender in the rules of a set: protocol, ports and verdict.

    >>> verdicts(FirewallOptions(protocol="tcp", ports=(22, 80), reject=True))
    ['tcp dport { 22, 80 } counter reject with tcp reset']
    >>> verdicts(FirewallOptions())
    ['counter drop']
    """
    ports = f"th dport {{ {', '.join(map(str, options.ports))} }}" if options.ports else ""
    if not options.reject:
        return [_join(_protocol(options.protocol, ports), "counter drop")]
    answers = []
    if options.protocol != "udp":
        answers.append(_join(_protocol("tcp", ports), "counter reject with tcp reset"))
    if options.protocol != "tcp":
        answers.append(_join(_protocol("udp" if ports else options.protocol, ports), "counter reject"))
    return answers


def _protocol(protocol: str, ports: str) -> str:
    if protocol:
        return ports.replace("th", protocol, 1) if ports else f"meta l4proto {protocol}"
    return _join("meta l4proto { tcp, udp }", ports) if ports else ""


def _join(*parts: str) -> str:
    return " ".join(filter(None, parts))


def setting_up(options: FirewallOptions, sets: Iterable[BanSet], chains: Iterable[str]) -> str:
    """The transaction that makes everything: chains anew in place of `chains`, sets where they are missing."""
    sets = sorted(sets)
    lines = [f"add table {TABLE}"]
    lines += [f"delete chain {TABLE} {chain}" for chain in chains]
    for hook in options.hooks:
        base = f"type filter hook {hook} priority {options.priority}; policy accept;"
        lines += [f"add chain {TABLE} {hook} {{ {base} }}", *(f"add rule {TABLE} {hook} {rule}" for rule in NEVER)]
    return "\n".join([*lines, *(line for ban_set in sets for line in _set_lines(options, ban_set))])


def set_added(options: FirewallOptions, ban_set: BanSet) -> str:
    """The transaction that adds a set and the rules that look into it."""
    return "\n".join(_set_lines(options, ban_set))


def _set_lines(options: FirewallOptions, ban_set: BanSet) -> Iterator[str]:
    size = options.max_bans + min(options.max_bans, _FADING)
    yield f"add set {TABLE} {ban_set.name} {{ type {ban_set.key}; flags timeout; size {size}; }}"
    for hook in options.hooks:
        for verdict in verdicts(options):
            yield f"add rule {TABLE} {hook} {ban_set.match} {verdict}"


def created(ban_set: BanSet, bans: dict[str, float | None]) -> str:
    """The transaction that bans these addresses for so many seconds; it fails where one is in the set already.

    >>> print(created(BanSet(4, 32), {"192.0.2.7": 60.0}))
    create element inet logtrigger ban4 { 192.0.2.7 timeout 60000ms }
    """
    return f"create element {_elements(ban_set, bans)}"


def added(ban_set: BanSet, bans: dict[str, float | None]) -> str:
    """The same, whether they are in the set or not; it takes three times as long.

    Kernels before 6.12 keep the time that an element has, and to delete one that is not there is a mistake. Hence: add it, so
    that it is there; delete it; add it with its time.

    >>> print(added(BanSet(4, 32), {"192.0.2.7": 60.0}))
    add element inet logtrigger ban4 { 192.0.2.7 timeout 60000ms }
    delete element inet logtrigger ban4 { 192.0.2.7 }
    add element inet logtrigger ban4 { 192.0.2.7 timeout 60000ms }
    """
    add = f"add element {_elements(ban_set, bans)}"
    return f"{add}\ndelete element {TABLE} {ban_set.name} {{ {', '.join(bans)} }}\n{add}"


def removed(ban_set: BanSet, addresses: Iterable[str]) -> str:
    """The transaction that takes these addresses out, whether they are in the set or not."""
    elements = f"element {TABLE} {ban_set.name} {{ {', '.join(addresses)} }}"
    return f"add {elements}\ndelete {elements}"


def _elements(ban_set: BanSet, bans: dict[str, float | None]) -> str:
    return f"{TABLE} {ban_set.name} {{ {', '.join(address + _timeout(seconds) for address, seconds in bans.items())} }}"


def _timeout(seconds: float | None) -> str:
    """Of each number nft takes eight digits at most.

    >>> _timeout(0.0), _timeout(86400), _timeout(1e6), _timeout(1e12), _timeout(None)
    (' timeout 1ms', ' timeout 86400000ms', ' timeout 1000000s', ' timeout 9999d', '')
    """
    if seconds is None:
        return ""
    seconds = min(seconds, LONGEST)
    if seconds < 99_999:
        return f" timeout {max(1, round(seconds * 1000))}ms"
    return f" timeout {round(seconds)}s" if seconds < 99_999_999 else f" timeout {int(seconds // 86_400)}d"
