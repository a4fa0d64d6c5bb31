"""What led to a ban, and what a rule has counted: as the logs tell, and what is left where they are gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from logtrigger.control import evidence
from logtrigger.model import Trigger
from tests.cli.asking import ask, asked
from tests.live import Live


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path)
    rules = [
        made.rule("Users", "user %s from %s", fields="user ip", key="user", maxfail="5", script=None),
        made.rule("Two", "bad %s", fields="ip", script=None, ban="1h", maxfail="2", time="1h"),
    ]
    with asked(tmp_path, *rules) as live:
        yield live


def rows(one: Live, address: str) -> list[dict[str, Any]]:
    return json.loads(ask(one, "why", address, "--json").stdout)  # type: ignore[no-any-return]


def test_rules_that_count_by_something_else(one: Live) -> None:
    """What the end of the log tells is told; else it is said that it cannot be known."""
    one.write("user bob from 203.0.113.7", "user ann from 198.51.100.1", "user bob from 198.51.100.1")
    one.until(lambda: len(rows(one, "198.51.100.1")) == 3, "all is counted")
    _, bob, ann = rows(one, "198.51.100.1")
    assert (bob["about"], bob["key"], bob["count"]) == ("counter", ["bob"], 2)
    assert (ann["about"], ann["key"], ann["count"]) == ("counter", ["ann"], 1)
    said = ask(one, "why", "198.51.100.9")
    assert said.exit_code == 1
    assert said.stderr.endswith(", no trigger, and no rule that counts by address has counted it lately\n")
    assert said.stdout.splitlines()[2].startswith(
        f"what else has been counted of it cannot be told, as these do not count by address: Users ({one.folder}/rules:"
    )


def test_lines_while_the_log_is_there_and_when_it_is_gone(one: Live) -> None:
    one.write("first: bad 203.0.113.7", "bad 203.0.113.9", "second: bad 203.0.113.7")
    one.until(lambda: ask(one, "bans", "203.0.113.7").exit_code == 0, "a ban")
    assert ask(one, "bans", "203.0.113.7").stdout.splitlines()[1:] == ["  first: bad 203.0.113.7", "  second: bad 203.0.113.7"]
    one.log.unlink()
    assert ask(one, "bans", "203.0.113.7").stdout.splitlines()[1:] == ["  second: bad 203.0.113.7"]


def test_triggers_that_wait_for_the_store() -> None:
    made = [Trigger(f"r@s:{n}", "r", 0.0, 1, (f"192.0.2.{n}",), {}, "", "", "log") for n in (1, 2, 1)]
    daemon: Any = SimpleNamespace(commits=SimpleNamespace(waiting=[(n, one, ("script",)) for n, one in enumerate(made)]))
    assert [one.seq for one in evidence.waiting(daemon)] == [2, 1, 0]
    [newer, older] = evidence.waiting(daemon, "192.0.2.1")
    assert (newer.seq, older.seq, older.actions) == (2, 0, [("script", "undone", None, None)])
