"""Who is told of starts, stops and bans by the real daemon: scripts and web servers, like of any trigger."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import Live, live


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as one:
        yield one


def told(one: Live) -> str:
    """An action that notes what it is told."""
    line = 'echo "$LT_name $LT_state $LT_ip $LT_network: $LT_body"'
    return f"config action 'tell'\n\toption type 'script'\n\toption script '{one.script('tell.sh', f'{line} >>{one.ran}')}'\n"


def who(*events: str) -> str:
    return "config logtrigger\n" + "".join(f"\tlist on_{event} 'tell'\n" for event in events)


def test_start_and_stop(one: Live) -> None:
    one.configure(one.rule(), who("start", "stop"), told(one))
    with one.running():
        one.wait_runs(1)
    assert [line.split(":")[0].split() for line in one.runs()] == [["logtrigger", "start"], ["logtrigger", "stop"]]
    assert one.runs()[0].endswith("has started; 1 rule")
    assert one.runs()[1].endswith("logtrigger is stopping")
    assert one.undone() == 0


def test_bans(one: Live) -> None:
    """Those that begin, and their ends; a ban that is there already does not begin again."""
    rule = one.rule("Login", "failed from %s", fields="ip", script=None, ban="2s")
    one.configure(rule, who("ban", "unban"), told(one), "config firewall\n\toption backend 'null'\n")
    with one.running():
        one.write("failed from 192.0.2.7", "failed from 192.0.2.7", "failed from 2001:db8::7")
        one.wait_runs(4)
    ban = "logtrigger ban 192.0.2.7 192.0.2.7: 192.0.2.7 is banned for 2s by rule Login"
    wide = "logtrigger ban 2001:db8:: 2001:db8::/64: 2001:db8::/64 is banned for 2s by rule Login"
    end = "logtrigger unban 192.0.2.7 192.0.2.7: 192.0.2.7 is no longer banned: expired"
    wide_end = "logtrigger unban 2001:db8:: 2001:db8::/64: 2001:db8::/64 is no longer banned: expired"
    assert sorted(one.runs()) == sorted([ban, wide, end, wide_end])


def test_bans_that_last_longer_or_become_a_part_of_a_wider_one(one: Live) -> None:
    """Whoever keeps a list by what is told has what is blocked: nothing stays on it that was folded."""
    first = one.rule("Login", "failed from %s", fields="ip", script=None, ban="1h")
    worse = one.rule("Worse", "attack from %s", fields="ip", script=None, ban="2h")
    wide = one.rule("Wide", "failed from %s", fields="ip", script=None, maxfail=100, ban="1d", widen="24/3")
    one.configure(first, worse, wide, who("ban", "unban"), told(one), "config firewall\n\toption backend 'null'\n")
    with one.running():
        one.write(
            "failed from 198.51.100.7", "attack from 198.51.100.7", "failed from 198.51.100.8", "failed from 198.51.100.9"
        )
        one.wait_runs(8)
    said = [line.split(": ", 1)[1] for line in one.runs()]
    assert sorted(said) == [
        "198.51.100.0/24 is banned for 1d by rule Wide",
        "198.51.100.7 is banned for 1h by rule Login",
        "198.51.100.7 is no longer banned: part of 198.51.100.0/24",
        "198.51.100.7 stays banned, for 2h in all, by rule Worse",
        "198.51.100.8 is banned for 1h by rule Login",
        "198.51.100.8 is no longer banned: part of 198.51.100.0/24",
        "198.51.100.9 is banned for 1h by rule Login",
        "198.51.100.9 is no longer banned: part of 198.51.100.0/24",
    ]


def test_ban_that_ended_meanwhile(one: Live) -> None:
    rule = one.rule("Login", "failed from %s", fields="ip", script=None, ban="1s")
    one.configure(rule, who("unban"), told(one), "config firewall\n\toption backend 'null'\n")
    with one.running():
        one.write("failed from 192.0.2.7")
        one.wait_for("banning 192.0.2.7")
    time.sleep(1.2)
    with one.running():
        one.wait_runs(1)
    assert one.runs() == ["logtrigger unban 192.0.2.7 192.0.2.7: 192.0.2.7 is no longer banned: expired"]


@pytest.mark.parametrize("answers", [True, False])
def test_stop_waits_within_reason(one: Live, answers: bool) -> None:
    """A server that is away or takes no notice of us holds up no stop; it is told after the next start."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers:  # it takes connections, and never says a word
            server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        hook = f"config action 'tell'\n\toption type 'webhook'\n\toption url '{url}'\n"
        one.configure(one.rule(), who("stop"), hook)
        one.start()
        one.wait_ready()
        assert one.process is not None
        before = time.monotonic()
        one.process.terminate()
        if answers:
            one.wait_for("waiting for")
            one.process.terminate()
        assert one.wait() == 0, one.output
    assert time.monotonic() - before < 12
    assert one.undone() == 1
