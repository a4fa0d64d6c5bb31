"""Every action runs once, in order, a few at a time; memory holds only the head of the queue, the table all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.actions.base import Action, Result
from logtrigger.actions.queue import Work
from logtrigger.actions.script import ScriptAction, Scripts
from logtrigger.errors import StoreError
from logtrigger.loop import Loop
from logtrigger.model import Trigger, Undone
from logtrigger.store import Batch, Done, Store

MakeTrigger = Callable[..., Trigger]
MakeScript = Callable[..., Path]
Until = Callable[[Callable[[], bool]], None]
OnChild = Callable[[Callable[[], None]], None]


def a_trigger(number: int) -> Trigger:
    return Trigger(f"r:1:{number}", "r", 0.0, 1, (), {}, "", "", "")


class Slow:
    """An action that ends when the test says so."""

    name = "slow"

    def __init__(self) -> None:
        self.started: list[str] = []
        self.open: list[Callable[[Result | None], None]] = []

    def start(self, trigger: Trigger, done: Callable[[Result | None], None]) -> None:
        self.started.append(trigger.id)
        self.open.append(done)

    def end_one(self) -> None:
        self.open.pop(0)(Result(True, "exit 0"))


class Failing:
    """An action that ends while it is being started."""

    name = "failing"

    def start(self, trigger: Trigger, done: Callable[[Result | None], None]) -> None:
        done(Result(False, "cannot be started"))


class Broken(Slow):
    """An action with a fault of ours in it, which shows at its first start."""

    def start(self, trigger: Trigger, done: Callable[[Result | None], None]) -> None:
        super().start(trigger, done)
        if len(self.started) == 1:
            raise ValueError("a fault")


def test_fault_of_one_start_holds_up_no_other() -> None:
    action = Broken()
    work = Work(1, lambda trigger, name: action, lambda after, limit, done: None, lambda *ended: None)
    with pytest.raises(ValueError, match="a fault"):
        work.add(1, a_trigger(1), ["broken"])
    for number in (2, 3):
        work.add(number, a_trigger(number), ["broken"])
    assert action.started == ["r:1:1", "r:1:2"] and (work.running, work.waiting) == (1, 1)
    del action.open[0]
    action.end_one()
    assert action.started[2:] == ["r:1:3"]


class Table:
    """The store's trigger table, as far as the queue sees it. A refill is answered when the test says so."""

    def __init__(self) -> None:
        self.waiting: dict[int, Undone] = {}  # handed over, not committed
        self.rows: dict[int, Undone] = {}
        self.asked: list[tuple[int, int, Callable[[Sequence[Undone] | StoreError], None]]] = []

    def refill(self, after: int, limit: int, done: Callable[[Sequence[Undone] | StoreError], None]) -> None:
        assert limit > 0
        assert not self.asked
        self.asked.append((after, limit, done))

    def answer(self) -> None:
        after, limit, done = self.asked.pop()
        done([row for seq, row in sorted(self.rows.items()) if seq > after][:limit])

    def commit(self, work: Work) -> None:
        self.rows |= self.waiting
        if self.waiting:
            newest = max(self.waiting)
            self.waiting = {}
            work.committed(newest)


class Desk:
    """A queue with everything around it in the test's hand."""

    def __init__(self, parallel: int = 2, head: int = 4, action: Action | None = None) -> None:
        self.slow = Slow()
        self.table = Table()
        self.ended: list[tuple[int, str, str]] = []
        chosen = action or self.slow
        find = {"slow": chosen, "failing": chosen}.get
        self.work = Work(parallel, lambda _, name: find(name), self.table.refill, self.finished, head)

    def finished(self, seq: int, trigger: Trigger, name: str, result: Result) -> None:
        assert trigger == a_trigger(seq)
        self.ended.append((seq, name, result.text))

    def add(self, seq: int, *names: str) -> None:
        self.table.waiting[seq] = (seq, a_trigger(seq), names)
        self.work.add(seq, a_trigger(seq), names)

    def finish(self) -> None:
        """Commit, answer and end until nothing is left."""
        self.table.commit(self.work)
        while self.slow.open or self.table.asked:
            if self.table.asked:
                self.table.answer()
            if self.slow.open:
                self.slow.end_one()


def ids(*numbers: int) -> list[str]:
    return [f"r:1:{number}" for number in numbers]


