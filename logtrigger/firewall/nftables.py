"""nftables: a table of our own, with chains at hooks of their own, so that no other ruleset is touched or in the way.

Written through libnftables (or the `nft` tool), read and watched over netlink: a list of 100,000 bans costs neither 150 MB nor
a second in which nothing else happens. Numbers are those of linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from logtrigger.errors import FirewallError
from logtrigger.firewall import nft_commands, nft_rules
from logtrigger.firewall.base import Entry, Host
from logtrigger.firewall.conntrack import Cutter
from logtrigger.firewall.netlink import (
    NFTABLES,
    NO_PERMISSION,
    Listing,
    Message,
    Netlink,
    News,
    attributes,
    each_attribute,
    name,
    text,
)
from logtrigger.firewall.networks import BITS, Found, Network, Renewals, network_text
from logtrigger.firewall.nft_rules import TABLE, BanSet
from logtrigger.rule import FirewallOptions

NAME = "nftables"
_FAMILY, _TABLE = 1, "logtrigger"  # NFPROTO_INET; what TABLE says
_AT_ONCE = 2000  # bans a transaction: 10,000 take 13 MB for a moment

_GET_CHAIN, _GET_RULE, _GET_SET, _GET_ELEMENTS, _GET_GENERATION = (NFTABLES | command for command in (4, 7, 10, 13, 16))
_LOSSES = frozenset(NFTABLES | command for command in (2, 5, 8, 11, 14))  # a table, chain, rule, set, element is deleted
# Every message about a part of a table has the table's name first.
_IN_TABLE, _CHAIN_OF_RULE, _CHAIN_NAME, _SET_NAME, _SET_FLAGS, _KEY_TYPE, _ELEMENTS = 1, 2, 3, 2, 3, 4, 3
_WITH_TIMEOUT, _DYNAMIC = 0x10, 0x20
_KEY_TYPES = {4: 7, 6: 8}  # ipv4_addr, ipv6_addr: enum datatypes of nft
_HOW_TO_MEND = f"if nobody needs it: nft delete table {TABLE}"


class Nftables:
    """Bans in hash sets with timeouts, one for each prefix length in use."""

    name = NAME

    def __init__(self, options: FirewallOptions, host: Host) -> None:
        self._options = options
        self._host = host
        self._commands: nft_commands.Commands | None = None
        self._netlink: Netlink | None = None
        self._news: News | None = None
        self._sets: set[BanSet] = set()
        self._lost = True  # until it is set up
        self._listings: set[Listing] = set()
        self._renewals = Renewals(host, nft_rules.LONGEST, self.add)
        self._cutter = Cutter(host) if options.cut else None

    def open(self) -> None:
        if self._commands is None:
            self._commands, missing = nft_commands.find()
            if missing:
                self._host.report(0, f"nftables: the nft tool is used, which takes some milliseconds a ban: {missing}")
        if self._netlink is None:
            self._netlink = Netlink()
        _check_kernel(self._netlink)
        if self._news is None:
            self._news = News(self._hear, self._look)
            self._host.loop.watch(self._news.fileno(), self._news.read)
        self._lost = True  # what is heard of while it is set up is our own doing
        kept = set(self._kept_sets())
        self._run(nft_rules.setting_up(self._options, {*kept, *nft_rules.USUAL}, self._chains()))
        self._sets = {*kept, *nft_rules.USUAL}
        self._lost = False

    def add(self, entries: Sequence[Entry]) -> None:
        latest = {entry.network: entry.seconds for entry in entries}
        for networks in _slices(list(latest)):
            for ban_set, addresses in _by_set(networks).items():
                if ban_set not in self._sets:
                    self._run(nft_rules.set_added(self._options, ban_set))
                    self._sets.add(ban_set)
                self._add(ban_set, {address: latest[network] for address, network in addresses.items()})
        self._renewals.note(entries)
        if self._cutter is not None:
            self._cutter.cut(latest)

    def remove(self, networks: Sequence[str]) -> None:
        self._renewals.forget(networks)
        for some in _slices(list(dict.fromkeys(networks))):
            for ban_set, addresses in _by_set(some).items():
                if ban_set in self._sets:
                    self._run(nft_rules.removed(ban_set, addresses))

    def present(self, done: Callable[[frozenset[str] | None], None]) -> None:
        found = Found()

        def end(whole: bool) -> None:
            self._listings.discard(listing)
            done(frozenset(found) if whole else None)

        requests = [(_GET_ELEMENTS, _FAMILY, name(1, _TABLE) + name(2, ban_set.name)) for ban_set in sorted(self._sets)]
        listing = Listing(self._host.loop, requests, lambda message: found.more(networks_in(message)), end)
        self._listings.add(listing)

    def close(self) -> None:
        for listing in self._listings:
            listing.cancel()
        self._listings.clear()
        self._renewals.stop()
        if self._cutter is not None:
            self._cutter.close()
        if self._news is not None:
            self._host.loop.unwatch(self._news.fileno())
            self._news.close()
        if self._netlink is not None:
            self._netlink.close()
        self._commands = self._netlink = self._news = None
        self._lost = True

    def tear_down(self) -> None:
        self._lost = True
        self._run(f"add table {TABLE}\ndelete table {TABLE}")
        self._sets.clear()
        self._renewals.stop()

    def _add(self, ban_set: BanSet, bans: dict[str, float | None]) -> None:
        """Most bans are new, which is the quick way."""
        fault = self._do(nft_rules.created(ban_set, bans))
        if fault:
            self._run(nft_rules.added(ban_set, bans))

    def _run(self, transaction: str) -> None:
        """Run a transaction. Raises FirewallError."""
        fault = self._do(transaction)
        if fault and "No such file or directory" in fault and not self._lost:
            self._look()
            if not self._lost:  # on old kernels an element may end between the steps of a transaction
                fault = self._do(transaction)
        if fault:
            raise FirewallError(_why(fault, self._lost))

    def _do(self, transaction: str) -> str:
        """Run a transaction, and hear at once what is new: ours would fill the buffer. The mistake, if there is one."""
        if self._commands is None:
            raise FirewallError("nftables is not open")
        fault = self._commands.run(transaction)
        if self._news is not None:
            self._news.own = {self._commands.port}
            self._news.read()
        return fault

    def _kept_sets(self) -> Iterator[BanSet]:
        """Our sets of an earlier run. Raises FirewallError where one of that name is something else."""
        for parts in self._parts(_GET_SET):
            set_name = text(parts.get(_SET_NAME))
            ban_set = BanSet.named(set_name)
            if ban_set is None:
                continue
            flags = int.from_bytes(parts.get(_SET_FLAGS, b"")) & ~_DYNAMIC
            if flags != _WITH_TIMEOUT or int.from_bytes(parts.get(_KEY_TYPE, b"")) != _KEY_TYPES[ban_set.version]:
                wanted = f"{ban_set.key} with 'flags timeout' and no other"
                raise FirewallError(
                    f"the set {set_name} of table {TABLE} is not one of ours, which hold {wanted}; {_HOW_TO_MEND}"
                )
            yield ban_set

    def _chains(self) -> list[str]:
        """The chains that an earlier run has left: after a change of options others than those that are wanted now."""
        found = [text(parts.get(_CHAIN_NAME)) for parts in self._parts(_GET_CHAIN)]
        return [chain for chain in found if chain in nft_rules.HOOKS]

    def _parts(self, kind: int) -> Iterator[Mapping[int, memoryview]]:
        """The chains, rules or sets of our table."""
        assert self._netlink is not None
        try:
            listed = self._netlink.all_of(kind, _FAMILY, b"" if kind == _GET_CHAIN else name(_IN_TABLE, _TABLE))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return
            raise FirewallError(f"nftables: {os.strerror(error.errno or 0)}") from None
        for message in listed:
            parts = attributes(message.body)
            if text(parts.get(_IN_TABLE)) == _TABLE:
                yield parts

    def _hear(self, message: Message) -> None:
        """Somebody else has changed something."""
        if message.type in _LOSSES and message.family == _FAMILY:
            if text(attributes(message.body).get(_IN_TABLE)) == _TABLE:
                self._lose()

    def _look(self) -> None:
        """See whether everything is still there, where news may have been lost."""
        if self._lost or self._netlink is None:
            return
        try:
            sets = {BanSet.named(text(parts.get(_SET_NAME))) for parts in self._parts(_GET_SET)}
            rules = Counter(text(parts.get(_CHAIN_OF_RULE)) for parts in self._parts(_GET_RULE))
        except FirewallError as error:
            self._host.report(0, str(error))
            return
        wanted = len(nft_rules.NEVER) + len(self._sets) * len(nft_rules.verdicts(self._options))
        if not self._sets <= sets or any(rules[hook] < wanted for hook in self._options.hooks):
            self._lose()

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self._host.loop.call_soon(self._host.flushed)


def make(options: FirewallOptions, host: Host) -> Nftables:
    """This kind of firewall, not open yet."""
    return Nftables(options, host)


def why_not() -> str:
    """Why nftables cannot be used here; empty where it can."""
    try:
        nft_commands.find()
        probe = Netlink()
        try:
            _check_kernel(probe)
        finally:
            probe.close()
    except FirewallError as error:
        return str(error)
    return ""


def networks_in(message: Message) -> Iterator[str]:
    """The networks in a piece of a set's list."""
    parts = attributes(message.body)
    ban_set = BanSet.named(text(parts.get(_SET_NAME)))
    if ban_set is not None:
        size = BITS[ban_set.version] // 8
        for _, element in each_attribute(parts.get(_ELEMENTS, memoryview(b""))):
            key = attributes(element).get(1)  # in it, after a header, the bare address
            if key is not None:
                yield network_text(bytes(key[4 : 4 + size]), ban_set.prefix)


