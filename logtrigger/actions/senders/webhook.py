"""Telling a web server: any method, any headers, a body made from a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from logtrigger.actions.senders.base import Secret, values
from logtrigger.actions.senders.http import Http
from logtrigger.model import Trigger
from logtrigger.templates import Template, escape_for, in_json

# Where nothing else is asked for.
BODY = Template(
    '{{"rule": "{name}", "time": {time}, "count": {count}, "key": "{key}", "host": "{host}", "message": "{message}", '
    '"source": "{source}", "id": "{id}"}}'
)


class Webhook:
    """One request a trigger.

    Args:
        url: http:// or https://; no field may stand in it.
        body: of the request; what is inserted is escaped for its Content-Type, by default for a string of JSON.
        method: POST, PUT or PATCH.
        headers: besides Content-Type.
        token: is sent as `Authorization: Bearer` (RFC 6750).
        authority: certificates that the server's must be signed by; None: those of the system.
    """

    most = 1

    def __init__(
        self,
        url: str,
        body: Template = BODY,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        token: Secret | None = None,
        authority: Path | None = None,
    ) -> None:
        kind = next((text for name, text in (headers or {}).items() if name.lower() == "content-type"), "application/json")
        others = {name: text for name, text in (headers or {}).items() if name.lower() != "content-type"}
        self._http = Http(url, {"Content-Type": kind, **others}, authority)
        self._body, self._method, self._token, self._escape = body, method, token, in_json if body is BODY else escape_for(kind)

    def send(self, triggers: Sequence[Trigger]) -> str:
        extra = {"Authorization": f"Bearer {self._token.read()}"} if self._token else {}
        status = 0
        for trigger in triggers:
            body = self._body.render(values(trigger), self._escape)
            status, _ = self._http.request(body.encode(), self._method, headers=extra, longest=0)
        return f"HTTP {status}"

    def close(self) -> None:
        """Nothing is kept open."""
