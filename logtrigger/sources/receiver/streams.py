"""Syslog over TCP: connections, each with a fair share of time, memory and places."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from logtrigger.addresses import AddressSet
from logtrigger.loop import Timer
from logtrigger.model import Chunk, Position
from logtrigger.sources.base import Host
from logtrigger.sources.receiver.addresses import ListenAddress, bound, unmapped
from logtrigger.sources.receiver.framing import Frames
from logtrigger.sources.receiver.notices import Notices
from logtrigger.sources.tail import new_stream

TURN = 1 << 20  # bytes that all connections together are read in a turn, about
MOST, LEAST = 1 << 16, 1 << 12  # bytes that one connection is read in a turn
ACCEPTED = 16  # connections a turn
ACCEPT_AGAIN = 1.0  # seconds, when there were no descriptors left
HELD = 1 << 26  # bytes of unfinished messages, of all connections together
HELD_ONE = 1 << 16  # from where on one connection's are looked at
LOOKS = 4  # for overdue connections, within the time that one has
FAULTS = 10  # that are reported one by one, in a minute


@dataclass(frozen=True, slots=True)
class Limits:
    """What connections may take of us."""

    connections: int = 500
    idle: float = 600.0  # seconds without a byte


class Connection:
    """One peer's stream, from its first byte to its last."""

    def __init__(self, listener: StreamListener, sock: socket.socket, peer: str) -> None:
        self.peer = peer
        self.heard = time.monotonic()
        self._listener = listener
        self._socket: socket.socket | None = sock
        self._frames = Frames(listener.host.max_line)
        self._origin = f"{listener.address} from {peer}"
        self._stream = new_stream()
        self._offset = 0

    @property
    def held(self) -> int:
        """Bytes that are kept of it."""
        return self._frames.held

    def watch(self) -> None:
        """Read on."""
        if self._socket is not None:
            self.heard = time.monotonic()
            self._listener.host.loop.watch(self._socket.fileno(), self._read)

    def unwatch(self) -> None:
        """Leave in the kernel what comes, which makes the peer wait."""
        if self._socket is not None:
            self._listener.host.loop.unwatch(self._socket.fileno())

    def look(self, now: float) -> None:
        """End it, if it has been silent for too long by now (monotonic)."""
        idle = self._listener.limits.idle
        if now - self.heard < idle:
            return
        if self._frames.unfinished:
            self.close(f"it was silent for {idle:g} s, in the middle of a message")
        else:  # which is no fault
            self._listener.host.report(3, f"{self._listener.name}: {self._origin}: silent for {idle:g} s; ended")
            self.close()

    def close(self, fault: str = "") -> None:
        """End it, because of a fault or in peace."""
        if self._socket is None:
            return
        if not self._listener.paused:
            self.unwatch()
        self._part(self._socket)
        self._socket = None
        self._listener.ended(self, fault)
        if self._offset:
            self._listener.host.forget(self._stream)

    def _take(self, sock: socket.socket, most: int) -> bytes | None:
        """What has come, up to so many bytes; None: nothing yet, empty: the end."""
        try:
            return sock.recv(most)
        except (BlockingIOError, InterruptedError):
            return None

    def _why(self, error: OSError) -> str:
        return f"it broke off: {error.strerror or error}"

    def _part(self, sock: socket.socket) -> None:
        sock.close()

    def _read(self) -> None:
        sock = self._socket
        if sock is None or self._listener.paused:
            return
        try:
            data = self._take(sock, self._listener.turn_size)
        except OSError as error:
            self.close(self._why(error))
            return
        if data is None:
            return
        if not data:
            self._end()
            return
        self.heard = time.monotonic()
        self._deliver(self._frames.feed(data))
        if self._frames.fault:
            self.close(self._frames.fault)
        elif self._frames.held > HELD_ONE:
            self._listener.limit_held()

    def _end(self) -> None:
        """The peer has said all it wanted to say."""
        self._deliver(self._frames.finish())
        self.close("it ended in the middle of a message" if self._frames.unfinished else "")

    def _deliver(self, data: bytes) -> None:
        if data:
            offset, self._offset = self._offset, self._offset + len(data)
            source = self._listener.name
            self._listener.host.deliver(Chunk(source, self._origin, self._stream, offset, self._offset, data, peer=self.peer))


