"""Notifications through apprise, to a web server of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

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


def test_unknown_service(make_trigger: MakeTrigger) -> None:
    with pytest.raises(Unreachable, match="nonsense: apprise knows no such service"):
        Notify(["nonsense://secret-token"]).send([make_trigger()])
