"""iptables: a chain of our own, jumped to first of all, which looks into two ipsets.

The sets are filled over netlink. The chains are made by python-iptables where iptables is the legacy one; the other flavour,
which writes nftables, is only reached by its own tools: python-iptables neither sees it nor is seen by it.

Losses: of iptables-nft the kernel tells; of ipset and of iptables-legacy it does not, so every two seconds a look is taken that
costs microseconds.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable, Sequence

from logtrigger.errors import FirewallError
from logtrigger.firewall import chains, ipset, iptables_library, iptables_tools
from logtrigger.firewall.base import Entry, Host
from logtrigger.firewall.chains import Chains
from logtrigger.firewall.children import has_program
from logtrigger.firewall.conntrack import Cutter
from logtrigger.firewall.ipset import Sets
from logtrigger.firewall.netlink import NFTABLES, Listing, Message, News, attributes, text
from logtrigger.firewall.networks import Renewals
from logtrigger.loop import Timer
from logtrigger.rule import FirewallOptions

NAME = "iptables"
EVERY = 2.0  # seconds between two looks
SOON = 0.3  # seconds from the first sign of a loss until it is looked what is there: who flushes often fills again
_SIGNS = frozenset(NFTABLES | command for command in (2, 3, 5, 8))  # a table is deleted, a chain new or deleted, a rule deleted
_NEW_CHAIN = NFTABLES | 3
_TABLE, _CHAIN_OF_RULE, _CHAIN_NAME = 1, 2, 3
_GET_INFO = 64  # IPT_SO_GET_INFO, IP6T_SO_GET_INFO: linux/netfilter_ipv4/ip_tables.h
_INFO = 84  # bytes of struct ipt_getinfo


class Iptables:
    """Bans in one set for each IP version."""

    name = NAME

    def __init__(self, options: FirewallOptions, host: Host, variant: str = "") -> None:
        """`variant`: which of several flavours of iptables; empty for the one that has its bare name."""
        self._options = options
        self._host = host
        self._variant = variant
        self._versions = (4, 6) if os.path.exists("/proc/net/if_inet6") else (4,)
        self._sets: Sets | None = None
        self._chains: Chains | None = None
        self._news: News | None = None
        self._legacy: list[LegacyTable] = []
        self._timer: Timer | None = None
        self._sign: Timer | None = None
        self._lost = True  # until it is set up
        self._has_shrunk = False  # since it was last looked what is there
        self._era = 0  # counts how often it was set up: what an earlier look has found is of no interest
        self._listings: set[Listing] = set()
        self._renewals = Renewals(host, ipset.LONGEST, self.add)
        self._cutter = Cutter(host) if options.cut else None

    def open(self) -> None:
        self._lost = True  # what happens while it is set up is our own doing
        self._era += 1
        if self._sets is None:
            self._sets = Sets()
        self._sets.open(self._options.max_bans)
        if self._chains is None:
            self._choose()
        assert self._chains is not None
        self._chains.set_up()
        if self._news is not None:
            self._news.read()
        for table in self._legacy:
            table.has_changed()
        self._lost = self._has_shrunk = False
        if self._timer is None:
            self._timer = self._host.loop.call_later(EVERY, self._tick)

    def add(self, entries: Sequence[Entry]) -> None:
        latest = {entry.network: entry for entry in entries}
        self._opened().add(list(latest.values()))
        self._renewals.note(entries)
        if self._cutter is not None:
            self._cutter.cut(latest)

    def remove(self, networks: Sequence[str]) -> None:
        self._renewals.forget(networks)
        self._opened().remove(networks)

    def present(self, done: Callable[[frozenset[str] | None], None]) -> None:
        def end(found: frozenset[str] | None) -> None:
            self._listings.discard(listing)
            done(found)

        listing = self._opened().present(self._host.loop, end)
        self._listings.add(listing)

    def close(self) -> None:
        for listing in self._listings:
            listing.cancel()
        self._listings.clear()
        for timer in (self._timer, self._sign):
            if timer is not None:
                timer.cancel()
        self._timer = self._sign = None
        self._renewals.stop()
        if self._cutter is not None:
            self._cutter.close()
        if self._chains is not None:
            self._chains.close()
        if self._news is not None:
            self._host.loop.unwatch(self._news.fileno())
            self._news.close()
        if self._sets is not None:
            self._sets.close()
        for table in self._legacy:
            table.close()
        self._legacy = []
        self._sets = self._chains = self._news = None
        self._lost = True
        self._era += 1

    def tear_down(self) -> None:
        self._lost = True
        self._era += 1
        sets = self._opened()
        assert self._chains is not None
        self._chains.tear_down()
        sets.destroy()
        self._renewals.stop()

    def _opened(self) -> Sets:
        if self._sets is None:
            raise FirewallError("iptables is not open")
        return self._sets

    def _choose(self) -> None:
        """How chains are made, and how it is noticed when they are lost."""
        plans = chains.plans(self._options, self._versions)
        legacy = is_legacy(self._variant)
        if legacy and iptables_library.is_installed():
            self._chains = iptables_library.LibraryChains(self._host.loop, plans)
        else:
            self._chains = iptables_tools.ToolChains(self._host.loop, plans, self._variant)
        if legacy:
            self._legacy = [LegacyTable(version) for version in self._versions]
        else:
            self._news = News(self._hear, self._suspect)
            self._host.loop.watch(self._news.fileno(), self._news.read)

    def _hear(self, message: Message) -> None:
        """Somebody has deleted something, perhaps of ours, or Docker has made its chain."""
        if message.type in _SIGNS and message.family in (socket.AF_INET, socket.AF_INET6):
            parts = attributes(message.body)
            if text(parts.get(_TABLE)) == "filter":
                chain = text(parts.get(_CHAIN_OF_RULE if message.type == NFTABLES | 8 else _CHAIN_NAME))
                bases = [base for hook in self._options.hooks for base in chains.BASES.get(hook, ())]
                if message.type == NFTABLES | 2 or chain in (chains.CHAIN, *bases):
                    self._suspect(has_shrunk=message.type != _NEW_CHAIN)

    def _suspect(self, has_shrunk: bool = True) -> None:
        self._has_shrunk = self._has_shrunk or has_shrunk
        if self._sign is None and not self._lost:
            self._sign = self._host.loop.call_later(SOON, self._look)

    def _tick(self) -> None:
        """Take the look that costs microseconds."""
        self._timer = self._host.loop.call_later(EVERY, self._tick)
        if self._lost or self._sets is None:
            return
        if not self._sets.intact():
            self._lose()
        elif any([table.has_changed() for table in self._legacy]):  # a list: each remembers what it saw
            self._suspect()

    def _look(self) -> None:
        """Look at the chains themselves: some milliseconds, in a process of its own."""
        self._sign = None
        if self._lost or self._chains is None:
            return
        era, has_shrunk = self._era, self._has_shrunk
        self._has_shrunk = False

        def take(whole: bool | None) -> None:
            if era != self._era:
                return
            if whole is None:
                self._look_again(has_shrunk)
            elif not whole and not has_shrunk:
                self._grow()
            elif not whole:
                self._lose()

        self._chains.look(take)

    def _look_again(self, has_shrunk: bool) -> None:
        """It could not be told: another may hold the lock of iptables for long."""
        self._host.report(1, "iptables: it cannot be told whether our chain is still there; it is looked again")
        self._has_shrunk = self._has_shrunk or has_shrunk
        if self._sign is None:
            self._sign = self._host.loop.call_later(EVERY, self._look)

    def _grow(self) -> None:
        """Docker has begun, and made its chain: nobody has taken anything away, but it is to jump to ours, too."""
        try:
            self.open()
        except FirewallError:
            self._lost = False
            self._lose()
        else:
            self._host.report(1, "iptables: there is a chain DOCKER-USER now; it leads to ours")

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self._host.loop.call_soon(self._host.flushed)


class LegacyTable:
    """Tells whether a filter table of iptables-legacy may have changed, by the number and size of its rules."""

    def __init__(self, version: int) -> None:
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self._level = socket.IPPROTO_IP if version == 4 else socket.IPPROTO_IPV6
        self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)
        self._known = b""

    def has_changed(self) -> bool:
        """Whether it is another than when this was last asked."""
        # Python's own getsockopt cannot say which table is meant.
        info = ctypes.create_string_buffer(b"filter", _INFO)
        size = ctypes.c_uint32(_INFO)
        ctypes.CDLL(None).getsockopt(self._socket.fileno(), self._level, _GET_INFO, info, ctypes.byref(size))
        before, self._known = self._known, info.raw
        return self._known != before

    def close(self) -> None:
        self._socket.close()


def make(options: FirewallOptions, host: Host) -> Iptables:
    """This kind of firewall, not open yet."""
    return Iptables(options, host)


def is_legacy(variant: str = "") -> bool:
    """Which flavour the tool is of. Raises FirewallError where there is none."""
    return "nf_tables" not in iptables_tools.run([f"iptables{variant}", "-V"])  # since 1.8 it says "legacy" or "nf_tables"


def why_not() -> str:
    """Why iptables with ipset cannot be used here; empty where it can."""
    if not has_program("iptables"):
        return "there is no iptables: install the package iptables"
    try:
        iptables_tools.run(["iptables", "-w", "5", "-S", "INPUT"])
        sets = Sets()
        try:
            sets.probe()
        finally:
            sets.close()
    except FirewallError as error:
        return str(error)
    return ""
