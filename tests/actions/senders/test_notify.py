"""Notifications through apprise, to a web server of the test's own."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.actions.senders import notify as notify_module
from logtrigger.actions.senders.base import Secret, Unreachable
from logtrigger.actions.senders.notify import Notify
from logtrigger.model import Trigger
from logtrigger.templates import Template
from tests.actions.senders.conftest import WebServer

MakeTrigger = Callable[..., Trigger]
pytestmark = [
    pytest.mark.package("apprise"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of what it imports
]


def test_one_message_for_those_that_wait(web: WebServer, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]) -> None:
    url = web.url.replace("http://", "json://")
    notify = Notify([Secret(make_secret(url))], Template("{name} on {host}"), Template("{user} from {ip}"))
    assert notify.send([make_trigger(), make_trigger(fields={"user": "bob", "ip": "1.2.3.5"})]) == "sent"
    sent = json.loads(web.bodies[0])
    assert sent["title"] == "sshd on gate (and 1 more)"
    assert sent["message"] == "root from 1.2.3.4\nbob from 1.2.3.5"
    notify.send([make_trigger(number) for number in range(500)])
    sent = json.loads(web.bodies[1])
    assert sent["title"] == "sshd on gate (and 499 more)"
    assert sent["message"].splitlines()[19:] == ["root from 1.2.3.4", "… and 480 more"]


def test_who_does_not_take_it_is_tried_again(web: WebServer, make_trigger: MakeTrigger) -> None:
    web.answers = [(500, b"")]
    with pytest.raises(Unreachable, match="JSON: "):
        Notify([web.url.replace("http://", "json://")]).send([make_trigger()])


def test_nothing_in_a_line_is_taken_for_markup(web: WebServer, make_trigger: MakeTrigger) -> None:
    """Telegram, say, refuses what is no HTML: who logs in as <b would keep everybody from being told."""
    notify = Notify([web.url.replace("http://", "json://") + "/?format=html"], body=Template("{user}"))
    notify.send([make_trigger(fields={"user": '<b <a href="http://x">y</a> &amp;'})])
    said = json.loads(web.bodies[0])["message"]
    assert "<" not in said and said.startswith("&lt;b") and "&amp;amp;" in said


def test_who_never_comes_to_the_end_keeps_nobody_busy(make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of which a byte comes now and then; meanwhile no second one is asked for."""
    monkeypatch.setattr(notify_module, "PATIENCE", 0.3)
    enough, tries = threading.Event(), list[socket.socket]()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            tries.append(connection)
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not enough.wait(0.01):
                    connection.sendall(b"x")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        notify = Notify([f"json://127.0.0.1:{server.getsockname()[1]}"])
        with pytest.raises(Unreachable, match="has not answered within"):
            notify.send([make_trigger()])
        with pytest.raises(Unreachable, match="to the end yet"):
            notify.send([make_trigger()])
        enough.set()
        thread.join(10)
        assert len(tries) == 1
        assert notify._last is not None
        notify._last.join(10)


def test_a_machine_without_room_for_a_thread(
    web: WebServer, make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no reason to give anything up: it is tried again."""

    def no(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    notify = Notify([web.url.replace("http://", "json://")])
    with monkeypatch.context() as patched, pytest.raises(Unreachable, match="can't start new thread"):
        patched.setattr(threading.Thread, "start", no)
        notify.send([make_trigger()])
    assert notify.send([make_trigger()]) == "sent"


def test_unknown_service(make_trigger: MakeTrigger) -> None:
    with pytest.raises(Unreachable, match="nonsense: apprise knows no such service"):
        Notify(["nonsense://secret-token"]).send([make_trigger()])
