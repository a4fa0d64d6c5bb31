"""docs/actions.md names every script; its examples are tried by tests/docs/test_blocks.py."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_script_is_told_of() -> None:
    page = (ROOT / "docs/actions.md").read_text()
    assert {path.name for path in (ROOT / "scripts").glob("*.sh")} == set(re.findall(r"^\| `(\w+\.sh)`", page, re.MULTILINE))
