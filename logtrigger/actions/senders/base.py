"""What a sender is to the outbox that uses it, and how it says that it could not send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from logtrigger.actions.environment import values_of
from logtrigger.model import Trigger
from logtrigger.templates import Template
from logtrigger.text import safe

MESSAGE = Template("{message}")  # what is told of a trigger where nothing else is asked for
TIMEOUT = 30.0  # seconds that a far end may let us wait


class Unreachable(Exception):
    """The far end cannot take it now: trying again later may help. The text says who and why."""


class Refused(Exception):
    """The far end will never take this: trying again does not help. The text says who and why."""


class Partly(Exception):
    """Of the batch these were refused as by Refused, and all others were taken.

    Args:
        refused: id of a trigger -> who will not have it, and why.
    """

    def __init__(self, refused: Mapping[str, str]) -> None:
        super().__init__(next(iter(refused.values()), ""))
        self.refused = refused


class Sender(Protocol):
    """Tells somebody of triggers. Called in a thread of its own, and may block for about TIMEOUT.

    Raises:
        Unreachable, Refused: of the whole batch; nothing of it may have been taken then, as far as can be told, or
            the sender knows what was when it is asked for the same triggers again.
        Partly: some of it was refused for good, and the rest taken.
    """

    @property
    def most(self) -> int:
        """How many triggers it takes at once. One that has `told`, too, tells of so many of them and counts the rest."""

    def send(self, triggers: Sequence[Trigger]) -> str:
        """Tell of these, in this order; what is to be noted of the result, such as "250 queued"."""

    def close(self) -> None:
        """Close connections and files."""


def values(trigger: Trigger) -> dict[str, str]:
    """What stands in templates for a trigger: as in a script's environment, without the LT_.

    A file's name may be no UTF-8, of which nobody who is told could make anything.
    """
    known = values_of(trigger)
    if not known["source"].isascii():
        known["source"] = safe(known["source"].encode("utf-8", "surrogateescape"))
    return known


@dataclass(frozen=True, slots=True)
class Secret:
    """A password or key that stands in a file, and is never shown.

    >>> Secret(Path("/etc/logtrigger/alerta.key"))
    Secret(/etc/logtrigger/alerta.key)
    """

    path: Path

    def __repr__(self) -> str:
        return f"Secret({self.path})"

    def read(self) -> str:
        """The secret: the file's first line. Raises Unreachable where there is none, as the file may be mended while we try."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Unreachable(f"{self.path}: {getattr(error, 'strerror', None) or 'is no text'}") from None
        secret = text.partition("\n")[0].strip()
        if not secret:
            raise Unreachable(f"{self.path}: its first line is empty")
        if not secret.isprintable():  # whoever is given it might say so, and quote it
            raise Unreachable(f"{self.path}: its first line holds what is no character")
        return secret
