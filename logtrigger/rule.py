"""A rule as the engine runs it, and the settings of a whole daemon: what a configuration comes to once it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from logtrigger.addresses import AddressSet
from logtrigger.conditions import Condition
from logtrigger.errors import Place

SYSTEM_LOG = "system log"  # the source of every rule that names none


class Pattern(Protocol):
    """One compiled pattern, whatever syntax it was written in."""

    text: str
    fields: tuple[str, ...]  # names of the captures, in order
    types: tuple[str, ...]  # their types, see patterns/types.py
    literal: bytes  # the longest text every matching line contains; b"" where there is none
    coarse: str  # an expression that every matching line matches, Latin-1 for bytes, without lookaround; "": none is known
    nocase: bool
    tagged: bool  # begins with a program's tag: to be matched from the header's tag on

    def match(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """The captures of the line data[start:end] (no line end in it), normalised as their types say; None: no match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to recognise, how to count it, what to do."""

    name: str
    place: Place
    patterns: tuple[Pattern, ...]  # alternatives, tried in order
    excepts: tuple[Pattern, ...] = ()
    programs: frozenset[str] = frozenset()
    source: str = SYSTEM_LOG
    maxfail: int = 1
    time: float | None = None  # seconds; None: no limit
    key: tuple[str, ...] = ()
    group: str = ""
    weight: int = 1
    reset_by: tuple[str, ...] = ()
    suppress: float = 0.0  # seconds
    when: tuple[Condition, ...] = ()
    ignore: AddressSet = field(default_factory=AddressSet)
    script: Path | None = None
    env: tuple[tuple[str, str], ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of all alternatives' fields, each once."""
        return tuple(dict.fromkeys(name for pattern in self.patterns for name in pattern.fields))

    @property
    def types(self) -> dict[str, str]:
        """Each field's type."""
        return {n: t for p in reversed(self.patterns) for n, t in zip(p.fields, p.types, strict=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration, checked."""

    path: Path
    rules: tuple[Rule, ...]  # the enabled ones, in the order of the configuration
    state: Path
    ignore: AddressSet = field(default_factory=AddressSet)
    script_timeout: float = 60.0  # seconds
    script_parallel: int = 8
    max_keys: int = 100_000
    max_line: int = 1 << 20  # bytes
    late: float = 86_400.0  # seconds
