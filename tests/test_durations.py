"""Spans of time as people write them."""

from __future__ import annotations

import pytest

from logtrigger.durations import spoken


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "0.25s"),
        (1, "1s"),
        (59.0, "59s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (5400, "1h30m"),
        (86_400, "1d"),
        (90_061, "1d1h1m1s"),
        (999_999_999, "11574d1h46m39s"),
    ],
)
def test_spoken(seconds: float, text: str) -> None:
    assert spoken(seconds) == text
