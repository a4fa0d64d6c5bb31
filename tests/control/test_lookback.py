"""The lines that brought a counter to its trigger."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from logtrigger.control import lookback
from logtrigger.model import Position, Trigger
from logtrigger.recognise import Recogniser
from logtrigger.rule import Rule
from tests.script import SSHD, failed, rule

LAST = failed(header="2023-11-14T22:13:20Z h sshd[7]: ")
RULE = rule(SSHD, "user ip port", maxfail=3)


def found(path: Path, offset: int, *rules: Rule, count: int = 3, key: str = "192.0.2.7", time: float = 1e9) -> list[str]:
    status = os.stat(path)
    position = Position("s", "log", str(path), status.st_dev, status.st_ino, 0)
    trigger = Trigger(f"r@s:{offset}", "r", time, count, (key,), {"ip": key}, LAST, "b", str(path), offset)
    lines = lookback.counted(trigger, position, [Recogniser(one) for one in rules or (RULE,)], time)
    return [line.text for line in lines if line is not None]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_lines_of_the_same_key_only(log: Path) -> None:
    lines = [failed(user="first"), failed(user="a"), "another line", failed("192.0.2.8"), failed(user="b"), failed(user="c")]
    log.write_text("".join(f"{line}\n" for line in lines))
    offset = log.read_text().index(lines[-1])
    assert found(log, offset) == [failed(user="b"), failed(user="a")], "as many as counted, the newest first"
    assert found(log, offset, count=9)[-1] == failed(user="first")


def test_rules_of_a_group_count_together(log: Path) -> None:
    other = rule("invalid user from %s", "ip", name="other", weight=2)
    log.write_text(f"{failed()}\ninvalid user from 192.0.2.7\n{failed()}\n")
    assert found(log, log.stat().st_size - 50, RULE, other, count=3) == ["invalid user from 192.0.2.7"]


def test_lines_before_the_window_do_not_count(log: Path) -> None:
    early, late = failed(header="2023-11-14T21:00:00Z h sshd[7]: "), failed(header="2023-11-14T22:13:00Z h sshd[7]: ")
    log.write_text(f"{early}\n{late}\n")
    assert found(log, log.stat().st_size, replace(RULE, time=600.0), time=1_700_000_000.0) == [late]


def test_no_more_than_some_of_a_large_file_is_read(log: Path) -> None:
    log.write_bytes(
        failed().encode() + b"\n" + b"x" * 99 + b"\n" + (b"y" * 99 + b"\n") * 5000 + failed(user="b").encode() + b"\n"
    )
    assert found(log, log.stat().st_size) == [failed(user="b")]


def test_another_file_of_that_name_is_not_read(log: Path) -> None:
    log.write_text(failed() + "\n")
    position = Position("s", "log", str(log), 1, 1, 0)
    trigger = Trigger("r@s:9", "r", 0.0, 3, ("192.0.2.7",), {}, "m", "b", "log", 9)
    assert list(lookback.counted(trigger, position, [Recogniser(RULE)], 0.0)) == []


def test_stream_of_a_trigger() -> None:
    assert lookback.stream(Trigger("a rule@b@12af:77", "a rule@b", 0.0, 1, (), {}, "", "", "")) == "12af"
