"""What the tests of senders share: a trigger, certificates, and a web server that answers as it is told."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.certificates import Signed, authority, sign


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority, and a certificate of it for localhost."""

    authority: Path
    server: Signed


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    signer = authority(folder, "authority")
    return Certificates(signer.certificate, sign(signer, folder, "localhost", ["DNS:localhost", "IP:127.0.0.1"]))


@dataclass(slots=True)
class WebServer:
    """What was asked of it, and what it answers."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)  # method, path, headers, body
    answers: list[tuple[int, bytes]] = field(default_factory=list)  # to the next requests; then 200

    location: str = "/elsewhere"  # where redirects lead

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, _, _, body in self.requests]


@pytest.fixture
def web() -> Iterator[WebServer]:
    yield from _serve(None)


@pytest.fixture
def secure_web(certificates: Certificates) -> Iterator[WebServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    yield from _serve(context)


def _serve(context: ssl.SSLContext | None) -> Iterator[WebServer]:
    told = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.requests.append((self.command, self.path, dict(self.headers), body))
            status, text = told.answers.pop(0) if told.answers else (200, b'{"id": "a-1"}')
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_PUT = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    told.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make_secret(tmp_path: Path) -> Callable[[str], Path]:
    def make(text: str) -> Path:
        path = tmp_path / "secret"
        path.write_text(f"{text}\n")
        return path

    return make
