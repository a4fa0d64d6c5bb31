"""What Alerta is told. That its server takes it is tried in tests/e2e/test_alerta.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.actions.senders.alerta import Alert, Alerta, Heartbeat, document
from logtrigger.actions.senders.base import Refused, Secret, Unreachable
from logtrigger.model import Trigger
from logtrigger.templates import Template
from tests.actions.senders.conftest import WebServer

MakeTrigger = Callable[..., Trigger]


def test_alert(make_trigger: MakeTrigger) -> None:
    alert = Alert(
        resource=Template("openvpn"),
        event=Template("login of {user}"),
        environment="Homenet",
        severity="critical",
        service=("vpn",),
        correlate=("a", "b"),
        tags=(Template("{ip}"),),
        attributes={"ip": Template("{ip}")},
        timeout=3600,
    )
    assert document(alert, make_trigger()) == {
        "resource": "openvpn",
        "event": "login of root",
        "environment": "Homenet",
        "severity": "critical",
        "service": ["vpn"],
        "correlate": ["a", "b"],
        "group": "Misc",
        "value": "3",
        "text": "Jul 14 02:40:00 gate sshd[77]: Failed password for root from 1.2.3.4",
        "tags": ["1.2.3.4"],
        "attributes": {"ip": "1.2.3.4"},
        "origin": "logtrigger/gate",
        "type": "logtrigger",
        "createTime": "2017-07-14T02:40:00.750Z",
        "timeout": 3600,
    }


def test_heartbeat(make_trigger: MakeTrigger) -> None:
    beat = Heartbeat(origin=Template("rsnapshot/{host}"), timeout=90_000, severity="major", environment="Homenet")
    assert document(beat, make_trigger()) == {
        "origin": "rsnapshot/gate",
        "createTime": "2017-07-14T02:40:00.750Z",
        "timeout": 90_000,
        "attributes": {"environment": "Homenet", "severity": "major"},
    }


def test_posted_with_the_key(web: WebServer, make_trigger: MakeTrigger, make_secret: Callable[[str], Path]) -> None:
    web.answers = [(201, b'{"id": "a-1", "status": "ok"}'), (200, b"no json")]
    said = Alerta(f"{web.url}/", Alert(), Secret(make_secret("k3y"))).send([make_trigger()])
    assert said == "HTTP 201, id a-1"
    assert Alerta(web.url, Heartbeat()).send([make_trigger()]) == "HTTP 200"
    (_, path, headers, body), (_, second, _, _) = web.requests
    assert (path, second, headers["Authorization"]) == ("/alert", "/heartbeat", "Key k3y")
    assert json.loads(body)["event"] == "sshd"


def test_long_texts_and_controls(make_trigger: MakeTrigger) -> None:
    said = document(Alert(event=Template("{user}")), make_trigger(fields={"user": "a\nb"}, message="x" * 100_000))
    assert said["event"] == "a b"
    assert len(said["text"]) == 8192


def test_what_alerts_are_found_by_is_never_too_long_nor_empty(make_trigger: MakeTrigger) -> None:
    """The server answers both as if it might take them later, or refuses the alert."""
    fields = {"user": "\U00020000" * 5_000, "ip": ""}
    alert = document(Alert(event=Template("{user}{user}"), resource=Template("{user}")), make_trigger(fields=fields))
    beat = document(Heartbeat(origin=Template("{user}{user}{user}")), make_trigger(fields=fields))
    sizes = [len(text.encode()) for text in (alert["event"], alert["resource"], beat["origin"])]
    assert sizes == [1_800, 500, 1_800]
    alert = document(Alert(event=Template("{ip}"), resource=Template("{ip}")), make_trigger(fields=fields))
    assert (alert["event"], alert["resource"]) == ("sshd", "unknown")
    assert document(Heartbeat(origin=Template("{ip}")), make_trigger(fields=fields))["origin"] == "sshd"


@pytest.mark.parametrize(
    ("message", "kind"),
    [(b"Severity (x) is not one of security, critical, ok", Refused), (b"deadlock detected", Unreachable)],
)
def test_error_500_for_what_is_refused(
    web: WebServer, make_trigger: MakeTrigger, message: bytes, kind: type[Exception]
) -> None:
    """A severity that it does not know would be refused as often as it is tried, and hold up all others."""
    web.answers = [(500, b'{"code": 500, "errors": null, "message": "' + message + b'", "status": "error"}')]
    with pytest.raises(kind, match="answers 500"):
        Alerta(web.url, Alert()).send([make_trigger()])
