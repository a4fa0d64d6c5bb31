"""Counters on their way to the store and back."""

from __future__ import annotations

import json

from logtrigger.counters import WindowState
from logtrigger.store import WindowRow


def to_row(state: WindowState) -> WindowRow:
    """A counter as the store keeps it: JSON of its events' times and weights, and of its suppression."""
    data = json.dumps([state.events, state.suppressed], separators=(",", ":")).encode("ascii")
    return WindowRow(state.namespace, state.signature, state.key, data)


def from_row(row: WindowRow) -> WindowState:
    """The counter of a row that `to_row` made."""
    events, suppressed = json.loads(row.data)
    return WindowState(row.namespace, row.signature, row.key, [(at, weight) for at, weight in events], suppressed)
