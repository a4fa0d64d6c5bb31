"""Talking to the kernel's packet filter over netlink(7): short questions, long lists read bit by bit, news of changes.

Only what is asked and heard here is written by hand; nftables rulesets are libnftables' to write. Numbers are those of
linux/netlink.h and linux/netfilter/nfnetlink.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from logtrigger.errors import FirewallError
from logtrigger.loop import Loop

NETLINK_NETFILTER = 12
NFTABLES = 10 << 8  # the subsystems; a message's type is one of them and the number of a command
IPSET = 6 << 8

NO_PERMISSION = "not permitted: this needs root, or the capability CAP_NET_ADMIN"

_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: what is listed has changed meanwhile
_ERROR, _DONE = 2, 3
_NESTED, _NET_BYTEORDER = 0x8000, 0x4000
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_FAMILY = struct.Struct("=BBH")  # struct nfgenmsg
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_ROOM = 1 << 17  # bytes; the kernel's pieces have up to 32 KiB
_PATIENCE = 10.0  # seconds that the kernel may take to answer
_BUFFER = 4 << 20  # bytes of news that may wait


class Message(NamedTuple):
    """One message, without its headers."""

    type: int
    flags: int
    sequence: int
    port: int  # whose request, or whose doing, it is
    family: int
    body: memoryview


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute, padded to four bytes.

    >>> attribute(2, b"a").hex(" ")
    '05 00 02 00 61 00 00 00'
    """
    return _ATTRIBUTE.pack(len(value) + 4, kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *inner: bytes) -> bytes:
    """Attributes within one."""
    return attribute(kind | _NESTED, b"".join(inner))


