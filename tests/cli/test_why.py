"""`logtrigger why`: bans that hold, bans that are over, triggers without a ban, counters, and whom nobody bans."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logtrigger.cli.tables import moment
from logtrigger.cli.why import told
from tests.cli.asking import ask, asked
from tests.live import Live

LATER = "Nov 14 22:00:00 gate login: "


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    failing = tmp_path / "failing.sh"
    failing.write_text("#!/bin/sh\necho no luck >&2\nexit 3\n")
    failing.chmod(0o700)
    rule = "config rule\n\toption name '{}'\n\toption pattern '{}'\n\toption fields '{}'\n\toption file '" + str(
        tmp_path / "app.log"
    )
    guard = rule.format("Guard", "login: %s fails from %s", "user ip") + "'\n\toption maxfail 3\n\toption time 10m\n"
    guard += f"\toption ban 1h\n\toption ban_factor 2\n\toption script '{failing}'\n"
    told = rule.format("Told", "told: %s", "ip") + f"'\n\toption script '{failing}'\n"
    users = rule.format("Users", "login: %s fails from %s", "user ip") + "'\n\toption maxfail 9\n\toption distinct user\n"
    spared = rule.format("Spared", "spared: %s", "ip") + "'\n\toption maxfail 5\n\tlist ignore 203.0.113.128/25\n"
    with asked(tmp_path, guard, told, users, spared, ignore="198.51.100.0/24") as live:
        yield live


def fail(one: Live, address: str, *users: str) -> None:
    one.write(*(f"{LATER}{user} fails from {address}" for user in users))


def rows(one: Live, address: str) -> list[dict[str, Any]]:
    return json.loads(ask(one, "why", address, "--json").stdout)  # type: ignore[no-any-return]


def test_ban_that_holds(one: Live) -> None:
    fail(one, "192.0.2.7", "ann", "bob")
    one.write("something else")
    fail(one, "192.0.2.7", "eve")
    one.until(lambda: "exit 3" in ask(one, "why", "192.0.2.7").stdout, "the script's end")
    lines = ask(one, "why", "192.0.2.7").stdout.splitlines()
    place = one.folder / "rules"
    assert lines[0] == "192.0.2.7 is banned; to undo it: logtrigger unban 192.0.2.7"
    assert lines[1] == "  1 ban of 192.0.2.7 counted against it: the next one lasts longer"
    assert lines[2] == ""
    assert lines[3].startswith(f"192.0.2.7: banned by rule Guard ({place}:") and "; until " in lines[3]
    assert lines[4] == f"  3 events of 192.0.2.7 within 10m (maxfail 3), from {one.log}"
    assert lines[5:8] == [f"    {LATER}{user} fails from 192.0.2.7" for user in ("ann", "bob", "eve")]
    assert lines[8].startswith("  script: exit 3, after ") and lines[9] == "    | no luck"
    assert lines[11].startswith(f"rule Users ({place}:")
    assert "has counted 3 of 9: 3 different values of user for 192.0.2.7" in lines[11]


def test_ban_that_is_over(one: Live) -> None:
    """Lifted by hand, and by a prefix at another time: the history tells."""
    fail(one, "192.0.2.7", *"abc")
    one.until(lambda: ask(one, "unban", "192.0.2.7").exit_code == 0, "a ban to lift")
    ask(one, "ban", "--force", "192.0.2.0/24", "1h")
    one.until(lambda: any(row.get("how") == "root" for row in rows(one, "192.0.2.7")), "it is stored")
    address, wide, single = [row for row in rows(one, "192.0.2.7") if row["about"] in ("address", "ban")]
    assert address["banned"] == ["192.0.2.0/24"]
    assert (wide["network"], wide["by"], wide["ended"], wide["trigger"]) == ("192.0.2.0/24", "root", None, None)
    assert (single["network"], single["how"], single["rule"], single["trigger"]["count"]) == ("192.0.2.7", "root", "Guard", 3)
    assert [line["line"] for line in single["lines"]] == [f"{LATER}{user} fails from 192.0.2.7" for user in "abc"]
    said = ask(one, "why", "192.0.2.7").stdout
    assert "192.0.2.7 is banned, by way of 192.0.2.0/24; to undo it: logtrigger unban 192.0.2.0/24" in said
    assert "over since" in said and ", lifted by root\n" in said


def test_address_that_is_not_banned(one: Live) -> None:
    fail(one, "2001:db8::7", "a", "a")
    one.write("told: 2001:db8::7")
    one.until(lambda: len(rows(one, "2001:db8::7")) == 4, "all is counted")
    _, trigger, guard, users = rows(one, "2001:db8::7")
    assert (trigger["about"], trigger["rule"], trigger["count"]) == ("trigger", "Told", 1)
    assert (guard["rule"], guard["count"], guard["maxfail"], guard["key"]) == ("Guard", 2, 3, ["2001:db8::/64"])
    assert (users["rule"], users["count"], len(users["times"]), users["distinct"]) == ("Users", 1, 1, "user")
    said = ask(one, "why", "2001:db8::7").stdout
    assert said.startswith("2001:db8::7 is not banned\n") and "has counted 2 of 3: 2 events of 2001:db8::/64 within 10m" in said


def test_address_that_nobody_bans(one: Live) -> None:
    fail(one, "198.51.100.9", *"abc")
    one.until(lambda: "triggered" in ask(one, "why", "198.51.100.9").stdout, "a trigger")
    said = ask(one, "why", "198.51.100.9").stdout
    assert f"  no rule bans it: '198.51.100.0/24' is on the ignore list ({one.folder}/rules:" in said
    assert "which is on the ignore list: 3 events" in said
    said = ask(one, "why", "127.0.0.1").stdout
    assert "no rule bans it: it is an address of this machine" in said
    assert "does not count it: its 'ignore' has '203.0.113.128/25'" in ask(one, "why", "203.0.113.129").stdout


def test_login_excuses_once_a_day(tmp_path: Path) -> None:
    made = Live(tmp_path)
    login = made.rule("Login", "good %s %s", fields="user ip", script=None, trust="7d")
    guard = made.rule("Guard", "bad %s %s", fields="user ip", script=None, ban="1h")
    with asked(tmp_path, login, guard) as one:
        one.write("good bob 203.0.113.7")
        one.until(lambda: "excuses" in ask(one, "why", "203.0.113.7").stdout, "the login is known")
        assert "  a login from there excuses the next failure of bob, once a day\n" in ask(one, "why", "203.0.113.7").stdout
        one.write("bad bob 203.0.113.7")
        one.until(lambda: "is banned" in ask(one, "why", "203.0.113.7").stdout, "a trial")
        said = ask(one, "why", "203.0.113.7").stdout
        assert "  a login from there excuses failures of bob once a day, which it has: again from " in said


def test_locked_out(one: Live) -> None:
    """The three commands of docs/bans.md, on a configuration whose last line has no end."""
    page = (Path(__file__).parents[2] / "docs/bans.md").read_text(encoding="utf-8").partition("## I am locked out")[2]
    shown = [line.removeprefix("    # ") for line in page.splitlines() if line.startswith("    # ")][:3]
    assert shown[:2] == ["logtrigger why 192.0.2.7", "logtrigger unban 192.0.2.7"]
    rules = one.folder / "rules"
    rules.write_text(rules.read_text().rstrip("\n"))
    fail(one, "192.0.2.7", *"abc")
    one.until(lambda: "192.0.2.7 is banned" in ask(one, "why", "192.0.2.7").stdout, "the ban")
    assert ask(one, "unban", "192.0.2.7").stdout == "192.0.2.7\n"
    append, joint, reload = shown[2].partition(" && ")
    assert (joint, reload) == (" && ", "logtrigger reload")
    subprocess.run(["sh", "-c", append.replace("/etc/config/logtrigger", str(rules))], check=True)
    assert ask(one, "reload").exit_code == 0
    fail(one, "192.0.2.7", *"abc")
    one.until(lambda: "which is on the ignore list" in ask(one, "why", "192.0.2.7").stdout, "a trigger without a ban")
    assert ask(one, "why", "192.0.2.7").stdout.startswith("192.0.2.7 is not banned\n  no rule bans it: '192.0.2.7' is on the")


def test_address_never_seen(one: Live) -> None:
    said = ask(one, "why", "203.0.113.1")
    assert said.exit_code == 1
    fault = "nothing is known of 203.0.113.1: no ban, now or earlier, no trigger, and no rule has counted it lately\n"
    assert (said.stdout, said.stderr) == ("203.0.113.1 is not banned\n", fault)


def test_second_try_that_is_used_up() -> None:
    """Whoever was spared as he was logged in, or had been, sees why his next ban is a full one."""
    row: dict[str, Any] = {"about": "address", "network": "192.0.2.7", "banned": [], "within": {"number": 0}, "ignore": ""}
    row |= {"never": "", "ignored_by": [], "earlier": [], "trusted": [], "tried": 1_700_000_000.0, "place": {}}
    short = "somebody was logged in from there, so one ban was short: the next such one is from "
    assert list(told(row, 1_699_999_000.0))[1] == (2, short + moment(1_700_000_000.0) + " on")
    login = "a login from there excuses failures of bob once a day, which it has: again from "
    assert list(told(row | {"trusted": ["bob"]}, 1_699_999_000.0))[1] == (2, login + moment(1_700_000_000.0) + " on")
    assert len(list(told(row | {"tried": None}, 1_699_999_000.0))) == 1


def test_what_is_no_address(one: Live) -> None:
    said = ask(one, "why", "localhost")
    assert said.exit_code == 2
    assert said.stderr == ("'localhost' is no address or prefix (write one such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32)\n")
