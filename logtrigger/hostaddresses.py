"""The addresses of this machine and of its gateways: a ban of one of those would cut it off.

Addresses come from the kernel by rtnetlink(7), gateways from /proc/net (proc(5)). Neither needs a privilege.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from itertools import islice

from logtrigger.addresses import AddressSet

_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_GROUPS = 0x10 | 0x100  # RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
_HEADER = struct.Struct("=IHHII")
_IFADDRMSG = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_ROUTES = 10_000  # lines of the routing tables that are read; the default routes are the first ones
_GATEWAY = 0x2  # RTF_GATEWAY


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """What must not be banned by itself."""

    own: AddressSet
    gateways: AddressSet


def read() -> HostAddresses:
    """As things are now; what cannot be found out is left out."""
    own, gateways = set[str](), set[str]()
    with suppress(OSError):
        own.update(_own())
    for found in (_gateways4(), _gateways6()):
        with suppress(OSError):
            gateways.update(found)
    return HostAddresses(AddressSet({"127.0.0.0/8", "::1", *own}), AddressSet(gateways - own))


def watch() -> socket.socket:
    """A socket that can be read when an address of this machine has come or gone. Raises OSError."""
    found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
    try:
        found.bind((0, _GROUPS))
    except OSError:
        found.close()
        raise
    return found


def _own() -> Iterator[str]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as kernel:
        kernel.settimeout(2.0)
        kernel.bind((0, 0))
        body = _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        kernel.send(_HEADER.pack(_HEADER.size + len(body), _RTM_GETADDR, _REQUEST_DUMP, 1, 0) + body)
        while True:
            data = kernel.recv(1 << 16)
            at = 0
            while at + _HEADER.size <= len(data):
                length, kind, *_ = _HEADER.unpack_from(data, at)
                if kind in (_NLMSG_DONE, _NLMSG_ERROR) or length < _HEADER.size:
                    return
                if kind == _RTM_NEWADDR:
                    yield from _address(data[at + _HEADER.size : at + length])
                at += (length + 3) & ~3


def _address(body: bytes) -> Iterator[str]:
    """The local address that a message tells of; the other end's, on a point-to-point link, is not ours."""
    attributes: dict[int, bytes] = {}
    at = _IFADDRMSG.size
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            break
        attributes[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    if packed and len(packed) in (4, 16):
        yield str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))


def _gateways4() -> Iterator[str]:
    """From lines of interface, destination, gateway, flags and more; numbers in hexadecimal, in the order of this machine."""
    with open("/proc/net/route", encoding="ascii") as table:
        for line in islice(table, 1, _ROUTES):
            words = line.split()
            if len(words) > 3 and int(words[3], 16) & _GATEWAY:
                yield str(IPv4Address(struct.pack("=I", int(words[2], 16))))


def _gateways6() -> Iterator[str]:
    """From lines of destination, its prefix, source, its prefix, next hop, metric, two counters, flags and interface."""
    with open("/proc/net/ipv6_route", encoding="ascii") as table:
        for line in islice(table, _ROUTES):
            words = line.split()
            if len(words) > 8 and int(words[8], 16) & _GATEWAY:
                yield str(IPv6Address(bytes.fromhex(words[4])))
