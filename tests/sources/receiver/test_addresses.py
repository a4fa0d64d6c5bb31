"""What `listen` may say, and the sockets it stands for."""

from __future__ import annotations

import errno
import re
import socket

import pytest

from logtrigger.errors import SourceError
from logtrigger.sources.receiver.addresses import ListenAddress, bound, needs_allow, parse_listen, unmapped


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("unix:/dev/log", ListenAddress("unix", path="/dev/log"), "/dev/log"),
        ("udp:514", ListenAddress("udp", "127.0.0.1", 514), "udp 127.0.0.1:514"),
        ("udp:127.0.0.1:514", ListenAddress("udp", "127.0.0.1", 514), "udp 127.0.0.1:514"),
        ("tcp:[::1]:601", ListenAddress("tcp", "::1", 601), "tcp [::1]:601"),
        ("tcp:[0:0::1]:601", ListenAddress("tcp", "::1", 601), "tcp [::1]:601"),
        ("tls:*:6514", ListenAddress("tls", "*", 6514), "tls *:6514"),
        ("tls:0.0.0.0:65535", ListenAddress("tls", "0.0.0.0", 65535), "tls 0.0.0.0:65535"),
    ],
)
def test_address(text: str, address: ListenAddress, shown: str) -> None:
    assert parse_listen(text) == address
    assert str(address) == shown


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("", "write one such as unix:/dev/log, udp:514"),
        ("udp", "write one such as"),
        ("514", "write one such as"),
        ("dtls:514", "write one such as"),
        ("UDP:514", "write one such as"),
        ("udp:", "write an address and a port"),
        ("udp:127.0.0.1", "write an address and a port, such as udp:192.0.2.1:514"),
        ("udp::514", "write udp:514 for this machine only, or udp:*:514 for every address"),
        ("udp:localhost:514", "write an address, not a name: udp:127.0.0.1:514"),
        ("udp:127.1:514", "write an address, not a name"),
        ("udp:[127.0.0.1]:514", "write an address, not a name"),
        ("tcp:::1:514", "write brackets around an IPv6 address: tcp:[::1]:514"),
        ("tcp:2001:db8::1:514", "write brackets around an IPv6 address: tcp:[2001:db8::1]:514"),
        ("udp:0", "write a port from 1 to 65535"),
        ("udp:65536", "write a port from 1 to 65535"),
        ("udp:-1", "write an address and a port"),
        ("udp:٥١٤", "write an address and a port"),
        ("unix:log", "write a path that begins with /"),
        ("unix:", "write a path that begins with /"),
        ("unix:/" + "a" * 107, "at most 107 bytes"),
        ("unix:/a\0b", "write a path"),
    ],
)
def test_no_address(text: str, way_out: str) -> None:
    with pytest.raises(ValueError, match=re.escape(way_out)):
        parse_listen(text)


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("unix:/dev/log", False),
        ("udp:514", False),
        ("udp:127.0.0.53:514", False),
        ("tcp:[::1]:514", False),
        ("udp:0.0.0.0:514", True),
        ("udp:*:514", True),
        ("tcp:[::]:514", True),
        ("tcp:192.0.2.1:514", True),
        ("tls:[fe80::1]:514", True),
    ],
)
def test_who_reaches_it(text: str, needs: bool) -> None:
    assert needs_allow(parse_listen(text)) is needs


@pytest.mark.parametrize("kind", ["udp", "tcp", "tls"])
def test_a_port_in_use(kind: str) -> None:
    with bound(ListenAddress(kind, "127.0.0.1", 0), "net") as first:
        port = first.getsockname()[1]
        wanted = rf"net: cannot listen on {kind} 127.0.0.1:{port}: Address already in use \(another program listens there"
        with pytest.raises(SourceError, match=wanted):
            bound(ListenAddress(kind, "127.0.0.1", port), "net")


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(SourceError, match=r"Cannot assign requested address \(this machine has no such address"):
        bound(ListenAddress("udp", "192.0.2.1", 5514), "net")


def test_a_port_that_is_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(sock: socket.socket, address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(SourceError, match=r"net: cannot listen on udp 127.0.0.1:514: Permission denied \(ports below 1024"):
        bound(ListenAddress("udp", "127.0.0.1", 514), "net")


def test_every_address_is_of_both_families() -> None:
    with bound(ListenAddress("udp", "*", 0), "net") as sock:
        port = sock.getsockname()[1]
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", (host, port))
            assert unmapped(sock.recvfrom(10)[1][0]) == host


def test_all_of_ipv6_is_not_ipv4() -> None:
    with bound(ListenAddress("tcp", "::", 0), "net") as sock, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sock.getsockname()[1]))
