"""Which files may once have been a log, by their names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logtrigger.sources.generations import Generations, bases


@pytest.mark.parametrize(
    "name",
    [
        "app.log.1",
        "app.log.1.gz",
        "app.log.12.xz",
        "app.log-20260714",
        "app.log-20260714.gz",
        "app.log-2026-07-14",
        "app.log-20260714-1784030400",
        "app.log.2026-07-14T12:30:00.bz2",
        "app.log_20260714",
        "app.log.old",
        "app.log.0",
        "app.log1",
        "app.1.log",
        "app-20260714.log",
        "app-20260714.log.zst",
        "app_2026-07-14.log.gz",
    ],
)
def test_rotated_names(name: str) -> None:
    assert "app.log" in bases(name)


@pytest.mark.parametrize(
    "name", ["app.log", "app.log.gz", "app.log.err", "app.log.bak", "app.log~", "myapp.log.1", "app.txt.1", "app.logs", "app"]
)
def test_other_names(name: str) -> None:
    assert "app.log" not in bases(name)


def test_a_name_without_an_extension() -> None:
    assert "messages" in bases("messages.1.gz") & bases("messages-20260714") & bases("messages.0")
    assert "mail" not in bases("mail.err") | bases("mail.log")
    assert "access_2" in bases("access_2.1")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for age, name in enumerate(
        ["log/app.log", "log/app.log.1", "log/app.log.2.gz", "log/old/app.log", "log/app.log.3", "x/app.log.4"]
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "log" / "app.log.5").mkdir()
    (tmp_path / "log" / "aside.txt").touch()
    return tmp_path / "log" / "app.log"


def names(generations: Generations, log: Path) -> list[str]:
    return [os.path.relpath(one.path, log.parent) for one in generations.of(str(log))]


def test_the_oldest_first(log: Path) -> None:
    assert names(Generations(), log) == ["app.log.3", "app.log.2.gz", "app.log.1"]


def test_in_other_folders_too(log: Path) -> None:
    generations = Generations(["old", str(log.parent.parent / "x")])
    assert names(generations, log) == ["../x/app.log.4", "app.log.3", "old/app.log", "app.log.2.gz", "app.log.1"]


def test_of_files_last_written_at_one_time_higher_numbers_are_older(log: Path) -> None:
    for number in (1, 2, 3, 10):
        path = log.with_name(f"app.log.{number}")
        path.touch()
        os.utime(path, (5, 5))
    log.with_name("app.log.2.gz").unlink()
    assert names(Generations(), log) == ["app.log.10", "app.log.3", "app.log.2", "app.log.1"]


def test_a_packed_file_does_not_count_beside_its_plain_one(log: Path) -> None:
    log.with_name("app.log.2").touch()
    assert "app.log.2.gz" not in names(Generations(), log)


def test_a_link_has_those_of_its_target(log: Path, tmp_path: Path) -> None:
    link = tmp_path / "x" / "link.log"
    link.symlink_to(log)
    assert "../log/app.log.1" in names(Generations(), link)


def test_others_are_all_further_files(log: Path) -> None:
    assert [os.path.basename(one.path) for one in Generations().others(str(log))] == ["aside.txt"]


def test_a_change_is_seen_in_the_next_round(log: Path) -> None:
    generations = Generations()
    before = names(generations, log)
    log.with_name("app.log.1").rename(log.with_name("app.log.7"))
    generations.refresh()
    assert len(before) == len(names(generations, log)) == 3
    assert names(generations, log)[-1] == "app.log.7"


def test_what_moved_since_it_was_found_is_known(log: Path) -> None:
    generations = Generations()
    found = generations.of(str(log))
    assert not generations.have_moved(str(log), found)
    log.with_name("new.txt").touch()  # nothing that was there can have been missed for that
    assert not generations.have_moved(str(log), found)
    log.with_name("app.log.1").rename(log.with_name("app.log.2"))
    assert generations.have_moved(str(log), found)
    found = generations.of(str(log))
    log.with_name("app.log.2").rename(log.with_name("app.log.3"))  # both names are known
    assert generations.have_moved(str(log), found)
    found = generations.of(str(log))
    log.with_name("aside.txt").rename(log.with_name("away.txt"))
    assert generations.have_moved(str(log), found)
    assert not generations.have_moved(str(log), found)
