"""What an answer means: taken, never, or later."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from logtrigger.actions.senders.base import Refused, Unreachable
from logtrigger.actions.senders.http import Http
from tests.actions.senders.conftest import Certificates, WebServer


def test_taken(web: WebServer) -> None:
    web.answers = [(201, b"made")]
    assert Http(web.url, {"X-One": "1"}).request(b"body", path="/p", headers={"X-Two": "2"}) == (201, b"made")
    method, path, headers, body = web.requests[0]
    assert (method, path, body) == ("POST", "/p", b"body")
    assert (headers["X-One"], headers["X-Two"]) == ("1", "2")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (403, Refused),
        (302, Refused),
        (401, Unreachable),
        (408, Unreachable),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_not_taken(web: WebServer, status: int, kind: type[Exception]) -> None:
    web.answers = [(status, b"because\x1b[2J")]
    with pytest.raises(kind, match=f"answers {status} .*because"):
        Http(web.url, {}).request(b"")
    assert len(web.requests) == 1


def test_nobody_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(Unreachable, match="Connection refused"):
            Http(f"http://127.0.0.1:{sock.getsockname()[1]}", {}).request(b"")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n"])
def test_who_speaks_no_http(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(answer)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Unreachable):
            Http(f"http://127.0.0.1:{server.getsockname()[1]}", {}).request(b"")
        thread.join()


def test_certificates_are_checked(secure_web: WebServer, certificates: Certificates) -> None:
    assert Http(secure_web.url, {}, certificates.authority).request(b"x")[0] == 200
    with pytest.raises(Unreachable, match="its certificate is refused"):
        Http(secure_web.url, {}).request(b"x")
    with pytest.raises(Unreachable, match="No such file"):
        Http(secure_web.url, {}, Path("/nowhere")).request(b"x")


def test_what_is_secret_in_a_url_is_not_told() -> None:
    assert Http("http://user:word@gate:8080/path?token=x", {}).place == "http://gate:8080"
