"""Files that are believed only as they were written: whose they are, what for, and whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import sealed

LABEL, CONTENT = b"for a test 1\n", b"what was found out"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "folder/file"
    assert sealed.write(path, LABEL, CONTENT)
    return path


def test_there_and_back(path: Path) -> None:
    assert sealed.read(path, LABEL) == CONTENT
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert sealed.write(path, LABEL, b"") and sealed.read(path, LABEL) == b""
    assert [found.name for found in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.unlink(),
        lambda path: path.chmod(0o620),
        lambda path: path.chmod(0o602),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(path.read_bytes().replace(b"found", b"bound")),
        lambda path: sealed.write(path, b"for a test 2\n", CONTENT),
    ],
)
def test_what_is_not_as_we_wrote_it_is_not_read(path: Path, change: Callable[[Path], object]) -> None:
    change(path)
    assert sealed.read(path, LABEL) is None


def test_file_of_somebody_else_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert sealed.read(path, LABEL) is None


def test_what_cannot_be_written_is_done_without(path: Path) -> None:
    assert not sealed.write(path / "below a file", LABEL, CONTENT)
    assert sealed.read(path, LABEL) == CONTENT
