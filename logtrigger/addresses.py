"""Sets of addresses and prefixes, looked up in time that does not grow with the set."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressSet:
    """IPv4 and IPv6 prefixes; a lookup costs one probe for each prefix length in use.

    >>> "10.1.2.3" in AddressSet(["10.0.0.0/8", "2001:db8::/32"])
    True
    >>> "::ffff:10.1.2.3" in AddressSet(["10.0.0.0/8"])
    True

    Raises:
        ValueError: a text that is neither an address nor a prefix, or a prefix with host bits set.
    """

    __slots__ = ("_prefixes", "_texts")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts = tuple(texts)
        # address version -> bits to shift away -> the remaining prefixes
        self._prefixes: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for text in self._texts:
            network = _unmapped(parse_network(text))
            shift = network.max_prefixlen - network.prefixlen
            prefix = int(network.network_address) >> shift
            self._prefixes[network.version].setdefault(shift, set()).add(prefix)

    def __contains__(self, text: str) -> bool:
        """Whether the address is covered; a text that is no address is not."""
        if not self._texts:
            return False
        try:
            address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        number = int(address)
        return any(number >> shift in found for shift, found in self._prefixes[address.version].items())

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AddressSet) and self._prefixes == other._prefixes

    def __hash__(self) -> int:
        return hash(len(self._prefixes[4]) << 8 | len(self._prefixes[6]))

    def __repr__(self) -> str:
        return f"AddressSet({list(self._texts)!r})"


def _unmapped(network: Network) -> Network:
    """IPv4 that is written as IPv6, ::ffff:10.0.0.0/104, as what it is."""
    mapped = isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped
    return ipaddress.ip_network((mapped, network.prefixlen - 96)) if mapped else network


def parse_network(text: str) -> Network:
    """An address or prefix as a network.

    Raises:
        ValueError: says what is wrong with the text and what it should look like.
    """
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            wanted = ipaddress.ip_network(text, strict=False)
            raise ValueError(f"'{text}' has bits set behind its prefix; write {wanted}") from None
        raise ValueError(
            f"'{text}' is no address or prefix; write one such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"
        ) from None