def test_starts_at_once_and_few_at_a_time() -> None:
    desk = Desk(parallel=2)
    for seq in (1, 2, 3):
        desk.add(seq, "slow")
    assert desk.slow.started == ids(1, 2)
    assert (desk.work.running, desk.work.waiting) == (2, 1)
    desk.slow.end_one()
    assert desk.slow.started == ids(1, 2, 3)
    assert desk.ended == [(1, "slow", "exit 0")]


def test_spilled_work_waits_for_its_commit() -> None:
    desk = Desk(parallel=1, head=2)
    for seq in range(1, 7):
        desk.add(seq, "slow")
    assert (desk.work.running, desk.work.waiting, desk.work.spilled) == (1, 2, True)
    desk.slow.end_one()
    assert not desk.table.asked, "nothing is committed yet"
    desk.add(7, "slow")
    assert desk.work.waiting == 1, "there is room, but 4 to 6 come first"
    desk.finish()
    assert desk.slow.started == ids(*range(1, 8))
    assert not desk.work.spilled
    desk.add(8, "slow")
    assert desk.slow.started[-1] == "r:1:8", "the table is not needed any more"


def test_unreadable_table_is_asked_again() -> None:
    desk = Desk(parallel=1, head=1)
    for seq in (1, 2, 3):
        desk.add(seq, "slow")
    desk.slow.end_one()
    desk.slow.end_one()
    desk.table.commit(desk.work)
    desk.table.asked.pop()[2](StoreError("cannot be read"))
    assert desk.work.spilled
    desk.work.committed(3)
    desk.finish()
    assert desk.slow.started == ids(1, 2, 3)


def test_failing_start_is_no_recursion() -> None:
    desk = Desk(parallel=1, head=5_000, action=Failing())
    desk.work.resume([(seq, a_trigger(seq), ("failing",)) for seq in range(1, 5_000)], 4_999)
    assert len(desk.ended) == 4_999


def test_several_actions_and_none() -> None:
    desk = Desk(parallel=3)
    desk.add(1)
    desk.add(2, "slow", "gone", "failing")
    desk.finish()
    assert desk.ended == [(2, "gone", "not configured any more"), (2, "slow", "exit 0"), (2, "failing", "exit 0")]


def test_drain_waits_for_what_runs_and_starts_nothing() -> None:
    desk = Desk(parallel=2)
    for seq in range(1, 9):
        desk.add(seq, "slow")
    drained: list[int] = []
    desk.work.drain(lambda: drained.append(len(desk.ended)))
    desk.table.commit(desk.work)
    desk.add(9, "slow")
    assert not drained
    desk.slow.end_one()
    desk.slow.end_one()
    assert drained == [2], "the last result is there before"
    assert desk.slow.started == ids(1, 2)
    assert not desk.table.asked


def test_drain_of_an_idle_queue() -> None:
    drained: list[bool] = []
    Desk().work.drain(lambda: drained.append(True))
    assert drained == [True]


steps = st.lists(st.sampled_from(["add", "add", "add two", "add none", "commit", "answer", "end", "end"]), max_size=80)


@given(steps, st.integers(1, 3), st.integers(1, 5), st.integers(0, 7))
def test_each_action_once_and_in_order(steps: list[str], parallel: int, head: int, left: int) -> None:
    """Whatever comes when: adding, committing, reading back, ending; also with work left by an earlier run."""
    desk = Desk(parallel, head)
    expected: list[str] = []
    names = {"add": ["slow"], "add two": ["slow", "failing"], "add none": []}
    for seq in range(1, left + 1):
        desk.table.rows[seq] = (seq, a_trigger(seq), ("slow",))
        expected += ids(seq)
    desk.work.resume([desk.table.rows[seq] for seq in range(1, min(left, head) + 1)], left)
    for number, step in enumerate(steps, left + 1):
        if step in names:
            desk.add(number, *names[step])
            expected += ids(number) * len(names[step])
        elif step == "commit":
            desk.table.commit(desk.work)
        elif step == "answer" and desk.table.asked:
            desk.table.answer()
        elif step == "end" and desk.slow.open:
            desk.slow.end_one()
        assert desk.work.running <= parallel
        assert desk.work.waiting <= 2 * head
        assert desk.slow.started == expected[: len(desk.slow.started)]
    desk.finish()
    assert desk.slow.started == expected
    assert len(desk.ended) == len(expected)


