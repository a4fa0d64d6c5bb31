"""Which actions a trigger calls for, and what becomes of them when the configuration changes."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from logtrigger import conditions
from logtrigger.actions.base import Result
from logtrigger.actions.configured import Configured
from logtrigger.actions.script import Scripts
from logtrigger.config import options
from logtrigger.errors import Place
from logtrigger.logfiles import Template as PathTemplate
from logtrigger.loop import Loop
from logtrigger.model import Trigger
from logtrigger.rule import ActionOptions, Rule, Settings
from tests.script import NOW, rule
from tests.sources.host import until


def action(type: str, name: str = "a", when: tuple[str, ...] = (), **own: Any) -> ActionOptions:
    types = {"ip": "ip", "ip_country": "text", "country": "text", "user": "text"}
    compiled = tuple(conditions.compile(text, types) for text in when)
    made = options.ACTIONS[type](**own)
    return ActionOptions(name=name, place=Place("rules.conf", 1), type=type, own=made, when={"r": compiled})


def settings(*actions: ActionOptions, made: Rule | None = None) -> Settings:
    rules = (made or rule("a %s", "ip", name="r", actions=tuple(one.name for one in actions)),)
    return Settings(path=Path("rules.conf"), rules=rules, state=Path("state.db"), actions=actions)


def trigger(number: int = 1, **extra: str) -> Trigger:
    return Trigger(f"r@s:{number}", "r", NOW, 1, (), {"ip": "192.0.2.7"}, f"m{number}", "m", "log", extra=extra)


def log(path: Path, **more: Any) -> ActionOptions:
    return action("log", path=PathTemplate(str(path), None), **more)


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def configured(loop: Loop) -> Iterator[Configured]:
    made = Configured(loop, Scripts(loop, 10.0), lambda level, text: None, lambda: NOW)
    yield made
    made.close()


def test_names_and_conditions(configured: Configured, tmp_path: Path) -> None:
    abroad = log(tmp_path / "x", name="abroad", when=("country != FI",))
    home = log(tmp_path / "y", name="home", when=("ip_country == FI",))
    made = rule("a %s", "ip", name="r", script=Path("/bin/true"), actions=("abroad", "home"))
    configured.take_up(settings(abroad, home, made=made))
    assert configured.names(trigger(ip_country="SE"), made) == ("script", "abroad")
    assert configured.names(trigger(ip_country="FI"), made) == ("script", "home")
    assert configured.names(trigger(), made) == ("script", "abroad")  # unknown is not Finland


def test_bans_are_not_queued(configured: Configured) -> None:
    short, ever = action("ban", "short", time=60.0), action("ban", "ever", ("user == x",), time=inf)
    made = settings(short, ever)
    configured.take_up(made)
    assert configured.names(trigger(), made.rules[0]) == ()
    assert configured.ban(trigger(), made.rules[0]) == 60.0
    assert configured.ban(trigger(user="x"), made.rules[0]) == inf


def test_parallel(configured: Configured, tmp_path: Path) -> None:
    mail = action("mail", "mail", sender="a@example.org", to=("b@example.org",))
    configured.take_up(settings(log(tmp_path / "x", name="log"), mail, action("script", "run", script=Path("/bin/true"))))
    assert configured.parallel() == {"script": 8, "run": 8, "log": 1, "mail": 10_000}


def test_reload_keeps_what_has_not_changed(configured: Configured, tmp_path: Path) -> None:
    configured.take_up(settings(log(tmp_path / "x")))
    box = configured.outboxes["a"]
    configured.take_up(settings(log(tmp_path / "x", when=("country == FI",))))
    assert configured.outboxes["a"] is box
    configured.take_up(settings(log(tmp_path / "y")))
    assert configured.outboxes["a"] is not box


def test_what_waits_goes_on_with_the_new_options(configured: Configured, loop: Loop, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()  # no file can be written there
    configured.take_up(settings(log(tmp_path / "old")))
    results: dict[int, Result | None] = {}
    for number in (1, 2, 3):
        configured.outboxes["a"].start(trigger(number), lambda result, number=number: results.update({number: result}))  # type: ignore[misc]
    until(loop, lambda: configured.outboxes["a"].health.last_error)
    until(loop, lambda: not configured.outboxes["a"]._sending)
    configured.take_up(settings(log(tmp_path / "new")))
    until(loop, lambda: len(results) == 3)
    assert all(result is not None and result.ok for result in results.values())
    assert (tmp_path / "new").read_text() == "m1\nm2\nm3\n"


def test_what_was_to_be_counted_is_left_to_the_next_start_where_each_is_told(
    configured: Configured, loop: Loop, tmp_path: Path
) -> None:
    """A mail that has become a log: the texts of what was only to be counted are in the store."""
    configured.take_up(settings(action("mail", "a", server="127.0.0.1", port=1, sender="a@b.c", to=("b@b.c",))))
    box = configured.outboxes["a"]
    results: list[Result | None] = []
    for one in (trigger(), trigger().bare(), trigger().bare()):
        box.start(one, results.append)
    until(loop, lambda: box.health.last_error)
    until(loop, lambda: not box._sending)
    configured.take_up(settings(log(tmp_path / "new")))
    until(loop, lambda: len(results) == 3)
    assert [result is None for result in results].count(True) == 2
    assert len((tmp_path / "new").read_text().splitlines()) == 1


def test_what_waits_for_an_action_that_is_gone_ends(configured: Configured, loop: Loop, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    configured.take_up(settings(log(tmp_path / "old")))
    results: list[Result | None] = []
    box = configured.outboxes["a"]
    box.start(trigger(), results.append)
    until(loop, lambda: box.health.last_error)
    until(loop, lambda: not box._sending)
    configured.take_up(settings(made=rule("a %s", "ip", name="r")))
    assert results == [Result(False, "not configured any more", begun=False)]
    assert configured.find(trigger(), "a") is None
