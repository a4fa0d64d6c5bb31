"""Triggers as rows: what the store remembers, what waits for a commit, what comes; and who falls behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from logtrigger.control import history
from logtrigger.control.protocol import Refused, Row, Rows, Wait
from logtrigger.errors import StoreError
from logtrigger.model import Trigger
from logtrigger.store import PAGE, Batch, Done, Store


def trigger(number: int, rule: str = "a") -> Trigger:
    fields = {"n": str(number)}
    return Trigger(f"{rule}@{number}", rule, float(number), 1, (), fields, f"message {number}", "body", "log")


class Past:
    """A daemon with a history of 250 triggers in the store and three that are not there yet."""

    def __init__(self) -> None:
        self.store = Store(None)
        rows = [(n, trigger(n, "b" if n % 10 == 0 else "a"), ("script",)) for n in range(1, 251)]
        self.store.commit_now(Batch(triggers=tuple(rows), results=(Done(250, "script", "exit 3", 0.5),)))
        waiting = [(n, trigger(n), ()) for n in (251, 252, 253)]
        self.dispatch = SimpleNamespace(followers=[], next_seq=254)
        self.commits = SimpleNamespace(waiting=waiting)
        self.configuration = SimpleNamespace(origins={"a": {}, "b": {}, "never": {}})
        self.loop = SimpleNamespace(call_threadsafe=lambda call: call())

    def events(self, **arguments: Any) -> Rows:
        daemon: Any = self
        return history.events(daemon, 0, **arguments)

    def comes(self, number: int, rule: str = "a") -> None:
        for follower in self.dispatch.followers:
            follower(number, trigger(number, rule))


@pytest.fixture
def past() -> Iterator[Past]:
    one = Past()
    yield one
    one.store.close()


def pull(rows: Rows) -> list[Row]:
    """The rows up to the end, or until there is something to wait for that does not come."""
    found: list[Row] = []
    brought: Any = None
    while True:
        try:
            item = rows.send(brought)
        except StopIteration:
            return found
        brought = None
        if not isinstance(item, Wait):
            found.append(item)
            continue
        answers: SimpleQueue[Any] = SimpleQueue()
        item.ask(answers.put)
        try:
            brought = answers.get(timeout=0.01 if item.for_ever else 10)
        except Empty:
            return found


def numbers(rows: list[Row]) -> list[int]:
    return [row["seq"] for row in rows]


@pytest.mark.parametrize("most", [0, 1, 3, 4, PAGE + 3, PAGE + 4, 2 * PAGE + 3, 253, 1000])
def test_the_newest_in_order(past: Past, most: int) -> None:
    """Pages end where they may; what is in the table and what is on its way there make one list."""
    assert numbers(pull(past.events(most=most))) == list(range(1, 254))[-most or 254 :]


def test_of_one_rule(past: Past) -> None:
    assert numbers(pull(past.events(rule="b", most=3))) == [230, 240, 250]
    assert numbers(pull(past.events(rule="a", most=4))) == [249, 251, 252, 253]
    assert pull(past.events(rule="never")) == []


def test_how_actions_ended(past: Past) -> None:
    [row] = pull(past.events(rule="b", most=1))
    assert row["actions"] == [{"action": "script", "state": "done", "result": "exit 3", "seconds": 0.5}]
    assert (row["fields"], row["message"], row["source"]) == ({"n": "250"}, "message 250", "log")


def bring(wait: Row | Wait) -> Any:
    """What is waited for, once it has come."""
    assert isinstance(wait, Wait)
    answers: SimpleQueue[Any] = SimpleQueue()
    wait.ask(answers.put)
    return answers.get(timeout=10)


def test_what_comes_is_told_once(past: Past) -> None:
    """Nothing between history and present is missed or doubled."""
    rows = past.events(most=4, follow=True)
    asked = next(rows)
    past.comes(254)
    past.comes(255, "b")
    first = rows.send(bring(asked))
    assert not isinstance(first, Wait)
    assert numbers([first, *pull(rows)]) == [250, 251, 252, 253, 254, 255]
    rows.close()
    assert past.dispatch.followers == []


def test_following_one_rule(past: Past) -> None:
    rows = past.events(most=0, rule="b", follow=True)
    wait = next(rows)
    past.comes(254)
    past.comes(255, "b")
    found = rows.send(bring(wait))
    assert not isinstance(found, Wait)
    assert (found["seq"], found["rule"]) == (255, "b")


@pytest.mark.parametrize(("name", "bound"), [("_LAG", 5), ("_LAG_TEXT", 50)])
def test_who_falls_behind_is_told_so(past: Past, monkeypatch: pytest.MonkeyPatch, name: str, bound: int) -> None:
    monkeypatch.setattr(history, name, bound)
    rows = past.events(most=1, follow=True)
    next(rows)
    for number in range(254, 354):
        past.comes(number)
    with pytest.raises(Refused, match=r"fell behind: 9\d triggers or more were left out"):
        pull(rows)
    assert past.dispatch.followers == []


def test_rule_that_there_is_not(past: Past) -> None:
    with pytest.raises(Refused, match="no rule is called 'nevr'") as caught:
        pull(past.events(rule="nevr"))
    assert caught.value.remedy == "did you mean 'never'?"


def test_history_that_cannot_be_read(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    def recent(_wanted: object, done: Callable[[object], None]) -> None:
        done(StoreError("state.db: damaged"))

    monkeypatch.setattr(past.store, "recent", recent)
    with pytest.raises(Refused, match=r"state\.db: damaged"):
        pull(past.events(most=100, follow=True))
    assert past.dispatch.followers == []
