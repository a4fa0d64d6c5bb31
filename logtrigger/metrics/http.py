"""A small HTTP server for whoever comes by loopback, be it a user of this machine who means ill: bounded in number and time.

Every connection has a descriptor of the daemon's, and a thread. There are few at a time; when one more comes, the oldest has to
go, so that nobody can keep the others out by holding on. The server of Prometheus' own library knows no bounds,
and in Debian 12 no end.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import TCPServer, ThreadingMixIn
from threading import Lock, Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

MOST = 8  # connections; as many again may be on their way out
PATIENCE = 10.0  # seconds for a request and its answer

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Server:
    """Answers at an address, in threads of its own.

    Raises:
        OSError: nobody can listen there.
    """

    def __init__(self, host: str, port: int, application: Application, patience: float = PATIENCE) -> None:
        self._server = _Server(host, port, patience)
        self._server.set_app(application)
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._server.leave_all()
        self._thread.join()


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, patience: float) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._patience = patience
        self._open: dict[socket.socket, float] = {}  # until when each may stay, the oldest first
        self._lock = Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """As `HTTPServer` does, but without asking a name server what we are called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Let somebody in, if there is room, or else in the place of the oldest."""
        with self._lock:
            if len(self._open) >= 2 * MOST:
                return False
            if len(self._open) >= MOST:
                _end(next(iter(self._open)))
            self._open[request] = time.monotonic() + self._patience
        return True

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Every half a second: end what takes too long."""
        now = time.monotonic()
        with self._lock:
            for one in [one for one, until in self._open.items() if until < now]:
                _end(one)

    def leave_all(self) -> None:
        with self._lock:
            for one in self._open:
                _end(one)

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever has asked has gone."""


def _end(connection: socket.socket) -> None:
    """Its thread, which waits for it, then closes it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
