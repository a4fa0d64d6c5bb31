"""What a shell offers for a word that is being typed: names and addresses that the running daemon knows.

Where it does not answer at once, nothing is offered and nothing said: somebody is in the middle of a line.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from logtrigger import shipped
from logtrigger.cli import ask
from logtrigger.config import Unreadable
from logtrigger.control.client import Client, Facts, NoDaemon
from logtrigger.control.protocol import No, Refused

_PATIENCE = 1.0  # seconds
_MOST = 1000  # bans that are offered, the newest
_SPANS = ("10m", "1h", "12h", "1d", "7d", "30d")


def rules(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """The rules of the running daemon; with --library the services that the library has rules for."""
    if context.params.get("library"):
        return _of([file.stem for file in shipped.files(shipped.RULES)], typed)
    return _of([row["rule"] for row in _asked(context, "rules")], typed)


def banned(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Addresses and prefixes that are banned."""
    return _of([row["network"] for row in _asked(context, "bans", most=_MOST)], typed)


def spans(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Times to ban for."""
    return _of(_SPANS, typed)


def datasets(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """The datasets that come with the program."""
    return _of([file.stem for file in shipped.files(shipped.DATASETS)], typed)


def _of(words: list[str] | tuple[str, ...], typed: str) -> list[str]:
    return [word for word in words if word.startswith(typed)]


def _asked(context: click.Context, command: str, most: int | None = None) -> list[Facts]:
    """What the daemon answers that these words mean; nothing where it does not."""
    chain = [context, *([context.parent] if context.parent else [])]
    socket, path = (next((one.params[name] for one in chain if one.params.get(name)), None) for name in ("socket", "path"))
    with suppress(NoDaemon, No, Refused, Unreadable, OSError):
        client = Client([Path(socket)] if socket else ask.sockets(Path(path) if path else None), _PATIENCE)
        try:
            return list(client.ask(command, most=most))
        finally:
            client.close()
    return []
