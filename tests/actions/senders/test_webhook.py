"""A trigger as a web server gets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.actions.senders.base import Secret
from logtrigger.actions.senders.webhook import Webhook
from logtrigger.model import Trigger
from logtrigger.templates import Template
from tests.actions.senders.conftest import WebServer

MakeTrigger = Callable[..., Trigger]


def test_default_body_is_json_whatever_the_line_holds(web: WebServer, make_trigger: MakeTrigger) -> None:
    nasty = 'user "root\\" </script> \N{SNOWMAN}'
    assert Webhook(web.url).send([make_trigger(message=nasty)]) == "HTTP 200"
    sent = json.loads(web.bodies[0])
    assert sent["message"] == nasty
    assert (sent["rule"], sent["time"], sent["count"], sent["key"]) == ("sshd", 1_500_000_000, 3, "1.2.3.4 root")
    assert web.requests[0][2]["Content-Type"] == "application/json"


def test_own_body_method_headers_and_token(
    web: WebServer, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]
) -> None:
    body = Template('{{"text": "{user} from {ip}"}}')
    hook = Webhook(f"{web.url}/hook", body, "PUT", {"X-Room": "7"}, Secret(make_secret("t0ken")))
    hook.send([make_trigger()])
    method, path, headers, sent = web.requests[0]
    assert (method, path, json.loads(sent)) == ("PUT", "/hook", {"text": "root from 1.2.3.4"})
    assert (headers["X-Room"], headers["Authorization"]) == ("7", "Bearer t0ken")


@pytest.mark.parametrize(
    ("kind", "body", "sent"),
    [
        ("application/x-www-form-urlencoded", "to=1&text={user}", "to=1&text=a%26to%3D2%22%3C%2F%3E+%C3%A9"),
        ("Application/X-WWW-Form-URLencoded; charset=utf-8", "{user}", "a%26to%3D2%22%3C%2F%3E+%C3%A9"),
        ("text/xml", '<a b="{user}"/>', '<a b="a&amp;to=2&quot;&lt;/&gt; é"/>'),
        ("text/plain; charset=utf-8", "{user}", 'a&to=2"</> é'),
        ("application/vnd.api+json", '"{user}"', '"a&to=2\\"</> \\u00e9"'),
    ],
)
def test_fields_are_escaped_for_what_the_body_is(
    web: WebServer, make_trigger: MakeTrigger, kind: str, body: str, sent: str
) -> None:
    """A user called `a&to=2` shall not choose whom a form is for."""
    Webhook(web.url, Template(body), headers={"content-type": kind}).send([make_trigger(fields={"user": 'a&to=2"</> é'})])
    assert web.bodies[0].decode() == sent
    assert web.requests[0][2]["Content-Type"] == kind


def test_the_default_body_is_json_whatever_it_is_called(web: WebServer, make_trigger: MakeTrigger) -> None:
    Webhook(web.url, headers={"Content-Type": "text/plain"}).send([make_trigger(message='a "b"')])
    assert json.loads(web.bodies[0])["message"] == 'a "b"'
