"""An older state file is brought to our version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from logtrigger.store import Batch, Store, WindowRow
from tests.store.given import a_ban, a_position


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
