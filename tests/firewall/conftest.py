"""A namespace with a neighbour for each test, which this process is inside of, and a daemon in small."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from logtrigger.firewall.base import Firewall
from logtrigger.loop import Loop
from tests.scripts.netns import Namespace, pair

BOUND = 30.0  # seconds that anything may take
_CLONE_NEWNET = 0x40000000  # setns(2)


class FakeHost:
    """Notes what a firewall tells the daemon."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.reports: list[tuple[int, str]] = []
        self.losses = 0

    def report(self, level: int, text: str) -> None:
        self.reports.append((level, text))

    def flushed(self) -> None:
        self.losses += 1

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Turn the loop until the condition holds."""
        end = time.monotonic() + BOUND
        while not condition():
            assert time.monotonic() < end, f"in vain: {what}; reports: {self.reports}"
            self.loop.turn(0.02)

    def settle(self) -> None:
        """Do all that is to be done now."""
        for _ in range(20):
            self.loop.turn(0)

    def present(self, firewall: Firewall) -> set[str] | None:
        """What is blocked, or None."""
        answers: list[frozenset[str] | None] = []
        firewall.present(answers.append)
        assert answers == [], "it answers later, not at once"
        self.until(lambda: answers, "the list of what is blocked")
        return None if answers[0] is None else set(answers[0])


@pytest.fixture
def host() -> Iterator[FakeHost]:
    host = FakeHost()
    yield host
    host.loop.close()


@pytest.fixture
def network() -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces joined by a cable; this process is in the first one."""
    with pair() as (here, peer), entered(here):
        yield here, peer


@contextmanager
def entered(namespace: Namespace) -> Iterator[None]:
    """This thread, whatever sockets it makes and whatever it starts, inside the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{namespace.name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        assert libc.setns(there, _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(home, _CLONE_NEWNET) == 0
    finally:
        os.close(home)
        os.close(there)


def without_network_admin(*command: str) -> Sequence[str]:
    """The command, run without the capability to change a firewall."""
    return ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", *command]
