"""The store keeps what it was given, over a crash, a full disk and a restart; and refuses what it cannot keep."""

from __future__ import annotations

import math
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger import store as store_module
from logtrigger.errors import StoreError
from logtrigger.model import Ban, Offender, Position, Trigger, Trust, Unban
from logtrigger.store import PRUNE_EVERY, About, Batch, Done, Recorded, Store, WindowRow

StoreAt = Callable[[], Store]


def a_position(stream: str = "1", **changes: object) -> Position:
    values: dict[str, object] = {"source": "system log", "path": "/var/log/auth.log", "device": 7, "inode": 9, "offset": 42}
    return Position(stream=stream, **(values | changes))  # type: ignore[arg-type]


def a_trigger(number: int, message: str = "no") -> Trigger:
    return Trigger(
        id=f"sshd:1:{number}",
        rule="sshd",
        time=1.5e9 + number,
        count=3,
        key=("1.2.3.4", "root"),
        fields={"user": "root", "ip": "1.2.3.4"},
        message=f"sshd: {message}",
        body=message,
        source="/var/log/auth.log",
        extra={"ip_country": "FI"},
    )


def a_batch(*numbers: int) -> Batch:
    return Batch(triggers=tuple((n, a_trigger(n), ("script",)) for n in numbers))


def numbers(store: Store) -> list[int]:
    return [seq for seq, _, _ in store.undone("script")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "logtrigger.db"


@pytest.fixture
def opened(path: Path) -> Iterator[StoreAt]:
    """Opens the store at `path`; what was opened before is closed first, as a restart would."""
    stores: list[Store] = []

    def open_again() -> Store:
        for store in stores:
            store.close()
        stores.append(Store(path))
        return stores[-1]

    yield open_again
    for store in stores:
        store.close()


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


def test_registered_stream_is_written_at_once(opened: StoreAt, path: Path) -> None:
    opened().register(a_position())
    assert opened().load_positions() == [a_position()]


@pytest.mark.parametrize("inode", [0, 2**63, 2**64 - 1])
def test_any_inode_and_any_name(opened: StoreAt, inode: int) -> None:
    """Some file systems number inodes beyond SQLite's integers; a name in a watched folder need not be UTF-8."""
    path = "/var/log/\udcff\U0001f600'; DROP TABLE stream"
    position = a_position("7:\udcff", source=path, inode=inode, path=path)
    opened().register(position)
    assert opened().load_positions() == [position]


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


def test_history_is_pruned_by_itself(opened: StoreAt, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logtrigger.store.KEEP", 10)
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


def test_second_daemon_is_refused(opened: StoreAt, path: Path) -> None:
    opened()
    with pytest.raises(StoreError, match=r"logtrigger\.db: in use, .*another logtrigger"):
        Store(path)


def test_second_process_is_refused(opened: StoreAt, path: Path) -> None:
    opened()
    code = "import sys, pathlib; from logtrigger.store import Store; Store(pathlib.Path(sys.argv[1]))"
    other = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True)
    assert "in use, probably by another logtrigger" in other.stderr


ROOT = Path(__file__).parents[1]
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


def test_only_we_can_read_it(opened: StoreAt, path: Path) -> None:
    opened().commit_now(a_batch(1))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
        "logtrigger.db": 0o600,
        "logtrigger.db-wal": 0o600,
    }


def make_database(path: Path, script: str) -> None:
    db = sqlite3.connect(path)
    db.executescript(script)
    db.close()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"This is no database. " * 100, "damaged, or no logtrigger store .*: move the file away"),
        ("PRAGMA user_version = 99; CREATE TABLE t (x)", "written by a newer logtrigger .*99, ours 5.*: install"),
        ("CREATE TABLE t (x)", "not logtrigger's: name another file"),
    ],
    ids=["text", "newer", "foreign"],
)
def test_other_file_is_refused_and_left_alone(path: Path, content: bytes | str, fault: str) -> None:
    path.parent.mkdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        make_database(path, content)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f"{path}: .*{fault}"):
        Store(path)
    assert path.read_bytes() == before


def test_damaged_file_is_refused(opened: StoreAt, path: Path) -> None:
    store = opened()
    store.commit_now(a_batch(*range(1, 500)))
    store.close()
    data = bytearray(path.read_bytes())
    data[8192:40960] = b"\xff" * 32768
    path.write_bytes(data)
    with pytest.raises(StoreError, match="move the file away to start afresh"):
        Store(path)


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="see that the folder exists"):
        Store(tmp_path / "file" / "logtrigger.db")


def test_in_memory_for_a_dry_run() -> None:
    store = Store(None)
    store.commit_now(a_batch(1))
    assert numbers(store) == [1]
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.next_seq()


