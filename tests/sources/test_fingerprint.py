"""A position's fingerprints tell its file from another one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from logtrigger.model import Position
from logtrigger.sources import fingerprint


@pytest.fixture
def fd(tmp_path: Path) -> int:
    (tmp_path / "log").write_bytes(b"first\n" + b"x" * 3000 + b"\nlast\n")
    return os.open(tmp_path / "log", os.O_RDONLY)


def position(fd: int, offset: int) -> Position:
    return Position("s", "app", "log", 1, 2, offset, fingerprint.head(fd), fingerprint.tail(fd, offset))


@pytest.mark.parametrize("offset", [0, 6, 1024, 2000, 3012])
def test_a_file_agrees_with_its_own_positions(fd: int, offset: int) -> None:
    assert fingerprint.agrees(fd, position(fd, offset))


@pytest.mark.parametrize("text", [b"", b"first\n", b"FIRST\n" + b"x" * 3000 + b"\nlast\n", b"first\n" + b"y" * 3006])
def test_another_file_does_not(fd: int, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "other").write_bytes(text)
    other = os.open(tmp_path / "other", os.O_RDONLY)
    assert not fingerprint.agrees(other, position(fd, 3012))


def test_a_file_that_has_grown_agrees(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    fd = os.open(path, os.O_RDONLY)
    known = position(fd, 4)
    path.write_bytes(b"one\ntwo\n" * 1000)
    assert fingerprint.agrees(fd, known)


def test_an_unknown_fingerprint_contradicts_nothing(fd: int) -> None:
    assert fingerprint.agrees(fd, replace(position(fd, 100), head="", tail=""))


def test_a_fingerprint_that_cannot_be_is_of_another_file(fd: int) -> None:
    assert not fingerprint.agrees(fd, replace(position(fd, 4), tail="1024:00"))
    assert not fingerprint.agrees(fd, replace(position(fd, 4), head="nonsense"))


def test_it_covers_so_many_bytes_at_most(fd: int) -> None:
    assert fingerprint.head(fd).startswith("1024:")
    assert fingerprint.tail(fd, 3012).startswith("1024:")
    assert fingerprint.tail(fd, 10).startswith("10:")
