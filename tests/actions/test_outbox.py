"""Deliveries: in order, tried again while nobody answers, given up in the end, left undone at a stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from logtrigger.actions import outbox
from logtrigger.actions.base import Result
from logtrigger.actions.outbox import Limits, Outbox
from logtrigger.actions.senders.base import Partly, Refused, Unreachable
from logtrigger.loop import Loop
from logtrigger.model import Trigger
from tests.sources.host import until

NOW = 1_795_255_200.0


def trigger(number: int, at: float = NOW) -> Trigger:
    return Trigger(f"r@s:{number}", "r", at, 1, (), {}, f"m{number}", "m", "log", offset=number)


class FarEnd:
    """A sender whose answers a test decides."""

    def __init__(self, most: int = 1) -> None:
        self.most = most
        self.taken: list[list[int]] = []
        self.tries = 0
        self.answer: Callable[[Sequence[Trigger]], None] = lambda triggers: None
        self.closed = threading.Event()

    def send(self, triggers: Sequence[Trigger]) -> str:
        self.tries += 1
        self.answer(triggers)
        self.taken.append([trigger.offset for trigger in triggers])
        return "taken"

    def close(self) -> None:
        self.closed.set()


class Desk:
    """An outbox and what is heard of it."""

    def __init__(self, end: FarEnd, age: float = 86_400.0) -> None:
        self.loop, self.reports, self.now, self.set = Loop(), list[str](), NOW, 0.0
        self.results: dict[int, Result | None] = {}
        self.box = Outbox(
            "mail",
            end,
            self.loop,
            lambda level, text: self.reports.append(text),
            lambda: self.now,
            Limits(age=age),
            lambda at: at + self.set,
        )

    def add(self, *numbers: int, at: float = NOW) -> None:
        for number in numbers:
            self.box.start(trigger(number, at), partial(self.results.__setitem__, number))

    def until(self, condition: Callable[[], object]) -> None:
        until(self.loop, condition)


@pytest.fixture
def end() -> FarEnd:
    return FarEnd()


@pytest.fixture
def desk(end: FarEnd) -> Iterator[Desk]:
    desk = Desk(end)
    yield desk
    desk.box.close()
    assert end.tries == 0 or end.closed.wait(10)
    desk.loop.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE", 0.01)


def test_in_order_one_at_a_time(desk: Desk, end: FarEnd) -> None:
    desk.add(*range(20))
    desk.until(lambda: len(desk.results) == 20)
    assert end.taken == [[number] for number in range(20)]
    assert all(result and result.ok and result.text == "taken" for result in desk.results.values())
    assert desk.box.health.sent == 20 and desk.box.health.last_success == NOW
    assert desk.reports == []


def test_what_fails_is_tried_at_once_when_somebody_asks(desk: Desk, end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reload does: whoever has mended something need not wait for five minutes."""
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 1_000.0)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE", 1_000.0)
    desk.box._pause = 1_000.0

    def answer(triggers: Sequence[Trigger]) -> None:
        if end.tries < 3:
            raise Unreachable("nobody there")

    end.answer = answer
    desk.add(1)
    for tries in (1, 2):
        desk.until(lambda tries=tries: end.tries == tries and (desk.box.next_in or 0) > 900)  # type: ignore[misc]
        desk.box.retry()
    desk.until(lambda: desk.results)
    desk.box.retry()  # there is nothing to be done
    assert end.taken == [[1]]


