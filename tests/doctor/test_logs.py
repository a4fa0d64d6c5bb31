"""What is said of sources, clocks and rules; with real daemons in tests/e2e/test_doctor.py."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logtrigger import config
from logtrigger.doctor import logs
from logtrigger.doctor.findings import Case
from logtrigger.sources.machine import Machine
from tests.script import NOW


def case(folder: Path, configuration: str = "", **source: Any) -> Case:
    facts = {"source": "log", "reads": "log", "files": [], "lag": 0, "last": NOW - 60, "ahead": None, "paused": False}
    facts |= {"fault": "", "unreadable": [], **source}
    path = folder / "rules"
    path.write_text(configuration)
    path.chmod(0o600)
    machine = Machine(root=folder, proc=folder)
    return Case(folder / "rules", NOW, config.read(path), {"sources": [facts]}, machine=machine)


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (0.0, ""),
        (-29.0, ""),
        (31.0, "log: its clock is 31s ahead of ours"),
        (-3601.0, "log: its clock is 1h behind ours"),
        (20_700.2, "log: its clock is 5h45m ahead of ours"),
        (4000.0, "log: its clock is 1h7m ahead of ours"),
    ],
)
def test_clocks(tmp_path: Path, ahead: float, said: str) -> None:
    found = list(logs.clocks(case(tmp_path, ahead=ahead)))
    assert [one.text for one in found] == [said] * bool(said)
    is_zone = abs(ahead) in (3601.0, 20_700.2)
    assert all(("zone" in one.remedy) is is_zone for one in found)


@pytest.mark.parametrize(
    ("source", "level", "text"),
    [
        ({}, "ok", "log: last line 1m ago"),
        ({"last": None, "reads": "a, b"}, "ok", "log (a, b): no line since the start"),
        ({"paused": True}, "error", "log: reading waits for the store"),
        ({"lag": 5 << 20}, "warning", "log: 5,120 KiB lie there unread"),
        ({"fault": "udp://:514: it is in use"}, "error", "log is not read: udp://:514: it is in use"),
    ],
)
def test_sources(tmp_path: Path, source: dict[str, Any], level: str, text: str) -> None:
    (found,) = logs.growth(case(tmp_path, **source))
    assert (found.level, found.text) == (level, text)


def test_programs_that_do_not_log(tmp_path: Path) -> None:
    """It is worth a note: they may have nothing to say."""
    log = tmp_path / "log"
    log.write_text("Nov 14 22:00:00 h cron[7]: x\n")
    rules = [f"config rule\n\toption name r{n}\n\toption pattern 'sshd[%d]: {n}'\n\toption file {log}\n" for n in range(5)]
    found = list(logs.rules(case(tmp_path, "".join(rules), source=str(log), files=[{"path": str(log)}])))
    assert [(one.level, one.text) for one in found] == [
        ("note", f"sshd has written none of the last lines of {log}: r0, r1, r2 and 2 more")
    ]


def line(age: float, text: str) -> str:
    return f"{datetime.fromtimestamp(NOW - age, UTC).isoformat()} nas {text}\n"


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("systemd-journald[301]: Suppressed 2212 messages from ssh.service", "10m"),
        ("rsyslogd: imuxsock[pid: 7]: begin to drop messages due to rate-limiting", "10m"),
        ("sshd[7]: Suppressed 2212 messages from ssh.service", ""),
        ("rsyslogd: action 'a' resumed", ""),
    ],
)
def test_lines_that_were_left_out(tmp_path: Path, text: str, ago: str) -> None:
    log = tmp_path / "log"
    log.write_text(line(90_000, "rsyslogd: 5 messages lost due to rate-limiting") + line(600, text) + line(5, "cron[7]: x"))
    rule = f"config rule\n\toption name r\n\toption pattern 'nothing of it'\n\toption file {log}\n"
    found = list(logs.rules(case(tmp_path, rule, source=str(log), files=[{"path": str(log)}])))
    assert [one.text.partition(": ")[2].partition(" ago")[0] for one in found] == [f"lines were left out {ago}"] * bool(ago)
    assert all("Burst" in one.remedy for one in found)
