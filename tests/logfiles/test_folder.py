"""Files are opened inside their folder only, and never through what somebody else has put there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logtrigger.logfiles.folder import Folder


def test_folders_and_files_are_made_for_their_group_to_read(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        folder = Folder(str(tmp_path / "srv/log"))
        fd = folder.open(("gate", "sshd.log"))
    finally:
        os.umask(old)
    os.write(fd, b"x\n")
    path = tmp_path / "srv/log/gate/sshd.log"
    assert path.read_bytes() == b"x\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [parent.stat().st_mode & 0o777 for parent in path.parents[:3]] == [0o750] * 3
    assert folder.holds(("gate", "sshd.log"), fd)
    path.rename(path.with_name("old"))
    assert not folder.holds(("gate", "sshd.log"), fd)
    os.close(fd)
    folder.close()


def test_files_that_are_there_are_appended_to(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    folder = Folder(str(tmp_path))
    fd = folder.open(("a.log",))
    os.write(fd, b"two\n")
    os.close(fd)
    folder.close()
    assert (tmp_path / "a.log").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "fifo", "folder"])
def test_what_is_no_file_of_ours_is_refused(tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.log").write_bytes(b"")
    inside = tmp_path / "inside"
    inside.mkdir()
    place = inside / "b.log"
    names: tuple[str, ...] = ("b.log",)
    if kind == "link to a file":
        place.symlink_to(outside / "b.log")
    elif kind == "link to a folder":
        (inside / "host").symlink_to(outside)
        names = ("host", "b.log")
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        place.mkdir()
    folder = Folder(str(inside))
    with pytest.raises(OSError):
        folder.open(names)
    folder.close()
    assert (outside / "b.log").read_bytes() == b""


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        os.close(folder.open((f"host{number}", "a.log")))
        with pytest.raises(OSError):
            folder.open((f"host{number}", "a.log", "below"))
    assert len(os.listdir("/proc/self/fd")) == before
    folder.close()
