"""Every type of action becomes what sends it, with the options as written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from logtrigger.actions.making import SENDERS, sender_of
from logtrigger.actions.senders.alerta import Alert, Alerta, Heartbeat
from logtrigger.actions.senders.ecs import EcsFile, Elasticsearch
from logtrigger.actions.senders.mail import Mail
from logtrigger.actions.senders.syslog import Syslog
from logtrigger.config import options
from logtrigger.config.ecs import Equipped
from logtrigger.ecs.mapping import Mapping
from logtrigger.errors import Place
from logtrigger.logfiles import Template as PathTemplate
from logtrigger.rule import ActionOptions
from logtrigger.templates import Template

NEEDED: dict[str, dict[str, Any]] = {
    "alerta": {"url": "http://127.0.0.1:8080"},
    "ecs": {"url": "http://127.0.0.1:9200"},
    "log": {"path": PathTemplate("/var/log/x", None)},
    "mail": {"sender": "a@example.org", "to": ("b@example.org",)},
    "notify": {"url_file": ("/x",)},
    "syslog": {"server": "192.0.2.1"},
    "webhook": {"url": "http://127.0.0.1/x"},
}


def made(type: str, **values: Any) -> Any:
    own: Any = options.ACTIONS[type](**(NEEDED[type] | values))
    if type == "ecs":
        own = Equipped(own, Mapping(()))
    return sender_of(ActionOptions(name="a", place=Place("rules.conf", 1), type=type, own=own))


@pytest.mark.package("apprise")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what apprise imports
@pytest.mark.parametrize("type", SENDERS)
def test_each_type_can_be_made(type: str) -> None:
    assert made(type).most >= 1


def test_alerta_s_defaults_and_aliases() -> None:
    sender = made("alerta", severity="information", timeout=60.0)
    assert isinstance(sender, Alerta)
    assert sender._say == Alert(severity="informational", timeout=60)
    beat = made("alerta", say="heartbeat", origin=Template("x"), severity="major", environment="Homenet")
    assert beat._say == Heartbeat(origin=Template("x"), severity="major", environment="Homenet")


def test_documents_go_to_a_file_or_a_server() -> None:
    assert isinstance(made("ecs", url=None, path=PathTemplate("/var/log/x.ndjson", None)), EcsFile)
    server = made("ecs", user="w", password_file=Path("/etc/logtrigger/password"), batch=7)
    assert isinstance(server, Elasticsearch) and server.most == 7


@pytest.mark.parametrize(("security", "port"), [("tls", 465), ("starttls", 587), ("none", 25)])
def test_mail_s_port_suits_its_security(security: str, port: int) -> None:
    sender = made("mail", security=security)
    assert isinstance(sender, Mail)
    assert (sender._server.port, made("mail", security=security, port=2525)._server.port) == (port, 2525)


def test_password_files() -> None:
    sender = made("mail", user="w", password_file=Path("/etc/logtrigger/password"))
    assert repr(sender._server.password) == "Secret(/etc/logtrigger/password)"


@pytest.mark.parametrize(("transport", "port"), [("udp", 514), ("tcp", 514), ("tls", 6514)])
def test_syslog_s_port_suits_its_transport(transport: str, port: int) -> None:
    sender = made("syslog", transport=transport)
    assert isinstance(sender, Syslog)
    assert sender._receiver.port == port