def test_machine_without_room_for_a_thread(desk: Desk, end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came meanwhile is sent once there is room again, also if nothing else comes."""
    monkeypatch.setattr(outbox, "AGAIN", 0.01)
    tries = 0

    class Thread(threading.Thread):
        def start(self) -> None:
            nonlocal tries
            tries += 1
            if tries < 4:
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr("logtrigger.actions.outbox.threading.Thread", Thread)
    desk.add(1, 2)
    desk.until(lambda: len(desk.results) == 2)
    assert end.taken == [[1], [2]] and tries == 4


def test_nothing_is_given_up_because_the_clock_was_set(desk: Desk, end: FarEnd) -> None:
    """A router without a clock of its own, which is told the time while its first mail waits for the network."""

    def answer(triggers: Sequence[Trigger]) -> None:
        if end.tries < 3:
            desk.now, desk.set = NOW + 2e9, 2e9
            raise Unreachable("no network")

    end.answer = answer
    desk.add(1)
    desk.until(lambda: desk.results)
    assert end.taken == [[1]] and desk.box.health.given_up == 0


def test_many_at_once_where_the_sender_can() -> None:
    end = FarEnd(most=1000)
    go_on = threading.Event()
    desk = Desk(end)
    end.answer = lambda triggers: None if go_on.wait(10) else None
    desk.add(*range(50))
    desk.until(lambda: end.tries)
    go_on.set()
    desk.until(lambda: len(desk.results) == 50)
    assert sum(end.taken, []) == list(range(50))
    assert len(end.taken) <= 3
    desk.box.close()
    desk.loop.close()


def test_who_does_not_answer_is_tried_again_and_nothing_passes_it(desk: Desk, end: FarEnd) -> None:
    down = True

    def answer(triggers: Sequence[Trigger]) -> None:
        if down:
            raise Unreachable("gate:25: Connection refused")

    end.answer = answer
    desk.add(1, 2, 3)
    desk.until(lambda: end.tries >= 5)
    assert desk.results == {}
    assert desk.reports == ["mail: gate:25: Connection refused; trying again"]
    down = False
    desk.until(lambda: len(desk.results) == 3)
    assert end.taken == [[1], [2], [3]]
    desk.until(lambda: len(desk.reports) == 2)
    assert desk.reports[1] == "mail: delivers again"


def test_what_is_refused_at_once_is_told_once_and_then_how_many(desk: Desk, end: FarEnd) -> None:
    """Nothing is said of trying again, and nothing of each trigger; the results are no news to the operator."""

    def answer(triggers: Sequence[Trigger]) -> None:
        if triggers[0].offset < 6:
            raise Refused("https://x answers 404 Not Found")

    end.answer = answer
    desk.add(*range(1, 6))
    desk.until(lambda: len(desk.results) == 5)
    assert desk.reports == ["mail: https://x answers 404 Not Found; given up"]
    assert all(result is not None and result.told for result in desk.results.values())
    desk.add(6)
    desk.until(lambda: len(desk.reports) == 2)
    assert desk.reports[1] == "mail: delivers again; 5 given up meanwhile"


def test_another_fault_is_told_too_but_no_flood_of_them(desk: Desk, end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that names each request differently is no news each time."""
    monkeypatch.setattr(outbox, "TELL_EVERY", 0.0)
    faults = iter(["no answer", "no answer", "full", "full", "no answer", *(f"request {number}" for number in range(100))])

    def answer(triggers: Sequence[Trigger]) -> None:
        if fault := next(faults, ""):
            raise Unreachable(fault)

    end.answer = answer
    desk.add(1)
    desk.until(lambda: len(desk.results) == 1 and "delivers again" in desk.reports[-1])
    assert desk.reports[:3] == ["mail: no answer; trying again", "mail: full; trying again", "mail: request 0; trying again"]
    assert len(desk.reports) == 11


def test_another_fault_soon_after_is_not_told(desk: Desk, end: FarEnd) -> None:
    """One trigger in two is refused: that is said once a while, not with each of them."""

    def answer(triggers: Sequence[Trigger]) -> None:
        if triggers[0].offset % 2:
            raise Refused(f"no {triggers[0].offset}")

    end.answer = answer
    desk.add(*range(1, 21))
    desk.until(lambda: len(desk.results) == 20)
    desk.until(lambda: len(desk.reports) == 2)
    assert desk.reports == ["mail: no 1; given up", "mail: delivers again; 1 given up meanwhile"]
    assert desk.box.health.given_up == 10


def test_what_is_refused_is_not_tried_again(desk: Desk, end: FarEnd) -> None:
    def answer(triggers: Sequence[Trigger]) -> None:
        if triggers[0].offset == 1:
            raise Refused("HTTP 400\x1b[2J")

    end.answer = answer
    desk.add(1, 2)
    desk.until(lambda: len(desk.results) == 2)
    assert desk.results[1] is not None and not desk.results[1].ok and desk.results[1].text == "HTTP 400?[2J"
    assert end.taken == [[2]] and end.tries == 2
    assert desk.box.health.given_up == 1


def test_a_fault_of_the_sender_ends_nothing(desk: Desk, end: FarEnd) -> None:
    def answer(triggers: Sequence[Trigger]) -> None:
        if triggers[0].offset == 1:
            raise RuntimeError("a library's fault")

    end.answer = answer
    desk.add(1, 2)
    desk.until(lambda: len(desk.results) == 2)
    assert desk.results[1] is not None and "RuntimeError" in desk.results[1].text
    assert end.taken == [[2]]


def test_of_a_long_digest_only_the_first_are_kept_whole(end: FarEnd) -> None:
    """A flood is one message, and takes little memory: the sender tells of the first, and counts the rest."""
    end.most, end.told = 10_000, 3  # type: ignore[attr-defined]
    whole: list[bool] = []
    go_on = threading.Event()

    def answer(triggers: Sequence[Trigger]) -> None:
        go_on.wait(10)
        whole[:] = [bool(trigger.message) for trigger in triggers]

    end.answer = answer
    desk = Desk(end)
    assert desk.box.parallel == 10_000
    desk.add(1)
    desk.until(lambda: end.tries)
    desk.add(*range(2, 2002))
    go_on.set()
    desk.until(lambda: len(desk.results) == 2001)
    assert end.taken == [[1], list(range(2, 2002))]
    assert whole == [True] * 3 + [False] * 1997
    desk.box.close()
    desk.loop.close()


def test_a_stop_does_not_wait_for_the_next_time(end: FarEnd) -> None:
    end.most = 100
    desk = Desk(end)
    desk.box._limits = Limits(every=3600.0)
    desk.add(1)
    desk.until(lambda: desk.results)
    desk.add(2, 3)
    assert end.taken == [[1]]
    desk.box.hurry()
    assert desk.box.close() == []  # it is being sent, as far as others can see
    desk.until(lambda: len(desk.results) == 3)
    assert sum(end.taken, []) == [1, 2, 3]
    desk.loop.close()


def test_too_old_is_given_up_with_the_reason(end: FarEnd) -> None:
    desk = Desk(end, age=3600)

    def answer(triggers: Sequence[Trigger]) -> None:
        desk.now = NOW + 3601
        raise Unreachable("gate:25: Connection refused")

    end.answer = answer
    desk.add(1, 2)
    end_of = desk.results
    desk.until(lambda: len(end_of) == 2)
    assert end.tries == 1
    assert end_of[2] is not None and end_of[2].text == "given up: gate:25: Connection refused"
    desk.box.close()
    desk.loop.close()


def test_stop_leaves_undone_what_was_not_sent(desk: Desk, end: FarEnd) -> None:
    def answer(triggers: Sequence[Trigger]) -> None:
        raise Unreachable("away")

    end.answer = answer
    desk.add(1, 2, 3)
    desk.until(lambda: end.tries)
    left = desk.box.close()
    desk.until(lambda: len(desk.results) + len(left) == 3)
    assert set(desk.results.values()) <= {None}
    assert [trigger.offset for trigger, _ in left] == [1, 2, 3][len(desk.results) :]


def test_stop_lets_what_is_being_sent_end(desk: Desk, end: FarEnd) -> None:
    """It may have been taken by then: sending it again after the next start would be twice."""
    go_on = threading.Event()
    end.answer = lambda triggers: None if go_on.wait(10) else None
    desk.add(1, 2)
    desk.until(lambda: end.tries)
    assert [trigger.offset for trigger, _ in desk.box.close()] == [2]
    go_on.set()
    desk.until(lambda: len(desk.results) == 1)
    assert desk.results[1] is not None and desk.results[1].ok


def test_a_far_end_that_hangs_holds_up_nobody_else(end: FarEnd) -> None:
    go_on = threading.Event()
    end.answer = lambda triggers: None if go_on.wait(10) else None
    slow, other = Desk(end), FarEnd()
    quick = Desk(other)
    slow.add(1)
    slow.until(lambda: end.tries)
    quick.add(1, 2)
    quick.until(lambda: len(quick.results) == 2)
    assert slow.results == {}
    go_on.set()
    slow.until(lambda: slow.results)
    for desk in (slow, quick):
        desk.box.close()
        desk.loop.close()


def test_of_a_batch_some_may_be_refused(desk: Desk, end: FarEnd) -> None:
    end.most = 10
    go_on = threading.Event()

    def answer(triggers: Sequence[Trigger]) -> None:
        go_on.wait(10)
        if len(triggers) > 1:
            raise Partly({triggers[1].id: "HTTP 400"})

    end.answer = answer
    desk.add(1)
    desk.until(lambda: end.tries)
    desk.add(2, 3, 4)
    go_on.set()
    desk.until(lambda: len(desk.results) == 4)
    assert [number for number, result in desk.results.items() if result and result.ok] == [1, 2, 4]
    assert desk.results[3] is not None and desk.results[3].text == "HTTP 400"
    assert (desk.box.health.sent, desk.box.health.given_up) == (3, 1)
