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
        made.rule("Users", "user %s from %s", fields="user ip", key="user", maxfail="5", script=None),
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
    one.write("bot 203.0.113.7", "told 203.0.113.7", "slow 203.0.113.7 to 203.0.113.9", "user bob from 192.0.2.1")
    one.until(lambda: len(rows(one, "203.0.113.7")) == 5, "all is counted")
    found = {row["about"]: set(row) - {"about"} for row in rows(one, "203.0.113.7")}
    names = documented()
    ban = set(json.loads(ask(one, "bans", "--json").stdout)[0]) - {"country"}  # which only the list has
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


def test_bans_within_a_prefix(one: Live) -> None:
    for number in range(12):
        ask(one, "ban", f"198.51.100.{number + 10}", "1h")
    address = rows(one, "198.51.100.0/24")[0]
    assert (address["banned"], address["within"]["number"], len(address["within"]["networks"])) == ([], 12, 10)
    assert address["within"]["networks"][:2] == ["198.51.100.10", "198.51.100.11"]
    said = ask(one, "why", "198.51.100.0/24")
    assert said.exit_code == 0
    assert "  12 bans within: 198.51.100.10, 198.51.100.11, " in said.stdout
    assert " and 2 more; to undo all of them: logtrigger unban 198.51.100.0/24\n" in said.stdout


def test_end_of_a_ban_is_known_before_it_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lifted by the ignore list a moment ago: it is over since then, not since its time would have been over."""
    friends = tmp_path / "friends"
    friends.write_text("")
    friends.chmod(0o600)
    made = Live(tmp_path)
    bots = made.rule("Bots", "bot %s", fields="ip", script=None, ban="1h")
    with asked(tmp_path, bots, ignore_file=friends) as one:
        one.write("bot 203.0.113.7")
        one.until(lambda: ask(one, "bans", "203.0.113.7").exit_code == 0, "a ban")
        friends.write_text("# friends\n203.0.113.0/24\n")
        one.until(lambda: ask(one, "bans", "203.0.113.7").exit_code == 1, "it is lifted")
        address, ban = rows(one, "203.0.113.7")
        assert (ban["how"], ban["rule"]) == ("ignored now", "Bots")
        assert ban["since"] <= ban["ended"] < ban["until"] - 3000
        assert address["ignore_from"] == {"kind": "file", "name": None, "place": f"{friends}:2"}


def test_where_the_ignore_list_names_it(tmp_path: Path) -> None:
    with asked(tmp_path, ignore="192.0.2.0/24") as one:
        origin = rows(one, "192.0.2.7")[0]["ignore_from"]
        assert (origin["kind"], origin["name"]) == ("option", None)
        assert re.fullmatch(rf"{tmp_path}/rules:\d+", origin["place"])
        line = (tmp_path / "rules").read_text().splitlines()[int(origin["place"].rpartition(":")[2]) - 1]
        assert "192.0.2.0/24" in line


def test_notices_stand_behind_what_caused_them_and_are_told_as_what_they_are(tmp_path: Path) -> None:
    made = Live(tmp_path)
    bots = made.rule("Bots", "bot %s", fields="ip", script=made.note, ban="1h")
    told = f"config action told\n\toption type script\n\toption script '{made.note}'\n"
    with asked(tmp_path, bots, told, on_ban="told", on_unban="told") as one:
        one.write("bot 203.0.113.7")
        one.until(lambda: ask(one, "why", "203.0.113.7").stdout.count("exit 0") == 2, "both have run")
        listed = [json.loads(line) for line in ask(one, "events", "--json").stdout.splitlines()]
        assert [row["rule"] for row in listed] == ["Bots", "logtrigger"]
        assert [row["seq"] for row in listed] == [1, 2]
        said = ask(one, "why", "203.0.113.7").stdout
        assert "which is gone" not in said
        assert "(on_ban): 203.0.113.7 is banned for 1h by rule Bots\n  told: " in said


def test_expected_mistakes(one: Live) -> None:
    assert ask(one, "why", "nobody").exit_code == 2
    assert ask(one, "why", "203.0.113.1").exit_code == 1
