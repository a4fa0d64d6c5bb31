"""A firewall for tests: it remembers, and fails when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from logtrigger.errors import FirewallError
from logtrigger.firewall.base import Entry, Host
from logtrigger.rule import FirewallOptions


class Fake:
    """A firewall that notes what it holds, and fails when it is told to."""

    name = "fake"

    def __init__(self, options: FirewallOptions, host: Host) -> None:
        self.options, self.host = options, host
        self.held: dict[str, float | None] = {}
        self.removed: list[str] = []
        self.batches: list[int] = []  # how many entries each call of add had
        self.broken = self.is_open = self.is_torn_down = False

    def open(self) -> None:
        self._check()
        self.is_open = True

    def add(self, entries: Sequence[Entry]) -> None:
        self._check()
        assert self.is_open
        self.batches.append(len(entries))
        self.held.update({entry.network: entry.seconds for entry in entries})

    def remove(self, networks: Sequence[str]) -> None:
        self._check()
        self.removed += networks
        for network in networks:
            self.held.pop(network, None)

    def present(self, done: Callable[[frozenset[str] | None], None]) -> None:
        done(frozenset(self.held))

    def close(self) -> None:
        self.is_open = False

    def tear_down(self) -> None:
        self._check()
        self.held.clear()
        self.is_torn_down = True

    def _check(self) -> None:
        if self.broken:
            raise FirewallError("no nftables here")
