"""Which file a position belongs to, whatever it is called now. Whole restarts are tested in test_file.py."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from logtrigger.model import Position
from logtrigger.sources import fingerprint
from logtrigger.sources.resume import assign, find_rest, generations_since, open_file


def position_of(path: Path, device: int | None = None) -> Position:
    fd = open_file(str(path))
    status = os.fstat(fd)
    head, tail = fingerprint.head(fd), fingerprint.tail(fd, status.st_size)
    os.close(fd)
    number = status.st_dev if device is None else device
    return Position("s", "app", str(path), number, status.st_ino, status.st_size, head, tail)


def opened(*files: Path) -> dict[str, int]:
    return {str(path): open_file(str(path)) for path in files}


def test_the_inode_decides(tmp_path: Path) -> None:
    old, new = tmp_path / "log.1", tmp_path / "log"
    new.write_bytes(b"one\n")
    known = position_of(new)
    new.rename(old)
    shutil.copy(old, new)
    assert assign([known], opened(new, old)) == {str(old): known}


def test_device_numbers_may_change(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    known = position_of(path, device=12345)
    assert assign([known], opened(path)) == {str(path): known}


def test_an_inode_with_other_content_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    known = position_of(path)
    path.write_bytes(b"two\n")
    assert assign([known], opened(path)) == {}


def test_a_copy_at_another_path_is_recognised(tmp_path: Path) -> None:
    path, copy = tmp_path / "log", tmp_path / "log.1"
    path.write_bytes(b"one\n")
    known = position_of(path)
    shutil.copy(path, copy)
    path.write_bytes(b"")
    assert assign([known], opened(path, copy)) == {str(copy): known}


def test_like_content_at_the_same_path_is_not_trusted(tmp_path: Path) -> None:
    """A new file may begin with the same line as the old one: better to read it twice than to miss it."""
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    known = position_of(path)
    shutil.copy(path, tmp_path / "new")
    (tmp_path / "new").rename(path)
    assert assign([known], opened(path)) == {}


def test_a_rest_is_found_by_inode_before_content(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    known = position_of(path)
    shutil.copy(path, tmp_path / "log.0")
    path.rename(tmp_path / "other.name")
    found = find_rest(known, ())
    assert found is not None and found.path == str(tmp_path / "other.name")


def test_what_is_read_already_is_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    known = position_of(path)
    path.rename(tmp_path / "log.1")
    assert find_rest(known, [(known.device, known.inode)]) is None


def test_generations_between(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for age, name in enumerate(["log", "log.1", "log.2", "log.3", "log.4"]):
        (tmp_path / name).write_bytes(name.encode())
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "log.old").write_bytes(b"")
    known = position_of(tmp_path / "log.3")
    found = find_rest(Position("s", "app", str(path), known.device, known.inode, 0), ())
    assert found is not None
    between = generations_since(found, str(path), ())
    assert [found.path for found in between] == [str(tmp_path / "log.2"), str(tmp_path / "log.1")]