@given(st.text(), st.dictionaries(st.text(), st.text()), st.lists(st.text()))
def test_any_trigger_comes_back_as_it_was(text: str, fields: dict[str, str], key: list[str]) -> None:
    store = Store(None)
    trigger = Trigger(text, "r", 0.0, 1, tuple(key), fields, text, text, text, late=5, ignored=True)
    store.commit_now(Batch(triggers=((1, trigger, ("script",)),)))
    assert store.undone("script") == [(1, trigger, ("script",))]
    store.close()


stream_numbers = st.integers(0, 3)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """A batch with each stream and window in one list only."""
    streams = draw(st.dictionaries(stream_numbers, st.none() | st.integers(0, 9)))
    windows = draw(st.dictionaries(stream_numbers, st.none() | st.binary(max_size=2)))
    return Batch(
        positions=tuple(a_position(str(n), offset=offset) for n, offset in streams.items() if offset is not None),
        forgotten_streams=tuple(str(n) for n, offset in streams.items() if offset is None),
        windows=tuple(WindowRow("r", "s", str(n), data) for n, data in windows.items() if data is not None),
        dropped_windows=tuple(("r", str(n)) for n, data in windows.items() if data is None),
    )


@given(st.lists(batches(), min_size=1, max_size=4))
def test_batches_as_one_write_what_they_write_one_by_one(parts: list[Batch]) -> None:
    singly, together = Store(None), Store(None)
    whole = Batch()
    for part in parts:
        singly.commit_now(part)
        whole = whole.then(part)
    together.commit_now(whole)
    for load in (Store.load_positions, Store.load_windows):
        assert sorted(map(repr, load(singly))) == sorted(map(repr, load(together)))
    singly.close()
    together.close()


def test_known_stream_is_registered_at_its_offset_of_the_last_commit(opened: StoreAt) -> None:
    """Beyond it lines were read whose counters and triggers no commit holds: after a crash they are to be read again."""
    store = opened()
    old = a_position("1", offset=100, head="h", tail="t")
    store.commit_now(Batch(positions=(old,)))
    store.register(a_position("1", offset=500, head="i", tail="u", path="/var/log/auth.log.1", inode=10))
    assert opened().load_positions() == [a_position("1", offset=100, head="h", tail="t", path="/var/log/auth.log.1", inode=10)]


# Bans


def a_ban(network: str = "192.0.2.7", since: float = 1_000.0, until: float | None = 2_000.0, **values: Any) -> Ban:
    return Ban(network, since, until, **{"rule": "r", "trigger": "r@s:1", "lines": (f"from {network}",), **values})


def test_bans_come_back_with_what_led_to_them(path: Path) -> None:
    bans = [a_ban("192.0.2.7"), a_ban("2001:db8::/64", 1_001.0, None, by="root", times=3, trigger="", lines=())]
    with closing(Store(path)) as store:
        store.commit_now(Batch(bans=bans))
    with closing(Store(path)) as store:
        assert store.load_bans(1_500.0)[0] == bans
        assert store.load_bans(2_000.0) == (bans[1:], ["192.0.2.7"])
        [(found, end)] = store.ban_history("192.0.2.7", 10)
    assert (found, end) == (bans[0], Unban("192.0.2.7", 2_000.0, "expired"))


def test_ban_that_lasts_longer_keeps_its_lines(path: Path) -> None:
    with closing(Store(path)) as store:
        store.commit_now(Batch(bans=[a_ban()]))
        store.commit_now(Batch(bans=[a_ban(until=3_000.0, times=2, trigger="", lines=())]))
        store.commit_now(Batch(bans=[a_ban(until=3_000.0, times=3, lines=("a", "b"))]))
        assert store.load_bans(1_500.0)[0] == [a_ban(until=3_000.0, times=3, lines=("a", "b"))]


def test_bans_and_their_ends_count_in_their_order(path: Path) -> None:
    lifted = Unban("192.0.2.7", 1_100.0, "root")
    with closing(Store(path)) as store:
        store.commit_now(Batch(bans=[a_ban(), lifted, a_ban(since=1_200.0)]))
        assert [found.since for found in store.load_bans(1_500.0)[0]] == [1_200.0]
        assert [(found.since, end) for found, end in store.ban_history("192.0.2.7", 10)] == [(1_200.0, None), (1_000.0, lifted)]
        later = Batch(bans=[Unban("192.0.2.7", 1_300.0, "root")]).then(Batch(bans=[a_ban(since=1_400.0)]))
        store.commit_now(later)
        assert [found.since for found in store.load_bans(1_500.0)[0]] == [1_400.0]


def test_old_bans_are_loaded_without_their_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_DETAILED", 2)
    bans = [a_ban(f"192.0.2.{number}", 1_000.0 + number) for number in range(4)]
    with closing(Store(path)) as store:
        store.commit_now(Batch(bans=bans))
        found, _ = store.load_bans(1_500.0)
    assert found == [replace(ban, lines=(), trigger="") for ban in bans[:2]] + bans[2:]


