"""Changes are collected, handed to the store together, one batch at a time, and none is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from logtrigger import commits
from logtrigger.commits import Commits
from logtrigger.counters import WindowState
from logtrigger.errors import StoreError
from logtrigger.loop import Loop
from logtrigger.model import Ban, Position, Trigger, Unban
from logtrigger.store import Batch, Done, Store


def a_trigger(number: int) -> Trigger:
    return Trigger(f"r@s:{number}", "r", 0.0, 1, (), {}, "", "", "")


def a_position(stream: str, offset: int = 0) -> Position:
    return Position(stream, "system log", "/var/log/syslog", 1, 2, offset)


def a_state(key: str, events: int) -> WindowState:
    return WindowState("rule r", "ab", key, [(1.5e9, 1)] * events, 0.0)


class SlowStore(Store):
    """A store in memory whose answers to commits come when the test says so."""

    def __init__(self) -> None:
        super().__init__(None)
        self.batches: list[Batch] = []
        self.writing: list[Callable[[StoreError | None], None]] = []

    def commit(self, batch: Batch, done: Callable[[StoreError | None], None]) -> None:
        assert not self.writing, "one at a time"
        self.batches.append(batch)
        self.writing.append(done)

    def answer(self, error: StoreError | None = None) -> None:
        self.writing.pop()(error)


class Desk:
    """Commits, and what its owner sees of it."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.store = SlowStore()
        self.positions: list[Position] = []
        self.states: list[WindowState] = []
        self.committed: list[int] = []
        self.failures: list[str | None] = []
        self.commits = Commits(self.loop, self.store, self._snapshot, self.committed.append, self._failed)

    def _failed(self, error: StoreError | None) -> None:
        self.failures.append(None if error is None else str(error))

    def _snapshot(self) -> tuple[Sequence[Position], Sequence[WindowState]]:
        taken = self.positions, self.states
        self.positions, self.states = [], []
        return taken

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, "did not come true in time"
            self.loop.turn(0.05)

    def next_batch(self) -> Batch:
        self.until(lambda: self.store.writing)
        return self.store.batches[-1]

    def answer(self, error: StoreError | None = None) -> None:
        self.store.answer(error)
        self.loop.turn(0)

    def is_idle(self) -> bool:
        """Nothing is being written, and nothing is going to be."""
        self.loop.turn(0.05)
        self.loop.turn(0.05)
        return not self.store.writing


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(commits, "_EVERY", 0.001)
    desk = Desk()
    yield desk
    desk.store.close()
    desk.loop.close()


def test_moment_that_cannot_be_taken_down_is_not_the_last_one(desk: Desk) -> None:
    faults, taken = list[Exception](), desk.commits._snapshot
    desk.loop.on_fault = faults.append

    def fail() -> tuple[Sequence[Position], Sequence[WindowState]]:
        raise ValueError("a fault")

    desk.commits._snapshot = fail
    desk.commits.trigger(1, a_trigger(1), ())
    desk.until(lambda: faults)
    desk.commits._snapshot = taken
    desk.commits.trigger(2, a_trigger(2), ())
    assert [seq for seq, *_ in desk.next_batch().triggers] == [1, 2]


def test_all_of_one_moment_together(desk: Desk) -> None:
    done = Done(1, "script", "exit 0", 0.1)
    desk.commits.trigger(1, a_trigger(1), ("script",))
    desk.commits.result(done)
    desk.commits.forget("old")
    desk.commits.drop([a_state("stranger", 2)])
    desk.positions = [a_position("new", 42)]
    desk.states = [a_state("counting", 3), a_state("over", 0)]
    batch = desk.next_batch()
    assert batch.triggers == ((1, a_trigger(1), ("script",)),)
    assert batch.results == (done,)
    assert batch.forgotten_streams == ("old",)
    assert batch.positions == (a_position("new", 42),)
    assert [row.key for row in batch.windows] == ["counting"]
    assert batch.dropped_windows == (("rule r", "stranger"), ("rule r", "over"))


