"""Triggers come back as they were, and what is still to be done about them."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from logtrigger.model import Trigger
from logtrigger.store import Batch, Done, Store
from tests.store.given import StoreAt, a_batch, a_trigger, numbers


def test_result_ends_an_action(opened: StoreAt, path: Path) -> None:
    store = opened()
    triggers = ((1, a_trigger(1), ("script", "mail")), (2, a_trigger(2), ("script",)))
    ends = (Done(1, "script", "exit 0", 0.25), Done(2, "script", "exit 1", 0.5))
    store.commit_now(Batch(triggers=triggers, results=ends[:1]))
    store.commit_now(Batch(results=ends[1:]))
    assert store.undone("script") == []
    assert store.undone("mail") == [(1, a_trigger(1), ("mail",))]
    assert store.owed() == {"mail": 1}
    store.close()
    db = sqlite3.connect(path)
    rows = db.execute('SELECT "trigger", name, state, result, duration FROM "action" ORDER BY 1, 2').fetchall()
    db.close()
    assert rows == [
        (1, "mail", "undone", None, None),
        (1, "script", "done", "exit 0", 0.25),
        (2, "script", "done", "exit 1", 0.5),
    ]


def test_id_is_taken_once(opened: StoreAt) -> None:
    store = opened()
    store.commit_now(a_batch(1))
    store.commit_now(Batch(triggers=((2, a_trigger(1, "again"), ("script",)), (3, a_trigger(3), ("script",)))))
    assert [(seq, trigger.body) for seq, trigger, _ in store.undone("script")] == [(1, "no"), (3, "no")]


def test_undone_in_order_and_in_parts(opened: StoreAt) -> None:
    store = opened()
    store.commit_now(a_batch(*range(1, 31)))
    store.commit_now(Batch(results=(Done(12, "script", "exit 0", 0.0),)))
    assert [seq for seq, _, _ in store.undone("script", 10, 3)] == [11, 13, 14]
    told = threading.Event()
    rows: list[object] = []
    store.undone_later("script", 10, 3, lambda answer: (rows.append(answer), told.set())[1])  # type: ignore[func-returns-value]
    assert told.wait(30)
    assert rows == [store.undone("script", 10, 3)]


def test_history_is_bounded(opened: StoreAt) -> None:
    store = opened()
    store.commit_now(a_batch(*range(1, 21)))
    store.commit_now(Batch(results=tuple(Done(n, "script", "exit 0", 0.0) for n in range(3, 21))))
    store.prune(keep=5)
    assert numbers(store) == [1, 2], "what is undone stays, however old"
    assert store.next_seq() == 21


@given(st.text(), st.dictionaries(st.text(), st.text()), st.lists(st.text()))
def test_any_trigger_comes_back_as_it_was(text: str, fields: dict[str, str], key: list[str]) -> None:
    store = Store(None)
    trigger = Trigger(text, "r", 0.0, 1, tuple(key), fields, text, text, text, late=5, ignored=True)
    store.commit_now(Batch(triggers=((1, trigger, ("script",)),)))
    assert store.undone("script") == [(1, trigger, ("script",))]
    store.close()
