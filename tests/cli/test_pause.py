"""`logtrigger pause` and `resume`: a rule goes on counting, and nothing is done about what it finds."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.asking import ask, asked


def test_a_paused_rule_does_nothing_until_it_goes_on(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        said = ask(one, "pause", "Hit", "30m")
        assert (said.exit_code, said.stdout) == (0, "Hit: paused, not acted on: the rule is paused for 30m more\n")
        one.write("hit a")
        one.wait_for("not acted on: the rule is paused for 30m more")
        assert "Hit: not acted on: the rule is paused" in ask(one, "status").stdout
        assert "paused: not acted on" in ask(one, "rules").stdout
        assert ask(one, "resume", "Hit").stdout == "Hit: running\n"
        one.write("hit b")
        one.wait_runs(1)
        (row,) = [row for row in json.loads(ask(one, "rules", "--json").stdout) if row["rule"] == "Hit"]
        assert (row["events"], row["triggers"], row["state"]) == (2, 2, "running")
        said = ask(one, "resume", "Hit")
        assert (said.exit_code, said.stderr) == (1, "Hit is not paused\n")


def test_no_ban_of_a_paused_rule(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.configure(
            one.rule(),
            one.rule("Ban", "ban %s", fields="ip", ban="1h", script=None),
            "config firewall\n\toption backend 'null'\n",
        )
        assert ask(one, "reload").exit_code == 0
        assert ask(one, "pause", "Ban").stdout.startswith("Ban: paused, not acted on: the rule is paused for 1h")
        one.write("ban 192.0.2.7")
        one.wait_for("not acted on: the rule is paused")
        assert ask(one, "bans", "192.0.2.7").exit_code == 1


def test_a_rule_that_widens_is_paused_with_its_prefixes(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        null = "config firewall\n\toption backend 'null'\n"
        one.configure(one.rule("Ban", "ban %s", fields="ip", ban="1h", widen="24/5", script=None), null)
        assert ask(one, "reload").exit_code == 0
        assert ask(one, "pause", "Ban/24").stdout.startswith("Ban: paused, not acted on: the rule is paused for 1h")
        assert ask(one, "resume", "Ban/24").stdout == "Ban: running\n"


def test_mistakes(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        said = ask(one, "pause", "Hut")
        assert (said.exit_code, said.stderr) == (2, "no rule called 'Hut' runs (did you mean 'Hit'?)\n")
        assert "'soon' is no time (write a time such as 90s, 10m or 2h)" in ask(one, "pause", "Hit", "soon").stderr
