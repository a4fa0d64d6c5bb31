"""What can be wrong, said so that an operator can mend it: place, fault, way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A file and a line in it, counted from 1.

    >>> print(Place("rules.conf", 14))
    rules.conf:14
    """

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    """One mistake in a configuration file, and the way out of it.

    >>> print(Complaint(Place("rules.conf", 14), "unknown option 'maxfial'", "did you mean 'maxfail'?"))
    rules.conf:14: error: unknown option 'maxfial' (did you mean 'maxfail'?)
    """

    place: Place
    fault: str
    remedy: str = ""
    severity: str = "error"  # or "warning", which never stops a start, or "note", which only `check` shows

    def __str__(self) -> str:
        hint = f" ({self.remedy})" if self.remedy else ""
        return f"{self.place}: {self.severity}: {self.fault}{hint}"


class ConfigError(Exception):
    """A configuration that cannot be used; `complaints` holds every mistake found in it."""

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        super().__init__("\n".join(map(str, complaints)))
        self.complaints = tuple(complaints)


class PatternError(ValueError):
    """A pattern or condition that does not compile.

    `fault` says what is wrong, `remedy` what to write instead; `column` counts the characters of the text from 1
    (None where the whole text is meant).
    """

    def __init__(self, fault: str, remedy: str = "", column: int | None = None) -> None:
        super().__init__(fault if column is None else f"{fault} at column {column}")
        self.fault = fault
        self.remedy = remedy
        self.column = column


class SourceError(Exception):
    """A source that cannot be opened or read; the text says which, why, and what to do."""


class StoreError(Exception):
    """A store that cannot be opened or written; the text says which, why, and what to do."""


class FirewallError(Exception):
    """A firewall that cannot be set up or changed; the text says which, why, and what to do."""


class ControlError(Exception):
    """A control socket that somebody else serves; the text says which, and what to do."""
