"""The store keeps what it was given, over a crash, a full disk and a restart."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from logtrigger.errors import StoreError
from logtrigger.model import Unban
from logtrigger.store import Batch, Store, WindowRow
from logtrigger.store.thread import PRUNE_EVERY
from tests.store.given import StoreAt, a_ban, a_batch, a_position, a_trigger, numbers


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """No file of this process can grow beyond `most` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def commit(store: Store, batch: Batch) -> StoreError | None:
    """Hand a batch to the thread and wait for its word."""
    told = threading.Event()
    answers: list[StoreError | None] = []

    def done(error: StoreError | None) -> None:
        answers.append(error)
        told.set()

    store.commit(batch, done)
    assert told.wait(30)
    return answers[0]


def test_everything_comes_back(opened: StoreAt) -> None:
    windows = (WindowRow("sshd", "a1", "1.2.3.4\x1froot", b"[[1.5,1]]"), WindowRow("sshd", "a1", "", b""))
    triggers = ((1, a_trigger(1), ("ban", "script")), (2, a_trigger(2), ()))
    batch = Batch(positions=(a_position("1"), a_position("2")), windows=windows, triggers=triggers)
    assert commit(opened(), batch) is None
    store = opened()
    assert store.load_positions() == [a_position("1"), a_position("2")]
    assert sorted(store.load_windows(), key=lambda w: w.key) == sorted(windows, key=lambda w: w.key)
    assert store.undone("script") == [(1, a_trigger(1), ("script",))], "a trigger without actions is recorded, not undone"
    assert store.next_seq() == 3


def test_later_word_counts(opened: StoreAt) -> None:
    store = opened()
    store.commit_now(Batch(positions=(a_position("1"), a_position("2")), windows=(WindowRow("r", "s", "k", b"1"),)))
    changed = a_position("1", offset=100, tail="ff")
    windows = (WindowRow("r", "s2", "k", b"2"), WindowRow("r", "s2", "k2", b"3"))
    store.commit_now(Batch(positions=(changed,), forgotten_streams=("2",), windows=windows))
    store.commit_now(Batch(dropped_windows=(("r", "k2"), ("r", "never seen"))))
    assert store.load_positions() == [changed]
    assert store.load_windows() == [windows[0]]


def test_history_is_pruned_by_itself(opened: StoreAt, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logtrigger.store.thread.KEEP", 10)
    store = opened()
    store.commit_now(Batch(triggers=tuple((n, a_trigger(n), ()) for n in range(1, PRUNE_EVERY + 1))))
    store.close()
    db = sqlite3.connect(path)
    assert db.execute('SELECT count(*), max(seq) FROM "trigger"').fetchone() == (10, PRUNE_EVERY)
    db.close()


def test_full_disk_loses_nothing(opened: StoreAt) -> None:
    """What cannot be written is told, waits, and goes with the next batch that can be."""
    store = opened()
    store.commit_now(a_batch(1))
    large = tuple(WindowRow("r", "s", str(n), b"x" * 4000) for n in range(100))
    with full_disk(100_000):
        error = commit(store, Batch(windows=large, triggers=a_batch(2).triggers))
        assert "has room" in str(error)
        with pytest.raises(StoreError, match=r"logtrigger\.db: "):
            store.commit_now(Batch(dropped_windows=(("r", "0"),), triggers=a_batch(3).triggers))
        assert store.pending == 2
        assert numbers(store) == [1]
    assert commit(store, a_batch(4)) is None
    assert store.pending == 0
    store = opened()
    assert numbers(store) == [1, 2, 3, 4]
    assert {w.key for w in store.load_windows()} == {str(n) for n in range(1, 100)}


ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal, sys, pathlib
from logtrigger.store import Store, Batch
from logtrigger.model import Position
at = lambda n: Position(str(n), "system log", "/var/log/auth.log", 7, n, 42)
store = Store(pathlib.Path(sys.argv[1]))
store.commit_now(Batch(positions=[at(1)]))
store.register(at(2))
store.commit(Batch(positions=[at(3)]), lambda error: os.kill(os.getpid(), signal.SIGKILL))
signal.pause()
"""


def test_kill_9_takes_nothing_that_was_written(opened: StoreAt, path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT)
    assert done.returncode == -9
    assert [p.stream for p in opened().load_positions()] == ["1", "2", "3"]


def test_in_memory_for_a_dry_run() -> None:
    store = Store(None)
    store.commit_now(a_batch(1))
    assert numbers(store) == [1]
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.next_seq()


def test_history_of_bans_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logtrigger.store.thread.KEEP_BANS", 3)
    monkeypatch.setattr("logtrigger.store.thread.PRUNE_BANS_EVERY", 5)
    with closing(Store(path)) as store:
        for number in range(10):
            store.commit_now(Batch(bans=[a_ban(f"192.0.2.{number}"), Unban(f"192.0.2.{number}", 1_000.0 + number, "root")]))
        assert [bool(store.ban_history(f"192.0.2.{number}", 1)) for number in range(10)] == [False] * 7 + [True] * 3


def test_bans_wait_for_room_on_the_disk(path: Path) -> None:
    with closing(Store(path)) as store:
        store._call(lambda: store._db.execute("PRAGMA query_only = ON"))
        with pytest.raises(StoreError, match="attempt to write a readonly database"):
            store.commit_now(Batch(bans=[a_ban()]))
        store._call(lambda: store._db.execute("PRAGMA query_only = OFF"))
        store.commit_now(Batch(bans=[a_ban("192.0.2.8")]))
        assert [found.network for found in store.load_bans(1_500.0)[0]] == ["192.0.2.7", "192.0.2.8"]