def test_history_of_bans_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "KEEP_BANS", 3)
    monkeypatch.setattr(store_module, "PRUNE_BANS_EVERY", 5)
    with closing(Store(path)) as store:
        for number in range(10):
            store.commit_now(Batch(bans=[a_ban(f"192.0.2.{number}"), Unban(f"192.0.2.{number}", 1_000.0 + number, "root")]))
        assert [bool(store.ban_history(f"192.0.2.{number}", 1)) for number in range(10)] == [False] * 7 + [True] * 3


def test_store_of_the_first_version_is_changed_in_place(path: Path) -> None:
    row = WindowRow("r", "s", "k", b"1")
    with closing(Store(path)) as store:
        store.commit_now(Batch(positions=[a_position()], windows=[row]))
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "DROP TABLE ban; DROP TABLE offender; DROP TABLE trust; ALTER TABLE action DROP COLUMN output;"
            "PRAGMA user_version = 1;"
        )
    with closing(Store(path)) as store:
        assert (store.load_positions(), store.load_windows(), store.load_bans(0.0)[0]) == ([a_position()], [row], [])
        store.commit_now(Batch(bans=[a_ban()]))
    with closing(Store(path)) as store:
        assert store.load_bans(1_500.0)[0] == [a_ban()]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (5,)


def test_what_is_known_of_an_address(path: Path) -> None:
    known = replace(a_trigger(1), key=("192.0.2.7",))
    other = replace(a_trigger(2), fields={"ip": "192.0.2.77"})
    ban, over = replace(a_ban(), trigger=known.id), Unban("192.0.2.7", 1_100.0, "root")
    found: SimpleQueue[About | StoreError] = SimpleQueue()
    with closing(Store(path)) as store:
        results = [Done(1, "script", "exit 3", 0.5, ("out", "err"))]
        store.commit_now(Batch(triggers=[(1, known, ("script",)), (2, other, ())], results=results, bans=[ban, over]))
        store.about(["192.0.2.7", "192.0.2.0/24"], "192.0.2.7", 5, found.put)
        about = found.get()
    assert isinstance(about, About)
    cause = Recorded(1, known, [("script", "done", "exit 3", 0.5)], {"script": ["out", "err"]})
    assert about == About([(ban, over, cause)], [cause])


def test_who_was_banned_before(path: Path) -> None:
    first, second = Offender("192.0.2.7", "", 3, 1_000.0, 60.0), Offender("2001:db8::/64", "r", 1, math.inf, 60.0)
    with closing(Store(path)) as store:
        store.commit_now(Batch(offenders=[replace(first, count=2), second]))
        store.commit_now(Batch(offenders=[first]).then(Batch(offenders=[replace(second, count=2)])))
    with closing(Store(path)) as store:
        assert store.load_offenders() == [first, replace(second, count=2)]
        store.commit_now(Batch(offenders=[replace(second, count=0)]))
        assert store.load_offenders() == [first]


def test_good_logins(path: Path) -> None:
    first, second = Trust("192.0.2.7", "bob", 1_000.0), Trust("192.0.2.7", "", 2_000.0)
    with closing(Store(path)) as store:
        store.commit_now(Batch(trusts=[second, first]).then(Batch(trusts=[replace(second, until=3_000.0)])))
    with closing(Store(path)) as store:
        assert store.load_trusts() == [first, replace(second, until=3_000.0)]
        store.commit_now(Batch(trusts=[replace(first, until=0.0)]))
        assert store.load_trusts() == [replace(second, until=3_000.0)]


def test_very_many_changes_that_wait_come_to_what_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "KEEP_BANS", 3)
    over = Unban("192.0.2.7", 1_100.0, "root")
    first, second = Batch(bans=[a_ban(), over]), Batch(bans=[a_ban("192.0.2.8")])
    assert first.then(second).bans == (a_ban(), over, a_ban("192.0.2.8"))
    assert first.then(second).then(Batch(bans=[over])).bans == (over, a_ban("192.0.2.8"))


def test_bans_wait_for_room_on_the_disk(path: Path) -> None:
    with closing(Store(path)) as store:
        store._call(lambda: store._db.execute("PRAGMA query_only = ON"))
        with pytest.raises(StoreError):
            store.commit_now(Batch(bans=[a_ban()]))
        store._call(lambda: store._db.execute("PRAGMA query_only = OFF"))
        store.commit_now(Batch(bans=[a_ban("192.0.2.8")]))
        assert [found.network for found in store.load_bans(1_500.0)[0]] == ["192.0.2.7", "192.0.2.8"]