def name(kind: int, text: str) -> bytes:
    """A text, with the zero byte that ends it."""
    return attribute(kind, text.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """Four bytes in the order of the network, marked as such."""
    return attribute(kind | _NET_BYTEORDER, value.to_bytes(4, "big"))


def network_bytes(kind: int, value: bytes) -> bytes:
    """Bytes in the order of the network, such as an address, marked as such."""
    return attribute(kind | _NET_BYTEORDER, value)


def each_attribute(body: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The attributes in their order, by their bare types."""
    at = 0
    while at + 4 <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < 4:
            return
        yield kind & 0x3FFF, body[at + 4 : at + length]
        at += (length + 3) & ~3


def attributes(body: memoryview) -> dict[int, memoryview]:
    """The attributes by their types; of those with the same type the last."""
    return dict(each_attribute(body))


def text(value: memoryview | None) -> str:
    """A name as it stands in an attribute; empty where there is none."""
    return "" if value is None else bytes(value).rstrip(b"\0").decode("utf-8", "replace")


def messages(data: bytes) -> Iterator[Message]:
    """The messages of a datagram."""
    view = memoryview(data)
    at = 0
    while at + _HEADER.size <= len(view):
        length, kind, flags, sequence, port = _HEADER.unpack_from(view, at)
        if length < _HEADER.size:
            return
        start = at + _HEADER.size
        if kind in (_ERROR, _DONE):
            yield Message(kind, flags, sequence, port, 0, view[start : at + length])
        else:
            yield Message(kind, flags, sequence, port, view[start], view[start + _FAMILY.size : at + length])
        at += (length + 3) & ~3


class Netlink:
    """A socket for questions. It belongs to the network namespace that its maker is in."""

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        except OSError as error:
            raise FirewallError(f"the kernel offers no netfilter: {error.strerror}") from None
        self._socket.bind((0, 0))
        self._socket.settimeout(_PATIENCE)
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def ask(self, kind: int, family: int, body: bytes = b"", *, flags: int = _ACK) -> list[Message]:
        """Send one request and wait for all of the answer.

        Raises:
            OSError: the kernel's answer is an error, whose number may be one of a subsystem's own.
        """
        sequence = self.send(kind, family, body, flags)
        answer: list[Message] = []
        while True:
            for message in messages(self._socket.recv(_ROOM)):
                if message.sequence != sequence:
                    continue  # the rest of an answer that nobody waited for
                if message.type in (_ERROR, _DONE):
                    raise_error(message)
                    return answer
                answer.append(message)

    def all_of(self, kind: int, family: int, body: bytes = b"") -> list[Message]:
        """Wait for a whole list; for short ones. Raises OSError as `ask`."""
        return self.ask(kind, family, body, flags=_DUMP)

    def send(self, kind: int, family: int, body: bytes, flags: int) -> int:
        """Send a request; the sequence number that its answer will bear."""
        self._sequence += 1
        length = _HEADER.size + _FAMILY.size + len(body)
        head = _HEADER.pack(length, kind, _REQUEST | flags, self._sequence, 0) + _FAMILY.pack(family, 0, 0)
        self._socket.sendto(head + body, (0, 0))
        return self._sequence


class Listing:
    """Reads long lists from the kernel, a piece in each turn of the loop.

    Where a list changes while it is read, it is read again, and so it is until a reading shows nothing new: while the kernel
    makes a hash of nftables larger, its list misses some and does not say so. All that any reading has shown is told.
    """

    TRIES = 6

    def __init__(
        self,
        loop: Loop,
        requests: list[tuple[int, int, bytes]],
        on_message: Callable[[Message], int],
        done: Callable[[bool], None],
    ) -> None:
        """Ask for each list (type, family, body) in turn.

        `on_message` tells how many entries of a piece are new to it; `done` hears whether all could be read.
        """
        self._loop = loop
        self._left = list(requests)
        self._tries = 0
        self._again = False
        self._on_message = on_message
        self._done = done
        self._socket: socket.socket | None = None
        self._sequence = 0
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, NETLINK_NETFILTER
            )
            self._socket.bind((0, 0))
            loop.watch(self._socket.fileno(), self._read)
            self._next()
        except OSError:
            self._end(False)

    def cancel(self) -> None:
        """Stop, without a word to `done`."""
        if self._socket is not None:
            with suppress(KeyError):
                self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _next(self) -> None:
        if not self._left:
            self._end(True)
            return
        assert self._socket is not None
        kind, family, body = self._left[0]
        self._sequence += 1
        self._again = False
        length = _HEADER.size + _FAMILY.size + len(body)
        head = _HEADER.pack(length, kind, _REQUEST | _DUMP, self._sequence, 0) + _FAMILY.pack(family, 0, 0)
        self._socket.sendto(head + body, (0, 0))

    def _read(self) -> None:
        if self._socket is None:
            return
        try:
            for message in messages(self._socket.recv(_ROOM)):
                if message.sequence == self._sequence:
                    self._take(message)
        except BlockingIOError:
            pass
        except OSError:
            self._end(False)

    def _take(self, message: Message) -> None:
        self._again |= bool(message.flags & _INTERRUPTED)
        if message.type not in (_ERROR, _DONE):
            self._again |= self._on_message(message) > 0
            return
        raise_error(message)
        self._tries += 1
        if not self._again or self._tries == self.TRIES:
            self._tries = 0
            del self._left[0]
        self._next()

    def _end(self, whole: bool) -> None:
        if self._socket is not None:
            self.cancel()
        self._loop.call_soon(lambda: self._done(whole))


class News:
    """Hears what is changed in the nftables of this network namespace, by whomever."""

    def __init__(self, on_message: Callable[[Message], None], on_overflow: Callable[[], None]) -> None:
        """`on_message` gets each message of anybody whose port is not in `own`; `on_overflow` is told when some were lost."""
        self.own: set[int] = set()
        self._on_message = on_message
        self._on_overflow = on_overflow
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, NETLINK_NETFILTER
        )
        try:
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
                self._socket.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), _BUFFER)
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, 7)  # NFNLGRP_NFTABLES
        except OSError as error:
            self._socket.close()
            why = NO_PERMISSION if error.errno == errno.EPERM else os.strerror(error.errno or 0)
            raise FirewallError(f"cannot hear of changes to the firewall: {why}") from None

    def fileno(self) -> int:
        """The descriptor that can be read when news has come."""
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def read(self) -> None:
        """Take all that has come."""
        while True:
            try:
                data = self._socket.recv(_ROOM)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS
                self._on_overflow()
                continue
            # A datagram holds messages of one transaction, hence of one sender: ours are passed over as a whole.
            if len(data) >= _HEADER.size and _HEADER.unpack_from(data)[4] not in self.own:
                for message in messages(data):
                    self._on_message(message)


def raise_error(message: Message) -> None:
    """Raise what an answer's end says, if it says that something went wrong."""
    if len(message.body) >= 4:
        (code,) = struct.unpack_from("=i", message.body)
        if code < 0:
            raise OSError(-code, os.strerror(-code))
