"""What is said of log files, over pictures of who writes them; with real daemons in tests/e2e/test_doctor.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from logtrigger import config
from logtrigger.doctor import files
from logtrigger.doctor.findings import Case
from logtrigger.sources.machine import Machine

NOW = 1_800_000_000.0
DAY = 86_400.0


class Box:
    """Log files of some ages, and processes that write some of them."""

    def __init__(self, folder: Path) -> None:
        self.logs, self.proc = folder / "srv", folder / "proc"
        self.logs.mkdir()
        self.rules = folder / "rules"
        self.rules.touch(0o600)
        self.now = NOW
        self.process(1, "init")

    def log(self, name: str, age: float = 0.0) -> Path:
        path = self.logs / name
        path.write_text("a line\n")
        os.utime(path, (NOW - age, NOW - age))
        return path

    def process(self, pid: int, name: str, opens: str = "") -> None:
        folder = self.proc / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "fdinfo").mkdir()
        (folder / "comm").write_text(name + "\n")
        if opens:
            (folder / "fd/3").symlink_to(opens)
            (folder / "fdinfo/3").write_text("pos:\t0\nflags:\t0102001\n")

    def case(self, source: str, *read: Path, **facts: Any) -> Case:
        file_rows = [{"path": str(path)} for path in read]
        row = {"source": source, "files": file_rows, "unreadable": [], **facts}
        return Case(self.rules, self.now, config.read(self.rules), {"sources": [row]}, machine=Machine(proc=self.proc))

    def said(self, source: str, *read: Path, **facts: Any) -> list[tuple[str, str]]:
        case = self.case(source, *read, **facts)
        assert case.status is not None
        found = [*files.missing(case), *files.check(case, case.status["sources"][0], files.writers(case))]
        assert all(one.remedy for one in found if one.is_wrong)
        return [(one.level, one.text) for one in found]


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_files_that_are_written_or_young(box: Box) -> None:
    young, old = box.log("young", DAY), box.log("old", 9 * DAY)
    box.process(7, "app", str(old))
    assert box.said(str(young), young) == box.said(str(old), old) == []


def test_a_file_that_nobody_writes(box: Box) -> None:
    old = box.log("old", 3 * DAY)
    assert box.said(str(old), old) == [("warning", f"nothing was written to {old} for 3d, and no process has it open")]


def test_whoever_cannot_see_all_processes_raises_no_alarm(box: Box) -> None:
    old = box.log("old", 3 * DAY)
    (box.proc / "1/fd").rmdir()
    ((level, text),) = box.said(str(old), old)
    assert (level, "only root can see" in text) == ("note", True)


def test_of_the_files_of_a_glob_the_youngest_counts(box: Box) -> None:
    """A new file each day is a usual way, too."""
    days = [box.log(f"app-{day}.log", day * DAY) for day in range(1, 9)]
    glob = f"{box.logs}/app-*.log"
    assert box.said(glob, *days) == []
    (box.logs / "app-1.log").unlink()
    (box.logs / "app-2.log").unlink()
    assert box.said(glob, *days[2:]) == [
        ("warning", f"nothing was written to any of the 6 files {glob} for 3d, and no process has it open")
    ]


def test_globs_of_a_source(box: Box) -> None:
    box.rules.write_text(f"config source 'web'\n\tlist file '{box.logs}/*.log'\n\tlist file '{box.logs}/gone'\n")
    old, young = box.log("a.log", 9 * DAY), box.log("b.log")
    assert box.said("web", old, young) == []


@pytest.mark.parametrize(("names", "text"), [("nolog", "{0}/nolog is not there"), ("*.txt", "no file is called {0}/*.txt")])
def test_files_that_are_not_there(box: Box, names: str, text: str) -> None:
    box.rules.write_text(f"config rule\n\toption name a\n\toption pattern 'a %s'\n\toption file '{box.logs}/{names}'\n")
    assert box.said("other") == [("error", text.format(box.logs))]
    box.log("nolog")
    box.log("a.txt")
    assert box.said("other") == []


@pytest.mark.parametrize(
    ("service", "more", "levels"),
    [
        ("vsftpd", "", "note"),  # it may write to the system log, too
        ("lighttpd", "", "error"),
        ("vsftpd", "config override\n\toption rule 'vsftpd_failed'\n\toption file '/var/log/none'\n", "error note"),
    ],
)
def test_logs_of_the_library_that_are_not_there(
    box: Box, service: str, more: str, levels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service of which all logs are missing is not watched."""
    box.rules.write_text(f"config logtrigger\n\tlist use '{service}'\n{more}")
    monkeypatch.setattr(files, "_are_there", lambda globs: False)
    assert {level for level, _ in box.said("other")} == set(levels.split())


def test_files_that_the_daemon_may_not_read(box: Box) -> None:
    log = box.log("a")
    ((level, text),) = box.said(str(log), log, unreadable=[f"{log} cannot be read: Permission denied"])
    assert (level, text) == ("error", f"the daemon does not read a file: {log} cannot be read: Permission denied")


def test_a_program_that_writes_to_a_deleted_file(box: Box) -> None:
    log = box.log("a.log")
    box.process(7, "rsyslogd", f"{log} (deleted)")
    ((level, text),) = box.said(str(log), log)
    assert (level, text.startswith(f"rsyslogd writes to {log} as it was before it was deleted")) == ("error", True)


def test_a_program_that_writes_to_a_rotated_file(box: Box) -> None:
    """It has some minutes to hear that it shall open its log anew, and what others write there does not count."""
    log = box.log("a.log")
    os.utime(log)
    box.process(7, "app", f"{box.logs}/a.log.1")
    made = os.stat(log).st_ctime
    box.now = made + 60
    assert box.said(str(log), log) == []
    box.now = made + 3600
    assert box.said(str(log), log) == [("warning", f"app writes to {box.logs}/a.log.1 still, and nobody to {log}")]
    box.process(8, "app", str(log))
    assert box.said(str(log), log) == []
