"""Networks in order, so that those within a wider one are found without looking at all of them."""

from __future__ import annotations

import ipaddress
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from logtrigger.addresses import Network, canonical, number

_BITS = {4: 32, 6: 128}
_STARTS = 8  # texts that are compared one after the other
_PACKED = 64  # bits that an array can hold


class Within:
    """A set of networks, in canonical text: 8 bytes for each whose prefix is 64 or shorter.

    >>> known = Within(["192.0.2.7", "192.0.2.64/28", "192.0.3.1", "2001:db8::/64"])
    >>> known.find(ipaddress.ip_network("192.0.2.0/24"))
    ['192.0.2.64/28', '192.0.2.7']
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        # (version, prefix) -> the prefixes as numbers, in order
        self._numbers: dict[tuple[int, int], array[int] | list[int]] = {}
        unsorted: dict[tuple[int, int], list[int]] = {}
        for text in networks:
            shape, own = _parts(text)
            unsorted.setdefault(shape, []).append(own)
        for shape, numbers in unsorted.items():
            self._numbers[shape] = _kept(shape[1], sorted(numbers))

    def add(self, network: str) -> None:
        """Take up one that is not there."""
        shape, own = _parts(network)
        numbers = self._numbers.setdefault(shape, _kept(shape[1], ()))
        numbers.insert(bisect_left(numbers, own), own)

    def discard(self, network: str) -> None:
        """Take one away, if it is there."""
        shape, own = _parts(network)
        numbers = self._numbers.get(shape, [])
        at = bisect_left(numbers, own)
        if at < len(numbers) and numbers[at] == own:
            del numbers[at]

    def find(self, network: Network) -> list[str]:
        """Those that lie in a network, itself left out."""
        found = []
        kind = ipaddress.IPv4Network if network.version == 4 else ipaddress.IPv6Network
        for prefix, numbers in self._inner(network):
            shift = network.max_prefixlen - prefix
            found += [canonical(kind((own << shift, prefix))) for own in numbers]
        return found

    def holds_any(self, network: Network) -> bool:
        """Whether a network, or one within it, is here."""
        shape, own = _parts(canonical(network))
        numbers = self._numbers.get(shape, [])
        at = bisect_left(numbers, own)
        return (at < len(numbers) and numbers[at] == own) or any(inner for _, inner in self._inner(network))

    def _inner(self, network: Network) -> Iterator[tuple[int, Sequence[int]]]:
        """By prefix length, the numbers of those that lie in a network."""
        first, bits = int(network.network_address), network.max_prefixlen
        for (version, prefix), numbers in sorted(self._numbers.items()):
            if version == network.version and prefix > network.prefixlen:
                low = first >> (bits - prefix)
                begin, end = bisect_left(numbers, low), bisect_left(numbers, low + (1 << (prefix - network.prefixlen)))
                yield prefix, numbers[begin:end]


class Prefixes:
    """Prefixes that canonical networks are looked up in, one after the other, in some microseconds each."""

    def __init__(self, networks: Iterable[Network]) -> None:
        # version -> prefix length -> the prefixes of that length, as numbers
        self._known: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        starts = set[str]()
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            of_length = self._known[network.version].setdefault(network.prefixlen, set())
            of_length.add(int(network.network_address) >> shift)
            if network.version == 4:
                starts.add(_start(network))
        # What the text of an IPv4 address within begins with: to look at that first takes a tenth of the time
        self._starts = tuple(starts) if len(starts) <= _STARTS else ("",)

    def hold(self, network: str) -> bool:
        """Whether a network is one of these, or lies in one."""
        address, _, own = network.partition("/")
        version, bits = (6, 128) if ":" in address else (4, 32)
        if not (known := self._known[version]) or (version == 4 and not address.startswith(self._starts)):
            return False
        whole, length = number(address), int(own or bits)
        return any(prefix <= length and whole >> (bits - prefix) in found for prefix, found in known.items())


def _start(network: Network) -> str:
    """The whole numbers of an IPv4 prefix.

    >>> [_start(ipaddress.ip_network(text)) for text in ("10.1.2.0/24", "10.1.2.0/23", "10.1.2.3", "0.0.0.0/4")]
    ['10.1.2.', '10.1.', '10.1.2.3', '']
    """
    whole = str(network.network_address).split(".")[: network.prefixlen // 8]
    return ".".join([*whole, ""] if 0 < len(whole) < 4 else whole)


def _kept(prefix: int, numbers: Iterable[int]) -> array[int] | list[int]:
    return array("Q", numbers) if prefix <= _PACKED else list(numbers)


def _parts(network: str) -> tuple[tuple[int, int], int]:
    address, slash, length = network.partition("/")
    version = 6 if ":" in address else 4
    bits = _BITS[version]
    prefix = int(length) if slash else bits
    return (version, prefix), number(address) >> (bits - prefix)