def _check_kernel(netlink: Netlink) -> None:
    """Raises FirewallError where the kernel does not let us use nftables."""
    try:
        netlink.ask(_GET_GENERATION, 0)
    except OSError as error:
        if error.errno == errno.EPERM:
            raise FirewallError(f"nftables: {NO_PERMISSION}") from None
        raise FirewallError("the kernel has no nftables: it lacks the module nf_tables") from None


def _by_set(networks: Iterable[str]) -> dict[BanSet, dict[str, str]]:
    """The networks by the sets that they belong to; in each by their addresses."""
    found: dict[tuple[int, int], dict[str, str]] = {}
    for canonical in networks:
        network = Network.of(canonical)
        found.setdefault((network.version, network.prefix), {})[network.address] = canonical
    return {BanSet(*kind): addresses for kind, addresses in found.items()}


def _slices(networks: list[str]) -> Iterator[list[str]]:
    return (networks[start : start + _AT_ONCE] for start in range(0, len(networks), _AT_ONCE))


def _why(fault: str, lost: bool) -> str:
    """What nft says, in words that help. Its first line names the fault, the others show the place."""
    first = fault.splitlines()[0].removeprefix("Error: ").removeprefix("Could not process rule: ")
    if "Operation not permitted" in first:
        return f"nftables: {NO_PERMISSION}"
    if lost and "No such file or directory" in first:
        return f"nftables: table {TABLE} or a part of it is gone: somebody has removed it"
    if "Too many open files in system" in first:  # ENFILE
        return "nftables: the set is full: raise 'max_bans', or ban for shorter"
    if "Device or resource busy" in first or "File exists" in first:
        return f"nftables: something in table {TABLE} is not ours ({first}); {_HOW_TO_MEND}"
    return f"nftables: {first}"
