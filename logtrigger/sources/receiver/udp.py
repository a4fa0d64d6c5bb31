"""Syslog over UDP (RFC 5426): from this machine, or from those that `allow` names."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable
from operator import itemgetter

from logtrigger.addresses import AddressSet
from logtrigger.durations import amount
from logtrigger.loop import Timer
from logtrigger.model import Chunk
from logtrigger.sources.base import Host
from logtrigger.sources.receiver.addresses import ListenAddress, bound, unmapped
from logtrigger.sources.receiver.datagrams import Datagrams
from logtrigger.sources.receiver.notices import Notices

LONGEST = 1 << 16  # bytes of a datagram
LARGEST_BUFFER = 1 << 26  # bytes in the kernel; three seconds of 50,000 short messages, which take 768 bytes each there
SHARE_OF_MEMORY = 64  # no more than one byte of the machine's memory in so many
FEW = 64  # datagrams: where as few come again and again, a moment's rest lets more of them come at once
REST = 0.001  # seconds
KNOWN_PEERS = 4096  # whose lines are kept apart

# asm-generic/socket.h and linux/sock_diag.h: nine numbers, the last of which counts datagrams the kernel had no room for.
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")
_LOOK_EVERY = 1.0  # seconds


class UdpReceiver(Datagrams[str]):
    """Receives datagrams; what the kernel had to drop is noticed and reported.

    Each peer's lines are a stream of their own, so that no "last message repeated" means another peer's.
    """

    def __init__(self, host: Host, name: str, address: ListenAddress, allow: AddressSet) -> None:
        super().__init__(host, name, str(address), LONGEST)
        self.address = address
        self._allow = allow
        self._peers: dict[str, str] = {}  # the address as the socket tells it -> as it is written; "" where it may not send
        self._kernel_dropped = 0
        self._read = 0.0  # monotonic
        self._resting: Timer | None = None  # meanwhile the socket is not watched
        self._looked = 0.0  # monotonic
        what = f"{name}: {{count}} more datagrams to {address}"
        self._refused = Notices(host, 0, f"{what} were refused in the last minute, from senders that 'allow' does not name")
        self._lost = Notices(host, 0, f"{what} were lost in the last minute, as they came faster than they are read")

    def open(self) -> None:
        """Raises SourceError where that address cannot be listened on."""
        self._serve(bound(self.address, self.name), buffer_size())

    def close(self) -> None:
        if self._socket is None:
            return
        self._look_for_lost(self._socket)
        if self._resting is not None:
            self._resting.cancel()
            self._watch_again(self._socket)
        super().close()
        self._refused.close()
        self._lost.close()
        self._forget(self._peers)
        self._peers = {}

    @property
    def port(self) -> int:
        """That it listens on."""
        return int(self._socket.getsockname()[1]) if self._socket else self.address.port

    def _receive(self) -> None:
        if self._socket is not None and time.monotonic() - self._looked >= _LOOK_EVERY:
            self._look_for_lost(self._socket)
        while len(self._peers) > KNOWN_PEERS:  # those known longest go, before their lines of this turn are taken
            oldest = next(iter(self._peers))
            self._forget([oldest])
            del self._peers[oldest]
        super()._receive()

    def _batch(self) -> list[tuple[str, bytes]]:
        batch = super()._batch()
        now = time.monotonic()
        if self._socket is not None and self._resting is None and len(batch) < FEW and now - self._read < REST:
            self._host.loop.unwatch(self._socket.fileno())
            self._resting = self._host.loop.call_later(REST, self._go_on)
        self._read = now
        return batch

    def _go_on(self) -> None:
        if self._socket is not None:
            self._watch_again(self._socket)
            self._receive()

    def _watch_again(self, sock: socket.socket) -> None:
        self._resting = None
        self._host.loop.watch(sock.fileno(), self._receive)

    def _next(self, sock: socket.socket) -> tuple[str, bytes] | None:
        size, place = sock.recvfrom_into(self._buffer)
        host = place[0]
        peer = self._peers.get(host)
        if peer is None:
            peer = self._meet(host)
        if not peer:
            who = unmapped(host)
            self._refused.add(f"{self.name}: a datagram to {self._origin} from {who} was refused (add it to 'allow')")
            return None
        return (peer, bytes(self._view[:size])) if size else None

    def _in_order(self, batch: list[tuple[str, bytes]]) -> Iterable[tuple[str, bytes]]:
        """By peer: the network keeps no order between peers either."""
        batch.sort(key=itemgetter(0))
        return batch

    def _chunk(self, who: str, offset: int, data: bytes) -> Chunk:
        origin = f"{self._origin} from {who}"
        return Chunk(self.name, origin, f"{self._stream}-{who}", offset, offset + len(data), data, peer=who)

    def _meet(self, host: str) -> str:
        """A peer that is new to us: whether it may send."""
        peer = unmapped(host)
        self._peers[host] = peer = peer if not self._allow or peer in self._allow else ""
        return peer

    def _forget(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            if peer := self._peers[host]:
                self._host.forget(f"{self._stream}-{peer}")

    def _look_for_lost(self, sock: socket.socket) -> None:
        self._looked = time.monotonic()
        try:
            *_, dropped = _MEMINFO.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
        except (OSError, struct.error):
            return  # Linux before 4.12 does not tell
        lost = (dropped - self._kernel_dropped) % (1 << 32)
        self._kernel_dropped = dropped
        if lost:
            self._lost.add(
                f"{self.name}: {amount(lost, 'datagram')} to {self._origin} {'was' if lost == 1 else 'were'} lost,"
                " as they came faster than they are read"
                " (send by tcp: or tls:, which wait)",
                lost,
            )


def buffer_size() -> int:
    """Bytes of datagrams that may wait in the kernel."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(LARGEST_BUFFER, memory // SHARE_OF_MEMORY)
