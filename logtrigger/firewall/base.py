"""What a firewall is to those who ban, and what it needs from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from logtrigger.loop import Loop


@dataclass(frozen=True, slots=True)
class Entry:
    """A network that is to be blocked."""

    network: str  # canonical; an address alone where the prefix is the whole of it: 192.0.2.7, 2001:db8::/64
    seconds: float | None  # from now; None: for ever


class Host(Protocol):
    """The daemon as a firewall sees it."""

    loop: Loop

    def report(self, level: int, text: str) -> None:
        """Say something to the operator at debug level 0 (errors) to 4."""

    def flushed(self) -> None:
        """Somebody else has removed what we had set up, or a part of it. Called in the loop's thread, once a loss."""


class Firewall(Protocol):
    """Blocks networks in the kernel, each with a timeout of its own.

    Adding and removing may be repeated safely: adding what is there sets its time anew, removing what is absent does
    nothing. What is blocked stays so when the daemon ends. Times longer than the kernel can count are renewed before they
    end, by the process that has added them: a later process adds such networks again (any time is safe to add again).

    Where somebody removes a set or rule, `add` may raise before `flushed` is called: it is called all the same. After it,
    `open` sets up what is missing, and the bans have to be added again; until then no further loss is told.
    """

    @property
    def name(self) -> str:
        """As `option backend` has it."""

    def open(self) -> None:
        """Set up what is missing, and keep what is there of an earlier run. May be called again after a loss.

        Raises FirewallError where that is impossible: no library, no permission (which capability), a foreign set of our name.
        """

    def add(self, entries: Sequence[Entry]) -> None:
        """Block all of these. Raises FirewallError; then none or some of them are blocked."""

    def remove(self, networks: Sequence[str]) -> None:
        """Let all of these through again. Raises FirewallError; then none or some of them are let through."""

    def present(self, done: Callable[[frozenset[str] | None], None]) -> None:
        """Call `done` later, in the loop's thread, with what is blocked now; None: it cannot be told.

        May take a second with 100,000 entries, and never holds the loop up for more than some milliseconds. What is added or
        removed meanwhile may be in it or not. After `close` it is never called.
        """

    def close(self) -> None:
        """Release descriptors and processes; what is blocked stays blocked."""

    def tear_down(self) -> None:
        """Remove everything that `open` set up; before `close`, after `open`. Raises FirewallError."""
