"""What the watcher tells, and that it says when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.loop import Loop
from logtrigger.sources import inotify as inotify_module
from logtrigger.sources.inotify import NETWORK, Watcher, network_of
from tests.sources.host import until


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def test_names_in_folders_and_growth_of_files(loop: Loop, tmp_path: Path) -> None:
    files: list[int] = []
    names: list[str | None] = []
    watcher = Watcher(loop, files.append, names.append)
    watcher.watch_folders([str(tmp_path)])
    with (tmp_path / "log").open("wb", buffering=0) as out:
        until(loop, lambda: "log" in names)
        watch = watcher.watch_file(out.fileno())
        (tmp_path / "log").rename(tmp_path / "log.1")
        out.write(b"x")
        until(loop, lambda: files)
    assert set(files) == {watch}
    assert "log.1" in names
    assert watcher.works
    watcher.close()


def test_other_folders_are_let_go(loop: Loop, tmp_path: Path) -> None:
    names: list[str | None] = []
    watcher = Watcher(loop, lambda watch: None, names.append)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    watcher.watch_folders([str(tmp_path / "a")])
    watcher.watch_folders([str(tmp_path / "b")])
    (tmp_path / "a" / "one").touch()
    (tmp_path / "b" / "two").touch()
    until(loop, lambda: "two" in names)
    assert "one" not in names
    watcher.close()


def test_it_says_what_it_cannot_watch(loop: Loop, tmp_path: Path) -> None:
    watcher = Watcher(loop, lambda watch: None, lambda name: None)
    watcher.watch_folders([str(tmp_path / "none")])
    assert not watcher.works
    assert "No such file" in watcher.fault
    watcher.watch_folders([str(tmp_path)])
    assert watcher.works
    assert watcher.watch_file(9999) is None
    assert not watcher.works
    watcher.close()


def test_it_says_what_a_network_file_system_does_not_tell(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inotify_module, "network_of", lambda device: "nfs4")
    watcher = Watcher(loop, lambda watch: None, lambda name: None)
    watcher.watch_folders([str(tmp_path)])
    assert not watcher.works
    assert watcher.fault == "nfs4 tells nothing of what other machines write"
    watcher.close()


def test_which_file_systems_are_on_the_network(tmp_path: Path) -> None:
    assert network_of(tmp_path.stat().st_dev) == network_of(0xFFFFFFFF) == ""
    for name in ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.glusterfs", "ceph", "virtiofs"):
        assert NETWORK.fullmatch(name)
    for name in ("ext4", "btrfs", "tmpfs", "overlay", "ubifs", "squashfs", "fuseblk", "xfs", "zfs"):
        assert not NETWORK.fullmatch(name)
