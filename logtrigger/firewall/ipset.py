"""The two sets of networks that iptables looks into: made, filled and read over netlink.

An address is added in 0.01 ms; the `ipset` tool would take a process of 1.5 ms each. Numbers are those of
linux/netfilter/ipset/ip_set.h.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence

from logtrigger.errors import FirewallError
from logtrigger.firewall import netlink
from logtrigger.firewall.base import Entry
from logtrigger.firewall.netlink import IPSET, Listing, Message, Netlink, attribute, nested
from logtrigger.firewall.networks import BITS, FAMILIES, Found, Network, network_text, whole_seconds
from logtrigger.loop import Loop

LONGEST = 2_147_483  # seconds, ipset(8)
NAMES = {4: "logtrigger4", 6: "logtrigger6"}
TYPE = "hash:net"
# No packet has such a sender. That this entry is there tells that nobody has emptied the set.
MARKS = {4: Network.of("255.255.255.255"), 6: Network.of("ff02::ffff")}

_CREATE, _DESTROY, _LIST, _ADD, _DEL, _TEST, _TYPE = (IPSET | command for command in (2, 3, 7, 9, 10, 11, 13))
_SETNAME, _TYPENAME, _REVISION, _FAMILY, _FLAGS, _DATA, _ADT, _LINENO, _REVISION_MIN = range(2, 11)
_IP, _CIDR, _TIMEOUT, _MAXELEM = 1, 3, 6, 19
_HEADER_ONLY = 1 << 2
_PROTOCOL = attribute(1, b"\x06")
_AT_ONCE = 1000  # networks a message: an attribute has 64 KiB at most
_EXISTS, _FULL = 4103, 4352  # IPSET_ERR_EXIST, IPSET_ERR_HASH_FULL
_ERRORS = {
    errno.EPERM: netlink.NO_PERMISSION,
    errno.ENOENT: "the set is not there",
    4098: f"the kernel has no sets of type {TYPE}: it lacks the module ip_set_hash_net",
    4100: "it is in use",
    4108: "a rule still uses it",
    _FULL: "the set is full: raise 'max_bans', or ban for shorter",
}


class Sets:
    """The sets of both families."""

    def __init__(self) -> None:
        self._netlink = Netlink()

    def close(self) -> None:
        self._netlink.close()

    def open(self, maximum: int) -> None:
        """Make what is missing. Raises FirewallError, also where a set of our name is another's."""
        for version, name in NAMES.items():
            header = self._header(name)
            if header is None:
                self._create(version, name, maximum)
            else:
                _check(header, version, name)
            self._change(_ADD, version, [(MARKS[version], 0)])

    def probe(self) -> None:
        """Raises FirewallError where the kernel has no such sets for us."""
        try:
            self._revision(4)
        except OSError as error:
            raise _fault(NAMES[4], error) from None

    def add(self, entries: Sequence[Entry]) -> None:
        """Add all of these, with their times anew where they are there; for LONGEST at most. Raises FirewallError."""
        wanted: dict[int, list[tuple[Network, int | None]]] = {4: [], 6: []}
        for entry in entries:
            seconds = 0 if entry.seconds is None else min(whole_seconds(entry.seconds), LONGEST)  # 0: for ever
            network = Network.of(entry.network)
            if network != MARKS[network.version]:  # it is there, and stays
                wanted[network.version].append((network, seconds))
        for version, networks in wanted.items():
            self._change(_ADD, version, networks)

    def remove(self, networks: Sequence[str]) -> None:
        """Remove all of these that are there. Raises FirewallError."""
        wanted = [Network.of(network) for network in networks]
        for version, mark in MARKS.items():
            gone = [(network, None) for network in wanted if network.version == version and network != mark]
            self._change(_DEL, version, gone)

    def intact(self) -> bool:
        """Whether nobody has emptied or destroyed a set. Some microseconds, however many entries there are."""
        try:
            for version, name in NAMES.items():
                body = _PROTOCOL + netlink.name(_SETNAME, name) + _data(MARKS[version], None)
                self._netlink.ask(_TEST, FAMILIES[version], body)
        except OSError:
            return False
        return True

    def present(self, loop: Loop, done: Callable[[frozenset[str] | None], None]) -> Listing:
        """Call `done` with all networks in the sets; None where they cannot be read."""
        found = Found()
        marks = {network_text(mark.packed, mark.prefix) for mark in MARKS.values()}
        requests = [(_LIST, int(FAMILIES[v]), _PROTOCOL + netlink.name(_SETNAME, name)) for v, name in NAMES.items()]
        return Listing(
            loop,
            requests,
            lambda message: found.more(networks_in(message)),
            lambda whole: done(frozenset(found - marks) if whole else None),
        )

    def destroy(self) -> None:
        """Remove the sets, as far as they are there. Raises FirewallError."""
        for name in NAMES.values():
            try:
                self._netlink.ask(_DESTROY, 0, _PROTOCOL + netlink.name(_SETNAME, name))
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise _fault(name, error) from None

    def _header(self, name: str) -> Message | None:
        """What the kernel says of a set without its entries; None where there is no such set."""
        body = _PROTOCOL + netlink.name(_SETNAME, name) + netlink.number(_FLAGS, _HEADER_ONLY)
        try:
            return next(iter(self._netlink.all_of(_LIST, 0, body)), None)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise _fault(name, error) from None

    def _create(self, version: int, name: str, maximum: int) -> None:
        family = attribute(_FAMILY, bytes([FAMILIES[version]]))
        options = nested(_DATA, netlink.number(_MAXELEM, maximum + 1), netlink.number(_TIMEOUT, 0))
        try:
            revision = attribute(_REVISION, self._revision(version))
            head = _PROTOCOL + netlink.name(_SETNAME, name) + netlink.name(_TYPENAME, TYPE)
            self._netlink.ask(_CREATE, FAMILIES[version], head + revision + family + options)
        except OSError as error:
            raise _fault(name, error) from None

    def _revision(self, version: int) -> bytes:
        """Of the set type. The oldest one can all that is needed, and every version of the ipset tool can show it."""
        family = attribute(_FAMILY, bytes([FAMILIES[version]]))
        known = self._netlink.ask(_TYPE, FAMILIES[version], _PROTOCOL + netlink.name(_TYPENAME, TYPE) + family)
        revisions = netlink.attributes(known[0].body)
        return bytes(revisions.get(_REVISION_MIN, revisions[_REVISION]))

    def _change(self, command: int, version: int, networks: Sequence[tuple[Network, int | None]]) -> None:
        head = _PROTOCOL + netlink.name(_SETNAME, NAMES[version])
        for start in range(0, len(networks), _AT_ONCE):
            entries = [_data(network, seconds) for network, seconds in networks[start : start + _AT_ONCE]]
            several = netlink.number(_LINENO, 0) + nested(_ADT, *entries)
            try:
                self._netlink.ask(command, FAMILIES[version], head + (entries[0] if len(entries) == 1 else several))
            except OSError as error:
                raise _fault(NAMES[version], error) from None


