"""Telling people by whatever service the library apprise knows: Telegram, ntfy, Slack, Matrix, MQTT and some hundred more."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from logtrigger.actions.senders.base import MESSAGE, Secret, Unreachable, values
from logtrigger.model import Trigger
from logtrigger.templates import Template, one_line

TITLE = Template("{name}")
EXTRA = "notifying takes the package apprise: pip install apprise"


class Notify:
    """One message for all triggers that wait.

    Args:
        urls: of apprise, https://github.com/caronc/apprise/wiki; each is a secret, as most hold a token.
        title: of a message.
        body: what is said of each trigger.

    Raises:
        ValueError: the package is missing.
    """

    most, told = 10_000, 20

    def __init__(self, urls: Sequence[Secret | str], title: Template = TITLE, body: Template = MESSAGE) -> None:
        try:
            self._apprise: Any = import_module("apprise")
        except ImportError:
            raise ValueError(EXTRA) from None
        self._urls, self._title, self._body = urls, title, body

    def send(self, triggers: Sequence[Trigger]) -> str:
        services = self._apprise.Apprise()
        for url in self._urls:
            if not services.add(url.read() if isinstance(url, Secret) else url):
                raise Unreachable(f"{url if isinstance(url, Secret) else url.partition(':')[0]}: apprise knows no such service")
        first = values(triggers[0])
        more = f" (and {len(triggers) - 1} more)" if len(triggers) > 1 else ""
        said: list[str] = []
        lines = [self._body.render(values(trigger)) for trigger in triggers[: self.told] if trigger.message]
        if len(triggers) > len(lines):
            lines.append(f"… and {len(triggers) - len(lines)} more")
        with _Heard(said):
            is_told = services.notify(title=self._title.render(first, one_line) + more, body="\n".join(lines))
        if not is_told:
            names = ", ".join(service.service_name or "a service" for service in services)
            raise Unreachable(f"{names}: {said[-1] if said else 'did not take it'}")
        return "sent"

    def close(self) -> None:
        """Nothing is kept open."""


class _Heard(logging.Handler):
    """Collects what apprise warns of: it says so to a logger only."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._said, self._logger = said, logging.getLogger("apprise")

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(one_line(record.getMessage()))

    def __enter__(self) -> None:
        self._logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
