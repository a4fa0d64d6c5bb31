"""Who comes over HTTP and means ill, or is slow."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from logtrigger.metrics.http import MOST, Server
from tests.live import BOUND
from tests.ports import free_port


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"good\n"]


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    address = request.param, free_port()
    server = Server(*address, application, patience=1.0)
    yield address
    server.close()
    with pytest.raises(OSError):
        socket.create_connection(address, BOUND)


def get(address: tuple[str, int], text: bytes = b"GET /metrics HTTP/1.0\r\n\r\n") -> bytes:
    """What is answered; nothing where there was no room."""
    found = b""
    with suppress(ConnectionError), socket.create_connection(address, BOUND) as one:
        one.sendall(text)
        while piece := one.recv(1 << 16):
            found += piece
    return found


def test_an_answer(server: tuple[str, int]) -> None:
    said = get(server)
    assert said.startswith(b"HTTP/1.0 200 OK\r\n") and said.endswith(b"\r\n\r\ngood\n")


@pytest.mark.parametrize(
    "text", [b"\x16\x03\x01\x00\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.0\r\n" + 200 * b"a: b\r\n" + b"\r\n"]
)
def test_what_is_no_request(server: tuple[str, int], text: bytes) -> None:
    assert b"good" not in get(server, text)
    assert get(server).endswith(b"good\n")


def test_many_that_only_hold_on(server: tuple[str, int], capfd: pytest.CaptureFixture[str]) -> None:
    """They have few threads, and the oldest makes room for the next."""
    before = threading.active_count()
    with ExitStack() as stack:
        holding = [stack.enter_context(socket.create_connection(server, BOUND)) for _ in range(20 * MOST)]
        wait_for(lambda: get(server).endswith(b"good\n"))
        wait_for(lambda: threading.active_count() <= before + 2 * MOST)
        assert holding[0].recv(1) == b""
    assert capfd.readouterr().err == ""


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.02)


def test_one_that_trickles(server: tuple[str, int]) -> None:
    """Be it a byte now and then: the time is that of the whole request."""
    with socket.create_connection(server, BOUND) as one:
        end = time.monotonic() + BOUND
        try:
            while time.monotonic() < end:
                one.sendall(b"G")
                time.sleep(0.05)
            pytest.fail("it may go on for ever")
        except OSError:
            pass
