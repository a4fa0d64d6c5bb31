"""A fault of our own is told once a while, by its place."""

from __future__ import annotations

import re

import pytest

from logtrigger.faults import Faults


def raised(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_each_place_is_told_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("logtrigger.faults.time.monotonic", lambda: now[0])
    told: list[tuple[int, str]] = []
    faults = Faults(lambda level, text: told.append((level, text)))
    for now[0] in (0.0, 30.0, 59.9):
        faults.tell(raised("a"))
    faults.tell(OSError("never raised"))
    assert [level for level, _ in told] == [0, 0]
    assert re.fullmatch(r"a fault of logtrigger's own in test_faults\.py:\d+: ValueError\('a'\); work goes on", told[0][1])
    assert told[1][1].startswith("a fault of logtrigger's own in somewhere: OSError")
    now[0] = 60.0
    faults.tell(raised("b"))
    assert "ValueError('b')" in told[2][1]
