"""Messages sent on, and whether one is lost when the receiver goes away."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

from logtrigger import headers
from logtrigger.actions.senders import syslog
from logtrigger.actions.senders.base import Unreachable
from logtrigger.actions.senders.syslog import Receiver, Syslog
from logtrigger.model import Trigger
from logtrigger.templates import Template
from tests.actions.senders.conftest import Certificates

MakeTrigger = Callable[..., Trigger]


def test_message_of_rfc_5424(make_trigger: MakeTrigger) -> None:
    sender = Syslog(Receiver(host="127.0.0.1"), Template("{user} from {ip}"), "auth", "crit", "watch dog")
    message = sender.message(make_trigger(rule="ssh login", fields={"user": "a\nb", "ip": "1.2.3.4"}))
    assert message == b"<34>1 2017-07-14T02:40:00.750Z gate watch_dog - ssh_login - a b from 1.2.3.4"
    header = headers.parse(message)
    assert (header.host, header.program) == ("gate", "watch_dog")


def test_udp(make_trigger: MakeTrigger) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        sender = Syslog(Receiver(host="127.0.0.1", port=receiver.getsockname()[1]))
        sender.send([make_trigger(), make_trigger(message="x" * 100_000)])
        assert receiver.recv(65536).endswith(b"from 1.2.3.4")
        assert len(receiver.recv(65536)) == 2048
        sender.close()


def test_udp_goes_where_a_name_leads_now(make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch) -> None:
    """To IPv6 where the name has nothing else; and to another address when the name has moved."""
    with contextlib.ExitStack() as stack:
        receivers = []
        for family, address in ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")):
            receiver = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            receiver.bind((address, 0))
            receiver.settimeout(10)
            receivers.append(receiver)
        known = [(socket.AF_INET6, socket.SOCK_DGRAM, 17, "", receivers[0].getsockname())]
        asked: list[str] = []

        def resolve(host: str, port: int, type: int) -> list[Any]:
            asked.append(host)
            return known

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        sender = Syslog(Receiver(host="logs.example.org"))
        stack.callback(sender.close)
        sender.send([make_trigger(), make_trigger()])
        known[:] = [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", receivers[1].getsockname())]
        sender._since -= syslog.RESOLVE_EVERY + 1
        sender.send([make_trigger()])
        assert receivers[0].recv(2048) and receivers[0].recv(2048) and receivers[1].recv(2048)
        assert len(asked) == 2


def frames(data: bytes) -> list[bytes]:
    found = []
    while data:
        size, _, data = data.partition(b" ")
        found.append(data[: int(size)])
        data = data[int(size) :]
    return found


def serve(server: socket.socket, context: ssl.SSLContext | None, got: list[bytes]) -> None:
    """Take each connection's first message and close it."""
    for _ in range(2):
        connection, _ = server.accept()
        connection.settimeout(10)
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        got.append(connection.recv(65536))
        connection.close()


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_streams_are_counted_and_survive_a_restart_of_the_receiver(
    transport: str, make_trigger: MakeTrigger, certificates: Certificates
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server, context if transport == "tls" else None, got))
        thread.start()
        receiver = Receiver(
            host="127.0.0.1", port=server.getsockname()[1], transport=transport, authority=certificates.authority
        )
        sender = Syslog(receiver)
        sender.send([make_trigger(message="one")])
        while sender._socket is not None and not sender._is_gone(sender._socket):
            pass  # until its end is closed
        sender.send([make_trigger(message="two")])
        thread.join()
        sender.close()
    assert [frame.rpartition(b" ")[2] for data in got for frame in frames(data)] == [b"one", b"two"]


def test_who_is_away_or_has_another_certificate(make_trigger: MakeTrigger, certificates: Certificates) -> None:
    with pytest.raises(Unreachable, match="tcp:127.0.0.1:1: Connection refused"):
        Syslog(Receiver(host="127.0.0.1", port=1, transport="tcp")).send([make_trigger()])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with pytest.raises((ssl.SSLError, OSError)):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=refuse)
        thread.start()
        receiver = Receiver(host="127.0.0.1", port=server.getsockname()[1], transport="tls")
        with pytest.raises(Unreachable, match="its certificate is refused"):
            Syslog(receiver).send([make_trigger()])
        thread.join()
