"""What `why` tells programs: every row as it is documented, and what is asked about prefixes and by mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.asking import ask, asked
from tests.live import Live

DOCUMENT = Path(__file__).parents[2] / "docs/control.md"


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path)
    rules = [
        made.rule("Bots", "bot %s", fields="ip", script=None, ban="1h", ban_prefix4="28"),
        made.rule("Told", "told %s", fields="ip"),
        made.rule("Slow", "slow %s to %s", fields="ip peer:ip", key="peer ip", maxfail="3"),
    ]
    with asked(tmp_path, *rules) as live:
        yield live


def rows(one: Live, address: str) -> list[dict[str, Any]]:
    return json.loads(ask(one, "why", address, "--json").stdout)  # type: ignore[no-any-return]


def documented() -> dict[str, set[str]]:
    """The names of each kind of row; in brackets stand those within them."""
    table = DOCUMENT.read_text().split("| `about` | holds |\n")[1].split("\n\n")[0]
    found = {}
    for line in table.splitlines()[1:]:
        _, kind, holds, _ = line.split("|")
        found[kind.strip(" `")] = set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", holds)))
    return found


def test_rows_are_as_documented(one: Live) -> None:
    one.write("bot 203.0.113.7", "told 203.0.113.7", "slow 203.0.113.7 to 203.0.113.9")
    one.until(lambda: len(rows(one, "203.0.113.7")) == 4, "all is counted")
    found = {row["about"]: set(row) - {"about"} for row in rows(one, "203.0.113.7")}
    names = documented()
    ban = set(json.loads(ask(one, "bans", "--json").stdout)[0])
    names["ban"] = names["ban"] - {"bans"} | ban
    assert found == names


def test_address_is_part_of_a_key_and_of_a_banned_prefix(one: Live) -> None:
    one.write("bot 203.0.113.7", "slow 203.0.113.7 to 203.0.113.9")
    one.until(lambda: len(rows(one, "203.0.113.7")) == 3, "all is counted")
    address, ban, counter = rows(one, "203.0.113.7")
    assert (address["banned"], ban["network"]) == (["203.0.113.0/28"], "203.0.113.0/28")
    assert (counter["key"], counter["count"]) == (["203.0.113.9", "203.0.113.7"], 1)
    assert [row["about"] for row in rows(one, "203.0.113.9")] == ["address", "ban", "counter"]
    assert [row["about"] for row in rows(one, "203.0.113.0/28")] == ["address", "ban"]
    assert [row["about"] for row in rows(one, "203.0.113.77")] == ["address"]


def test_history_tells_of_a_prefix_that_is_free_again(one: Live) -> None:
    one.write("bot 203.0.113.7")
    one.until(lambda: ask(one, "unban", "203.0.113.0/28").exit_code == 0, "a ban to lift")
    one.until(lambda: [row.get("how") for row in rows(one, "203.0.113.9")] == [None, "root"], "it is stored")


def test_expected_mistakes(one: Live) -> None:
    assert ask(one, "why", "nobody").exit_code == 2
    assert ask(one, "why", "203.0.113.1").exit_code == 1
