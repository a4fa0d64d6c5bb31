"""What a script prints is read by other rules, with the real daemon: one level deep, bounded, and safe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import Live, live

CONNECTED = "openvpn[14231]: {}:24195 [{}] Peer Connection Initiated with [AF_INET]{}:24195"
PATTERN = "openvpn[%d]: %s:%d [%s] Peer Connection Initiated with %s"


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as one:
        yield one


def action(name: str, script: Path, *options: str) -> str:
    lines = [f"config action '{name}'", "\toption type 'script'", f"\toption script '{script}'", *options, ""]
    return "\n".join(lines)


FEED = "\toption feed '1'"


def test_countries_of_vpn_users(one: Live) -> None:
    """A script says where an address is; rules on what it says tell the expected country from the others."""
    where = one.script(
        "where.sh", 'case $LT_ip in 192.*) c=FI;; *) c=XX;; esac\necho "openvpn connection for user $LT_user:$LT_ip:$c"'
    )
    tell = one.script("tell.sh", f'echo "$LT_name $LT_user $LT_ip $LT_code $LT_source" >>{one.ran}')
    said = "openvpn connection for user %s:%s:%s"
    fields = "user ip code:word"
    one.configure(
        one.rule("New", PATTERN, fields="- ip - user -", script=None, action="where"),
        one.rule("Abroad", said, fields=fields, file=None, source="action:where", when="code != FI", script=tell),
        one.rule("Home", said, fields=fields, file=None, source="action:where", when="code == FI", script=tell),
        action("where", where, FEED),
    )
    with one.running():
        one.write(CONNECTED.format("192.0.2.7", "anna", "192.0.2.7"))
        one.wait_runs(1)
        one.write(CONNECTED.format("203.0.113.9", "bob", "203.0.113.9"))
        one.wait_runs(2)
    assert one.runs() == ["Home anna 192.0.2.7 FI action:where", "Abroad bob 203.0.113.9 XX action:where"]
    assert one.undone() == 0


def test_one_level_deep(one: Live) -> None:
    """What fed lines trigger runs, also the very script that printed them; but it feeds nothing any more."""
    echo = one.script("echo.sh", f'echo "again $LT_what"; echo "$LT_name $LT_what" >>{one.ran}')
    one.configure(
        one.rule("First", "hit %s", fields="what", script=None, action="echo"),
        one.rule("Second", "again %s", fields="what", file=None, source="action:echo", script=None, action="echo"),
        action("echo", echo, FEED),
    )
    with one.running():
        one.write("hit me")
        one.wait_runs(2)
        one.write("hit you")
        one.wait_runs(4)
    assert one.runs() == ["First me", "Second me", "First you", "Second you"]


def test_output_is_bounded_and_safe(one: Live) -> None:
    """64 lines of it; each is one line and holds no control; one that was cut counts for nothing."""
    shout = one.script("shout.sh", 'i=0; while [ $i -lt 100 ]; do printf "line \\033[2J %d\\r\\n" $i; i=$((i+1)); done')
    long = one.script("long.sh", "printf 'line one\\nline '; head -c 20000 /dev/zero | tr '\\0' x; printf '\\nline three\\n'")
    keep = one.script("keep.sh", f'echo "$LT_rest" >>{one.ran}')
    one.configure(
        one.rule("Shout", "shout", fields=None, script=None, action="shout"),
        one.rule("Long", "long", fields=None, script=None, action="long"),
        one.rule("Shouted", "line %s", fields="rest", file=None, source="action:shout", script=keep),
        one.rule("Said", "line %s", fields="rest", file=None, source="action:long", script=keep),
        action("shout", shout, FEED),
        action("long", long, FEED),
    )
    with one.running():
        one.write("shout")
        one.wait_runs(64)
    assert sorted(one.runs()) == sorted(f"?[2J {number}" for number in range(64))
    one.ran.write_text("")
    with one.running():
        one.write("long")
        one.wait_runs(1)
    assert one.runs() == ["one"]


def test_what_a_stop_waited_for_is_fed_back(one: Live) -> None:
    """A script that ends during a stop is heard: what it causes is done after the next start, once."""
    slow = one.script("slow.sh", f'while [ ! -e {one.folder}/go ]; do sleep 0.05; done; echo "said $LT_what"')
    one.configure(
        one.rule("First", "hit %s", fields="what", script=None, action="slow"),
        one.rule("Second", "said %s", fields="what", file=None, source="action:slow"),
        action("slow", slow, FEED),
    )
    one.start()
    one.wait_ready()
    one.write("hit me")
    one.wait_for("running slow")
    assert one.process is not None
    one.process.terminate()
    one.wait_for("stopping; waiting for 1 script")
    (one.folder / "go").touch()
    assert one.wait() == 0, one.output
    assert one.runs() == []
    with one.running():
        one.wait_runs(1)
    assert len(one.runs()) == 1
    assert one.runs()[0].startswith("Second@action:slow First@")
