"""What an examination finds, and what it looks at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from logtrigger.config import Configuration
from logtrigger.sources.machine import Machine

Facts = dict[str, Any]
Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a check; where something is wrong (warning, error), `remedy` says what to do."""

    check: str
    level: Level
    text: str
    remedy: str = ""

    @property
    def is_wrong(self) -> bool:
        return self.level in ("warning", "error")


@dataclass(slots=True)
class Case:
    """What is examined.

    `configuration` is None where it has mistakes; `status` and `firewall` are what the daemon says of itself, None where none
    answers; `user` is the id it runs as, `socket` where it answers. `ask` asks it something else.
    """

    path: Path
    now: float  # epoch seconds
    configuration: Configuration | None = None
    status: Facts | None = None
    firewall: Facts | None = None
    socket: Path | None = None
    user: int = field(default_factory=os.geteuid)
    ask: Callable[..., Iterator[Facts]] | None = None
    machine: Machine = field(default_factory=Machine)


Check = Callable[[Case], Iterator[Finding]]
