"""Serves the control socket within the daemon's loop: nobody who talks to it, or stops to, holds anything up.

Rows are made as the socket takes them, some hundred at a time, so that neither a long answer nor a slow reader costs
memory or time that others need.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import Any

from logtrigger.control.listener import Listener, Report, user_of
from logtrigger.control.protocol import LONGEST, No, Refused, Request, Row, Rows, Wait, line, request
from logtrigger.loop import Loop

MOST = 64  # connections
PATIENCE = 30.0  # seconds until a client is left that asks nothing, or does not read its answer
_LOOK_EVERY = 5.0  # seconds
_ROWS, _ROOM = 200, 32 << 10  # rows or bytes that are made in one go
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Answer = Callable[[Request], Rows]


class Server:
    """The socket and its connections.

    Args:
        loop: where it all happens.
        report: tells the operator.
        answer: gives the rows of a request; it raises Refused, or its rows do, where there are none.
    """

    def __init__(self, loop: Loop, report: Report, answer: Answer) -> None:
        self.loop, self.report, self.answer = loop, report, answer
        self._listener: Listener | None = None
        self._open: set[Connection] = set()
        self._looking = self._resting = False

    def serve(self, path: Path, group: str = "") -> None:
        """Listen at this path, for the members of this group too. Where that cannot be, it is reported, and the old one stays.

        Raises:
            ControlError: another process serves that path.
        """
        if self._listener is not None and (path, group) == (self._listener.path, self._listener.group):
            return
        if self._listener is not None and path == self._listener.path:
            self._stop_listening()
        try:
            listener = Listener(path, group, self.report)
        except OSError as error:
            way_out = "until then commands such as 'logtrigger status' get no answer"
            fault = f"{path}: the control socket cannot be made: {error.strerror or error}"
            self.report(0, f"{fault}: name another place with 'option control'; {way_out}")
            return
        self._stop_listening()
        self._listener = listener
        self.loop.watch(listener.socket.fileno(), self._accept)

    def close(self) -> None:
        """Leave everybody, and take the socket away."""
        for connection in list(self._open):
            connection.close()
        self._stop_listening()

    def left(self, connection: Connection) -> None:
        """A connection is closed."""
        self._open.discard(connection)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            if not self._resting:
                self.loop.unwatch(self._listener.socket.fileno())
            self._resting = False
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            peer, _ = self._listener.socket.accept()
        except OSError as error:
            if error.errno in _FULL:
                self._rest(self._listener, error)
            return
        peer.setblocking(False)
        user = user_of(peer)
        if not self._listener.is_welcome(peer, user):
            _turn_away(peer, Refused(f"user {user} may not use this socket", self._who_may()))
        elif len(self._open) >= MOST:
            _turn_away(peer, Refused(f"{MOST} connections are open already", "close some of them"))
        else:
            self._open.add(Connection(self, peer, user))
            self._look_later()

    def _who_may(self) -> str:
        group = self._listener.group if self._listener else ""
        also = f", and members of group {group}" if group else "; 'option control_group' lets a group in"
        return f"root may{also}"

    def _rest(self, listener: Listener, error: OSError) -> None:
        """There is no room for one more: to be told of it again and again would take all our time."""
        self.report(0, f"{listener.path}: nobody can be let in for a second: {error.strerror}")
        self.loop.unwatch(listener.socket.fileno())
        self._resting = True

        def go_on() -> None:
            if self._resting and self._listener is listener:
                self._resting = False
                self.loop.watch(listener.socket.fileno(), self._accept)

        self.loop.call_later(1.0, go_on)

    def _look_later(self) -> None:
        if not self._looking and self._open:
            self._looking = True
            self.loop.call_later(_LOOK_EVERY, self._look)

    def _look(self) -> None:
        """Leave those who have said and read nothing for too long."""
        self._looking = False
        now = time.monotonic()
        for connection in list(self._open):
            if connection.is_idle(now):
                connection.close()
        self._look_later()


class Connection:
    """One client: its requests, one after the other, and what of the answer is not sent yet."""

    def __init__(self, server: Server, peer: socket, user: int) -> None:
        self._server, self._peer, self._user = server, peer, user
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._rows: Rows | None = None  # of the request that is being answered
        self._command = ""
        self._waits: Wait | None = None  # for what these rows have asked for
        self._brought: Any = None
        self._said_all = False  # the client sends no more
        self._is_last = False  # close once all is sent
        self._closed = False
        self._stirred = time.monotonic()
        self._watched: tuple[bool, bool] = (True, False)
        server.loop.watch(peer.fileno(), self._receive)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if any(self._watched):
            self._server.loop.unwatch(self._peer.fileno())
        self._peer.close()
        if self._rows is not None:
            self._rows.close()
        self._server.left(self)

    def is_idle(self, now: float) -> bool:
        """Whether the other side has not stirred for too long; it may wait for us as long as it likes."""
        return (self._waits is None or bool(self._outgoing)) and now - self._stirred > PATIENCE

    # In

    def _receive(self) -> None:
        try:
            data = self._peer.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._stirred = time.monotonic()
        self._said_all = not data
        self._incoming += data
        if self._said_all and (self._rows is None or (self._waits is not None and self._waits.for_ever)):
            self.close()
            return
        self._go_on()

    def _next(self) -> None:
        """Begin with the next request, if there is a whole one."""
        raw, found, rest = self._incoming.partition(b"\n")
        if len(raw) > LONGEST:
            self._refuse(Refused(f"this request is longer than {LONGEST} bytes", "ask for less at once"))
        elif found:
            self._incoming = rest
            try:
                asked = request(bytes(raw), self._user)
            except Refused as error:
                self._refuse(error)  # what follows may be no request either
                return
            self._command = asked.command
            self._rows = self._guarded(asked)

    def _guarded(self, asked: Request) -> Rows:
        """The rows of a request, and a last one that says how it ended."""
        try:
            summary = yield from self._server.answer(asked)
            yield {"end": "done", **(summary or {})}
        except No as no:
            yield {"end": "no", "text": str(no)}
        except Refused as error:
            yield _refusal(error)
        except Exception as error:  # the outer edge of one request: whatever it is, the daemon goes on
            fault = f"a fault of logtrigger's own: {error!r}"
            self._server.report(0, f"control socket, {self._command!r}: {fault}")
            yield _refusal(Refused(fault, "please report it"))

    def _refuse(self, error: Refused) -> None:
        self._incoming.clear()
        self._outgoing += line(_refusal(error))
        self._is_last = True

    # Out

    def _go_on(self) -> None:
        """Answer as much as can be sent now, a batch of rows at most; the rest when the loop comes round again."""
        if self._closed:
            return
        if self._rows is None and not self._outgoing and not self._is_last:
            self._next()
        if self._rows is not None and self._waits is None and len(self._outgoing) < _ROOM:
            self._make()
        if not self._send():
            return
        if self._outgoing or (self._rows is not None and self._waits is None) or (self._rows is None and self._has_line()):
            self._watch(write=True)
        elif self._rows is None and (self._is_last or self._said_all):
            self.close()
        else:
            self._watch(read=not self._said_all and len(self._incoming) <= LONGEST)

    def _has_line(self) -> bool:
        return not self._is_last and (b"\n" in self._incoming or len(self._incoming) > LONGEST)

    def _make(self) -> None:
        """Some more rows."""
        assert self._rows is not None
        for _ in range(_ROWS):
            try:
                item = self._rows.send(self._brought)
            except StopIteration:
                self._rows = None
                return
            self._brought = None
            if isinstance(item, Wait):
                self._waits = item
                item.ask(lambda what, wait=item: self._bring(wait, what))  # type: ignore[misc]
                if self._waits is not None:
                    return
            else:
                self._outgoing += line(item)
                if len(self._outgoing) >= _ROOM:
                    return

    def _bring(self, wait: Wait, what: Any) -> None:
        """What the rows have waited for has come."""
        if self._waits is wait and not self._closed:
            self._waits, self._brought = None, what
            self._server.loop.call_soon(self._go_on)

    def _send(self) -> bool:
        """Send what can be; False: the other side is gone."""
        try:
            while self._outgoing:
                sent = self._peer.send(self._outgoing)
                del self._outgoing[:sent]
                self._stirred = time.monotonic()
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return False
        return True

    def _watch(self, *, read: bool = False, write: bool = False) -> None:
        """While we wait for room nothing is read: who does not listen need not talk."""
        wanted, self._watched, before = (read, write), (read, write), self._watched
        if wanted == before:
            return
        loop, number = self._server.loop, self._peer.fileno()
        if not any(wanted):
            loop.unwatch(number)
            return
        if not any(before):
            loop.watch(number, self._receive)
        loop.change(number, self._receive if read else None, self._go_on if write else None)


def _refusal(error: Refused) -> Row:
    return {"end": "error", "error": error.error, "remedy": error.remedy}


def _turn_away(peer: socket, why: Refused) -> None:
    with suppress(OSError):
        peer.send(line(_refusal(why)))
    peer.close()
