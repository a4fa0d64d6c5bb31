"""All counters of a configuration: which windows a rule counts in, and what of them is to be stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from logtrigger.absence import Absences
from logtrigger.digests import blake2s
from logtrigger.distinct import DistinctWindows
from logtrigger.rule import Rule
from logtrigger.wallclock import Step
from logtrigger.window import Entry, Windows


@dataclass(frozen=True, slots=True)
class WindowState:
    """One counter as it is stored: whose it is, its key, its events, and until when it is suppressed (0.0: it is not)."""

    namespace: str
    signature: str
    key: str
    events: Entry
    suppressed: float


class Counters:
    """The windows of some rules; rules of a group share theirs.

    Args:
        rules: all rules that count.
        max_keys: how many counters a rule or group may have.
        stored: whether `changes` will be asked for.
    """

    def __init__(self, rules: Sequence[Rule], max_keys: int, *, stored: bool = True) -> None:
        self._windows: dict[str, Windows] = {}
        self._signatures: dict[str, str] = {}
        members: dict[str, list[Rule]] = {}
        for rule in rules:
            members.setdefault(_namespace(rule), []).append(rule)
        for namespace, found in members.items():
            self._windows[namespace] = _windows(found[0], max_keys, stored=stored)
            self._signatures[namespace] = _signature(found)

    def of(self, rule: Rule) -> Windows:
        """The windows this rule counts in."""
        return self._windows[_namespace(rule)]

    def expire(self, now: float) -> None:
        """Forget counters whose events are all too old."""
        for windows in self._windows.values():
            windows.expire(now)

    def shift(self, step: Step) -> None:
        """Somebody has set the clock: the times noted by it go along."""
        for windows in self._windows.values():
            windows.shift(step)

    def evictions(self) -> dict[str, int]:
        """How many counters each rule or group had to give up for others, where it had to."""
        return {name: windows.evicted for name, windows in self._windows.items() if windows.evicted}

    def changes(self) -> list[WindowState]:
        """Every counter that changed since this was last called; one without events or suppression is to be forgotten."""
        states = []
        for namespace, windows in self._windows.items():
            signature = self._signatures[namespace]
            states += [WindowState(namespace, signature, *changed) for changed in windows.take_changed()]
        return states

    def restore(self, states: Iterable[WindowState]) -> list[WindowState]:
        """Put counters back; returns those that no rule can go on with."""
        strangers = []
        for state in sorted(states, key=_newest):
            if self._signatures.get(state.namespace) == state.signature:
                self._windows[state.namespace].restore(state.key, state.events, state.suppressed)
            else:
                strangers.append(state)
        return strangers

    def adopt(self, older: Counters) -> list[WindowState]:
        """Go on with the counters of an older configuration; returns those that are to be forgotten."""
        strangers = self.restore(
            older._state(namespace, windows, key)
            for namespace, windows in older._windows.items()
            for key in dict.fromkeys([*windows.keys(), *windows.changed])
        )
        for namespace, windows in older._windows.items():  # what is not stored yet is still to be
            if self._signatures.get(namespace) == older._signatures[namespace]:
                self._windows[namespace].changed.update(windows.changed)
        return strangers

    def _state(self, namespace: str, windows: Windows, key: str) -> WindowState:
        return WindowState(namespace, self._signatures[namespace], key, *windows.state(key))


def _windows(rule: Rule, max_keys: int, *, stored: bool) -> Windows:
    if rule.absent is not None:
        return Absences(rule.absent, rule.forget, max_keys, alone=not rule.key, stored=stored)
    kind = Windows if rule.distinct is None else DistinctWindows
    return kind(rule.maxfail, rule.time, max_keys, stored=stored)


def _namespace(rule: Rule) -> str:
    return f"group {rule.group}" if rule.group else f"rule {rule.name}"


def _newest(state: WindowState) -> float:
    return state.events[-1][0] if state.events else 0.0


def _width(rule: Rule) -> tuple[tuple[int, int], ...]:
    return ((rule.ban.prefix4, rule.ban.prefix6),) if rule.ban and rule.counts_networks else ()


def _signature(rules: Sequence[Rule]) -> str:
    """What must be unchanged for counters to be gone on with: patterns, fields, key and its width, group, time, kind."""
    facts = [
        (
            *(r.name, [(p.text, p.fields, p.types) for p in r.patterns], r.key, r.group, r.time, *_width(r)),
            *([r.distinct] if r.distinct else []),
            *(["absent"] if r.absent is not None else []),  # however long
        )
        for r in rules
    ]
    return blake2s(repr(facts).encode(), digest_size=8).hexdigest()
