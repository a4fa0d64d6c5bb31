"""Ends the connections that a banned network has: `option cut`.

A packet of a banned sender meets our rules whether its connection is established or not. What this is for are packets that
meet no rules: those of flows that a flow table or a network card forwards by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from logtrigger.firewall.base import Host
from logtrigger.firewall.children import Children, Ended, has_program
from logtrigger.firewall.networks import Network

TOOL = "conntrack"
LONGEST_QUEUE = 1000  # more at once come from no attack, but from bringing bans back


class Cutter:
    """Makes the kernel forget connections, through the conntrack tool."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._children = Children(host.loop)
        self._usable: bool | None = None

    def cut(self, networks: Iterable[str]) -> None:
        """End all connections that these have begun, soon; where that is impossible, say so once."""
        if self._usable is None:
            self._usable = has_program(TOOL)
            if not self._usable:
                self._host.report(0, "option cut: connections are not ended: install the package 'conntrack'")
        if not self._usable:
            return
        for text in networks:
            if len(self._children) >= LONGEST_QUEUE:
                self._host.report(1, f"option cut: too many bans at once: connections of {text} and later ones are not ended")
                return
            network = Network.of(text)
            family = "ipv4" if network.version == 4 else "ipv6"
            # Without its prefix: older versions of the tool take none, hence this form only where one is needed.
            self._children.run([TOOL, "-D", "-f", family, "-s", text], self._ended)

    def close(self) -> None:
        self._children.close()

    def _ended(self, ended: Ended) -> None:
        if ended.code and not any("0 flow entries" in line for line in ended.lines):
            self._host.report(1, f"option cut: {TOOL}: {ended}")
