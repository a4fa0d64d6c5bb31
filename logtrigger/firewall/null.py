"""Blocks nothing, but remembers what would be blocked: for a dry run, and for those who only want to see."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from logtrigger.firewall.base import Entry, Host
from logtrigger.rule import FirewallOptions

NAME = "null"


class Null:
    """A firewall in name only."""

    name = NAME

    def __init__(self, host: Host) -> None:
        self._host = host
        self._ends: dict[str, float] = {}  # on the monotonic clock

    def open(self) -> None:
        pass

    def add(self, entries: Sequence[Entry]) -> None:
        now = time.monotonic()
        for entry in entries:
            self._ends[entry.network] = math.inf if entry.seconds is None else now + entry.seconds
            self._host.report(2, f"{entry.network} would be blocked, but backend null blocks nothing")

    def remove(self, networks: Sequence[str]) -> None:
        for network in networks:
            self._ends.pop(network, None)

    def present(self, done: Callable[[frozenset[str] | None], None]) -> None:
        now = time.monotonic()
        self._ends = {network: end for network, end in self._ends.items() if end > now}
        found = frozenset(self._ends)
        self._host.loop.call_soon(lambda: done(found))

    def close(self) -> None:
        pass

    def tear_down(self) -> None:
        self._ends.clear()


def make(options: FirewallOptions, host: Host) -> Null:
    return Null(host)
