"""Includes are read once each, where they are named; what cannot be read is named, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.config.files import Unreadable, read_all
from logtrigger.config.words import Report

Write = Callable[[str, str], Path]


def read(path: Path) -> tuple[list[str], list[str]]:
    """The names of the sections in order, and what is said."""
    report = Report()
    names = [section.name for section in read_all(path, report)]
    return names, list(map(str, report.errors))


def test_includes_come_where_they_are_named(write: Write) -> None:
    write("rules.d/b.conf", "config rule b\n")
    write("rules.d/a.conf", "config rule a\n")
    write("rules.d/c.other", "config rule c\n")
    main = write("main", "config rule first\nconfig logtrigger main\n list include 'rules.d/*.conf'\nconfig rule last\n")
    assert read(main) == (["first", "main", "a", "b", "last"], [])


def test_include_is_seen_from_the_file_that_names_it(write: Write) -> None:
    write("rules.d/one.conf", "config logtrigger one\n option include two.conf\n")
    write("rules.d/two.conf", "config rule two\n")
    assert read(write("main", "config logtrigger main\n list include rules.d/one.conf\n"))[0] == ["main", "one", "two"]


def test_absolute_include(write: Write, tmp_path: Path) -> None:
    write("other.conf", "config rule other\n")
    assert read(write("main", f"config logtrigger m\n list include '{tmp_path}/o*.conf'\n"))[0] == ["m", "other"]


def test_file_is_read_once(write: Write, tmp_path: Path) -> None:
    write("a.conf", "config rule a\n")
    (tmp_path / "link.conf").symlink_to("a.conf")
    text = "config logtrigger m\n list include a.conf\n list include a.conf\n list include '*.conf'\n"
    assert read(write("main", text)) == (["m", "a"], [])


def test_loop(write: Write) -> None:
    write("a.conf", "config logtrigger a\n list include main\nconfig rule b\n")
    assert read(write("main", "config logtrigger m\n list include a.conf\n")) == (
        ["m", "a", "b"],
        ["a.conf:2: error: main includes itself (remove this line)"],
    )


def test_missing_include(write: Write) -> None:
    assert read(write("main", "config logtrigger m\n list include no.conf\n list include 'no.d/*'\n")) == (
        ["m"],
        [
            "main:2: error: no.conf cannot be included: No such file or directory"
            " (correct the path, or write a glob such as rules.d/*.conf for files that may be missing)"
        ],
    )


def test_folder_is_no_include_but_a_glob_passes_it_over(write: Write) -> None:
    write("rules.d/x", "")
    names, said = read(write("main", "config logtrigger m\n list include rules.d\n list include 'rules*'\n"))
    assert (names, len(said)) == (["m"], 1)
    assert said[0].startswith("main:2: error: rules.d cannot be included: Is a directory")


def test_dangling_link_is_named(write: Write, tmp_path: Path) -> None:
    (tmp_path / "x.conf").symlink_to("nowhere")
    _, said = read(write("main", "config logtrigger m\n list include '*.conf'\n"))
    assert said[0].startswith("main:2: error: x.conf cannot be included: No such file")


def test_files_that_others_may_write(write: Write) -> None:
    write("a.conf", "").chmod(0o620)
    main = write("main", "config logtrigger m\n list include a.conf\n")
    main.chmod(0o602)
    assert [said.partition(" can be ")[0] for said in read(main)[1]] == [
        "a.conf:1: error: a.conf",
        "main:1: error: main",
    ]


@pytest.mark.parametrize(("name", "reason"), [("no", "No such file or directory"), (".", "Is a directory")])
def test_unreadable_main_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unreadable) as caught:
        read(Path(name))
    assert str(caught.value) == f"{name}:1: error: cannot be read: {reason} (name another file with -c)"
