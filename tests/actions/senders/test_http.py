"""What an answer means: taken, never, or later."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest

from logtrigger.actions.senders import http
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
        *((status, Refused) for status in (300, 301, 302, 303, 305, 307, 308)),
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


@pytest.mark.parametrize("status", [200, 404])
def test_who_answers_a_byte_at_a_time_keeps_nobody_busy(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and the last one never; whether it was taken stands at the beginning."""
    monkeypatch.setattr(http, "TIMEOUT", 0.2)
    enough = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 %d Well\r\nContent-Length: 100000\r\n\r\n" % status)
                    while not enough.wait(0.01):
                        connection.sendall(b"x")
                enough.clear()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        asked = Http(f"http://127.0.0.1:{server.getsockname()[1]}", {})
        with pytest.raises(
            Unreachable if status == 200 else Refused, match="no answer within" if status == 200 else "404 Well"
        ):
            asked.request(b"")
        enough.set()
        if status == 200:
            assert asked.request(b"", longest=0) == (200, b"")
        else:
            with pytest.raises(Refused):
                asked.request(b"")
        enough.set()
        thread.join(10)


@pytest.mark.parametrize(
    "drip",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"",
    ],
    ids=["a header", "answers to come", "what follows the body", "the first line"],
)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "in TLS"])
def test_who_never_comes_to_the_end_keeps_nobody_busy(
    drip: bytes, secure: bool, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes come again and again, each in time, and the answer never does."""
    monkeypatch.setattr(http, "TIMEOUT", 0.3)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    enough = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            plain, _ = server.accept()
            connection = context.wrap_socket(plain, server_side=True) if secure else plain
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(drip)
                while not enough.wait(0.01):
                    connection.sendall(drip if drip.count(b"\n") > 50 else b"x")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        asked = Http(f"http{'s' * secure}://127.0.0.1:{server.getsockname()[1]}", {}, certificates.authority)
        with pytest.raises(Unreachable, match="no answer within"):
            asked.request(b"")
        enough.set()
        thread.join(10)


def test_nobody_is_followed_elsewhere(web: WebServer, secure_web: WebServer) -> None:
    """Least of all with our key, or to a file of ours."""
    for status in (301, 302, 303, 307, 308):
        for where in (f"{secure_web.url}/", f"{web.url}/there", "file:///etc/passwd", "ftp://127.0.0.1/", "//[", ""):
            web.answers, web.location = [(status, b"")], where
            with pytest.raises((Refused, Unreachable)) as caught:
                Http(web.url, {"Authorization": "Bearer w0rd"}).request(b"")
            assert "w0rd" not in str(caught.value)
    assert len(web.requests) == 30 and secure_web.requests == []


def test_key_that_no_header_can_hold_is_not_quoted(web: WebServer) -> None:
    with pytest.raises(Unreachable, match="holds characters that no header can") as caught:
        Http(web.url, {}).request(b"", headers={"Authorization": "Bearer \u20acuro"})
    assert "20ac" not in str(caught.value)


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
