"""What a glob names, and where the next file of its kind could appear."""

from __future__ import annotations

from pathlib import Path

import pytest

from logtrigger.sources import paths


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/x.log", "b/x.log", "b/x.log.gz", "b/y[1].log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("a/x.log", ["a/x.log"]),
        ("none.log", ["none.log"]),
        ("*/x.log", ["a/x.log", "b/x.log"]),
        ("b/x*", ["b/x.log"]),
        ("b/y[1].log", ["b/y[1].log"]),
        ("**/x.log", ["a/x.log", "b/x.log"]),
        ("c/*.log", []),
    ],
)
def test_expand(root: Path, pattern: str, named: list[str]) -> None:
    full = str(root / pattern)
    assert paths.expand([full]) == {str(root / name): full for name in named}


def test_the_first_glob_that_names_a_path_counts(root: Path) -> None:
    first, second = str(root / "a/*.log"), str(root / "*/x.log")
    assert paths.expand([first, second])[str(root / "a/x.log")] == first


@pytest.mark.parametrize(
    ("pattern", "watched"),
    [
        ("a/x.log", ["a"]),
        ("a/*.log", ["a"]),
        ("c/d/x.log", ["."]),
        ("*/x.log", ["a", "b", "."]),
        ("b/*/x.log", ["b"]),
    ],
)
def test_folders(root: Path, pattern: str, watched: list[str]) -> None:
    assert paths.folders([str(root / pattern)], []) == {str(root / name) for name in watched}


def test_the_folder_of_a_links_target_is_watched_too(root: Path) -> None:
    link = root / "a" / "link.log"
    link.symlink_to(root / "b" / "x.log")
    assert paths.folders([str(link)], [str(link)]) == {str(root / "a"), str(root / "b")}


def test_names(root: Path) -> None:
    names = paths.Names(["/var/log/*/app[12].log"], [])
    assert all(name in names for name in ("var", "log", "app1.log", "any"))
    names = paths.Names(["/var/log/app[12].log"], [])
    assert all(name in names for name in ("app[12].log", "app1.log.3.gz", "app2-20260714.log"))
    assert not any(name in names for name in ("app3.log", "app3.log.1", "app1.log.bak"))
