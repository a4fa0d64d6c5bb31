"""A store that a daemon would not start with; with real disks in tests/e2e/test_doctor.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.doctor import disk
from logtrigger.doctor.findings import Case
from logtrigger.store.database import connect

NOW = 1_800_000_000.0


def said(folder: Path) -> list[tuple[str, str]]:
    rules = folder / "rules"
    rules.write_text(f"config logtrigger\n\toption state '{folder}/state.db'\n")
    rules.chmod(0o600)
    before = sorted(path.name for path in folder.iterdir())
    found: list[tuple[str, str]] = [(one.level, one.text) for one in disk.check(Case(rules, NOW, config.read(rules)))]
    assert sorted(path.name for path in folder.iterdir()) == before
    return found


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    connect(path).close()
    return path


def test_a_store_that_is_whole_or_not_there(state: Path) -> None:
    assert said(state.parent)[0][0] == "ok"
    state.unlink()
    assert said(state.parent)[0][0] == "ok"


@pytest.mark.parametrize(("at", "fault"), [(0, "file is not a database"), (4096, "")])
def test_a_damaged_store(state: Path, at: int, fault: str) -> None:
    with state.open("r+b") as file:
        file.seek(at)
        file.write(b"x" * 4096)
    ((level, text),) = said(state.parent)
    assert (level, text.startswith(f"{state} is damaged, or no store of logtrigger (")) == ("error", True)
    assert fault in text


def test_what_a_crash_has_left_is_not_judged(tmp_path: Path, state: Path) -> None:
    """Its log is put in order at the next start."""
    db = connect(state)
    db.execute("CREATE TABLE more (x)")
    for name in ("state.db", "state.db-wal"):
        (tmp_path / "crash").mkdir(exist_ok=True)
        shutil.copy(tmp_path / name, tmp_path / "crash" / name)
    db.close()
    assert said(tmp_path / "crash")[0][0] == "ok"


def test_a_store_that_cannot_be_looked_at(tmp_path: Path) -> None:
    """As in a folder of another user's: that is no reason to call it deleted, nor to say nothing at all."""
    state = tmp_path / ("x" * 300)
    rules = tmp_path / "rules"
    rules.write_text(f"config logtrigger\n\toption state '{state}'\n")
    rules.chmod(0o600)
    case = Case(rules, NOW, config.read(rules))
    for case.status in (None, {"store": {"path": str(state), "error": "", "copy_error": ""}}):
        (found,) = disk.check(case)
        assert found.text == f"{state} cannot be written: File name too long"


def test_a_copy_that_cannot_be_made(tmp_path: Path, state: Path) -> None:
    """As where the flash of a router is full: nothing else would tell before the reboot."""
    rules = tmp_path / "rules"
    rules.write_text(f"config logtrigger\n\toption state '{state}'\n")
    rules.chmod(0o600)
    store = {"path": str(state), "error": "", "copy": "/flash/copy.db", "copy_error": "No space left on device"}
    wrong, good = disk.check(Case(rules, NOW, config.read(rules), {"store": store}))
    assert (wrong.level, wrong.text.partition(": ")[2]) == ("error", "No space left on device")
    assert wrong.remedy.endswith("who may write /flash/copy.db") and good.level == "ok"
