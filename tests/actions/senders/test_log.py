"""Triggers written into files of their class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.actions.senders.base import Unreachable
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