def test_nothing_is_written_twice(desk: Desk) -> None:
    desk.commits.trigger(1, a_trigger(1), ())
    desk.commits.forget("old")
    desk.next_batch()
    desk.answer()
    assert desk.is_idle()
    desk.commits.changed()
    assert desk.next_batch() == Batch()


CHANGES: list[Callable[[Commits], None]] = [
    lambda commits: commits.trigger(2, a_trigger(2), ()),
    lambda commits: commits.result(Done(1, "script", "exit 0", 0.1)),
    lambda commits: commits.forget("old"),
    lambda commits: commits.drop([a_state("stranger", 2)]),
    lambda commits: commits.leave([a_position("left")]),
    lambda commits: commits.changed(),
]


@pytest.mark.parametrize("change", CHANGES)
def test_change_during_a_write_is_written_next(desk: Desk, change: Callable[[Commits], None]) -> None:
    """Also where it is but a counter or an offset, and no line follows that would ask for a commit."""
    desk.commits.changed()
    desk.next_batch()
    change(desk.commits)
    desk.states = [a_state("counting", 1)]
    assert len(desk.store.batches) == 1
    desk.answer()
    assert [row.key for row in desk.next_batch().windows] == ["counting"]
    desk.answer()
    assert desk.is_idle()


def test_owner_is_told_what_is_in_the_table(desk: Desk) -> None:
    desk.commits.trigger(7, a_trigger(7), ())
    desk.commits.trigger(8, a_trigger(8), ())
    desk.next_batch()
    desk.commits.trigger(9, a_trigger(9), ())
    desk.answer()
    assert desk.committed == [8]
    desk.next_batch()
    desk.answer()
    assert desk.committed == [8, 9]


def test_failure_is_told_once_and_tried_again(desk: Desk) -> None:
    """The store keeps what it could not write; asking again needs no further change."""
    desk.commits.trigger(1, a_trigger(1), ())
    for _ in range(3):
        desk.next_batch()
        desk.answer(StoreError("disk full"))
    assert (desk.committed, desk.failures) == ([], ["disk full"])
    desk.next_batch()
    desk.answer()
    assert (desk.committed, desk.failures) == ([1], ["disk full", None])
    assert desk.is_idle()


def test_stream_that_is_over_leaves_no_position(desk: Desk) -> None:
    desk.positions = [a_position("old", 10), a_position("new", 20)]
    desk.commits.forget("old")
    assert desk.next_batch().positions == (a_position("new", 20),)


def test_position_that_has_not_moved_is_not_written_again(desk: Desk) -> None:
    for offsets in ((0, 0), (0, 5), (7, 5)):
        desk.positions = [a_position("a", offsets[0]), a_position("b", offsets[1])]
        desk.commits.changed()
        desk.next_batch()
        desk.store.answer()
    written = [[(one.stream, one.offset) for one in batch.positions] for batch in desk.store.batches]
    assert written == [[("a", 0), ("b", 0)], [("b", 5)], [("a", 7)]]


def test_stream_that_comes_back_is_written_again(desk: Desk) -> None:
    for forget in (False, True, False):
        desk.positions = [a_position("a")]
        if forget:
            desk.commits.forget("a")
        desk.commits.changed()
        desk.next_batch()
        desk.store.answer()
    assert [len(batch.positions) for batch in desk.store.batches] == [1, 0, 1]


def test_failure_beside_a_commit_is_over_with_the_next_one(desk: Desk) -> None:
    desk.commits.fails(StoreError("full"))
    desk.commits.fails(StoreError("full"))
    assert desk.failures == ["full"]
    desk.next_batch()
    desk.store.answer()
    desk.until(lambda: desk.failures == ["full", None])


