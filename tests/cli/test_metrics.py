"""`logtrigger metrics`, to which Prometheus' own tool has nothing to say, and its rows for programs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.asking import ask, asked


def test_rows_for_programs(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        rows = {row["name"]: row for row in json.loads(ask(one, "metrics", "--json").stdout)}
    assert (rows["logtrigger_bans"]["kind"], rows["logtrigger_bans"]["samples"]) == ("gauge", [[{}, 0.0]])


@pytest.mark.tool("promtool")
def test_promtool_has_nothing_to_say(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.write("hit a")
        one.wait_runs(1)
        said = ask(one, "metrics").stdout
    checked = subprocess.run(["promtool", "check", "metrics"], input=said, capture_output=True, text=True, timeout=30)
    assert 'logtrigger_rule_triggers_total{rule="Hit"} 1' in said.splitlines()
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_nobody_to_ask(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        pass
    assert ask(one, "metrics").exit_code == 3
