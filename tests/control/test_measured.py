"""What is measured about a daemon at work."""

from __future__ import annotations

from pathlib import Path

from tests.cli.asking import ask, asked
from tests.live import Live

RULES = "\toption name 'Ban'\n\toption pattern 'ban %s'\n\toption fields ip\n\toption ban 1h\n"


def metrics(one: Live) -> dict[str, float]:
    lines = ask(one, "metrics").stdout.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_what_happened_is_counted(tmp_path: Path) -> None:
    with asked(tmp_path, *rules(tmp_path)) as one:
        one.write("hit a", "nothing", "hit b", "ban 192.0.2.7")
        one.wait_runs(2)
        one.wait_for("192.0.2.7")
        one.until(
            lambda: metrics(one).get('logtrigger_actions_total{action="script",result="done"}') == 2,
            "two scripts that are done",
        )
        assert ask(one, "unban", "192.0.2.7").exit_code == 0
        found = metrics(one)
    log = f'{{source="{one.log}"}}'
    assert found[f"logtrigger_source_lines_total{log}"] == 4
    assert found[f"logtrigger_source_bytes_total{log}"] == len("hit a\nnothing\nhit b\nban 192.0.2.7\n")
    assert found[f"logtrigger_source_lag_bytes{log}"] == 0
    assert found['logtrigger_rule_events_total{rule="Hit"}'] == found['logtrigger_rule_triggers_total{rule="Hit"}'] == 2
    assert found['logtrigger_rule_running{rule="Off"}'] == 0
    assert found['logtrigger_bans_total{rule="Ban"}'] == found["logtrigger_unbans_total"] == 1
    assert found["logtrigger_bans"] == found["logtrigger_queue_waiting"] == 0
    assert found["logtrigger_store_up"] == found["logtrigger_firewall_up"] == 1
    assert found["logtrigger_resident_memory_bytes"] > 1_000_000


def rules(folder: Path) -> list[str]:
    log = f"\toption file '{folder}/app.log'\n"
    hit = (
        f"config rule\n\toption name Hit\n\toption pattern 'hit %s'\n\toption fields who\n\toption script '{folder}/note.sh'\n"
    )
    off = "config rule\n\toption name Off\n\toption pattern 'off %s'\n\toption enabled 0\n"
    script = folder / "note.sh"
    script.write_text(f'#!/bin/sh\necho "$LT_id" >>{folder}/ran\n')
    script.chmod(0o700)
    return [hit + log, f"config rule\n{RULES}{log}", off + log]
