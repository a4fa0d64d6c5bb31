"""Telling people by whatever service the library apprise knows: Telegram, ntfy, Slack, Matrix, MQTT and some hundred more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from logtrigger.actions.senders.base import MESSAGE, Secret, Unreachable, values
from logtrigger.model import Trigger
from logtrigger.templates import Template, one_line

TITLE = Template("{name}")
PATIENCE = 120.0  # seconds for all that services answer
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
        self._last: threading.Thread | None = None

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
        if not self._is_told(services, self._title.render(first, one_line) + more, "\n".join(lines), said):
            names = ", ".join(service.service_name or "a service" for service in services)
            raise Unreachable(f"{names}: {said[-1] if said else 'did not take it'}")
        return "sent"

    def close(self) -> None:
        """Nothing is kept open."""

    def _is_told(self, services: Any, title: str, body: str, said: list[str]) -> bool:
        """Whether all services have taken it; what they complain of goes to `said`.

        In a thread of its own: the library waits for each byte of an answer anew. The text is said to be plain, so that
        nothing in it is taken for markup, which a service may refuse, or show as somebody else's link.
        """
        if self._last is not None and self._last.is_alive():
            raise Unreachable("a service has not answered to the end yet")
        answers: list[bool] = []

        def tell() -> None:
            try:
                answers.append(bool(services.notify(title=title, body=body, body_format="text")))
            except Exception as error:  # of some hundred services, none may end deliveries
                said.append(one_line(f"{type(error).__name__}: {error}"))

        self._last = threading.Thread(target=tell, name="notify", daemon=True)
        with _Heard(said):
            try:
                self._last.start()
            except RuntimeError as error:  # a machine under attack may lack a thread for a while
                raise Unreachable(str(error)) from None
            self._last.join(PATIENCE)
        if self._last.is_alive():
            raise Unreachable(f"a service has not answered within {PATIENCE:.0f} s")
        return answers == [True]


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
