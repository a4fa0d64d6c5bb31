"""Datagrams of the network: whose they are, who may send, and what is lost is said."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from logtrigger.addresses import AddressSet
from logtrigger.errors import SourceError
from logtrigger.sources.receiver import udp
from logtrigger.sources.receiver.addresses import ListenAddress
from logtrigger.sources.receiver.udp import UdpReceiver
from tests.sources.host import TestHost, running, until

HERE = ListenAddress("udp", "127.0.0.1", 0)


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield sock


def receiver(host: TestHost, *allow: str, address: ListenAddress = HERE) -> UdpReceiver:
    return UdpReceiver(host, "net", address, AddressSet(allow))


def test_a_datagram_is_a_line(host: TestHost, sender: socket.socket) -> None:
    source = receiver(host)
    with running(source, host):
        for message in (b"<13>a: one", b"<13>a: two\n", b"", b"<13>a: three\0"):
            sender.sendto(message, ("127.0.0.1", source.port))
        host.wait_for(b"<13>a: one", b"<13>a: two", b"<13>a: three")
    (chunk,) = host.chunks
    assert (chunk.source, chunk.peer, chunk.origin) == ("net", "127.0.0.1", f"{HERE} from 127.0.0.1")
    assert (chunk.offset, chunk.end, chunk.sender, chunk.own) == (0, len(chunk.data), None, False)


def test_each_peer_has_its_own_chunks_and_stream(host: TestHost) -> None:
    """So that "last message repeated" cannot mean another's; offsets never come twice."""
    source = receiver(host)
    with running(source, host):
        for host_address in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind((host_address, 0))
                sock.sendto(f"from {host_address}".encode(), ("127.0.0.1", source.port))
        until(host.loop, lambda: len(host.lines) == 3)
    assert [(chunk.peer, chunk.data) for chunk in host.chunks] == [
        ("127.0.0.1", b"from 127.0.0.1\nfrom 127.0.0.1\n"),
        ("127.0.0.2", b"from 127.0.0.2\n"),
    ]
    one, two = host.chunks
    assert one.stream != two.stream and one.end == two.offset
    assert [event for event in host.events if event.startswith("forget")] == [f"forget {one.stream}", f"forget {two.stream}"]


def test_ipv4_over_ipv6_is_ipv4(host: TestHost, sender: socket.socket) -> None:
    source = receiver(host, "127.0.0.0/8", "::1", address=ListenAddress("udp", "*", 0))
    with running(source, host), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender6:
        sender.sendto(b"four", ("127.0.0.1", source.port))
        sender6.sendto(b"six", ("::1", source.port))
        until(host.loop, lambda: len(host.lines) == 2)
    assert {chunk.peer: chunk.data for chunk in host.chunks} == {"127.0.0.1": b"four\n", "::1": b"six\n"}


def test_who_may_not_send_is_refused_and_counted(host: TestHost, sender: socket.socket) -> None:
    source = receiver(host, "127.0.0.1")
    with running(source, host), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        for _ in range(100):
            stranger.sendto(b"let me in", ("127.0.0.1", source.port))
        sender.sendto(b"hello", ("127.0.0.1", source.port))
        host.wait_for(b"hello")
        assert host.said("a datagram to udp 127.0.0.1:0 from 127.0.0.2 was refused (add it to 'allow')")
        assert len(host.reports) == 1
    assert host.said("99 more datagrams to udp 127.0.0.1:0 were refused in the last minute")


@pytest.mark.parametrize("message", [b"a\n<13>root: forged", b"a\r\n<13>x", b"a\0<13>root: forged", b"a\r<13>root: forged"])
def test_no_datagram_forges_a_second_line(host: TestHost, sender: socket.socket, message: bytes) -> None:
    source = receiver(host)
    with running(source, host):
        sender.sendto(message, ("127.0.0.1", source.port))
        until(host.loop, lambda: host.lines)
    assert len(host.lines) == 1 and b"#0" in host.lines[0]


def test_what_comes_while_paused_is_dropped_and_counted(host: TestHost, sender: socket.socket) -> None:
    source = receiver(host)
    with running(source, host):
        source.pause()
        for _ in range(2):
            sender.sendto(b"lost", ("127.0.0.1", source.port))
        host.settle(0.1)
        source.resume()
        sender.sendto(b"kept", ("127.0.0.1", source.port))
        host.wait_for(b"kept")
    assert host.said("2 messages to udp 127.0.0.1:0 were dropped")


def test_what_the_kernel_has_no_room_for_is_reported(
    host: TestHost, sender: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "buffer_size", lambda: 4096)
    source = receiver(host)
    with running(source, host):
        for _ in range(1000):
            sender.sendto(b"x" * 100, ("127.0.0.1", source.port))
        until(host.loop, lambda: host.said("datagrams to udp 127.0.0.1:0 were lost, as they came faster than they are read"))
        host.settle(0.1)
    lost = int(host.said("were lost")[0].split()[1])
    assert lost + len(host.lines) == 1000


def test_under_load_few_chunks_hold_many_datagrams(host: TestHost, sender: socket.socket) -> None:
    """A moment's rest between two turns saves most of the work, and does not delay a datagram that comes alone."""
    sock, count = receiver(host), 0
    with running(sock, host):
        begin = time.monotonic()
        while (elapsed := time.monotonic() - begin) < 0.5:
            while count < 20_000 * elapsed:
                sender.sendto(b"x", ("127.0.0.1", sock.port))
                count += 1
            host.loop.turn(0)
        until(host.loop, lambda: len(host.lines) == count)
        assert len(host.chunks) < 1000
        host.settle(0.01)
        begin = time.monotonic()
        sender.sendto(b"alone", ("127.0.0.1", sock.port))
        while host.chunks[-1].data != b"alone\n":
            host.loop.turn(1)
        assert time.monotonic() - begin < 0.5
        for _ in range(3):  # closed while it rests
            sender.sendto(b"x", ("127.0.0.1", sock.port))
            host.loop.turn(0.1)


def test_room_for_many_datagrams() -> None:
    assert 1 << 18 <= udp.buffer_size() <= udp.LARGEST_BUFFER


def test_a_flood_of_addresses_is_bounded(host: TestHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "KNOWN_PEERS", 10)
    source = receiver(host)
    with running(source, host):
        for number in range(1, 100):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind((f"127.0.1.{number}", 0))
                sock.sendto(b"x", ("127.0.0.1", source.port))
            host.loop.turn(1)
    assert len(host.chunks) == 99
    begun = {chunk.stream for chunk in host.chunks}
    assert {event.split()[1] for event in host.events if event.startswith("forget")} == begun


def test_a_port_in_use(host: TestHost) -> None:
    with running(source := receiver(host), host):
        with pytest.raises(SourceError, match="another program listens there"):
            receiver(host, address=ListenAddress("udp", "127.0.0.1", source.port)).open()


def test_no_descriptor_is_left(host: TestHost, sender: socket.socket) -> None:
    before = os.listdir("/proc/self/fd")
    with closing(source := receiver(host)):
        source.open()
        sender.sendto(b"one", ("127.0.0.1", source.port))
        host.wait_for(b"one")
    source.close()
    assert os.listdir("/proc/self/fd") == before
