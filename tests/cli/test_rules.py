"""`logtrigger rules`: all rules, and one with the places its values come from."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.asking import ask, asked, on_terminal
from tests.live import Live


def test_list(tmp_path: Path) -> None:
    rules = Live(tmp_path)
    with asked(tmp_path, rules.rule(maxfail=2, key="who"), rules.rule("Off", "off %s", enabled=0)) as one:
        one.write("hit me", "hit me", "hit you")
        one.wait_runs(1)
        said = ask(one, "rules")
        assert said.exit_code == 0
        head, hit, off = (line.split() for line in said.stdout.splitlines())
        assert head == ["RULE", "EVENTS", "TRIGGERS", "LAST", "KEYS", "DOES"]
        assert hit == ["Hit", "3", "1", "0s", "ago", "1", "script", str(one.note)]
        assert off[:7] == ["Off", "0", "0", "-", "0", "off:", "not"]
        rows = json.loads(ask(one, "rules", "--json").stdout)
        assert [(row["rule"], row["state"], row["events"], row["keys"]) for row in rows] == [
            ("Hit", "running", 3, 1),
            ("Off", "off", 0, 0),
        ]


def test_one_rule_and_where_its_values_come_from(tmp_path: Path) -> None:
    more = "config defaults\n\toption time 600\nconfig override\n\toption rule 'H*'\n\toption maxfail 7\n"
    with asked(tmp_path, Live(tmp_path).rule(maxfail=5), more) as one:
        lines = {line.split()[0]: line.split() for line in ask(one, "rules", "Hit").stdout.splitlines()}
        path = tmp_path / "rules"
        assert lines["maxfail"] == ["maxfail", "7", f"{path}:15"]
        assert lines["time"] == ["time", "600", f"{path}:12"]
        assert lines["pattern"] == ["pattern", "hit", "%s", f"{path}:5"]
        assert lines["weight"] == ["weight", "1", "default"]
        assert lines["suppress"] == ["suppress", "0", "default"]
        facts = json.loads(ask(one, "rules", "Hit", "--json").stdout)
        assert facts["rule"] == "Hit"
        assert {"option": "maxfail", "values": ["7"], "place": f"{path}:15"} in facts["options"]


def test_rule_that_there_is_not(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        said = ask(one, "rules", "Hiit")
        assert (said.exit_code, said.stdout) == (2, "")
        assert said.stderr == "no rule is called 'Hiit' (did you mean 'Hit'?)\n"


def test_narrow_terminals(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        for columns in (80, 50, 30):
            for words in (["rules"], ["rules", "Hit"]):
                shown = on_terminal(one, *words, columns=columns)
                assert max(map(len, shown.splitlines())) <= columns, shown
        assert "TRIGGERS" in on_terminal(one, "rules", columns=60)
