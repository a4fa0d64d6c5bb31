"""Triggers written into files of their class."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.actions.senders import log as log_module
from logtrigger.actions.senders.base import Refused, Unreachable
from logtrigger.actions.senders.log import LogFile
from logtrigger.logfiles import Template as PathTemplate
from logtrigger.model import Trigger
from logtrigger.templates import Template

MakeTrigger = Callable[..., Trigger]


def test_a_line_a_trigger_in_the_file_its_fields_name(tmp_path: Path, make_trigger: MakeTrigger) -> None:
    log = LogFile(PathTemplate(f"{tmp_path}/{{name}}-{{year}}.log", None), Template("{user} {ip}"))
    log.send([make_trigger()])
    log.send([make_trigger(fields={"user": "a\nb\tc", "ip": ""})])
    log.close()
    assert (tmp_path / "sshd-2017.log").read_text() == "root 1.2.3.4\na b c \n"


def test_rotated_file_is_left_alone(tmp_path: Path, make_trigger: MakeTrigger) -> None:
    log = LogFile(PathTemplate(f"{tmp_path}/events.log", None))
    log.send([make_trigger()])
    (tmp_path / "events.log").rename(tmp_path / "events.log.1")
    log.send([make_trigger()])
    log.close()
    assert [len(path.read_text().splitlines()) for path in sorted(tmp_path.iterdir())] == [1, 1]


def test_folder_that_was_moved_or_removed_is_made_anew(tmp_path: Path, make_trigger: MakeTrigger) -> None:
    log = LogFile(PathTemplate(f"{tmp_path}/in/events.log", None))
    log.send([make_trigger()])
    (tmp_path / "in").rename(tmp_path / "away")
    log.send([make_trigger()])
    shutil.rmtree(tmp_path / "in")
    log.send([make_trigger()])
    assert (tmp_path / "in/events.log").read_text().count("\n") == 1
    assert (tmp_path / "away/events.log").read_text().count("\n") == 1


@pytest.mark.parametrize("user", ["link", "away", "fifo", "folder", "device"])
def test_no_name_can_hold_up_the_lines_of_others(tmp_path: Path, make_trigger: MakeTrigger, user: str) -> None:
    """Whoever logs in may choose a name under which something else stands: that line is given up, as it would be for ever."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link.log").symlink_to(tmp_path / "target")
    (tmp_path / "in/away.log").symlink_to("/nowhere/at/all")
    os.mkfifo(tmp_path / "in/fifo.log")
    (tmp_path / "in/folder.log").mkdir()
    if user == "device":
        os.mkfifo(tmp_path / "in/device.log")
        reader = os.open(tmp_path / "in/device.log", os.O_RDONLY | os.O_NONBLOCK)  # which makes it one that can be opened
    log = LogFile(PathTemplate(f"{tmp_path}/in/{{user}}.log", None))
    with pytest.raises(Refused, match=f"in/{user}.log: "):
        log.send([make_trigger(fields={"user": user})])
    log.send([make_trigger(fields={"user": "bob"})])
    assert not (tmp_path / "target").exists()
    if user == "device":
        os.close(reader)


def test_who_invents_names_makes_no_files_without_end(
    tmp_path: Path, make_trigger: MakeTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share one, a day and a rule; who was there before keeps a file, and the next day begins anew."""
    monkeypatch.setattr(log_module, "MOST_FILES", 3)
    log = LogFile(PathTemplate(f"{tmp_path}/{{name}}-{{day}}-{{user}}.log", None), Template("{user}"))

    def tell(user: str, days: int = 0) -> None:
        log.send([make_trigger(fields={"user": user}, time=1_500_000_000.0 + days * 86_400)])

    for user in ("bob", "x1", "x2", "x3", "x4", "bob"):
        tell(user)
    tell("x4", days=1)
    found = {path.name.partition("-")[2]: path.read_text().split() for path in tmp_path.iterdir()}
    today, tomorrow = sorted({name[:2] for name in found})
    assert found == {
        f"{today}-bob.log": ["bob", "bob"],
        f"{today}-x1.log": ["x1"],
        f"{today}-x2.log": ["x2"],
        f"{today}-others.log": ["x3", "x4"],
        f"{tomorrow}-x4.log": ["x4"],
    }
    assert all(path.name.startswith("sshd-") for path in tmp_path.iterdir())


def test_hostile_field_stays_inside(tmp_path: Path, make_trigger: MakeTrigger) -> None:
    log = LogFile(PathTemplate(f"{tmp_path}/in/{{user}}.log", None))
    log.send([make_trigger(fields={"user": "../../etc/passwd"})])
    log.close()
    assert [path.name for path in tmp_path.rglob("*.log")] == ["_._.._etc_passwd.log"]


def test_file_that_cannot_be_written_is_tried_again(tmp_path: Path, make_trigger: MakeTrigger) -> None:
    (tmp_path / "events.log").mkdir()
    log = LogFile(PathTemplate(f"{tmp_path}/events.log", None))
    with pytest.raises(Unreachable, match="events.log: Is a directory"):
        log.send([make_trigger()])
    (tmp_path / "events.log").rmdir()
    log.send([make_trigger()])
    log.close()
    assert (tmp_path / "events.log").read_text().count("\n") == 1
