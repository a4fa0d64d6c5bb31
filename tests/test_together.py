"""Which rules count together."""

from __future__ import annotations

from typing import Any

import pytest

from logtrigger.together import together
from tests.script import rule


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ({}, []),
        ({"a": {}, "b": {}}, [0, 1]),
        ({"a": {"group": "g"}, "b": {}, "c": {"group": "g"}, "d": {"group": "h"}}, [0, 1, 0, 3]),
        ({"a": {"reset_by": ("c",)}, "b": {}, "c": {}}, [0, 1, 0]),
        ({"a": {}, "b": {"reset_by": ("a", "none")}, "c": {"reset_by": ("b",)}}, [0, 0, 0]),
        ({"a": {"group": "g"}, "b": {"group": "h"}, "c": {"group": "h"}, "d": {"group": "g", "reset_by": ("c",)}}, [0] * 4),
    ],
)
def test_together(rules: dict[str, dict[str, Any]], found: list[int]) -> None:
    assert together([rule("x", name=name, **options) for name, options in rules.items()]) == found
