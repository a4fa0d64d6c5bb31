"""The screen: by Textual's pilot over a real daemon, and in a real terminal of 80 × 24."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.asking import NO_FIREWALL, ask, asked
from tests.live import BOUND, Live

pytestmark = pytest.mark.package("textual")

BAN = "ban %s"


def banning(one: Live) -> str:
    return one.rule("Ban", BAN, fields="ip", ban="1h", script=None)


def drive(one: Live, act: Callable[[Any, Any, Callable[[Callable[[], object]], Awaitable[None]]], Awaitable[None]]) -> None:
    """Run the app on a screen of 80 × 24 in this process, and do something with it."""
    import time
    from asyncio import run  # noqa: TID251 - Textual's own loop

    from logtrigger.cli.why import told
    from logtrigger.control.client import Client
    from logtrigger.top.app import Top

    async def play() -> None:
        app = Top(lambda: Client([one.folder / "state.db.control"]), told)
        async with app.run_test(size=(80, 24)) as pilot:

            async def until(condition: Callable[[], object]) -> None:
                end = time.monotonic() + BOUND
                while not condition():
                    assert time.monotonic() < end, "in vain"
                    await pilot.pause(0.05)

            await act(app, pilot, until)

    run(play())


def rows(app: Any, table: str) -> list[list[str]]:
    found = app.query_one(table)
    return [[str(cell) for cell in found.get_row_at(index)] for index in range(found.row_count)]


def test_rules_and_bans_are_shown_and_keys_work(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.configure(one.rule(), banning(one), NO_FIREWALL)
        assert ask(one, "reload").exit_code == 0
        one.write("ban 192.0.2.7", "hit a", "hit b")
        one.wait_runs(2)

        async def act(app: Any, pilot: Any, until: Any) -> None:
            await until(lambda: rows(app, "#bans") and len(rows(app, "#rules")) == 2)
            assert rows(app, "#bans")[0][0] == "192.0.2.7"
            assert [row[0] for row in rows(app, "#rules")] == ["Hit", "Ban"]
            await pilot.press("p")
            await until(lambda: rows(app, "#rules")[0][-1] == "paused")
            await pilot.press("p")
            await until(lambda: rows(app, "#rules")[0][-1].startswith("script"))
            await pilot.press("w")
            await until(lambda: len(app.screen_stack) == 2)
            await pilot.press("escape")
            await until(lambda: len(app.screen_stack) == 1)
            await pilot.press("slash", "b", "a", "n", "enter")
            await until(lambda: [row[0] for row in rows(app, "#rules")] == ["Ban"])
            await pilot.press("escape")
            await until(lambda: len(rows(app, "#rules")) == 2)
            await pilot.press("u")
            await until(lambda: [one.message[:16] for one in app._notifications] == ["Tab goes to the "])
            assert rows(app, "#bans")
            await pilot.press("tab", "p", "u")
            await until(lambda: not rows(app, "#bans"))
            assert not any(row[-1] == "paused" for row in rows(app, "#rules"))

        drive(one, act)
        assert ask(one, "bans").stdout.count("192.0.2.7") == 0


def test_the_cursor_stays_where_a_ban_was_lifted(tmp_path: Path) -> None:
    """Nobody lifts two by pressing a key twice at the wrong moment."""
    with asked(tmp_path) as one:
        one.configure(banning(one), NO_FIREWALL)
        assert ask(one, "reload").exit_code == 0
        one.write(*(f"ban 203.0.113.{number}" for number in range(5)))

        async def act(app: Any, pilot: Any, until: Any) -> None:
            await until(lambda: len(rows(app, "#bans")) == 5)
            await pilot.press("tab", "down", "down", "u")
            await until(lambda: [row[0][-1] for row in rows(app, "#bans")] == ["4", "3", "1", "0"])
            assert app.query_one("#bans").cursor_row == 2

        drive(one, act)


def test_long_names_leave_room_for_figures(tmp_path: Path) -> None:
    name = "a-rule-with-a-very-long-name-that-" * 2 + "ends"
    with asked(tmp_path) as one:
        one.configure(one.rule(), one.rule(name, BAN, fields="ip", ban="1h", script=None), NO_FIREWALL)
        assert ask(one, "reload").exit_code == 0
        one.write("ban 2001:db8:1234:5678::1")

        async def act(app: Any, pilot: Any, until: Any) -> None:
            await until(lambda: len(rows(app, "#rules")) == 2 and rows(app, "#bans"))
            assert rows(app, "#rules")[0][0] == "a-rule-with-a-very-…"
            assert rows(app, "#bans")[0][0] == "2001:db8:1234:5678::/64"
            table = app.query_one("#rules")
            assert sum(column.get_render_width(table) for column in table.ordered_columns[:-1]) <= 70
            await pilot.press("p")
            await until(lambda: rows(app, "#rules")[0][-1] == "paused")
            await pilot.press("tab", "tab", "down")
            await pilot.resize_terminal(200, 50)
            await until(lambda: rows(app, "#rules")[0][0] == name)
            assert app.query_one("#rules").cursor_row == 1
            await pilot.resize_terminal(60, 20)
            await until(lambda: rows(app, "#rules")[0][0] == "a-rule-with-a-v…")
            assert app.query_one("#rules").cursor_row == 1

        drive(one, act)


HOSTILE = "[/] [/red] [red]x[/red] [31m[bold] [link=file:///x]y \\[a] [@click=app.quit]q[/] ["


def test_what_a_log_line_says_is_no_markup(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.configure(one.rule("Ban", f"{BAN} by %s", fields="ip who", ban="1h", script=None), NO_FIREWALL)
        assert ask(one, "reload").exit_code == 0
        one.write(f"ban 192.0.2.7 by {HOSTILE} \x1b[2J")

        async def act(app: Any, pilot: Any, until: Any) -> None:
            await until(lambda: rows(app, "#bans"))
            await pilot.press("w")
            await until(lambda: len(app.screen_stack) == 2)
            (shown,) = app.screen.query("VerticalScroll Static")
            assert HOSTILE in str(shown.render()) and "\x1b" not in str(shown.render())

        drive(one, act)


def test_a_daemon_that_ends_is_waited_for(tmp_path: Path) -> None:
    with asked(tmp_path) as one:

        async def act(app: Any, pilot: Any, until: Any) -> None:
            def headline() -> str:
                return str(app.query_one("#headline").render())

            await until(lambda: headline().startswith("logtrigger"))
            assert one.stop() == 0
            await until(lambda: "trying again" in headline())
            one.start()
            one.wait_ready()
            await until(lambda: headline().startswith("logtrigger"))

        drive(one, act)


@pytest.mark.tool("tmux")
def test_in_a_terminal(tmp_path: Path) -> None:
    """What a person sees, in a real terminal; the program ends with q and leaves nothing behind."""
    tmux = [shutil.which("tmux") or "tmux", "-L", f"logtrigger-{tmp_path.name}", "-f", "/dev/null"]
    with asked(tmp_path) as one:
        one.write("hit a")
        one.wait_runs(1)
        command = shlex.join([sys.executable, "-m", "logtrigger", "-c", str(one.folder / "rules"), "top"])
        subprocess.run([*tmux, "new-session", "-d", "-x", "80", "-y", "24", command], check=True, timeout=BOUND)
        try:

            def screen() -> str:
                return subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, timeout=BOUND).stdout

            one.until(lambda: all(text in screen() for text in ("Hit", "scripts 0 running", "unban")), "the screen is drawn")
            shown = screen().splitlines()
            assert len(shown) <= 24
            assert shown[0].startswith("logtrigger 0.")
            assert any(line.split()[:2] == ["RULE", "/S"] for line in shown)
            assert any(line.split()[:1] == ["BANNED"] for line in shown)
            assert "unban" in shown[-1]
            subprocess.run([*tmux, "send-keys", "q"], check=True, timeout=BOUND)
            one.until(lambda: subprocess.run([*tmux, "has-session"], capture_output=True).returncode != 0, "it has ended")
        finally:
            subprocess.run([*tmux, "kill-server"], capture_output=True, timeout=BOUND)
