"""Wording that complaints share: a value as it is shown, a near miss, a list of choices."""

from __future__ import annotations

from collections.abc import Iterable

from logtrigger.errors import Complaint, Place
from logtrigger.text import safe

_SHOWN = 60  # characters of a value that a complaint repeats


class Report:
    """Collects complaints, so that one run names every mistake."""

    def __init__(self) -> None:
        self.complaints: list[Complaint] = []

    def error(self, place: Place, fault: str, remedy: str = "") -> None:
        """A mistake that keeps the configuration from being used."""
        self.complaints.append(Complaint(place, fault, remedy))

    def warning(self, place: Place, fault: str, remedy: str = "") -> None:
        """Something that is allowed but hardly meant."""
        self.complaints.append(Complaint(place, fault, remedy, "warning"))

    @property
    def errors(self) -> tuple[Complaint, ...]:
        """Each mistake once, sorted by place."""
        return self._sorted("error")

    @property
    def warnings(self) -> tuple[Complaint, ...]:
        """Each warning once, sorted by place."""
        return self._sorted("warning")

    def _sorted(self, severity: str) -> tuple[Complaint, ...]:
        return tuple(sorted({c for c in self.complaints if c.severity == severity}))


def shown(text: str) -> str:
    """The text in quotes, on one line and not too long.

    >>> shown("a\\nb")
    "'a?b'"
    """
    line = safe(text.encode("utf-8", "replace"))
    return f"'{line}'" if len(line) <= _SHOWN else f"'{line[:_SHOWN]}…'"


def suggestion(word: str, known: Iterable[str]) -> str:
    """A question that names the nearest of the known words; empty where none is near.

    >>> suggestion("maxfial", ["maxfail", "time"])
    "did you mean 'maxfail'?"
    """
    import difflib  # loaded for a mistake only

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else ""


def listed(words: Iterable[str], last: str = "and") -> str:
    """The words as a person would list them.

    >>> listed(["a", "b", "c"], "or")
    'a, b or c'
    """
    *before, final = words
    return f"{', '.join(before)} {last} {final}" if before else final
