"""`logtrigger doctor`: how it says what it finds. Real faults are planted in tests/e2e/test_doctor.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logtrigger.control.client import Client
from tests.cli.asking import NO_FIREWALL, ask, asked
from tests.live import live


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


def test_a_daemon_of_an_earlier_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was updated, and not started again."""
    plain = Client.ask

    def forgetful(self: Client, command: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        for row in plain(self, command, **arguments):
            row.pop("ignore", None)
            yield row

    with asked(tmp_path) as one:
        monkeypatch.setattr(Client, "ask", forgetful)
        said = ask(one, "doctor")
    assert said.exit_code == 1
    assert "error    daemon: the daemon does not tell 'ignore', so not all can be looked at (restart it" in said.stdout


def test_scripts_that_fail_each_time(tmp_path: Path) -> None:
    """Not those that fail now and then."""
    with live(tmp_path) as one:
        script = one.script("fail.sh", "[ $LT_who = good ] || exit 3")
        one.configure(one.rule(script=script), NO_FIREWALL)

        def hit(*whom: str, ended: int) -> None:
            one.write(*(f"hit {who}" for who in whom))
            one.until(lambda: ask(one, "events", "-n", "99").stdout.count("exit ") == ended, f"{ended} scripts have ended")

        with one.running():
            hit("good", "bad", "bad", ended=3)
            assert ask(one, "doctor").exit_code == 0
            hit(*5 * ["bad"], ended=8)
            said = ask(one, "doctor")
            assert said.exit_code == 1
            assert "warning  actions: rule Hit: its last 5 runs of script have failed, the last with: exit 3" in said.stdout
