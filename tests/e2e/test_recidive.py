"""Who is banned again and again: rules that read of bans, with the real daemon."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.asking import NO_FIREWALL, ask
from tests.live import Live, live

RECIDIVE = "config override\n\toption rule 'recidive_banned'\n\toption maxfail '3'\n"


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as one:
        yield one


def configure(one: Live, *more: str) -> None:
    rules = [one.rule(name, f"{name.lower()} %s", fields="ip", script=None, ban="1h") for name in ("Hit", "Hurt")]
    one.configure(*rules, RECIDIVE, *more, NO_FIREWALL, use="recidive", control=one.folder / "control")


def ban(one: Live, line: str, times: int = 1) -> None:
    """Ban by a line of the log, and lift it."""
    address = line.split()[1]
    before = one.newest.count(f"banning {address} for 1h")
    one.write(line)
    one.wait_for(f"banning {address} for 1h", before + 1)
    assert ask(one, "unban", address).exit_code == 0


def bans(one: Live) -> str:
    return ask(one, "bans").stdout


def test_banned_for_a_week(one: Live) -> None:
    """Whichever rules have banned it: the third time it is for long. Others are not counted in."""
    configure(one)
    with one.running():
        for line in ("hit 192.0.2.7", "hit 192.0.2.8", "hurt 192.0.2.7"):
            ban(one, line)
        one.write("hit 192.0.2.7")
        one.wait_for("recidive_banned: 3 events of 192.0.2.7 within 1d (maxfail 3), from bans; banning 192.0.2.7 for 7d")
        assert "recidive_banned" in bans(one)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_bans_are_counted_over_restarts(one: Live, number: int) -> None:
    configure(one)
    one.start()
    one.wait_ready()
    for _ in range(2):
        ban(one, "hit 192.0.2.7")
    one.until(lambda: stored(one) == 2, "two bans are stored")
    one.signal(number)
    one.wait()
    with one.running():
        one.write("hurt 192.0.2.7")
        one.wait_for("banning 192.0.2.7 for 7d")


def stored(one: Live) -> int:
    """How many bans of the address the store knows."""
    return ask(one, "why", "192.0.2.7").stdout.count("banned by rule Hit")


def test_what_bans_cause_is_not_read_as_a_ban(one: Live) -> None:
    """One level deep: a rule on bans that bans somebody does not count itself; nor do bans by hand."""
    other = "config rule\n\toption name 'Next'\n\toption source 'bans'\n\toption program 'logtrigger'\n"
    other += "\toption pattern 'ban %s rule=%s time=%d'\n\toption fields 'ip - -'\n"
    other += f"\toption script '{one.script('tell.sh', f'echo $LT_ip >>{one.ran}')}'\n\toption ban '2h'\n"
    configure(one, other)
    with one.running():
        assert ask(one, "ban", "192.0.2.9").exit_code == 0
        one.write("hit 192.0.2.7")
        one.wait_runs(1)
        one.write("hit 192.0.2.8")
        one.wait_runs(2)
    assert one.runs() == ["192.0.2.7", "192.0.2.8"]


def test_whole_prefixes_bear_no_address(one: Live) -> None:
    """What a whole prefix is banned for is not held against the last one's address."""
    many = one.rule("Many", "many %s", fields="ip", script=None, ban="1h", widen="24/2", time="10m")
    told = "config rule\n\toption name 'Told'\n\toption source 'bans'\n\toption program 'logtrigger'\n"
    told += "\toption pattern 'ban %s rule=%s time=%d'\n\toption fields 'what - -'\n"
    told += f"\toption script '{one.script('tell.sh', f'echo $LT_what >>{one.ran}')}'\n"
    one.configure(many, told, NO_FIREWALL)
    with one.running():
        one.write("many 198.51.100.7", "many 198.51.100.8")
        one.wait_runs(3)
    assert sorted(one.runs()) == ["198.51.100.0/24", "198.51.100.7", "198.51.100.8"]
