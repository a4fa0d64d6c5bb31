"""`logtrigger bans`, `ban` and `unban`: what they answer, and what becomes of it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.asking import ask, asked, command, on_terminal
from tests.live import Live


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    rule = Live(tmp_path).rule("Bots", "bot %s", fields="ip", script=None, ban="1h")
    with asked(tmp_path, rule, ignore="198.51.100.7") as one:
        yield one


def test_from_a_rule_and_by_hand(one: Live) -> None:
    one.write("bot 192.0.2.7", "bot 2001:db8::1")
    one.until(lambda: '"network":"2001:db8::/64"' in ask(one, "bans", "--json").stdout, "bans")
    said = ask(one, "ban", "203.0.113.0/24", "2h")
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout.startswith("203.0.113.0/24 is banned until 20")
    assert ask(one, "ban", "192.0.2.8").stdout == "192.0.2.8 is banned for ever\n"
    head, *lines = [line.split() for line in ask(one, "bans").stdout.splitlines()]
    assert head == ["NETWORK", "SINCE", "LEFT", "RULE", "TIMES", "NTH"]
    assert [(line[0], line[3], line[-3]) for line in lines] == [
        ("192.0.2.8", "for", "(root)"),
        ("203.0.113.0/24", "1h59m", "(root)"),
        ("2001:db8::/64", "59m59s", "Bots"),
        ("192.0.2.7", "59m59s", "Bots"),
    ]
    rows = json.loads(ask(one, "bans", "--json", "--rule", "Bots").stdout)
    assert [(row["network"], row["rule"], row["by"], row["times"]) for row in rows] == [
        ("2001:db8::/64", "Bots", "", 1),
        ("192.0.2.7", "Bots", "", 1),
    ]
    assert ask(one, "bans", "-n", "1").stderr == "1 of 4; -n N or --all shows more\n"


def test_looked_up(one: Live) -> None:
    one.write("bot 203.0.113.7")
    one.until(lambda: ask(one, "bans", "203.0.113.7").exit_code == 0, "a ban")
    ask(one, "ban", "203.0.113.0/24")
    wide, narrow, line = ask(one, "bans", "203.0.113.7").stdout.splitlines()
    assert wide.startswith("203.0.113.0/24: banned by root on ")
    assert narrow.startswith("203.0.113.7") and "banned by rule Bots on " in narrow
    assert line.strip() == "bot 203.0.113.7"
    said = ask(one, "bans", "198.51.100.1")
    assert (said.exit_code, said.stdout, said.stderr) == (1, "", "198.51.100.1 is not banned\n")
    said = ask(one, "bans", "localhost")
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr.startswith("'localhost' is no address or prefix (write one such as 192.0.2.7")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("0.0.0.0/0", "0.0.0.0/0 is every address there is"),
        ("127.0.0.1", "127.0.0.1 is an address of this machine (say that it is to be forced if you mean it: --force)"),
        ("10.0.0.0/7", "10.0.0.0/7 is wider than /8 (say that it is to be forced if you mean it: --force)"),
        ("198.51.100.0/24 --force", "198.51.100.0/24 holds addresses of the ignore list (take it from there first)"),
        ("192.0.2.7/24", "'192.0.2.7/24' has bits set behind its prefix (write 192.0.2.0/24"),
        ("$(reboot)", "'$(reboot)' is no address"),
        ("192.0.2.7 20000d", "Usage: "),
    ],
)
def test_not_banned(one: Live, words: str, error: str) -> None:
    said = ask(one, "ban", *words.split())
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr.startswith(error)
    assert ask(one, "bans", "--json").stdout == "[]\n"


def test_unban(one: Live) -> None:
    for network in ("192.0.2.7", "192.0.2.8", "203.0.113.0/24"):
        ask(one, "ban", network, "1h")
    said = ask(one, "unban", "192.0.2.7")
    assert (said.exit_code, said.stdout) == (0, "192.0.2.7\n")
    said = ask(one, "unban", "192.0.2.7")
    assert (said.exit_code, said.stdout, said.stderr) == (1, "", "nothing of that is banned\n")
    ask(one, "ban", "203.0.113.9", "1m")  # which adds nothing to that
    said = ask(one, "unban", "203.0.113.1")
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr.startswith("still banned is 203.0.113.0/24, which lies around")
    assert ask(one, "unban", "--rule", "Bots").exit_code == 1
    assert ask(one, "unban", "--rule", "Botz").stderr == "no rule is called 'Botz' (did you mean 'Bots'?)\n"
    assert ask(one, "unban").exit_code == 2
    assert ask(one, "unban", "192.0.2.0/24", "--json").stdout == '[\n{"network":"192.0.2.8"}\n]\n'
    said = ask(one, "unban", "--all")
    assert (said.exit_code, said.stdout) == (0, "203.0.113.0/24\n")
    assert ask(one, "bans", "--json").stdout == "[]\n"


def test_unban_tells_what_of_it_was_not_banned(one: Live) -> None:
    for network in ("192.0.2.7", "192.0.2.8", "203.0.113.77"):
        ask(one, "ban", network, "1h")
    said = ask(one, "unban", "192.0.2.7", "203.0.113.0/24", "192.0.2.9", "198.51.100.0/24")
    assert (said.exit_code, said.stdout) == (0, "192.0.2.7\n203.0.113.77\n")
    assert said.stderr == "192.0.2.9 is not banned\n198.51.100.0/24 is not banned\n"
    ask(one, "ban", "203.0.113.0/24", "1h")
    said = ask(one, "unban", "192.0.2.8", "203.0.113.9")
    assert (said.exit_code, said.stdout) == (1, "192.0.2.8\n")
    assert said.stderr.startswith("still banned is 203.0.113.0/24, which lies around")


def test_what_was_answered_outlasts_a_crash(one: Live) -> None:
    """Within the second that other changes may wait for."""
    for network in ("192.0.2.7", "192.0.2.8"):
        assert ask(one, "ban", network, "1h").exit_code == 0
    assert ask(one, "unban", "192.0.2.8").exit_code == 0
    one.kill()
    one.start()
    one.wait_ready()
    assert [row["network"] for row in json.loads(ask(one, "bans", "--json").stdout)] == ["192.0.2.7"]


def test_a_ban_outlives_the_daemon(one: Live) -> None:
    ask(one, "ban", "192.0.2.7", "1h")
    assert one.stop() == 0
    one.start()
    one.wait_ready()
    assert ask(one, "bans", "192.0.2.7").exit_code == 0


def test_many(tmp_path: Path) -> None:
    """The first page of 100,000 comes at once, all of them come, and whoever has seen enough may leave."""
    with asked(tmp_path) as one:
        assert one.stop() == 0
        fill(one.state, 100_000)
        one.start()
        one.wait_ready()
        begin = time.perf_counter()
        assert len(ask(one, "bans", "-n", "20").stdout.splitlines()) == 21
        assert time.perf_counter() - begin < 1  # that a page takes 100 ms is for a quiet machine to show
        script = f"{' '.join(command(one, 'bans'))} | head -n 3"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=30)
        assert (len(done.stdout.splitlines()), done.stderr) == (3, "")
        done = subprocess.run(command(one, "bans", "--all", "--json"), capture_output=True, text=True, timeout=60)
        assert len(json.loads(done.stdout)) == 100_000
        shown = on_terminal(one, "bans", columns=80, lines=24)
        assert len(shown.splitlines()) <= 24
        assert shown.splitlines()[-1] == "21 of 100,000; -n N or --all shows more"
        assert len(ask(one, "unban", "--all").stdout.splitlines()) == 100_000
        one.kill()
        one.start()
        one.wait_ready()
        assert ask(one, "bans", "--json").stdout == "[]\n"


def fill(state: Path, number: int) -> None:
    """So many bans, as an earlier run would have left them."""
    from logtrigger.model import Ban
    from logtrigger.store import Batch, Store

    store = Store(state)
    now = time.time()  # noqa: TID251 - as the daemon does
    networks = (f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(number))
    store.commit_now(Batch(bans=tuple(Ban(network, now, now + 3600, "Hit") for network in networks)))
    store.close()
    with closing(sqlite3.connect(state)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_all_words_are_data(one: Live) -> None:
    """Nothing of the command line reaches a shell, a path or a terminal as it is."""
    said = ask(one, "ban", "\x1b[2J192.0.2.7")
    assert (said.exit_code, "\x1b" in said.stderr) == (2, False)
