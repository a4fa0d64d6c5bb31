"""Networks as the kernel takes them, and times as it can count them."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address

from logtrigger.errors import FirewallError
from logtrigger.firewall.base import Entry, Host
from logtrigger.loop import Timer

BITS = {4: 32, 6: 128}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Network:
    """A network in pieces."""

    version: int  # 4 or 6
    prefix: int
    address: str  # its first one
    packed: bytes

    @classmethod
    def of(cls, text: str) -> Network:
        """Read a canonical network; ipaddress would take ten times as long, which counts with 100,000 of them.

        Raises:
            FirewallError: it is none, or bits beyond its prefix are set.

        >>> Network.of("2001:db8::/64").address, Network.of("192.0.2.7").prefix
        ('2001:db8::', 32)
        """
        address, slash, length = text.partition("/")
        version = 6 if ":" in address else 4
        bits = BITS[version]
        try:
            packed = socket.inet_pton(FAMILIES[version], address)
            prefix = int(length) if slash else bits
        except (OSError, ValueError):
            raise FirewallError(f"not a network: {text!r}") from None
        free = bits - prefix
        if not 0 < prefix <= bits or (free and int.from_bytes(packed) & ((1 << free) - 1)):
            raise FirewallError(f"not a network that can be blocked: {text!r}")
        return cls(version, prefix, address, packed)


def network_text(packed: bytes, prefix: int) -> str:
    """The canonical text of a network.

    >>> network_text(bytes([192, 0, 2, 0]), 24), network_text(bytes([192, 0, 2, 7]), 32)
    ('192.0.2.0/24', '192.0.2.7')
    """
    version = 4 if len(packed) == 4 else 6
    address = socket.inet_ntop(FAMILIES[version], packed)
    if version == 6 and "." in address:
        address = str(IPv6Address(packed))  # C writes the last bits of some as IPv4, ipaddress does not
    return address if prefix == BITS[version] else f"{address}/{prefix}"


def netmask(version: int, prefix: int) -> str:
    """The mask that leaves so many bits.

    >>> netmask(4, 24), netmask(6, 64)
    ('255.255.255.0', 'ffff:ffff:ffff:ffff::')
    """
    bits = BITS[version]
    return socket.inet_ntop(FAMILIES[version], (((1 << prefix) - 1) << (bits - prefix)).to_bytes(bits // 8))


class Found(set[str]):
    """Networks found so far."""

    def more(self, networks: Iterable[str]) -> int:
        """Take these along; how many of them are new.

        >>> Found(["192.0.2.1"]).more(["192.0.2.1", "192.0.2.2"])
        1
        """
        before = len(self)
        self.update(networks)
        return len(self) - before


class Renewals:
    """Remembers what is blocked for longer than the kernel can count, and blocks it again before the kernel's time is over."""

    MARGIN = 60.0  # seconds before the end
    AGAIN = 10.0  # seconds until the next try, where it fails

    def __init__(self, host: Host, longest: float, add: Callable[[list[Entry]], None]) -> None:
        """`longest` seconds, well above the margin, can be asked for; `add` is called with what must be added again."""
        self.longest = longest
        self._host = host
        self._add = add
        self._ends: dict[str, float] = {}  # on the monotonic clock
        self._timer: Timer | None = None

    def note(self, entries: Iterable[Entry]) -> None:
        """These have just been added, for `longest` at most."""
        now = time.monotonic()
        for entry in entries:
            if entry.seconds is not None and entry.seconds > self.longest:
                self._ends[entry.network] = now + entry.seconds
            elif self._ends:
                self._ends.pop(entry.network, None)
        self._wait(self.longest - self.MARGIN)

    def forget(self, networks: Iterable[str]) -> None:
        """These have been removed."""
        if self._ends:
            for network in networks:
                self._ends.pop(network, None)

    def stop(self) -> None:
        self._ends.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, seconds: float) -> None:
        if self._ends and self._timer is None:
            self._timer = self._host.loop.call_later(seconds, self._renew)

    def _renew(self) -> None:
        """All of them at once: each was last added no earlier than this timer was set."""
        self._timer = None
        now = time.monotonic()
        due = [Entry(network, end - now) for network, end in self._ends.items() if end > now]
        try:
            if due:
                self._add(due)
        except FirewallError as error:
            self._host.report(0, f"cannot make long bans last: {error}")
            self._wait(self.AGAIN)


def whole_seconds(seconds: float) -> int:
    """At least 1, because 0 stands for ever with some tools; never shorter than asked for.

    >>> whole_seconds(0.2), whole_seconds(60.0), whole_seconds(60.1)
    (1, 60, 61)
    """
    return max(1, math.ceil(seconds))
