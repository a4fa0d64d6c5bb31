"""docs/firewall.md tells of options that there are."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from logtrigger.config.options import FirewallTable

PAGE = Path(__file__).parents[2] / "docs/firewall.md"


def test_options() -> None:
    table = PAGE.read_text().split("## Options\n")[1].split("\n## ")[0]
    named = [
        name for line in table.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert len(named) > 5
    assert set(named) <= {field.name for field in fields(FirewallTable)}
