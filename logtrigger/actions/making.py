"""From the options of a `config action` to what sends: one small function a type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from logtrigger.actions.senders.base import Secret, Sender
from logtrigger.rule import ActionOptions
from logtrigger.templates import Template

SENDERS = ("alerta", "ecs", "log", "mail", "notify", "syslog", "webhook")  # types of action that send
_SUBMISSION, _SMTPS, _SMTP = 587, 465, 25  # RFC 6409, RFC 8314, RFC 5321
_SYSLOG, _SYSLOG_TLS = 514, 6514  # RFC 5426, RFC 5425


def sender_of(action: ActionOptions) -> Sender:
    """The sender of an action of one of SENDERS; its module is imported only now.

    Raises:
        ValueError: a package is missing; says which.
    """
    module = import_module(f"logtrigger.actions.senders.{action.type}")
    made: Sender = _MAKERS[action.type](module, action.own)
    return made


def _alerta(module: Any, own: Any) -> Sender:
    severity = module.ALIASES.get(own.severity, own.severity)
    given = {
        "environment": own.environment,
        "severity": severity,
        "service": own.service,
        "group": own.group,
        "tags": own.tag,
        "timeout": None if own.timeout is None else int(own.timeout),
    }
    if own.say == "heartbeat":
        say = module.Heartbeat(origin=own.origin, **_said(given))
    else:
        alert = {"correlate": own.correlate, "attributes": dict(own.attribute)}
        texts = {"resource": own.resource, "event": own.event, "value": own.value, "text": own.text}
        say = module.Alert(**texts, **_said(given | alert))
    made: Sender = module.Alerta(own.url, say, _secret(own), own.authority)
    return made


def _ecs(module: Any, own: Any) -> Sender:
    table, documents = own.table, module.Documents(own.mapping, _look(own.geoip))
    if table.path is not None:
        in_file: Sender = module.EcsFile(table.path, documents)
        return in_file
    secret, authorisation = _secret(table), None
    if secret is not None:
        authorisation = module.password(table.user, secret) if table.user else module.api_key(secret)
    made: Sender = module.Elasticsearch(table.url, table.index, documents, authorisation, table.authority, table.batch)
    return made


def _look(databases: Sequence[Path]) -> Any:
    """Where addresses are; what is wrong with a database the daemon tells, which uses it too."""
    if not databases:
        from logtrigger.places import nowhere

        return nowhere
    from logtrigger.geoip import GeoIP

    return GeoIP(databases, lambda level, text: None).look


def _log(module: Any, own: Any) -> Sender:
    made: Sender = module.LogFile(own.path, own.text)
    return made


def _mail(module: Any, own: Any) -> Sender:
    port = {"tls": _SMTPS, "starttls": _SUBMISSION, "none": _SMTP}[own.security]
    server = module.Server(
        host=own.server,
        port=own.port or port,
        security=own.security,
        user=own.user or "",
        password=_secret(own),
        authority=own.authority,
    )
    made: Sender = module.Mail(server, own.sender, own.to, own.subject, own.body)
    return made


def _notify(module: Any, own: Any) -> Sender:
    made: Sender = module.Notify([Secret(Path(path)) for path in own.url_file], own.title, own.body)
    return made


def _syslog(module: Any, own: Any) -> Sender:
    receiver = module.Receiver(
        host=own.server,
        port=own.port or (_SYSLOG_TLS if own.transport == "tls" else _SYSLOG),
        transport=own.transport,
        authority=own.authority,
        certificate=own.certificate,
        certificate_key=own.certificate_key,
    )
    made: Sender = module.Syslog(receiver, own.text, own.facility, own.severity or "notice", own.program)
    return made


def _webhook(module: Any, own: Any) -> Sender:
    body: Template = own.body or module.BODY
    made: Sender = module.Webhook(own.url, body, own.method, dict(own.header), _secret(own), own.authority)
    return made


_MAKERS: dict[str, Callable[[Any, Any], Sender]] = {
    "alerta": _alerta,
    "ecs": _ecs,
    "log": _log,
    "mail": _mail,
    "notify": _notify,
    "syslog": _syslog,
    "webhook": _webhook,
}


def _secret(own: Any) -> Secret | None:
    return Secret(own.password_file) if own.password_file else None


def _said(values: dict[str, Any]) -> dict[str, Any]:
    """Without what nobody has set: the sender has its own defaults."""
    return {name: value for name, value in values.items() if value not in (None, "", (), {})}
