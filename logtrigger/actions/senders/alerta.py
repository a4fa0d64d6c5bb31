"""Alerts and heartbeats for Alerta, https://docs.alerta.io/api/reference.html."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logtrigger.actions.senders.base import Refused, Secret, Unreachable, values
from logtrigger.actions.senders.http import Http
from logtrigger.model import Trigger
from logtrigger.templates import Template, one_line
from logtrigger.text import cut

# As its server knows them; `information` is what older configurations say.
SEVERITIES = (
    "security",
    "critical",
    "major",
    "minor",
    "warning",
    "informational",
    "debug",
    "trace",
    "indeterminate",
    "cleared",
    "normal",
    "ok",
    "unknown",
)
ALIASES = {"information": "informational", "info": "informational"}
_LONGEST_TEXT = 8_192  # characters
# Bytes. By these its database finds an alert or a heartbeat, and an index takes 2,704 in all (PostgreSQL, nbtree): what is
# longer is answered as a fault of the server, which is to be tried again, and would hold up all others.
LONGEST_RESOURCE, LONGEST_EVENT, LONGEST_ORIGIN = 500, 1_800, 1_800
_LONGEST_ANSWER = 1 << 20  # bytes; it repeats the alert, with its history
_NEVER = re.compile(r" answers 500 .*Severity \(.*\) is not one of ")  # a refusal that its server takes for its own fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What an alert says; texts are templates."""

    resource: Template = Template("{host}")
    event: Template = Template("{name}")
    environment: str = "Production"
    severity: str = "warning"
    service: tuple[str, ...] = ("logtrigger",)
    correlate: tuple[str, ...] = ()  # events that this one replaces, and that replace it
    group: str = "Misc"
    value: Template = Template("{count}")
    text: Template = Template("{message}")
    tags: tuple[Template, ...] = ()
    attributes: Mapping[str, Template] = field(default_factory=dict)
    timeout: int | None = None  # seconds; None: as the server has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a heartbeat says: that somebody is alive, and for how long that holds."""

    origin: Template = Template("{name}/{host}")
    tags: tuple[Template, ...] = ()
    timeout: int | None = None  # seconds
    severity: str = ""  # of the alert that Alerta raises when it goes stale; empty: as the server has it
    environment: str = ""
    service: tuple[str, ...] = ()
    group: str = ""


class Alerta:
    """One alert or heartbeat a trigger.

    Args:
        url: of the API, such as http://127.0.0.1:8080.
        say: what to send.
        key: the API key, where the server asks for one.
        authority: certificates that the server's must be signed by; None: those of the system.
    """

    most = 1

    def __init__(self, url: str, say: Alert | Heartbeat, key: Secret | None = None, authority: Path | None = None) -> None:
        self._http = Http(url.rstrip("/"), {"Content-Type": "application/json"}, authority)
        self._say, self._key = say, key

    def send(self, triggers: Sequence[Trigger]) -> str:
        extra = {"Authorization": f"Key {self._key.read()}"} if self._key else {}
        path = "/alert" if isinstance(self._say, Alert) else "/heartbeat"
        said = ""
        for trigger in triggers:
            body = json.dumps(document(self._say, trigger)).encode()
            try:
                status, answer = self._http.request(body, path=path, headers=extra, longest=_LONGEST_ANSWER)
            except Unreachable as error:
                if _NEVER.search(str(error)):
                    raise Refused(str(error)) from None
                raise
            said = f"HTTP {status}{_id(answer)}"
        return said

    def close(self) -> None:
        """Nothing is kept open."""


def document(say: Alert | Heartbeat, trigger: Trigger) -> dict[str, Any]:
    """What is posted for a trigger."""
    known = values(trigger)
    return _alert(say, known, trigger) if isinstance(say, Alert) else _heartbeat(say, known, trigger)


def _alert(say: Alert, known: Mapping[str, str], trigger: Trigger) -> dict[str, Any]:
    return _said(
        {
            "resource": cut(say.resource.render(known, one_line), LONGEST_RESOURCE) or "unknown",
            "event": cut(say.event.render(known, one_line), LONGEST_EVENT) or trigger.rule,
            "environment": say.environment,
            "severity": say.severity,
            "service": list(say.service),
            "correlate": list(say.correlate),
            "group": say.group,
            "value": say.value.render(known, one_line),
            "text": say.text.render(known)[:_LONGEST_TEXT],
            "tags": [tag.render(known, one_line) for tag in say.tags],
            "attributes": {name: text.render(known, one_line) for name, text in say.attributes.items()},
            "origin": f"logtrigger/{known['host'] or 'localhost'}",
            "type": "logtrigger",
            "createTime": _time(trigger.time),
            "timeout": say.timeout,
        }
    )


def _heartbeat(say: Heartbeat, known: Mapping[str, str], trigger: Trigger) -> dict[str, Any]:
    attributes = {"environment": say.environment, "severity": say.severity, "service": list(say.service), "group": say.group}
    return _said(
        {
            "origin": cut(say.origin.render(known, one_line), LONGEST_ORIGIN) or trigger.rule,
            "tags": [tag.render(known, one_line) for tag in say.tags],
            "createTime": _time(trigger.time),
            "timeout": say.timeout,
            "attributes": _said(attributes),
        }
    )


def _said(document: dict[str, Any]) -> dict[str, Any]:
    """Without what is not said."""
    return {name: value for name, value in document.items() if value not in (None, "", [], {})}


def _time(epoch: float) -> str:
    """As Alerta reads it: ISO 8601 in UTC, with milliseconds."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _id(answer: bytes) -> str:
    try:
        found = json.loads(answer).get("id")
    except (ValueError, AttributeError):
        return ""
    return f", id {one_line(str(found))}" if found else ""
