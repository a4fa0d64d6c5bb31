"""Sets of addresses and prefixes, looked up in time that does not grow with the set."""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_left
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRANSLATED, _TRANSLATED_START = "64:ff9b::", 0x64FF9B << 64  # 64:ff9b::/96, for IPv4 behind NAT64 (RFC 6052)
_ZONE = re.compile(r"%[^/%]+")


class AddressSet:
    """IPv4 and IPv6 prefixes; a lookup costs one probe for each prefix length in use.

    >>> "10.1.2.3" in AddressSet(["10.0.0.0/8", "2001:db8::/32"])
    True
    >>> "::ffff:10.1.2.3" in AddressSet(["10.0.0.0/8"])
    True

    Raises:
        ValueError: a text that is neither an address nor a prefix, or a prefix with host bits set.
    """

    __slots__ = ("_prefixes", "_starts", "_texts")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts = tuple(texts)
        # address version -> bits to shift away -> the remaining prefixes
        self._prefixes: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        self._starts: dict[int, list[int]] = {}  # address version -> where its prefixes begin, made when it is needed
        for text in self._texts:
            network = unmapped(parse_network(text))
            shift = network.max_prefixlen - network.prefixlen
            prefix = int(network.network_address) >> shift
            self._prefixes[network.version].setdefault(shift, set()).add(prefix)

    def __contains__(self, text: str) -> bool:
        """Whether the address is covered; a text that is no address is not."""
        if not self._texts:
            return False
        try:
            address: Address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return self.covers(address)

    def entry(self, network: Network) -> str:
        """The entry that covers all of a network, the narrowest one, as it was written; empty where there is none."""
        wanted = unmapped(network)
        found = ""
        for text in self._texts:
            known = unmapped(parse_network(text))
            covers = known.version == wanted.version and wanted.subnet_of(known)  # type: ignore[arg-type]  # of one version
            if covers and (not found or known.prefixlen > unmapped(parse_network(found)).prefixlen):
                found = text
        return found

    @property
    def texts(self) -> tuple[str, ...]:
        """The entries, as they were written."""
        return self._texts

    def covers(self, address: Address) -> bool:
        """Whether an address, which is not IPv4 written as IPv6, is covered."""
        number = int(address)
        return any(number >> shift in found for shift, found in self._prefixes[address.version].items())

    def overlaps(self, network: Network) -> bool:
        """Whether any address of a network, which is not IPv4 written as IPv6, is covered."""
        if not self._texts:
            return False
        first, last, by_shift = int(network.network_address), int(network.broadcast_address), self._prefixes[network.version]
        if any(first >> shift in found for shift, found in by_shift.items()):
            return True
        if first == last:
            return False
        starts = self._starts.get(network.version)
        if starts is None:
            starts = sorted({prefix << shift for shift, found in by_shift.items() for prefix in found})
            self._starts[network.version] = starts
        at = bisect_left(starts, first)
        return at < len(starts) and starts[at] <= last

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AddressSet) and self._prefixes == other._prefixes

    def __hash__(self) -> int:
        return hash(len(self._prefixes[4]) << 8 | len(self._prefixes[6]))

    def __repr__(self) -> str:
        return f"AddressSet({list(self._texts)!r})"


def unmapped(network: Network) -> Network:
    """IPv4 that is written as IPv6, ::ffff:10.0.0.0/104, as what it is."""
    mapped = isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped
    return ipaddress.ip_network((mapped, network.prefixlen - 96)) if mapped else network


def parse_network(text: str) -> Network:
    """An address or prefix as a network; an IPv6 zone is left out, as in what lines say: no firewall takes one.

    >>> parse_network("fe80::1%eth0")
    IPv6Network('fe80::1/128')

    Raises:
        ValueError: says what is wrong with the text and what it should look like.
    """
    try:
        return ipaddress.ip_network(_ZONE.sub("", text) if ":" in text else text)
    except ValueError as error:
        if "host bits" in str(error):
            wanted = ipaddress.ip_network(_ZONE.sub("", text), strict=False)
            raise ValueError(f"'{text}' has bits set behind its prefix; write {wanted}") from None
        raise ValueError(
            f"'{text}' is no address or prefix; write one such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"
        ) from None


def canonical(network: Network) -> str:
    """A network's one text: an address alone where the prefix is the whole of it.

    >>> canonical(parse_network("192.0.2.7/32")), canonical(parse_network("2001:db8::/64"))
    ('192.0.2.7', '2001:db8::/64')
    """
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def number(address: str) -> int:
    """A canonical address as a number; of IPv4 in a third of the time that ipaddress takes.

    >>> number("0.0.1.2"), number("::ffff")
    (258, 65535)
    """
    if ":" in address:
        return int(ipaddress.IPv6Address(address))
    first, second, third, last = address.split(".")
    return int(first) << 24 | int(second) << 16 | int(third) << 8 | int(last)


def widened(address: str, prefix4: int, prefix6: int) -> str:
    """The network of this prefix that a canonical address lies in, as canonical text.

    >>> widened("192.0.2.7", 32, 64), widened("192.0.2.7", 24, 64), widened("2001:db8::7", 32, 64)
    ('192.0.2.7', '192.0.2.0/24', '2001:db8::/64')

    What a translator has written in IPv6 is an address of IPv4 all the same: one /64 would be all of IPv4.

    >>> widened("64:ff9b::c000:207", 32, 64), widened("64:ff9b::c000:207", 24, 64)
    ('64:ff9b::c000:207', '64:ff9b::c000:200/120')
    """
    bits, prefix = (128, prefix6) if ":" in address else (32, prefix4)
    if address.startswith(_TRANSLATED) and int(ipaddress.IPv6Address(address)) >> 32 == _TRANSLATED_START:
        prefix = max(prefix6, 96 + prefix4)
    if prefix >= bits:
        return address
    whole = ipaddress.IPv6Address(address) if bits == 128 else ipaddress.IPv4Address(address)
    free = bits - prefix
    return f"{type(whole)(int(whole) >> free << free)}/{prefix}"
