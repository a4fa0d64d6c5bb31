"""A position's fingerprints tell its file from another one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from logtrigger.model import Position
from logtrigger.sources import fingerprint
from logtrigger.sources.content import Plain


def opened(path: Path) -> Plain:
    return Plain(os.open(path, os.O_RDONLY))


@pytest.fixture
def log(tmp_path: Path) -> Plain:
    (tmp_path / "log").write_bytes(b"first\n" + b"x" * 3000 + b"\nlast\n")
    return opened(tmp_path / "log")


def position(log: Plain, offset: int) -> Position:
    return Position("s", "app", "log", 1, 2, offset, fingerprint.head(log), fingerprint.tail(log, offset))


@pytest.mark.parametrize("offset", [0, 6, 1024, 2000, 3012])
def test_a_file_agrees_with_its_own_positions(log: Plain, offset: int) -> None:
    assert fingerprint.agrees(log, position(log, offset))


@pytest.mark.parametrize("text", [b"", b"first\n", b"FIRST\n" + b"x" * 3000 + b"\nlast\n", b"first\n" + b"y" * 3006])
def test_another_file_does_not(log: Plain, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "other").write_bytes(text)
    other = opened(tmp_path / "other")
    assert not fingerprint.agrees(other, position(log, 3012))


def test_a_file_that_has_grown_agrees(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    log = opened(path)
    known = position(log, 4)
    path.write_bytes(b"one\ntwo\n" * 1000)
    assert fingerprint.agrees(log, known)


def test_an_unknown_fingerprint_contradicts_nothing(log: Plain) -> None:
    assert fingerprint.agrees(log, replace(position(log, 100), head="", tail=""))


def test_a_fingerprint_that_cannot_be_is_of_another_file(log: Plain) -> None:
    assert not fingerprint.agrees(log, replace(position(log, 4), tail="1024:00"))
    assert not fingerprint.agrees(log, replace(position(log, 4), head="nonsense"))


def test_it_covers_so_many_bytes_at_most(log: Plain) -> None:
    assert fingerprint.head(log).startswith("1024:")
    assert fingerprint.tail(log, 3012).startswith("1024:")
    assert fingerprint.tail(log, 10).startswith("10:")


def test_a_mark_behind_it_changes_nothing(log: Plain) -> None:
    known = position(log, 3012)
    assert fingerprint.agrees(log, replace(known, tail=known.tail + fingerprint.OVER))