class StreamListener:
    """Accepts connections of those who may send, as many as there may be.

    Where all places are taken, a newcomer gets that of the peer which has most, if it has at least two more: nobody can
    keep the others out. Refused peers and faults are reported in moderation. While it is paused nothing is read.
    """

    def __init__(self, host: Host, name: str, address: ListenAddress, allow: AddressSet, limits: Limits) -> None:
        self.name = name
        self.host = host
        self.address = address
        self.limits = limits
        self.paused = False
        self._allow = allow
        self._socket: socket.socket | None = None
        self._connections: dict[Connection, None] = {}  # in the order of their coming
        self._peers: Counter[str] = Counter()  # how many connections each has
        self._again: Timer | None = None
        self._look: Timer | None = None  # for overdue connections, as long as there are any
        what = f"{name}: {{count}} more connections to {address}"
        self._refused = Notices(host, 0, f"{what} were refused in the last minute, from peers that 'allow' does not name")
        self._full = Notices(host, 0, f"{what} found no place in the last minute")
        self._faults = Notices(host, 0, f"{what} were ended in the last minute for faults such as those named before", FAULTS)

    def open(self) -> None:
        """Raises SourceError where that address cannot be listened on."""
        self._socket = bound(self.address, self.name)
        if not self.paused:
            self._listen()

    def close(self) -> None:
        if self._socket is None:
            return
        if not self.paused:
            self._unlisten()
        if self._look is not None:
            self._look.cancel()
        for connection in list(self._connections):
            connection.close()
        self._socket.close()
        self._socket = None
        for notices in (self._refused, self._full, self._faults):
            notices.close()

    def pause(self) -> None:
        if self.paused:
            return
        if self._socket is not None:
            self._unlisten()
            for connection in self._connections:
                connection.unwatch()
        self.paused = True

    def resume(self) -> None:
        if not self.paused:
            return
        self.paused = False
        if self._socket is not None:
            self._listen()
            for connection in self._connections:
                connection.watch()

    def positions(self) -> Iterable[Position]:
        return ()

    @property
    def port(self) -> int:
        """That it listens on."""
        return int(self._socket.getsockname()[1]) if self._socket else self.address.port

    @property
    def patience(self) -> float:
        """Seconds after which a connection may be overdue."""
        return self.limits.idle

    # For its connections

    @property
    def turn_size(self) -> int:
        """Bytes that one connection may be read in a turn: less, when there are many."""
        return max(LEAST, min(MOST, TURN // max(1, len(self._connections))))

    def ended(self, connection: Connection, fault: str) -> None:
        """A connection is closed."""
        self._connections.pop(connection, None)
        place = _place(connection.peer)
        self._peers[place] -= 1
        if not self._peers[place]:
            del self._peers[place]
        if fault:
            self._faults.add(f"{self.name}: the connection of {connection.peer} to {self.address} was ended: {fault}")

    def limit_held(self) -> None:
        """End the connection that makes us keep most, when all together make us keep too much."""
        if sum(connection.held for connection in self._connections) > HELD:
            most = max(self._connections, key=lambda connection: connection.held)
            most.close(f"its message has {most.held} bytes and no end, and others do the same")

    # Newcomers

    def _connect(self, sock: socket.socket, peer: str) -> Connection:
        return Connection(self, sock, peer)

    def _listen(self) -> None:
        if self._socket is not None and self._again is None:
            self.host.loop.watch(self._socket.fileno(), self._accept)

    def _unlisten(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        elif self._socket is not None:
            self.host.loop.unwatch(self._socket.fileno())

    def _accept(self) -> None:
        for _ in range(ACCEPTED):
            if self._socket is None or self.paused:
                return
            try:
                sock, place = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._cannot_accept(error)
                return
            self._admit(sock, unmapped(place[0]))

    def _cannot_accept(self, error: OSError) -> None:
        """A peer that is gone already is nothing; without descriptors, the others wait a little."""
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            self._full.add(f"{self.name}: {self.address} takes no more connections now: {os.strerror(error.errno)}")
            self._unlisten()
            self._again = self.host.loop.call_later(ACCEPT_AGAIN, self._accept_again)

    def _accept_again(self) -> None:
        self._again = None
        self._listen()

    def _admit(self, sock: socket.socket, peer: str) -> None:
        if self._allow and peer not in self._allow:
            sock.close()
            self._refused.add(f"{self.name}: a connection of {peer} to {self.address} was refused (add it to 'allow')")
            return
        if len(self._connections) >= self.limits.connections and not self._make_room(peer):
            sock.close()
            self._full.add(
                f"{self.name}: a connection of {peer} to {self.address} found no place"
                f" (max_connections is {self.limits.connections})"
            )
            return
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            connection = self._connect(sock, peer)
        except OSError:
            sock.close()
            return  # it has gone already
        self._connections[connection] = None
        self._peers[_place(peer)] += 1
        connection.watch()
        if self._look is None:
            self._look_later()

    def _make_room(self, peer: str) -> bool:
        """End the longest silent connection of the peer that has most, if the newcomer will still have fewer."""
        hog, most = self._peers.most_common(1)[0]
        if most < self._peers[_place(peer)] + 2:
            return False
        theirs = [connection for connection in self._connections if _place(connection.peer) == hog]
        min(theirs, key=lambda connection: connection.heard).close("others need its place, and it has more of them")
        return True

    def _look_later(self) -> None:
        self._look = self.host.loop.call_later(self.patience / LOOKS, self._end_overdue)

    def _end_overdue(self) -> None:
        self._look = None
        now = time.monotonic()
        for connection in list(self._connections):
            if not self.paused:  # in a pause they wait for us
                connection.look(now)
        if self._connections:
            self._look_later()


def _place(peer: str) -> str:
    """What counts as one peer: an IPv4 address, or the network that somebody with IPv6 chooses addresses from."""
    return str(ipaddress.ip_network((peer, 64), strict=False)) if ":" in peer else peer
