"""What is done about a trigger: planned by its rule, its age and the way the daemon runs."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.commits import Commits
from logtrigger.console import Console
from logtrigger.dispatch import Dispatch
from logtrigger.loop import Loop
from logtrigger.model import Trigger
from logtrigger.rule import Rule, Settings
from logtrigger.store import Store
from tests.script import NOW, rule

SCRIPT = Path("/bin/true")


def trigger(late: int = 0) -> Trigger:
    return Trigger("r@s:0", "r", NOW - late, 1, (), {}, "m", "m", "log", late=late)


@pytest.fixture
def dispatch() -> Callable[..., tuple[Dispatch, io.StringIO, Store]]:
    def make(made: Rule, **options: bool) -> tuple[Dispatch, io.StringIO, Store]:
        loop, store, told = Loop(), Store(None), io.StringIO()
        settings = Settings(path=Path("rules.conf"), rules=(made,), state=Path("state.db"))
        commits = Commits(loop, store, lambda: ((), ()), lambda seq: None, lambda error: None)
        console = Console(told, 1, lambda: NOW)
        options = {"dry_run": False, **options}
        dispatch = Dispatch(loop, settings, store, commits, console, lambda: NOW, **options)
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
