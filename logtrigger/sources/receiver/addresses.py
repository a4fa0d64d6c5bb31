"""Where a receiver listens: the words of `listen`, and the sockets they stand for."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from dataclasses import dataclass

from logtrigger.errors import SourceError

EXAMPLES = "unix:/dev/log, udp:514 (this machine only), tcp:192.0.2.1:601 or tls:*:6514 (every address)"
EVERYWHERE = "*"  # every address of the machine, IPv4 and IPv6
LONGEST_PATH = 107  # bytes, unix(7): sun_path and its closing NUL
BACKLOG = 128  # connections that wait to be accepted

_ADDRESS = re.compile(r"(?:(?P<host>\[[^\]]*\]|[^:]*):)?(?P<port>[0-9]{1,5})")
_PACKETS = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM, "tls": socket.SOCK_STREAM}
_WAYS_OUT = {
    errno.EADDRINUSE: "another program listens there: stop it, or choose another port",
    errno.EACCES: "ports below 1024 are root's: run as root, or choose a higher one",
    errno.EPERM: "something forbids it: run as root, or choose a higher port",
    errno.EADDRNOTAVAIL: "this machine has no such address: `ip address` shows those it has",
    errno.EAFNOSUPPORT: "this machine speaks no IPv6: listen on an IPv4 address",
}


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """One `listen`: a path, or an address and a port.

    >>> print(ListenAddress("udp", "::1", 514))
    udp [::1]:514
    """

    kind: str  # unix, udp, tcp or tls
    host: str = ""  # an address as its canonical text, or EVERYWHERE; of unix nothing
    port: int = 0
    path: str = ""  # of unix

    def __str__(self) -> str:
        """What a person is shown."""
        if self.kind == "unix":
            return self.path
        return f"{self.kind} [{self.host}]:{self.port}" if ":" in self.host else f"{self.kind} {self.host}:{self.port}"


def parse_listen(text: str) -> ListenAddress:
    """What one `listen` says. A port alone is on the loopback address: for this machine only.

    >>> parse_listen("tcp:[::]:601")
    ListenAddress(kind='tcp', host='::', port=601, path='')

    Raises:
        ValueError: says what to write instead.
    """
    kind, colon, place = text.partition(":")
    if kind == "unix" and colon:
        if not place.startswith("/") or len(os.fsencode(place)) > LONGEST_PATH or "\0" in place:
            raise ValueError(f"write a path that begins with / and has at most {LONGEST_PATH} bytes, such as unix:/dev/log")
        return ListenAddress(kind, path=place)
    if kind not in _PACKETS or not colon:
        raise ValueError(f"write one such as {EXAMPLES}")
    found = _ADDRESS.fullmatch(place)
    if not found:
        raise ValueError(_what_to_write(kind, place))
    port = int(found["port"])
    if not 1 <= port <= 65_535:
        raise ValueError("write a port from 1 to 65535")
    if found["host"] is None:
        return ListenAddress(kind, "127.0.0.1", port)
    return ListenAddress(kind, _host(kind, found["host"], port), port)


def needs_allow(address: ListenAddress) -> bool:
    """Whether others than this machine reach it, so that `allow` must say who may send."""
    return address.kind != "unix" and (address.host == EVERYWHERE or not ipaddress.ip_address(address.host).is_loopback)


def bound(address: ListenAddress, name: str) -> socket.socket:
    """A socket that listens there, of UDP or TCP, without blocking. Raises SourceError."""
    host = {EVERYWHERE: "::"}.get(address.host, address.host)
    try:
        try:
            return _bound(address, host)
        except OSError as error:
            if address.host != EVERYWHERE or error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
            return _bound(address, "0.0.0.0")  # a machine without IPv6
    except OSError as error:
        way_out = _WAYS_OUT.get(error.errno or 0, "correct 'listen'")
        raise SourceError(f"{name}: cannot listen on {address}: {os.strerror(error.errno or 0)} ({way_out})") from error


def unmapped(host: str) -> str:
    """A peer's address as it would be written: IPv4 as IPv4, without the zone of a link-local one.

    >>> unmapped("::ffff:192.0.2.7"), unmapped("fe80::1%eth0")
    ('192.0.2.7', 'fe80::1')
    """
    host = host.partition("%")[0]
    return host[7:] if host.startswith("::ffff:") and "." in host else host


def _bound(address: ListenAddress, host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, _PACKETS[address.kind] | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.host != EVERYWHERE))
        if sock.type == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of an earlier run may still be ending
        sock.bind((host, address.port))
        if sock.type == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _host(kind: str, text: str, port: int) -> str:
    if text == EVERYWHERE:
        return text
    if not text:
        raise ValueError(f"write {kind}:{port} for this machine only, or {kind}:{EVERYWHERE}:{port} for every address")
    try:
        if text.startswith("["):
            return str(ipaddress.IPv6Address(text[1:-1]))
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError(f"write an address, not a name: {kind}:127.0.0.1:{port}, or {kind}:[::1]:{port}") from None


def _what_to_write(kind: str, place: str) -> str:
    host, _, port = place.rpartition(":")
    if host.count(":") > 1 and not host.startswith("["):
        return f"write brackets around an IPv6 address: {kind}:[{host}]:{port}"
    return f"write an address and a port, such as {kind}:192.0.2.1:514 or {kind}:[::1]:514"
