"""What speaks against a ban: of an address, and of a network that holds one."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger import hostaddresses
from logtrigger import sparing as module
from logtrigger.addresses import AddressSet
from logtrigger.hostaddresses import HostAddresses
from logtrigger.ignoring import Ignoring
from logtrigger.loop import Loop
from logtrigger.rule import Settings
from logtrigger.sparing import Sparing
from tests.live import BOUND


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    own, gateways = AddressSet(["127.0.0.0/8", "::1", "10.9.9.2"]), AddressSet(["10.9.9.1", "fe80::1"])
    monkeypatch.setattr(hostaddresses, "read", lambda: HostAddresses(own, gateways))


def sparing(loop: Loop, *ignored: str) -> Sparing:
    settings = Settings(path=Path("rules.conf"), rules=(), state=Path("state.db"), ignore=AddressSet(ignored))
    return Sparing(loop, Ignoring(loop, settings, lambda level, text: None, lambda: None, lambda address: None))


def test_look_that_fails_is_not_the_last_one(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REFRESH", 0.01)
    made, read, faults = sparing(loop), hostaddresses.read, list[Exception]()
    loop.on_fault = faults.append
    made.start()

    def fail() -> HostAddresses:
        raise ValueError("a line of /proc that nobody expects")

    monkeypatch.setattr(hostaddresses, "read", fail)
    end = time.monotonic() + BOUND
    while not faults and time.monotonic() < end:
        loop.turn(0.05)
    monkeypatch.setattr(hostaddresses, "read", lambda: HostAddresses(AddressSet(["192.0.2.7"]), read().gateways))
    while not made.against_address(ipaddress.ip_address("192.0.2.7")):
        assert time.monotonic() < end
        loop.turn(0.05)
    made.close()


@pytest.mark.parametrize(
    ("network", "why"),
    [
        ("192.0.2.7", "is on the ignore list"),
        ("192.0.2.0/24", "holds addresses of the ignore list"),
        ("192.0.3.7", ""),
        ("192.0.3.0/24", ""),
        ("127.0.0.5", "is an address of this machine"),
        ("10.9.9.2", "is an address of this machine"),
        ("10.9.9.1", "is a gateway of this machine"),
        ("10.9.0.0/16", "holds an address of this machine"),
        ("fe80::/64", "holds a gateway of this machine"),
        ("224.0.0.251", "is nobody's address"),
        ("0.0.0.0", "is nobody's address"),
        ("255.255.255.255", "is nobody's address"),
        ("ff02::1", "is nobody's address"),
        ("::", "is nobody's address"),
        ("224.0.0.0/24", "holds what is nobody's address"),
        ("0.0.0.0/24", "holds what is nobody's address"),
        ("2001:db8::/64", ""),
    ],
)
def test_why_not(loop: Loop, network: str, why: str) -> None:
    assert sparing(loop, "192.0.2.0/29").against(ipaddress.ip_network(network)) == why


def test_addresses_that_come_are_heard_of(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, ours = socket.socketpair(type=socket.SOCK_DGRAM)
    ours.setblocking(False)
    monkeypatch.setattr(hostaddresses, "watch", lambda: ours)
    one = sparing(loop)
    one.start()
    assert one.against(ipaddress.ip_network("203.0.113.1")) == ""
    more = HostAddresses(AddressSet(["203.0.113.1"]), AddressSet())
    monkeypatch.setattr(hostaddresses, "read", lambda: more)
    with kernel:
        kernel.send(b"news")
        end = time.monotonic() + 20
        while not one.against(ipaddress.ip_network("203.0.113.1")):
            assert time.monotonic() < end
            loop.turn(0.05)
        one.close()


def test_kernel_that_tells_nothing(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> socket.socket:
        raise PermissionError

    monkeypatch.setattr(hostaddresses, "watch", refuse)
    one = sparing(loop)
    one.start()
    assert one.against(ipaddress.ip_network("10.9.9.2")) == "is an address of this machine"
    one.close()