def networks_in(message: Message) -> Iterator[str]:
    """The networks in a piece of a set's list."""
    top = netlink.attributes(message.body)
    bits = BITS[4 if bytes(top.get(_FAMILY, b"\x02")) == b"\x02" else 6]
    for kind, entry in netlink.each_attribute(top.get(_ADT, memoryview(b""))):
        if kind == _DATA:
            parts = netlink.attributes(entry)
            prefix = parts[_CIDR][0] if _CIDR in parts else bits
            yield network_text(bytes(parts[_IP][4:]), prefix)


def _data(network: Network, seconds: int | None) -> bytes:
    """An entry: its address, its prefix, and its time if it has one."""
    address = nested(_IP, netlink.network_bytes(1 if network.version == 4 else 2, network.packed))
    prefix = attribute(_CIDR, bytes([network.prefix]))
    return nested(_DATA, address, prefix, b"" if seconds is None else netlink.number(_TIMEOUT, seconds))


def _check(header: Message, version: int, name: str) -> None:
    parts = netlink.attributes(header.body)
    family = bytes(parts.get(_FAMILY, b""))
    times = _TIMEOUT in netlink.attributes(parts.get(_DATA, memoryview(b"")))
    found = netlink.text(parts.get(_TYPENAME))
    if found != TYPE or family != bytes([FAMILIES[version]]) or not times:
        wanted = f"{TYPE}, family {'inet' if version == 4 else 'inet6'}, with timeouts"
        raise FirewallError(
            f"the set '{name}' is not one of ours: it is a {found}, and must be a {wanted}; "
            f"if nobody needs it: ipset destroy {name}"
        )


def _fault(name: str, error: OSError) -> FirewallError:
    number = error.errno or 0
    why = _ERRORS.get(number) or (os.strerror(number) if number < 4096 else f"error {number} of ipset")
    return FirewallError(f"set '{name}': {why}")
