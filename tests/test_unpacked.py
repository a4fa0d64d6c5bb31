"""The shipped files of an archive: laid where only we can write, once, and found again."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from logtrigger import shipped, unpacked
from logtrigger.config import places


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the state would lie."""
    monkeypatch.setattr(places, "default_state", lambda: tmp_path / "lib/logtrigger/state.db")
    unpacked.folder.cache_clear()
    yield tmp_path / "lib/logtrigger"
    unpacked.folder.cache_clear()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return made(tmp_path / "a.pyz", "rule")


def made(path: Path, text: str) -> Path:
    with ZipFile(path, "w") as packed:
        packed.writestr("logtrigger/share/etc/logtrigger/rules.d/x.conf", text)
        packed.writestr("logtrigger/share/scripts/x.sh", "echo")
        packed.writestr("logtrigger/engine.py", "")
    return path


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_unpacked_once(archive: Path, state: Path) -> None:
    folder = unpacked.folder(archive)
    assert folder.parent == state
    assert names(folder) == {"etc/logtrigger/rules.d/x.conf", "scripts/x.sh"}
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    before = folder.stat().st_mtime_ns
    unpacked.folder.cache_clear()
    assert unpacked.folder(archive) == folder
    assert folder.stat().st_mtime_ns == before
    assert list(state.iterdir()) == [folder], "nothing of its making is left"


def test_another_version_has_a_folder_of_its_own(archive: Path, tmp_path: Path) -> None:
    assert unpacked.folder(archive) != unpacked.folder(made(tmp_path / "b.pyz", "another rule"))


def test_where_nothing_can_be_written(archive: Path, state: Path) -> None:
    state.parent.write_text("no folder")
    folder = unpacked.folder(archive)
    assert not folder.is_relative_to(state)
    assert (folder / "scripts/x.sh").read_text() == "echo"
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700


def test_what_others_can_write_is_not_trusted(archive: Path) -> None:
    """On a router the state lies in /tmp."""
    folder = unpacked.folder(archive)
    (folder / "scripts/x.sh").write_text("evil")
    folder.chmod(0o777)
    unpacked.folder.cache_clear()
    other = unpacked.folder(archive)
    assert other != folder and (other / "scripts/x.sh").read_text() == "echo"


def test_shipped_files_of_an_archive(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "_HERE", archive / "logtrigger")
    (found,) = shipped.files(shipped.RULES)
    assert found.read_text() == "rule"
    assert not shipped.path("packaged").exists()
