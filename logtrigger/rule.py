"""A rule as the engine runs it, and the settings of a whole daemon: what a configuration comes to once it is checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from logtrigger.addresses import AddressSet
from logtrigger.conditions import Condition
from logtrigger.errors import Place
from logtrigger.patterns.pattern import Pattern

SYSTEM_LOG = "system log"  # the source of every rule that names none


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
