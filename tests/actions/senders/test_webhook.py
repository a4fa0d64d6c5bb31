"""A trigger as a web server gets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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
