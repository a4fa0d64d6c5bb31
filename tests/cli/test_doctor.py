"""`logtrigger doctor`: how it says what it finds. Real faults are planted in tests/e2e/test_doctor.py."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.asking import ask, asked


def test_what_it_says(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.write("hit a")
        one.wait_runs(1)
        said = ask(one, "doctor")
        assert (said.exit_code, said.stdout.splitlines()[-1][:17]) == (0, "nothing is wrong ")
        assert any(line.startswith("ok       source: ") for line in ask(one, "doctor", "-v").stdout.splitlines())
        one.log.unlink()
        said = ask(one, "doctor")
        assert said.exit_code == 1
        assert f"error    source: {one.log} is not there (correct the path, or start what writes it)" in said.stdout
        assert said.stdout.splitlines()[-1].endswith(" want looking after")
        found = [one for one in json.loads(ask(one, "doctor", "--json").stdout) if one["level"] == "error"]
        assert {(one["check"], one["remedy"]) for one in found} >= {("source", "correct the path, or start what writes it")}


def test_without_a_daemon(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        pass
    said = ask(one, "doctor")
    assert said.exit_code == 1
    assert said.stdout.startswith("error    daemon: no daemon answers")
