"""Which log a machine keeps is decided over a picture of it: folders that look like one."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from logtrigger.sources.machine import Choice, Machine, choices, nothing_found

BOOT = 1_000_000


@dataclass
class Picture:
    """A machine to be furnished."""

    base: Path

    def machine(self) -> Machine:
        return Machine(self.base / "root", self.base / "proc", str(self.base / "bin"))

    def file(self, name: str, age: int = -1000) -> Path:
        """A file of the machine, changed so many seconds after boot."""
        path = self.base / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (BOOT + age, BOOT + age))
        return path

    def program(self, name: str) -> None:
        path = self.base / "bin" / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)

    def process(self, pid: int, comm: str, opens: Path | None = None, flags: str = "0102001") -> None:
        folder = self.base / "proc" / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "fdinfo").mkdir()
        (folder / "comm").write_text(comm + "\n")
        if opens is not None:
            (folder / "fd" / "7").symlink_to(opens)
            (folder / "fdinfo" / "7").write_text(f"pos:\t0\nflags:\t{flags}\nmnt_id:\t1\n")

    def best(self, since: float | None = None) -> str:
        found, _ = choices(self.machine(), since)
        return str(found[0]) if found else "nothing"

    def log(self, *names: str) -> str:
        return " and ".join(str(self.base / "root/var/log" / name) for name in names)


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    for name in ("root/dev", "proc", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "proc" / "stat").write_text(f"cpu 1 2 3\nbtime {BOOT}\n")
    return Picture(tmp_path)


def with_journal(picture: Picture) -> None:
    picture.file("run/systemd/journal/socket")
    picture.program("journalctl")
    picture.process(1, "systemd")


def test_openwrt(picture: Picture) -> None:
    picture.file("etc/openwrt_release")
    assert picture.best() == "nothing"
    picture.program("logread")
    picture.file("var/log/messages", age=10)
    assert picture.best() == "the ring buffer of logread"


@pytest.mark.parametrize("names", [("syslog", "auth.log"), ("messages", "secure", "maillog")])
def test_a_file_that_grew_since_boot(picture: Picture, names: tuple[str, ...]) -> None:
    with_journal(picture)
    for log in names:
        path = picture.file(f"var/log/{log}", age=10)
        assert picture.best() == picture.log(*names)
        path.unlink()


def test_a_file_that_a_process_writes_to(picture: Picture) -> None:
    with_journal(picture)
    path = picture.file("var/log/syslog")
    assert picture.best() == "the journal"
    picture.process(70, "rsyslogd", opens=path)
    assert picture.best() == picture.log("syslog", "auth.log")


def test_a_reader_does_not_make_a_dead_file_count(picture: Picture) -> None:
    with_journal(picture)
    path = picture.file("var/log/syslog")
    picture.process(70, "tail", opens=path, flags="0100000")
    assert picture.best() == "the journal"


def test_a_dead_pair_gives_way_to_a_living_one(picture: Picture) -> None:
    picture.file("var/log/syslog")
    picture.file("var/log/messages", age=10)
    assert picture.best() == picture.log("messages", "secure", "maillog")


def test_only_the_first_living_pair_counts(picture: Picture) -> None:
    """Debian used to write most lines to both."""
    picture.file("var/log/syslog", age=10)
    picture.file("var/log/messages", age=10)
    assert picture.best() == picture.log("syslog", "auth.log")


def test_later_judgements_ask_for_growth_since_the_last(picture: Picture) -> None:
    picture.file("var/log/syslog", age=10)
    assert picture.best(since=BOOT + 5) == picture.log("syslog", "auth.log")
    assert picture.best(since=BOOT + 10) == "nothing"


def test_an_unreadable_file_gives_way(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    with_journal(picture)
    picture.file("var/log/syslog", age=10)
    may = os.access
    monkeypatch.setattr("os.access", lambda path, mode: "var/log" not in str(path) and may(path, mode))
    found, against = choices(picture.machine())
    assert [choice.program for choice in found] == ["journalctl"]
    assert any("may not read it" in text for text in against)


def test_a_container_without_any_log(picture: Picture) -> None:
    picture.process(1, "python3")
    assert picture.best() == str(picture.base / "root/dev/log")


@pytest.mark.parametrize("init", ["systemd", "init", "procd", "runit", "s6-svscan", "openrc-init", "busybox"])
def test_an_init_may_yet_start_a_syslog_daemon(picture: Picture, init: str) -> None:
    picture.process(1, init)
    assert picture.best() == "nothing"


def test_dev_log_that_is_there_is_somebodys(picture: Picture) -> None:
    picture.process(1, "python3")
    (picture.base / "root/dev/log").symlink_to("/run/none")
    assert picture.best() == "nothing"


def test_the_fault_names_all_that_was_looked_at(picture: Picture) -> None:
    picture.process(1, "systemd")
    picture.file("var/log/syslog")
    _, against = choices(picture.machine())
    text = str(nothing_found(against))
    for part in ("OpenWrt", "syslog is there, but nobody writes", "auth.log is not there", "messages", "secure", "maillog"):
        assert part in text
    for part in ("no journald", "dev/log is not served", "process 1 is systemd", "option file", "start a syslog daemon"):
        assert part in text


def test_a_choice_says_where() -> None:
    assert str(Choice("", files=("/a", "/b"))) == "/a and /b"
    assert str(Choice("", program="logread")) == "the ring buffer of logread"
    assert str(Choice("", socket="/dev/log")) == "/dev/log"


def test_this_machine_can_be_judged() -> None:
    machine = Machine()
    assert (machine.boot_time() or 0) > 0
    assert machine.first_process()
    choices(machine)


def test_dev_log_that_a_crash_left_behind_is_served_again(picture: Picture) -> None:
    """A socket that a process still has open is left alone."""
    picture.process(1, "bash")
    path = str(picture.base / "root/dev/log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        assert picture.best() == "nothing"
    assert picture.best() == path


def test_who_writes_what(picture: Picture) -> None:
    """Logs, and what else is in the folders that are asked for; a deleted file, too."""
    picture.process(7, "rsyslogd", Path("/var/log/syslog (deleted)"))
    picture.process(8, "app", Path("/srv/app/out"))
    picture.process(9, "tail", Path("/srv/app/in"), flags="0100000")
    assert picture.machine().writers() == {"/var/log/syslog (deleted)": "rsyslogd"}
    assert picture.machine().writers(["/srv/app"]) == {"/var/log/syslog (deleted)": "rsyslogd", "/srv/app/out": "app"}
    assert not picture.machine().sees_all()
    picture.process(1, "init")
    assert picture.machine().sees_all()
