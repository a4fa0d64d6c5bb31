"""What is done about a trigger: planned by its rule, its age and the way the daemon runs."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.commits import Commits
from logtrigger.config.options import LogAction, ScriptAction
from logtrigger.console import Console
from logtrigger.dispatch import Dispatch
from logtrigger.errors import Place
from logtrigger.logfiles.names import Template as PathTemplate
from logtrigger.loop import Loop
from logtrigger.model import Trigger
from logtrigger.rule import NOTICE, ActionOptions, Rule, Settings
from logtrigger.store import Store
from tests.script import NOW, rule
from tests.sources.host import until

SCRIPT = Path("/bin/true")


def trigger(late: int = 0) -> Trigger:
    return Trigger("r@s:0", "r", NOW - late, 1, (), {}, "m", "m", "log", late=late)


@pytest.fixture
def dispatch() -> Callable[..., tuple[Dispatch, io.StringIO, Store]]:
    def make(made: Rule, *, dry_run: bool = False) -> tuple[Dispatch, io.StringIO, Store]:
        loop, store, told = Loop(), Store(None), io.StringIO()
        settings = Settings(path=Path("rules.conf"), rules=(made,), state=Path("state.db"))
        commits = Commits(loop, store, lambda: ((), ()), lambda seq: None, lambda error: None)
        console = Console(told, 1, lambda: NOW)
        dispatch = Dispatch(loop, settings, store, commits, console, lambda: NOW, dry_run=dry_run)
        dispatch.start()
        return dispatch, told, store

    return make


@pytest.mark.parametrize(
    ("made", "late", "dry_run", "note"),
    [
        (rule("a", name="r"), 0, False, "nothing to run"),
        (rule("a", name="r", script=SCRIPT), 0, True, "dry run: /bin/true is not run"),
        (rule("a", name="r", script=SCRIPT), 86_401, False, "too late to run /bin/true"),
        (rule("a", name="r", script=SCRIPT), 86_400, False, "running /bin/true"),
    ],
)
def test_plan(
    dispatch: Callable[..., tuple[Dispatch, io.StringIO, Store]], made: Rule, late: int, dry_run: bool, note: str
) -> None:
    made_dispatch, told, store = dispatch(made, dry_run=dry_run)
    made_dispatch.trigger(trigger(late))
    assert note in told.getvalue()
    assert made_dispatch.work.running == (note.startswith("running"))
    made_dispatch.scripts.terminate()
    store.close()


def test_a_message_that_triggers_its_rule_without_end_is_not_acted_on_for_a_while() -> None:
    """Its triggers are stored all the same; other messages go on; the end of the pause is told."""
    loop, told, now = Loop(), io.StringIO(), NOW
    one = rule("a", name="r", script=SCRIPT)
    settings = Settings(path=Path("rules.conf"), rules=(one,), state=Path("state.db"))
    seen: list[tuple[str, tuple[str, ...]]] = []
    store = Store(None)
    commits = Commits(loop, store, lambda: ((), ()), lambda seq: None, lambda error: None)
    commits.trigger = lambda seq, trigger, names: seen.append((trigger.body, names))  # type: ignore[method-assign]
    dispatch = Dispatch(loop, settings, store, commits, Console(told, 0, lambda: now), lambda: now, dry_run=False)
    dispatch.work.set_limits({"script": 0}, {})  # nothing is really run
    for number in range(105):
        dispatch.trigger(Trigger(f"r@s:{number}", "r", now, 1, (), {}, "m", "again", "log"))
    dispatch.trigger(Trigger("r@s:200", "r", now, 1, (), {}, "m", "another", "log"))
    assert seen == [("again", ("script",))] * 100 + [("again", ())] * 5 + [("another", ("script",))]
    said = told.getvalue().splitlines()
    assert len(said) == 1 and "rule r: one same message has triggered it over 100 times within 10s" in said[0]
    now += 600
    dispatch._go_on()
    assert told.getvalue().splitlines()[1].endswith("rule r: it is acted on again, after 5 triggers passed over: again")
    store.close()


@pytest.mark.parametrize("by", [-1e8, 1e8])
def test_what_is_paused_goes_on_in_time_where_the_clock_is_set(by: float) -> None:
    loop, store, now = Loop(), Store(None), NOW
    one = rule("a", name="r", script=SCRIPT)
    settings = Settings(path=Path("rules.conf"), rules=(one,), state=Path("state.db"))
    commits = Commits(loop, store, lambda: ((), ()), lambda seq: None, lambda error: None)
    dispatch = Dispatch(loop, settings, store, commits, Console(io.StringIO(), 0, lambda: now), lambda: now, dry_run=False)
    dispatch.work.set_limits({"script": 0}, {})  # nothing is really run
    for number in range(102):
        dispatch.trigger(Trigger(f"r@s:{number}", "r", now, 1, (), {}, "m", "again", "log"))
    dispatch.suspend("r", now + 600.0)
    now += by
    dispatch.clock_was_set(by)
    now += 599.0
    dispatch._go_on()
    assert dispatch.why_not("r") == "not acted on: the rule is paused for 1s more" and dispatch.pauses
    now += 1.0
    dispatch._go_on()
    assert dispatch.why_not("r") == "" and not dispatch.pauses
    store.close()


def test_what_sends_goes_by_its_own_give_up(tmp_path: Path) -> None:
    """What waited over a weekend is too late for a script, not for a mail that is tried for days."""
    loop, told = Loop(), io.StringIO()
    own = LogAction(path=PathTemplate(f"{tmp_path}/x", None))
    mail = ActionOptions(name="mail", place=Place("rules.conf", 1), type="log", own=own, give_up=1e9)
    one = rule("a", name="r", script=SCRIPT, actions=("mail",))
    settings = Settings(path=Path("rules.conf"), rules=(one,), state=Path("state.db"), actions=(mail,))
    store = Store(None)
    commits = Commits(loop, store, lambda: ((), ()), lambda seq: None, lambda error: None)
    dispatch = Dispatch(loop, settings, store, commits, Console(told, 0, lambda: NOW), lambda: NOW, dry_run=False)
    for number in range(3):
        dispatch.work.add(number, trigger(86_401), ("script", "mail"))
    until(loop, lambda: (tmp_path / "x").exists() and (tmp_path / "x").read_text() == "m\n" * 3)
    until(loop, lambda: not dispatch.work.running)
    assert dispatch.running() == ""
    (said,) = told.getvalue().splitlines()  # once, not for each
    assert said.endswith("r: /bin/true: not run: too late by now")
    dispatch.actions.close()
    store.close()


@pytest.mark.parametrize("dry_run", [False, True])
def test_notices(dry_run: bool) -> None:
    """Who is told of a start or stop, and when all have been who can be; a dry run tells nobody."""
    loop, told, store = Loop(), io.StringIO(), Store(None)
    tell = ActionOptions(
        name="tell", place=Place("rules", 1), type="script", own=ScriptAction(script=SCRIPT), when={NOTICE: ()}
    )
    settings = Settings(path=Path("rules"), rules=(), state=Path("state"), actions=(tell,), notices={"stop": ("tell",)})
    commits = Commits(loop, store, lambda: ((), ()), lambda seq: None, lambda error: None)
    dispatch = Dispatch(loop, settings, store, commits, Console(told, 2, lambda: NOW), lambda: NOW, dry_run=dry_run)
    ends: list[str] = []
    dispatch.notice("start", "it has started")
    assert commits.waiting == []
    dispatch.notice("stop", "it is stopping")
    dispatch.when_told(lambda: ends.append("all told"))
    loop.turn(0)
    if dry_run:
        assert (commits.waiting, ends) == ([], ["all told"])
    else:
        [(_, notice, names)] = commits.waiting
        assert (notice.rule, notice.state, notice.body, names) == ("logtrigger", "stop", "it is stopping", ("tell",))
        assert ends == []
        end = time.monotonic() + 30
        while not ends and time.monotonic() < end:
            dispatch.scripts.reap()
            loop.turn(0.01)
        assert ends == ["all told"]
    store.close()
    loop.close()
