"""Each action has a queue of its own: what is slow holds up nobody else, and too much is given up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from logtrigger.actions.base import Action, Result
from logtrigger.actions.lanes import MOST, Lanes
from logtrigger.actions.queue import HEAD
from logtrigger.errors import StoreError
from logtrigger.model import Trigger, Undone


def a_trigger(number: int) -> Trigger:
    return Trigger(f"r:1:{number}", "r", 0.0, 1, (), {}, "", "", "", offset=number)


class Slow:
    """An action that ends when the test says so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.open: list[tuple[int, Callable[[Result | None], None]]] = []

    def start(self, trigger: Trigger, done: Callable[[Result | None], None]) -> None:
        self.open.append((trigger.offset, done))

    @property
    def running(self) -> list[int]:
        return [number for number, _ in self.open]

    def end_one(self, result: Result | None = Result(True, "done")) -> None:  # noqa: B008 - a value
        self.open.pop(0)[1](result)


class Stage:
    """Lanes over two slow actions and a table."""

    def __init__(self, most: int = 1000) -> None:
        self.actions = {name: Slow(name) for name in ("mail", "log")}
        self.rows: dict[str, list[Undone]] = {}
        self.ended: list[tuple[int, str, bool]] = []
        self.lanes = Lanes(self.find, self.refill, self.finished, {"log": 2}, dict.fromkeys(("script", "log", "mail"), most))

    def find(self, trigger: Trigger, name: str) -> Action | None:
        return self.actions.get(name)

    def refill(self, name: str, after: int, limit: int, done: Callable[[Sequence[Undone] | StoreError], None]) -> None:
        done([row for row in self.rows.get(name, []) if row[0] > after][:limit])

    def finished(self, seq: int, trigger: Trigger, name: str, result: Result) -> None:
        self.ended.append((seq, name, result.ok))

    def add(self, *numbers: int, names: tuple[str, ...] = ("mail", "log")) -> list[tuple[str, ...]]:
        return [self.lanes.add(number, a_trigger(number), names) for number in numbers]


def test_one_holds_up_no_other() -> None:
    stage = Stage()
    stage.add(1, 2, 3)
    assert (stage.actions["mail"].running, stage.actions["log"].running) == ([1], [1, 2])
    stage.actions["log"].end_one()
    stage.actions["log"].end_one()
    assert (stage.actions["mail"].running, stage.actions["log"].running) == ([1], [3])
    assert stage.ended == [(1, "log", True), (2, "log", True)]
    assert stage.lanes.owed == {"mail": 3, "log": 1}
    assert (stage.lanes.running, stage.lanes.waiting, stage.lanes.spilled) == (2, 2, False)


def test_too_many_are_given_up_for_that_action_only() -> None:
    stage = Stage(most=3)
    assert stage.add(1, 2, 3, 4, names=("mail",)) == [(), (), (), ("mail",)]
    assert stage.add(5) == [("mail",)]
    assert stage.actions["log"].running == [5]
    stage.actions["mail"].end_one()
    assert stage.add(6, names=("mail",)) == [()]


def test_each_has_its_own_limit() -> None:
    stage = Stage(most=1)
    stage.lanes.set_limits({}, {"mail": 2})
    assert stage.add(1, 2, 3) == [(), (), ("mail",)]
    assert stage.lanes.most("mail") == 2
    assert stage.lanes.most("log") == MOST


def test_the_last_run_s_work_comes_first() -> None:
    stage = Stage()
    rows = {"mail": [(1, a_trigger(1), ("mail",)), (2, a_trigger(2), ("mail",))], "gone": [(2, a_trigger(2), ("gone",))]}
    stage.lanes.resume({"mail": 2, "gone": 1}, 2, lambda name, limit: rows[name][:limit])
    assert stage.ended == [(2, "gone", False)]  # nobody knows it any more
    stage.add(3, names=("mail",))
    for number in (1, 2, 3):
        assert stage.actions["mail"].running == [number]
        stage.actions["mail"].end_one()


def test_more_than_fits_into_memory_comes_from_the_table_in_order() -> None:
    stage = Stage(most=10 * HEAD)
    total = HEAD + 50
    for number in range(1, total + 1):
        stage.add(number, names=("mail",))
        stage.rows.setdefault("mail", []).append((number, a_trigger(number), ("mail",)))
    assert stage.lanes.spilled and stage.lanes.waiting <= HEAD
    stage.lanes.committed(total)
    seen = []
    while stage.actions["mail"].running:
        seen += stage.actions["mail"].running
        stage.actions["mail"].end_one()
    assert seen == list(range(1, total + 1))
    assert stage.lanes.owed == {"mail": 0}


def test_drain_waits_for_all() -> None:
    stage = Stage()
    stage.add(1, 2)
    told: list[bool] = []
    stage.lanes.drain(lambda: told.append(True))
    stage.actions["log"].end_one()
    stage.actions["log"].end_one()
    assert not told
    stage.actions["mail"].end_one(None)  # it stays undone
    assert told == [True]
    assert stage.ended == [(1, "log", True), (2, "log", True)]
    stage.add(3, names=("other",))
    assert stage.lanes.running == 0


def test_drain_of_nothing() -> None:
    told: list[bool] = []
    Stage().lanes.drain(lambda: told.append(True))
    assert told == [True]
