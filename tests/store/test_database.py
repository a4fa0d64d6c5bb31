"""The state file is ours alone, and what is not ours is refused and left alone."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from logtrigger.errors import StoreError
from logtrigger.store import Store
from tests.store.given import StoreAt, a_batch

ROOT = Path(__file__).parents[2]


def test_second_daemon_is_refused(opened: StoreAt, path: Path) -> None:
    opened()
    with pytest.raises(StoreError, match=r"logtrigger\.db: in use, .*another logtrigger"):
        Store(path)


def test_second_process_is_refused(opened: StoreAt, path: Path) -> None:
    opened()
    code = "import sys, pathlib; from logtrigger.store import Store; Store(pathlib.Path(sys.argv[1]))"
    other = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True)
    assert "in use, probably by another logtrigger" in other.stderr


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
