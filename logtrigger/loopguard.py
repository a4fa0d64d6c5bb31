"""No rule may set itself off: one message that triggers a rule again and again is not acted on for a while."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum

MOST = 100  # triggers of one rule by one same message within SPAN are taken for chance or an attack
SPAN = 10.0  # seconds
PAUSE = 600.0  # seconds
KEYS = 1_000  # messages that are remembered, and that may be paused: the oldest are forgotten first


class Verdict(Enum):
    """What is to become of a trigger."""

    ACT = "act"
    PAUSE = "pause"  # it is one too many: it and those that follow are not acted on
    PASS_OVER = "pass over"  # it is one of those that follow


@dataclass(slots=True)
class Pause:
    """A rule and message that are not acted on until a time."""

    rule: str
    body: str
    until: float  # epoch seconds
    passed_over: int = 0


class LoopGuard:
    """Looks at each trigger before it is acted on.

    A script that logs the very line that starts it would otherwise run for ever. Only that message is paused: whoever makes
    others write one same line often shall not keep the rule from acting on different ones.

    >>> guard = LoopGuard(most=1)
    >>> [guard.look("rule", "a", now).name for now in (0.0, 1.0, 2.0)], guard.look("rule", "b", 3.0).name
    (['ACT', 'PAUSE', 'PASS_OVER'], 'ACT')
    >>> guard.over(601.0)
    [Pause(rule='rule', body='a', until=601.0, passed_over=2)]
    """

    def __init__(self, most: int = MOST, span: float = SPAN, pause: float = PAUSE, keys: int = KEYS) -> None:
        self._most, self._span, self._pause, self._keys = most, span, pause, keys
        # By the hash of rule and body, which Python salts: nobody can look for two that share one.
        self._times: OrderedDict[int, list[float]] = OrderedDict()
        self._pauses: OrderedDict[int, Pause] = OrderedDict()

    def look(self, rule: str, body: str, time: float) -> Verdict:
        """What is to become of a trigger that happened at `time` (epoch seconds)."""
        key = hash((rule, body))
        if pause := self._pauses.get(key):
            pause.passed_over += 1
            return Verdict.PASS_OVER
        times = self._times.pop(key, None)
        if times is None:
            times = [time]
        else:
            times = [earlier for earlier in times if abs(time - earlier) <= self._span]
            times.append(time)
        if len(times) > self._most:
            self._pauses[key] = Pause(rule, body, time + self._pause, 1)
            if len(self._pauses) > self._keys:
                self._pauses.popitem(last=False)
            return Verdict.PAUSE
        self._times[key] = times  # at the end: the one seen last
        if len(self._times) > self._keys:
            self._times.popitem(last=False)
        return Verdict.ACT

    def shift(self, seconds: float) -> None:
        """The clock was set: what remains of each pause stays the same."""
        for pause in self._pauses.values():
            pause.until += seconds

    def over(self, now: float) -> list[Pause]:
        """The pauses that have ended by now; they are told once."""
        ended = [(key, pause) for key, pause in self._pauses.items() if pause.until <= now]
        for key, _ in ended:
            del self._pauses[key]
        return [pause for _, pause in ended]

    @property
    def pauses(self) -> list[Pause]:
        """What is not acted on at present."""
        return list(self._pauses.values())

    @property
    def next_end(self) -> float | None:
        """When the next pause ends, epoch seconds; None: there is none."""
        return min((pause.until for pause in self._pauses.values()), default=None)