def test_closed_source_leaves_its_positions(desk: Desk) -> None:
    """What it was read to while it was open; later on, when it is open again, the later word counts."""
    desk.commits.leave([a_position("left", 10)])
    desk.positions = [a_position("left", 20)]
    assert desk.next_batch().positions == (a_position("left", 20),)


def test_counter_of_a_stranger_that_is_ours_again_is_kept(desk: Desk) -> None:
    desk.commits.drop([a_state("counting", 1)])
    desk.states = [a_state("counting", 2)]
    batch = desk.next_batch()
    assert ([row.key for row in batch.windows], batch.dropped_windows) == (["counting"], ())


def test_pending_knows_what_a_slow_store_has_not_even_been_given(desk: Desk) -> None:
    desk.commits.changed()
    desk.next_batch()
    for number in range(5):
        desk.commits.trigger(number, a_trigger(number), ())
    assert desk.commits.pending == 5


def test_last_writes_everything_and_waits(desk: Desk) -> None:
    desk.commits.trigger(1, a_trigger(1), ("script",))
    desk.positions = [a_position("new", 42)]
    desk.commits.last()
    assert desk.store.undone("script") == [(1, a_trigger(1), ("script",))]
    assert desk.store.load_positions() == [a_position("new", 42)]
    assert desk.commits.pending == 0


def test_last_tells_of_a_failure(desk: Desk) -> None:
    desk.store.close()
    with pytest.raises(StoreError, match="closed"):
        desk.commits.last()


def test_triggers_without_actions_fill_no_memory_while_nothing_can_be_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "_UNWRITTEN", 3)
    desk.commits._written(0, StoreError("full"))
    for number in range(1, 6):
        desk.commits.trigger(number, a_trigger(number), ())
    desk.commits.trigger(6, a_trigger(6), ("script",))
    assert [seq for seq, _, _ in desk.commits.waiting] == [1, 2, 3, 6]
    assert desk.commits.unrecorded == 2
    desk.commits._written(0, None)
    desk.commits.trigger(7, a_trigger(7), ())
    assert len(desk.commits.waiting) == 5


def test_of_a_ban_only_what_it_has_come_to_is_stored(desk: Desk) -> None:
    first, again = Ban("192.0.2.7", 1.0, 2.0, "r", lines=("a",)), Ban("192.0.2.7", 1.0, 3.0, "r", times=2)
    over = Unban("192.0.2.7", 2.5, "root")
    for change in (first, Ban("192.0.2.8", 1.0, None), again, over, first):
        desk.commits.ban(change)
    desk.commits._commit()
    [batch] = desk.store.batches
    assert [change for change in batch.bans if change.network == "192.0.2.7"] == [
        Ban("192.0.2.7", 1.0, 3.0, "r", times=2, lines=("a",)),
        over,
        first,
    ]
    desk.store.answer()
    desk.commits._commit()
    assert desk.store.batches[-1].bans == ()
    desk.store.answer()


def test_what_cannot_wait_is_written_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks hears of the write that holds what was collected when he asked, not of one under way."""
    monkeypatch.setattr(commits, "_EVERY", 60.0)
    heard: list[str | None] = []
    desk.commits.forget("early")
    desk.commits.at_once(lambda error: heard.append(str(error) if error else None))
    assert desk.store.batches[-1].forgotten_streams == ("early",)
    desk.commits.forget("late")
    desk.commits.at_once(lambda error: heard.append(str(error) if error else None))
    assert len(desk.store.batches) == 1
    desk.answer()
    assert heard == [None] and desk.store.batches[-1].forgotten_streams == ("late",)
    desk.answer(StoreError("disk full"))
    assert heard == [None, "disk full"]


def test_timer_that_finds_nothing_left_to_write_writes_nothing(desk: Desk) -> None:
    desk.commits.forget("old")
    desk.commits.at_once(lambda error: None)
    desk.answer()
    assert desk.is_idle()
    assert len(desk.store.batches) == 1
