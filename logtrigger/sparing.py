"""Who must never be banned, whatever he does: the ignore list, this machine, its gateways, and what is nobody's address."""

from __future__ import annotations

import socket

from logtrigger import hostaddresses
from logtrigger.addresses import Address, Network
from logtrigger.ignoring import Ignoring
from logtrigger.loop import Loop

_REFRESH = 30.0  # seconds after which this machine's addresses and gateways are looked up again


class Sparing:
    """What speaks against a ban.

    Args:
        ignoring: the ignore list.
    """

    def __init__(self, loop: Loop, ignoring: Ignoring) -> None:
        self._loop, self._ignoring = loop, ignoring
        self._host = hostaddresses.read()
        self._news: socket.socket | None = None  # of addresses of this machine

    def start(self) -> None:
        """Follow the addresses of this machine from now on."""
        try:
            self._news = news = hostaddresses.watch()
        except OSError:
            pass  # then they are looked up now and then only
        else:
            self._loop.watch(news.fileno(), lambda: self._on_news(news))
        self._loop.call_later(_REFRESH, self._refresh)

    def close(self) -> None:
        if self._news is not None:
            self._loop.unwatch(self._news.fileno())
            self._news.close()

    def against_address(self, address: Address) -> str:
        """Why an address must not be banned; empty: it may be."""
        if self._ignoring.addresses.covers(address):
            return "is on the ignore list"
        if self._ignoring.spares(str(address)):
            return "is spared by ignore_command"
        if self._host.own.covers(address):
            return "is an address of this machine"
        if self._host.gateways.covers(address):
            return "is a gateway of this machine"
        number = int(address)
        if address.version == 4:
            is_nobodys = number >> 28 == 0xE or number in (0, 0xFFFFFFFF)  # multicast, unspecified, broadcast
        else:
            is_nobodys = number >> 120 == 0xFF or not number
        return "is nobody's address" if is_nobodys else ""

    def against(self, network: Network) -> str:
        """Why a network must not be banned; empty: it may be."""
        if network.num_addresses == 1:
            return self.against_address(network.network_address)
        if self._ignoring.addresses.overlaps(network):
            return "holds addresses of the ignore list"
        if self._ignoring.spares_any(network):
            return "holds an address that ignore_command spares"
        if self._host.own.overlaps(network):
            return "holds an address of this machine"
        if self._host.gateways.overlaps(network):
            return "holds a gateway of this machine"
        if network.is_multicast or network.network_address.is_unspecified:
            return "holds what is nobody's address"
        return ""

    def _on_news(self, news: socket.socket) -> None:
        try:
            while news.recv(1 << 16):
                pass
        except OSError:
            pass  # nothing more to read, or some of it was lost: all is read anew anyway
        self._host = hostaddresses.read()

    def _refresh(self) -> None:
        self._loop.call_later(_REFRESH, self._refresh)
        self._host = hostaddresses.read()