class Daemon:
    """Store, scripts and queue put together as the daemon does it."""

    def __init__(self, loop: Loop, on_child: OnChild, path: Path, script: Path, head: int) -> None:
        self.store = Store(path)
        self.loop = loop
        self.scripts = Scripts(loop, 20.0)
        on_child(self.scripts.reap)
        action = ScriptAction(self.scripts, script, (("OUT", str(path.parent)),))
        self.done: list[Done] = []
        self.finished = 0
        self.work = Work(8, lambda rule, name: action, self.refill, self.end, head)
        self.seq = self.store.next_seq()
        self.work.resume(self.store.undone("script", 0, head), self.seq - 1)

    def refill(self, after: int, limit: int, done: Callable[[Sequence[Undone] | StoreError], None]) -> None:
        self.store.undone_later("script", after, limit, lambda rows: self.loop.call_threadsafe(lambda: done(rows)))

    def end(self, seq: int, trigger: Trigger, name: str, result: Result) -> None:
        assert result.ok, result
        assert len(self.scripts.pids) < 8
        self.finished += 1
        self.done.append(Done(seq, name, result.text, result.seconds))

    def take(self, triggers: Sequence[Trigger]) -> None:
        rows = [(seq, trigger, ("script",)) for seq, trigger in enumerate(triggers, self.seq)]
        self.seq += len(rows)
        for row in rows:
            self.work.add(*row)
        newest = self.seq - 1
        self.store.commit(Batch(triggers=rows), lambda _: self.loop.call_threadsafe(lambda: self.work.committed(newest)))

    def write_results(self) -> None:
        self.store.commit_now(Batch(results=self.done))
        self.done = []


MakeDaemon = Callable[[int], Daemon]


@pytest.fixture
def start(loop: Loop, on_child: OnChild, make_script: MakeScript, tmp_path: Path) -> Iterator[MakeDaemon]:
    """Starts a daemon with the state of the one before, which has simply stopped existing."""
    script = make_script('#!/bin/sh\necho "$LT_id" >> "$OUT/ran"\n')
    daemons: list[Daemon] = []

    def start_one(head: int) -> Daemon:
        for daemon in daemons:
            daemon.store.close()
        daemons.append(Daemon(loop, on_child, tmp_path / "state.db", script, head))
        return daemons[-1]

    yield start_one
    for daemon in daemons:
        daemon.store.close()


def ran(tmp_path: Path) -> list[str]:
    return (tmp_path / "ran").read_text().splitlines()


@pytest.mark.parametrize("head", [1_000, 16])
def test_a_thousand_scripts_run_once_each(start: MakeDaemon, until: Until, tmp_path: Path, head: int) -> None:
    daemon = start(head)
    for begin in range(1, 1_001, 100):
        daemon.take([a_trigger(n) for n in range(begin, begin + 100)])
    assert daemon.work.spilled == (head == 16)
    until(lambda: daemon.finished == 1_000)
    assert sorted(ran(tmp_path)) == sorted(ids(*range(1, 1_001)))
    daemon.write_results()
    assert daemon.store.undone("script") == []


def test_restart_goes_on_with_what_is_undone(start: MakeDaemon, until: Until, tmp_path: Path) -> None:
    """After a crash what was begun but not committed runs again with the same id, what was committed does not."""
    first = start(4)
    first.take([a_trigger(n) for n in range(1, 31)])
    until(lambda: first.finished >= 10)
    first.write_results()
    committed = 30 - len(first.store.undone("script"))
    until(lambda: first.finished >= committed + 3)
    first.work.drain(lambda: None)
    until(lambda: first.work.running == 0)
    lost = [f"r:1:{done.seq}" for done in first.done]
    assert len(lost) >= 3

    second = start(4)
    until(lambda: second.finished == 30 - committed)
    assert sorted(ran(tmp_path)) == sorted([*ids(*range(1, 31)), *lost])
    second.write_results()
    assert start(4).store.undone("script") == []


def test_orderly_stop_leaves_the_rest_for_the_next_start(start: MakeDaemon, until: Until, tmp_path: Path) -> None:
    first = start(1_000)
    first.take([a_trigger(n) for n in range(1, 51)])
    stopped: list[bool] = []
    first.work.drain(lambda: stopped.append(True))
    until(lambda: bool(stopped))
    first.write_results()
    assert len(ran(tmp_path)) == 8

    second = start(1_000)
    until(lambda: second.finished == 42)
    assert sorted(ran(tmp_path)) == sorted(ids(*range(1, 51))), "each once over both"
