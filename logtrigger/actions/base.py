"""What an action is to the queue of work, and what it tells when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from logtrigger.model import Trigger


@dataclass(frozen=True, slots=True)
class Result:
    """How an action ended."""

    ok: bool
    text: str  # such as "exit 0"
    seconds: float = 0.0
    output: tuple[str, ...] = ()  # lines, made safe; a last one may say that there were more
    whole: tuple[str, ...] = ()  # those lines of it that came whole
    told: bool = False  # the operator has heard of it already, or will, together with others
    begun: bool = True


class Action(Protocol):
    """Something a trigger causes."""

    @property
    def name(self) -> str: ...

    def start(self, trigger: Trigger, done: Callable[[Result | None], None]) -> None:
        """Begin, without waiting, and call `done` once: now or later, in the loop's thread.

        What goes wrong is a Result, never an exception; None: it was not done, and is to stay undone.
        """


@dataclass(frozen=True, slots=True)
class Left:
    """An action that is not begun, for a reason."""

    name: str
    why: str

    def start(self, trigger: Trigger, done: Callable[[Result | None], None]) -> None:
        """Nothing but to say so."""
        done(Result(False, self.why, begun=False))
