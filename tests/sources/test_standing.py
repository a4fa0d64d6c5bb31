"""What the globs name now, and whether that is worth another look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.loop import Loop
from logtrigger.sources.generations import Generations
from logtrigger.sources.inotify import Watcher
from logtrigger.sources.standing import Standing


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    loop = Loop()
    watcher = Watcher(loop, lambda watch: None, lambda name: None)
    yield watcher
    watcher.close()
    loop.close()


class Told:
    def __init__(self, *globs: Path | str) -> None:
        self.said: list[str] = []
        self.standing = Standing([str(glob) for glob in globs], Generations(["old"]), self._tell)

    def _tell(self, path: str, fault: str, is_absent: bool) -> None:
        self.said.append(f"{Path(path).name} {fault}{' (absent)' * is_absent}")


def test_regular_files_only(tmp_path: Path, watcher: Watcher) -> None:
    (tmp_path / "a.log").touch()
    (tmp_path / "b.log").mkdir()
    told = Told(tmp_path / "*.log", tmp_path / "c.log")
    assert list(told.standing.look(watcher)) == [str(tmp_path / "a.log")]
    told.standing.look(watcher)
    assert told.said == [
        "c.log does not exist yet; waiting for it (absent)",
        f"b.log is a folder, no regular file, and is left alone; name {tmp_path}/b.log/*.log, say",
    ]


def test_a_fault_that_comes_back_is_said_again(tmp_path: Path, watcher: Watcher) -> None:
    path = tmp_path / "a.log"
    told = Told(path)
    told.standing.look(watcher)
    path.touch()
    told.standing.look(watcher)
    told.standing.is_well(str(path))
    path.unlink()
    told.standing.look(watcher)
    assert len(told.said) == 2


def test_what_cannot_be_read_is_a_fault_as_long_as_it_cannot(tmp_path: Path, watcher: Watcher) -> None:
    (tmp_path / "a.log").mkdir()
    (tmp_path / "b.log").symlink_to("b.log")
    told = Told(tmp_path / "*.log", tmp_path / "absent")
    told.standing.look(watcher)
    why = "cannot be read: Too many levels of symbolic links; it is tried again until that is mended"
    assert told.standing.faults() == [f"{tmp_path}/b.log {why}"]  # a folder among the files of a glob is none
    plain = Told(tmp_path / "a.log")
    plain.standing.look(watcher)
    assert [fault.partition(",")[0] for fault in plain.standing.faults()] == [f"{tmp_path}/a.log is a folder"]
    (tmp_path / "b.log").unlink()
    told.standing.look(watcher)
    assert told.standing.faults() == []


def test_a_look_is_worth_it_when_something_has_changed(tmp_path: Path, watcher: Watcher) -> None:
    (tmp_path / "a.log").touch()
    told = Told(tmp_path / "*.log", tmp_path / "none" / "b.log")

    def look() -> None:
        while told.standing.is_changed():
            told.standing.look(watcher)

    look()
    assert not told.standing.is_changed()
    (tmp_path / "b.log").touch()
    assert told.standing.is_changed()
    look()
    (tmp_path / "none").mkdir()
    assert told.standing.is_changed()
    look()
    (tmp_path / "none" / "b.log").touch()
    assert told.standing.is_changed()


def test_names_of_logs_and_of_their_generations_concern(tmp_path: Path, watcher: Watcher) -> None:
    told = Told(tmp_path / "app.log")
    told.standing.look(watcher)
    assert all(told.standing.concerns(name) for name in ("app.log", "app.log.1", "app.log-20260714.gz", "app.1.log"))
    assert not any(told.standing.concerns(name) for name in ("other.log", "other.log.1", "app.log.swp"))


def test_which_followed_path_another_was_rotated_from(tmp_path: Path, watcher: Watcher) -> None:
    for name in ("app.log", "app.log.1", "app.log.2.gz", "b.log.1"):
        (tmp_path / name).touch()
    told = Told(tmp_path / "*.log*")
    told.standing.look(watcher)
    assert told.standing.base_of(str(tmp_path / "app.log.1")) == str(tmp_path / "app.log")
    assert told.standing.base_of(str(tmp_path / "app.log.2.gz")) == str(tmp_path / "app.log")
    assert told.standing.base_of(str(tmp_path / "app.log")) is None
    assert told.standing.base_of(str(tmp_path / "b.log.1")) is None
