"""No line that reached a followed file is missed, and none is seen twice."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from logtrigger.model import Position
from logtrigger.sources import file as file_module
from logtrigger.sources import inotify as inotify_module
from logtrigger.sources import rests as rests_module
from logtrigger.sources.content import Content, Plain, open_content
from logtrigger.sources.file import FileSource
from logtrigger.sources.fingerprint import OVER
from logtrigger.sources.inotify import Watcher
from tests.sources.host import TestHost, running, until


@pytest.fixture
def host() -> Iterator[TestHost]:
    host = TestHost()
    yield host
    host.loop.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def source(host: TestHost, *globs: Path | str, from_start: bool = False, rotated: Sequence[str] = ()) -> FileSource:
    return FileSource(host, "app", [str(path) for path in globs], from_start=from_start, rotated=rotated, linger=0.1)


def over(follower: FileSource) -> list[str]:
    """The streams that have been read to their end."""
    return [position.stream for position in follower.positions() if position.tail.endswith(OVER)]


def add(path: Path, text: bytes | str) -> None:
    with path.open("ab") as out:
        out.write(text.encode() if isinstance(text, str) else text)


# Beginning


def test_the_first_start_begins_at_the_end(host: TestHost, log: Path) -> None:
    add(log, "old\n")
    with running(source(host, log), host):
        host.settle(0.1)
        add(log, "new\n")
        host.wait_for(b"new")
    chunk = host.chunks[0]
    assert (chunk.source, chunk.origin, chunk.offset, chunk.end) == ("app", str(log), 4, 8)
    assert not chunk.catching_up


def test_a_half_written_line_at_the_first_start_is_seen_whole(host: TestHost, log: Path) -> None:
    add(log, "old\nhalf")
    with running(source(host, log), host):
        host.settle(0.1)
        add(log, " done\n")
        host.wait_for(b"half done")


def test_from_start_reads_what_is_there(host: TestHost, log: Path) -> None:
    add(log, "old\n")
    with running(source(host, log, from_start=True), host):
        host.wait_for(b"old")
    assert host.chunks[0].catching_up


def test_a_file_that_appears_later_is_read_from_its_beginning(host: TestHost, log: Path) -> None:
    with running(source(host, log), host):
        assert host.said(f"{log}: does not exist yet")
        add(log, "one\n")
        host.wait_for(b"one")
        add(log, "two\n")
        host.wait_for(b"one", b"two")
    assert len(host.reports) == 1


def test_a_folder_that_appears_later(host: TestHost, tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "app.log"
    with running(source(host, deep), host):
        deep.parent.mkdir(parents=True)
        host.settle(0.1)
        add(deep, "one\n")
        host.wait_for(b"one")


def test_a_folder_and_its_file_that_appear_at_once(host: TestHost, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    add(tmp_path / "made" / "app.log", "one\n")
    with running(source(host, tmp_path / "a" / "*" / "app.log"), host):
        (tmp_path / "a").mkdir()
        (tmp_path / "made").rename(tmp_path / "a" / "b")
        host.wait_for(b"one")


def test_a_glob_takes_up_new_files(host: TestHost, tmp_path: Path) -> None:
    add(tmp_path / "a.log", "old\n")
    with running(source(host, tmp_path / "*.log"), host):
        add(tmp_path / "b.log", "b\n")
        host.wait_for(b"b")
        add(tmp_path / "a.log", "a\n")
        host.wait_for(b"b", b"a")
        add(tmp_path / "c.txt", "no\n")
        add(tmp_path / "c.log.gz", "no\n")
        host.settle()
    assert host.lines == [b"b", b"a"]


def test_a_glob_without_files_says_so(host: TestHost, tmp_path: Path) -> None:
    with running(source(host, tmp_path / "*.log"), host):
        assert host.said("no file has such a name yet")


def test_one_file_under_two_names_is_read_once(host: TestHost, tmp_path: Path) -> None:
    (tmp_path / "b.log").symlink_to(tmp_path / "a.log")
    (tmp_path / "a.log").touch()
    with running(source(host, tmp_path / "*.log"), host):
        add(tmp_path / "a.log", "one\n")
        host.wait_for(b"one")
        host.settle(0.1)
    assert host.lines == [b"one"]


def test_a_link_is_followed_and_so_is_its_target(host: TestHost, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "data.log"
    target.touch()
    (tmp_path / "app.log").symlink_to(target)
    with running(source(host, tmp_path / "app.log"), host):
        add(target, "one\n")
        host.wait_for(b"one")
        target.rename(tmp_path / "real" / "data.log.1")
        add(target, "two\n")
        host.wait_for(b"one", b"two")


def test_no_regular_file_is_reported_and_left_alone(host: TestHost, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "app.log").touch()
    with running(source(host, tmp_path / "fifo", tmp_path, tmp_path / "app.log"), host):
        assert len(host.said("no regular file, and is left alone")) == 2
        add(tmp_path / "app.log", "one\n")
        host.wait_for(b"one")


def test_an_unreadable_file_is_reported_once_and_read_later(host: TestHost, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(log, "old\n")

    def refuse(path: str) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(file_module, "open_file", refuse)
    with running(source(host, log), host):
        add(log, "new\n")
        log.chmod(0o600)
        host.settle(0.1)
        assert len(host.said("cannot be read: Permission denied")) == 1
        monkeypatch.undo()
        log.chmod(0o644)
        host.wait_for(b"new")


# Content


def test_nul_cr_and_invalid_utf8_pass_through(host: TestHost, log: Path) -> None:
    log.touch()
    with running(source(host, log), host):
        add(log, b"\0a\0\r\n\xff\xfe\n")
        until(host.loop, lambda: host.chunks)
    assert host.chunks[0].data == b"\0a\0\r\n\xff\xfe\n"


def test_a_half_written_line_waits_for_its_end(host: TestHost, log: Path) -> None:
    log.touch()
    follower = source(host, log)
    with running(follower, host):
        add(log, "one\ntw")
        host.wait_for(b"one")
        host.settle(0.1)
        assert [position.offset for position in follower.positions() if position.inode] == [4]
        add(log, "o\n")
        host.wait_for(b"one", b"two")


def test_a_long_line_is_cut_and_its_true_end_counted(log: Path) -> None:
    host = TestHost(max_line=100)
    log.touch()
    follower = source(host, log)
    with running(follower, host):
        add(log, b"a\n" + b"x" * 1_000_000 + b"end\nb\n")
        until(host.loop, lambda: host.lines[-1:] == [b"b"])
        assert [position.offset for position in follower.positions() if position.inode] == [1_000_008]
    assert host.lines == [b"a", b"x" * 97 + b"end", b"b"]
    host.loop.close()


def test_many_files_are_read_in_turn(host: TestHost, tmp_path: Path) -> None:
    """A file with much to read does not keep the others waiting."""
    add(tmp_path / "big.log", (b"x" * 99 + b"\n") * 50_000)
    add(tmp_path / "small.log", "small\n")
    with running(source(host, tmp_path / "big.log", tmp_path / "small.log", from_start=True), host):
        until(host.loop, lambda: sum(chunk.end - chunk.offset for chunk in host.chunks) == 5_000_006)
    assert b"small\n" in [chunk.data for chunk in host.chunks[:3]]
    assert max(len(chunk.data) for chunk in host.chunks) <= (1 << 18) + 100


def test_a_paused_source_delivers_nothing_and_loses_nothing(host: TestHost, log: Path) -> None:
    log.touch()
    follower = source(host, log)
    with running(follower, host):
        follower.pause()
        add(log, "one\n")
        log.rename(log.with_suffix(".1"))
        add(log, "two\n")
        host.settle(0.4)
        assert host.chunks == []
        follower.resume()
        host.wait_for(b"one", b"two")


# Rotation while it is followed


def test_rename_and_create(host: TestHost, log: Path) -> None:
    log.touch()
    with running(source(host, log), host):
        add(log, "one\n")
        log.rename(log.with_suffix(".log.1"))
        add(log, "two\n")
        host.wait_for(b"one", b"two")
    first, second = host.chunks
    assert first.stream != second.stream
    assert second.offset == 0


def test_slow_rotation_is_read_to_its_end(host: TestHost, log: Path) -> None:
    """A daemon that has not been told yet goes on writing to the renamed file, however long that takes."""
    rotated = log.with_suffix(".log.1")
    follower = source(host, log)
    with log.open("ab", buffering=0) as writer, running(follower, host):
        writer.write(b"one\n")
        log.rename(rotated)
        add(log, "two\n")
        host.wait_for(b"one", b"two")
        host.settle(0.5)  # five times the time after which a file without a writer is over
        writer.write(b"late\n")
        host.wait_for(b"one", b"two", b"late")
        assert not over(follower)
        writer.close()
        until(host.loop, lambda: over(follower) == [host.chunks[0].stream])


def test_the_unterminated_rest_of_a_rotated_file_is_a_line(host: TestHost, log: Path) -> None:
    log.touch()
    follower = source(host, log)
    with running(follower, host):
        add(log, "one\nrest")
        host.wait_for(b"one")
        log.rename(log.with_suffix(".log.1"))
        host.wait_for(b"one", b"rest")
        until(host.loop, lambda: over(follower))
    restart(host, log)


def test_delete_and_recreate(host: TestHost, log: Path) -> None:
    log.touch()
    follower = source(host, log)
    with running(follower, host):
        add(log, "one\n")
        log.unlink()
        add(log, "two\n")
        host.wait_for(b"one", b"two")
        until(host.loop, lambda: over(follower))
    assert len(host.reports) <= 2


def test_a_file_that_is_moved_away_and_back_goes_on(host: TestHost, log: Path) -> None:
    log.touch()
    aside = log.with_suffix(".aside")
    with log.open("ab"), running(source(host, log), host):
        add(log, "one\n")
        host.wait_for(b"one")
        log.rename(aside)
        host.settle(0.1)
        aside.rename(log)
        host.settle(0.1)
        add(log, "two\n")
        host.wait_for(b"one", b"two")
    assert len({chunk.stream for chunk in host.chunks}) == 1


def test_a_glob_that_names_the_rotated_file_too(host: TestHost, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.touch()
    with running(source(host, tmp_path / "app.log*"), host):
        add(log, "one\n")
        host.wait_for(b"one")
        for text in ("two\n", "three\n"):
            if (tmp_path / "app.log.1").exists():
                (tmp_path / "app.log.1").rename(tmp_path / "app.log.2")
            log.rename(tmp_path / "app.log.1")
            add(log, text)
            host.settle(0.1)
        host.wait_for(b"one", b"two", b"three")


def test_copytruncate(host: TestHost, log: Path) -> None:
    log.touch()
    follower = source(host, log)
    with running(follower, host):
        add(log, "one, a long one\n")
        host.wait_for(b"one, a long one")
        shutil.copy(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
        add(log, "two\n")
        host.wait_for(b"one, a long one", b"two")
        first, second = host.chunks
        assert first.stream != second.stream
        assert (second.offset, second.catching_up) == (0, False)
        until(host.loop, lambda: over(follower) == [first.stream])


def test_copytruncate_before_everything_was_read(host: TestHost, log: Path) -> None:
    """What had not been read when the file was emptied is read from the copy."""
    log.touch()
    follower = source(host, log)
    with running(follower, host):
        add(log, "one\nha")
        host.wait_for(b"one")
        host.settle(0.1)
        follower.pause()
        add(log, "lf\ntwo\n")
        shutil.copy(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
        add(log, "three\n")
        host.settle(0.1)
        follower.resume()
        host.wait_for(b"one", b"half", b"two", b"three")


def test_a_truncated_file_that_has_grown_again_is_noticed(host: TestHost, log: Path) -> None:
    log.touch()
    follower = source(host, log)
    with running(follower, host):
        add(log, "one\n")
        host.wait_for(b"one")
        follower.pause()
        os.truncate(log, 0)
        add(log, "two\nthree\n")
        host.settle(0.1)
        follower.resume()
        host.wait_for(b"one", b"two", b"three")


def test_the_hole_a_careless_writer_leaves_after_a_truncation_is_skipped(host: TestHost, log: Path) -> None:
    with log.open("wb", buffering=0) as writer, running(source(host, log), host):  # no O_APPEND
        writer.write(b"one\n")
        host.wait_for(b"one")
        os.truncate(log, 0)
        host.settle(0.1)
        writer.write(b"two\n")
        host.wait_for(b"one", b"two")
    assert (host.chunks[-1].offset, host.chunks[-1].end) == (4, 8)


def test_polling_where_inotify_fails(host: TestHost, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Watcher, path: str, mask: int) -> None:
        self.fault = "No space left on device"

    monkeypatch.setattr(Watcher, "_add", refuse)
    monkeypatch.setattr(file_module, "POLL", 0.05)
    log.touch()
    with running(source(host, log), host):
        assert host.said("inotify fails: No space left")
        add(log, "one\n")
        host.wait_for(b"one")
        log.rename(log.with_suffix(".1"))
        add(log, "two\n")
        host.wait_for(b"one", b"two")


# Restart


def restart(host: TestHost, log: Path | str, *expected: bytes, rotated: Sequence[str] = ()) -> None:
    """A second run must see exactly these lines, all of them caught up."""
    host.chunks.clear()
    with running(source(host, log, rotated=rotated), host):
        host.wait_for(*expected)
        host.settle(0.15)
        assert host.lines == list(expected)
    assert all(chunk.catching_up for chunk in host.chunks)


@pytest.fixture
def stopped(host: TestHost, log: Path) -> TestHost:
    """A host whose first run has read "one" and stands before a half-written line."""
    log.touch()
    with running(source(host, log), host):
        add(log, "one\nha")
        host.wait_for(b"one")
    return host


def test_restart_goes_on_where_it_stopped(stopped: TestHost, log: Path) -> None:
    stream = stopped.chunks[0].stream
    add(log, "lf\ntwo\n")
    restart(stopped, log, b"half", b"two")
    assert {chunk.stream for chunk in stopped.chunks} == {stream}
    assert stopped.chunks[0].offset == 4


def test_after_catching_up_lines_are_new(stopped: TestHost, log: Path) -> None:
    add(log, "lf\n")
    stopped.chunks.clear()
    with running(source(stopped, log), stopped):
        stopped.wait_for(b"half")
        add(log, "two\n")
        stopped.wait_for(b"half", b"two")
    assert [chunk.catching_up for chunk in stopped.chunks] == [True, False]


def test_a_crash_rereads_from_the_stored_position(host: TestHost, log: Path) -> None:
    log.touch()
    follower = source(host, log)
    with running(follower, host, crash=True):
        add(log, "one\n")
        host.wait_for(b"one")
        host.commit(follower)
        add(log, "two\n")
        host.wait_for(b"one", b"two")
    ids = [(chunk.stream, chunk.offset) for chunk in host.chunks]
    restart(host, log, b"two")
    assert (host.chunks[0].stream, host.chunks[0].offset) == ids[1]


def test_a_crash_before_the_first_commit_forgets_no_file(host: TestHost, log: Path) -> None:
    with running(source(host, log), host, crash=True):
        add(log, "one\n")
        host.wait_for(b"one")
    restart(host, log, b"one")


def test_rotated_while_stopped(stopped: TestHost, log: Path) -> None:
    add(log, "lf\n")
    log.rename(log.with_suffix(".log.1"))
    add(log, "new\n")
    restart(stopped, log, b"half", b"new")
    assert stopped.chunks[0].origin.endswith(".log.1")


def test_rotated_while_stopped_and_nothing_new_yet(stopped: TestHost, log: Path) -> None:
    add(log, "lf\n")
    log.rename(log.with_suffix(".log.1"))
    restart(stopped, log, b"half")


def test_rotated_twice_while_stopped(stopped: TestHost, log: Path) -> None:
    add(log, "lf\n")
    log.rename(log.with_suffix(".log.2"))
    add(log.with_suffix(".log.1"), "between\n")
    os.utime(log.with_suffix(".log.2"), (1, 1))
    add(log, "new\n")
    restart(stopped, log, b"half", b"between", b"new")


def test_copytruncate_while_stopped(stopped: TestHost, log: Path) -> None:
    add(log, "lf\n")
    shutil.copy(log, log.with_suffix(".log.1"))
    os.truncate(log, 0)
    add(log, "new\n")
    restart(stopped, log, b"half", b"new")


def test_copytruncate_just_before_the_stop(host: TestHost, log: Path) -> None:
    """The stored position is that of what was read, not of what stands there by now."""
    log.touch()
    follower = source(host, log)
    with running(follower, host):
        add(log, "one\nha")
        host.wait_for(b"one")
        host.settle(0.1)
        follower.pause()
        add(log, "lf\n")
        shutil.copy(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
        add(log, "another\n")
        host.settle(0.1)
    restart(host, log, b"half", b"another")


@pytest.mark.parametrize("commit", [False, True], ids=["killed at once", "committed"])
def test_copytruncate_before_the_first_line_and_a_kill_after_it(host: TestHost, log: Path, commit: bool) -> None:
    """What is stored with the first line tells of the bytes that were read, not of those that stood there before."""
    log.touch()
    with running(source(host, log), host):
        pass
    add(log, "first\n" * 200)
    log.with_suffix(".log.1.gz").write_bytes(gzip.compress(b"packed\n"))  # to be told from what stands at the path
    follower = source(host, log)
    follower.pause()
    with running(follower, host, crash=not commit):
        shutil.copy(log, log.with_suffix(".log.2"))
        os.truncate(log, 0)
        add(log, "second\n" * 200)
        follower.resume()
        until(host.loop, lambda: len(host.lines) == 401)
        streams = {line: {chunk.stream for chunk in host.chunks if line in chunk.data} for line in (b"first", b"second")}
    shutil.copy(log, log.with_suffix(".log.3"))
    os.truncate(log, 0)
    add(log, "third\n")
    host.chunks.clear()
    with running(source(host, log), host):
        until(host.loop, lambda: b"third" in host.lines)
        host.settle(0.15)
    assert Counter(host.lines) == {b"third": 1} | ({} if commit else {b"packed": 1, b"first": 200, b"second": 200})
    for line, known in streams.items():
        assert {chunk.stream for chunk in host.chunks if line in chunk.data} == (set() if commit else known)
    assert host.said("is not read") == []


class Rotating(TestHost):
    """A host that rotates the other logs on as soon as one is made durable: in the midst of a look at all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.rotated: list[Path] = []

    def register(self, position: Position) -> None:
        super().register(position)
        for path in [path for path in self.rotated if not path.name.startswith(Path(position.path).name)]:
            path.rename(path.with_suffix(".2"))
            self.rotated.clear()


def test_rotated_on_while_it_is_looked_for(tmp_path: Path) -> None:
    """What has another name by the time it is to be opened is not lost."""
    host, logs = Rotating(), [tmp_path / "a.log", tmp_path / "b.log"]
    for log in logs:
        log.touch()
    with running(source(host, *logs), host):
        for log in logs:
            add(log, f"{log.stem} one\n")
        until(host.loop, lambda: len(host.lines) == 2)
    for log in logs:
        add(log, f"{log.stem} rest\n")
        log.rename(log.with_suffix(".log.1"))
        add(log, f"{log.stem} new\n")
    host.chunks.clear()
    host.rotated = [log.with_suffix(".log.1") for log in logs]
    with running(source(host, *logs), host):
        assert host.rotated == []
        until(host.loop, lambda: len(host.lines) == 4)
        host.settle(0.15)
    assert Counter(host.lines) == Counter([b"a rest", b"a new", b"b rest", b"b new"])
    assert host.said("is not read") == []
    host.loop.close()


def test_a_copy_that_is_rotated_on_while_it_is_looked_for(host: TestHost, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where a cut is noticed."""
    copy = log.with_suffix(".log.1")

    def rotate_and_open(path: str) -> Content:
        if copy.exists():
            copy.rename(log.with_suffix(".log.2"))
        return open_content(path)

    log.touch()
    follower = source(host, log)
    with running(follower, host):
        add(log, "one\n")
        host.wait_for(b"one")
        paused(host, follower)
        add(log, "rest\n")
        shutil.copy(log, copy)
        os.truncate(log, 0)
        add(log, "another\n")
        monkeypatch.setattr(rests_module, "open_content", rotate_and_open)
        follower.resume()
        until(host.loop, lambda: len(host.lines) == 3)
        host.settle(0.15)
    assert not copy.exists()
    assert Counter(host.lines) == Counter([b"one", b"rest", b"another"])
    assert host.said("is not read") == []


def test_a_loss_is_told_as_soon_as_the_last_file_that_might_hold_it_is_known(
    stopped: TestHost, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "SWEEP", 1000.0)
    os.truncate(log, 0)
    add(log, "new\n")
    packed = gzip.compress(b"other\n")
    stopped.chunks.clear()
    with log.with_suffix(".log.1.gz").open("wb", buffering=0) as out:
        out.write(packed[:5])
        with running(source(stopped, log), stopped):
            stopped.wait_for(b"new")
            assert stopped.said("is not read") == []
            out.write(packed[5:])
            until(stopped.loop, lambda: bool(stopped.said("beyond byte 4, if anything, is not read")))
            until(stopped.loop, lambda: stopped.lines == [b"new", b"other"])


def test_truncated_and_regrown_while_stopped(stopped: TestHost, log: Path) -> None:
    stream = stopped.chunks[0].stream
    os.truncate(log, 0)
    add(log, "new\nand more\n")
    restart(stopped, log, b"new", b"and more")
    assert stopped.chunks[0].stream != stream
    assert [level for level, text in stopped.reports if "beyond byte 4, if anything, is not read" in text] == [0]


def test_deleted_and_recreated_while_stopped(stopped: TestHost, log: Path) -> None:
    log.unlink()
    add(log, "new\n")
    restart(stopped, log, b"new")


def test_a_known_file_that_is_away_for_a_while_goes_on_when_it_is_back(stopped: TestHost, log: Path) -> None:
    """A file system that is mounted late."""
    aside = log.parent.with_name("aside")
    add(log, "lf\n")
    log.parent.rename(aside)
    stopped.chunks.clear()
    with running(source(stopped, log), stopped):
        stopped.settle(0.1)
        aside.rename(log.parent)
        stopped.wait_for(b"half")


def test_rotation_through_the_names_of_a_glob_while_stopped(host: TestHost, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.touch()
    add(tmp_path / "app.log.1", "older\n")
    with running(source(host, tmp_path / "app.log*"), host):
        add(log, "one\n")
        host.wait_for(b"one")
    add(log, "two\n")
    (tmp_path / "app.log.1").rename(tmp_path / "app.log.2")
    log.rename(tmp_path / "app.log.1")
    add(log, "three\n")
    host.chunks.clear()
    with running(source(host, tmp_path / "app.log*"), host):
        until(host.loop, lambda: len(host.lines) == 2)
        host.settle(0.1)
    assert sorted(host.lines) == [b"three", b"two"]


def test_what_a_glob_names_for_the_first_time_after_a_restart_is_new(host: TestHost, tmp_path: Path) -> None:
    with running(source(host, tmp_path / "*.log"), host):
        pass
    add(tmp_path / "a.log", "one\n")
    restart(host, str(tmp_path / "*.log"), b"one")


def test_an_abandoned_source_begins_at_the_end_again(stopped: TestHost, log: Path) -> None:
    follower = source(stopped, log)
    follower.open()
    follower.abandon()
    assert stopped.stored == {}
    add(log, "lf\nold\n")
    stopped.chunks.clear()
    with running(source(stopped, log), stopped):
        add(log, "new\n")
        stopped.wait_for(b"new")


def test_a_stream_is_registered_before_its_first_line(host: TestHost, log: Path) -> None:
    with running(source(host, log), host):
        add(log, "one\n")
        host.wait_for(b"one")
    stream = host.chunks[0].stream
    assert host.events.index(f"register {stream}") < host.events.index(f"deliver {stream}")


def test_closing_leaves_no_descriptor_open(host: TestHost, log: Path) -> None:
    before = os.listdir("/proc/self/fd")
    log.touch()
    with running(source(host, log), host):
        log.rename(log.with_suffix(".1"))
        add(log, "one\n")
        host.wait_for(b"one")
    assert os.listdir("/proc/self/fd") == before


# Earlier generations


def copytruncate(log: Path, copy: Path) -> None:
    shutil.copyfile(log, copy)
    os.truncate(log, 0)


def paused(host: TestHost, follower: FileSource) -> None:
    """Whatever happens from here on happens between two looks."""
    follower.pause()
    host.settle(0.05)


@pytest.fixture
def follower(host: TestHost, log: Path) -> Iterator[FileSource]:
    """A source that follows an empty log and is not looking now."""
    log.touch()
    follower = source(host, log)
    with running(follower, host):
        paused(host, follower)
        yield follower


def test_copytruncate_before_anything_was_read(host: TestHost, log: Path, follower: FileSource) -> None:
    add(log, "one\n")
    copytruncate(log, log.with_suffix(".log.1"))
    add(log, "two\n")
    follower.resume()
    host.wait_for(b"one", b"two")
    host.settle(0.3)
    assert host.lines == [b"one", b"two"]


def test_copytruncate_before_anything_was_read_and_nothing_since(host: TestHost, log: Path, follower: FileSource) -> None:
    add(log, "one\n")
    copytruncate(log, log.with_suffix(".log.1"))
    follower.resume()
    host.wait_for(b"one")


def test_a_copy_in_the_making_is_not_read(host: TestHost, log: Path, follower: FileSource) -> None:
    copy = log.with_suffix(".log.1")
    follower.resume()
    add(log, "one\ntwo\n")
    host.wait_for(b"one", b"two")
    copy.touch()
    host.settle(0.15)
    add(copy, "one\n")
    host.settle(0.15)
    add(copy, "two\n")
    add(log, "three\n")
    host.settle(0.15)
    os.truncate(log, 0)
    add(log, "four\n")
    host.wait_for(b"one", b"two", b"three", b"four")
    host.settle(0.3)
    assert host.lines == [b"one", b"two", b"three", b"four"]


def test_a_copy_without_a_cut_is_not_read(host: TestHost, log: Path, follower: FileSource) -> None:
    """logrotate's `copy`, and then a rotation by renaming."""
    follower.resume()
    add(log, "one\n")
    host.wait_for(b"one")
    shutil.copyfile(log, log.with_suffix(".log.1"))
    add(log, "two\n")
    host.settle(0.15)
    log.rename(log.with_suffix(".log.2"))
    add(log, "three\n")
    host.settle(0.4)
    assert host.lines == [b"one", b"two", b"three"]
    host.commit(follower)


def test_two_rounds_of_copytruncate_between_two_looks(host: TestHost, log: Path, follower: FileSource) -> None:
    first, second = log.with_suffix(".log.1"), log.with_suffix(".log.2")
    follower.resume()
    add(log, "one\n")
    host.wait_for(b"one")
    paused(host, follower)
    add(log, "two\n")
    copytruncate(log, first)
    add(log, "three\n")
    first.rename(second)
    copytruncate(log, first)
    add(log, "four\n")
    follower.resume()
    host.wait_for(b"one", b"two", b"three", b"four")


def test_two_rounds_of_renaming_between_two_looks(host: TestHost, log: Path, follower: FileSource) -> None:
    first, second = log.with_suffix(".log.1"), log.with_suffix(".log.2")
    follower.resume()
    add(log, "one\n")
    host.wait_for(b"one")
    paused(host, follower)
    log.rename(first)
    add(log, "two\n")
    first.rename(second)
    log.rename(first)
    add(log, "three\n")
    follower.resume()
    host.wait_for(b"one", b"two", b"three")


def test_a_copy_that_was_packed_at_once(host: TestHost, log: Path, follower: FileSource) -> None:
    follower.resume()
    add(log, "one\nha")
    host.wait_for(b"one")
    paused(host, follower)
    add(log, "lf\ntwo\n")
    copytruncate(log, log.with_suffix(".log.1"))
    pack(log.with_suffix(".log.1"))
    add(log, "three\n")
    follower.resume()
    host.wait_for(b"one", b"half", b"two", b"three")
    host.settle(0.3)
    assert host.lines == [b"one", b"half", b"two", b"three"]


PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


def pack(path: Path, suffix: str = ".gz") -> Path:
    packed = path.with_name(path.name + suffix)
    packed.write_bytes(PACKERS[suffix](path.read_bytes()))
    shutil.copystat(path, packed)
    path.unlink()
    return packed


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("name", ["app.log.1", "app.log-20260714", "app-20260714.log", "app.log.old"])
def test_packed_while_stopped(stopped: TestHost, log: Path, suffix: str, name: str) -> None:
    add(log, "lf\n" + "long\n" * 1000)
    rotated = log.with_name(name)
    log.rename(rotated)
    pack(rotated, suffix)
    add(log, "new\n")
    restart(stopped, log, b"half", *[b"long"] * 1000, b"new")
    restart(stopped, log)
    assert not [text for level, text in stopped.reports if level == 0]


def test_packed_later_is_known(host: TestHost, log: Path) -> None:
    """What was read as app.log.1 is not read again as app.log.2.gz, by nobody, ever."""
    follower = source(host, log, from_start=True)
    add(log, "one\n" * 500)
    with running(follower, host):
        until(host.loop, lambda: len(host.lines) == 500)
        log.rename(log.with_suffix(".log.1"))
        add(log, "two\n")
        until(host.loop, lambda: over(follower))
        pack(log.with_suffix(".log.1")).rename(log.with_suffix(".log.2.gz"))
        host.settle(0.3)
        assert len(host.lines) == 501
    restart(host, log)


@pytest.mark.parametrize("copied", [True, False], ids=["copied", "renamed"])
def test_packed_later_is_known_where_a_glob_names_what_was_packed(host: TestHost, log: Path, copied: bool) -> None:
    """app.log* takes app.log.1 for a file of its own; that packed as app.log.2.gz is neither's news."""
    first, second = log.with_suffix(".log.1"), log.with_suffix(".log.2")
    log.touch()
    with running(FileSource(host, "app", [f"{log}*"]), host):  # what was packed is still open then
        for text in ("one", "two", "three"):
            add(log, f"{text}\n")
            host.settle(0.15)
            if first.exists():
                first.rename(second)
            if copied:
                copytruncate(log, first)
            else:
                log.rename(first)
            host.settle(0.15)
            if second.exists():
                pack(second)
                host.settle(0.5)
        assert host.lines == [b"one", b"two", b"three"]
    add(log, "four\n")
    restart(host, f"{log}*", b"four")


def test_a_half_packed_file_is_waited_for(stopped: TestHost, log: Path) -> None:
    add(log, "lf\n")
    rotated = log.with_suffix(".log.1")
    log.rename(rotated)
    add(log, "new\n")
    whole = pack(rotated).read_bytes()
    packed = rotated.with_name("app.log.1.gz")
    stopped.chunks.clear()
    with packed.open("wb", buffering=0) as out:
        out.write(whole[:-12])
        with running(source(stopped, log), stopped):
            stopped.settle(0.3)
            out.write(whole[-12:])
            until(stopped.loop, lambda: b"half" in stopped.lines)
            stopped.settle(0.3)
    assert sorted(stopped.lines) == [b"half", b"new"]


def test_a_damaged_packed_file_is_told(stopped: TestHost, log: Path) -> None:
    log.unlink()
    add(log, "new\n")
    log.with_suffix(".log.1.gz").write_bytes(b"\x1f\x8b\x08\0" + b"nonsense" * 9)
    restart(stopped, log, b"new")
    assert [level for level, text in stopped.reports if "app.log.1.gz: " in text] == [0]


def test_moved_to_another_folder(stopped: TestHost, log: Path) -> None:
    (log.parent / "old").mkdir()
    add(log, "lf\n")
    log.rename(log.parent / "old" / "app.log.1")
    pack(log.parent / "old" / "app.log.1")
    add(log, "new\n")
    restart(stopped, log, b"half", b"new", rotated=["old"])


def test_copied_to_another_folder(host: TestHost, log: Path) -> None:
    (log.parent / "old").mkdir()
    log.touch()
    follower = source(host, log, rotated=["old"])
    with running(follower, host):
        add(log, "one\n")
        host.wait_for(b"one")
        paused(host, follower)
        add(log, "two\n")
        copytruncate(log, log.parent / "old" / "app.log-20260714")
        add(log, "three\n")
        follower.resume()
        host.wait_for(b"one", b"two", b"three")


def test_what_was_rotated_before_the_first_start_is_not_read(host: TestHost, log: Path) -> None:
    add(log, "current\n")
    add(log.with_suffix(".log.1"), "old\n")
    add(log.with_suffix(".log.2"), "older\n" * 300)
    pack(log.with_suffix(".log.2"))
    with running(source(host, log, from_start=True), host):
        host.wait_for(b"current")
        host.settle(0.2)
    pack(log.with_suffix(".log.1"))
    restart(host, log)


def test_a_generation_that_nobody_saw_is_read(stopped: TestHost, log: Path) -> None:
    """Rotated twice while logtrigger was stopped; the file that was being read is gone."""
    log.unlink()
    add(log.with_suffix(".log.1"), "between\n")
    add(log, "new\n")
    restart(stopped, log, b"between", b"new")
    assert [level for level, text in stopped.reports if "is not read" in text] == [0]


def test_a_glob_that_names_copies_too(host: TestHost, log: Path) -> None:
    """app.log* and copytruncate: no copy is read a second time, nor after a restart."""
    log.touch()
    copies = [log.with_name(f"app.log.{number}") for number in range(4)]
    with running(source(host, f"{log}*"), host):
        for text in ("one\n", "two\n", "three\n"):
            add(log, text)
            host.settle(0.15)
            for older, newer in zip(copies[3:0:-1], copies[2::-1], strict=True):
                if newer.exists():
                    newer.rename(older)
            copytruncate(log, copies[0])
            host.settle(0.15)
        assert host.lines == [b"one", b"two", b"three"]
    add(log, "four\n")
    restart(host, f"{log}*", b"four")


def test_logs_with_numbers_in_their_names_are_logs(host: TestHost, tmp_path: Path) -> None:
    """worker-1.log may be an earlier worker.log by its name; it is followed all the same."""
    logs = [tmp_path / "worker.log", tmp_path / "worker-1.log"]
    for log in logs:
        log.touch()
    with running(source(host, tmp_path / "*.log"), host):
        add(logs[1], "one\n")
        host.wait_for(b"one")
        add(tmp_path / "worker-2.log", "two\n")
        host.wait_for(b"one", b"two")
        host.settle(0.3)
        add(tmp_path / "worker-2.log", "three\n")
        add(logs[1], "four\n")
        until(host.loop, lambda: len(host.lines) == 4)
    assert sorted(host.lines) == [b"four", b"one", b"three", b"two"]


def test_a_file_cut_without_a_copy_is_told(host: TestHost, log: Path, follower: FileSource) -> None:
    follower.resume()
    add(log, "one\nhalf")
    host.wait_for(b"one")
    host.settle(0.1)
    os.truncate(log, 0)
    add(log, "two\n")
    host.wait_for(b"one", b"half", b"two")
    assert [level for level, text in host.reports if "beyond byte 8, if anything, is not read" in text] == [1]


def test_a_half_written_line_that_was_replaced(host: TestHost, log: Path, follower: FileSource) -> None:
    follower.resume()
    add(log, "half")
    host.settle(0.1)
    paused(host, follower)
    os.truncate(log, 0)
    add(log, "one\ntwo\n")
    follower.resume()
    host.wait_for(b"half", b"one", b"two")


def test_the_same_stream_after_a_crash_whatever_has_happened(host: TestHost, log: Path) -> None:
    """What was read but not stored is read again from the copy, under the same stream and offset."""
    log.touch()
    with running(source(host, log), host, crash=True):
        add(log, "one\n")
        host.wait_for(b"one")
    before = host.chunks[0].stream
    add(log, "two\n")
    copytruncate(log, log.with_suffix(".log.1"))
    pack(log.with_suffix(".log.1"))
    add(log, "three\n")
    restart(host, log, b"one", b"two", b"three")
    assert [chunk.stream == before for chunk in host.chunks] == [True, False]


def test_a_file_known_from_before_a_crash_is_cut_before_it_is_read_again(host: TestHost, log: Path) -> None:
    log.touch()
    with running(source(host, log), host, crash=True):
        add(log, "one\n")
        host.wait_for(b"one")
    before = host.chunks.pop().stream
    follower = source(host, log)
    follower.pause()
    with running(follower, host):
        copytruncate(log, log.with_suffix(".log.1"))
        add(log, "two\n")
        follower.resume()
        host.wait_for(b"one", b"two")
    assert [chunk.stream == before for chunk in host.chunks] == [True, False]


@pytest.mark.parametrize("packed", [False, True])
def test_a_cut_file_that_is_rotated_before_anybody_has_noticed(
    host: TestHost, log: Path, follower: FileSource, packed: bool
) -> None:
    """Its descriptor shows the next generation, and so does the file that this becomes; it is read once."""
    follower.resume()
    add(log, "one, a long one\n")
    host.wait_for(b"one, a long one")
    paused(host, follower)
    copytruncate(log, log.with_name("app.log-20260713"))
    add(log, "two\n")
    log.rename(log.with_name("app.log-20260714"))
    if packed:
        pack(log.with_name("app.log-20260714"))
    else:
        shutil.copyfile(log.with_name("app.log-20260714"), log.with_name("app.log-20260715"))
        log.with_name("app.log-20260714").unlink()
    add(log, "three\n")
    host.settle(0.15)
    follower.resume()
    host.wait_for(b"one, a long one", b"two", b"three")
    host.settle(0.5)
    assert host.lines == [b"one, a long one", b"two", b"three"]


# Errors


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("pipe", "is a pipe, no regular file, and is left alone; name a file that a program writes its log to"),
        ("folder", "is a folder, no regular file, and is left alone; name "),
        ("socket", "is a socket, no regular file"),
        ("device", "is a device, no regular file"),
        ("loop", "cannot be read: Too many levels of symbolic links; it is tried again until that is mended"),
        ("below", "cannot be read: Not a directory"),
        ("long", "cannot be read: File name too long"),
        ("nowhere", "does not exist yet; waiting for it"),
    ],
)
def test_what_is_no_file_is_said_once_and_stops_nobody(host: TestHost, tmp_path: Path, kind: str, fault: str) -> None:
    path = tmp_path / "odd"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "device":
        path = Path("/dev/null")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "below":
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "app.log"
    elif kind == "long":
        path = tmp_path / ("x" * 300)
    else:
        path.symlink_to("nothing")
    log = tmp_path / "app.log"
    log.touch()
    with running(source(host, path, log), host):
        assert [level for level, text in host.reports if f"{path}: {fault}" in text] == [0]
        add(log, "one\n")
        host.wait_for(b"one")
        host.settle(0.1)
    assert len(host.said(str(path))) == 1


def test_a_pipe_gives_way_to_a_file(host: TestHost, log: Path) -> None:
    os.mkfifo(log)
    with running(source(host, log), host):
        log.unlink()
        add(log, "one\n")
        host.wait_for(b"one")


def test_a_file_that_fails_to_be_read_goes_on_where_it_was(host: TestHost, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "SWEEP", 0.1)
    log.touch()
    with running(source(host, log), host):
        add(log, "one\n")
        host.wait_for(b"one")

        def fail(self: Plain, size: int, offset: int) -> bytes:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as failing:
            failing.setattr(Plain, "read_at", fail)
            add(log, "two\n")
            host.settle(0.3)
        assert [level for level, text in host.reports if "cannot be read: Input/output error" in text] == [0]
        host.wait_for(b"one", b"two")


# What it costs to wait


def test_idle_files_are_not_read(host: TestHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep over files that have not changed opens, reads and lists nothing."""
    monkeypatch.setattr(file_module, "SWEEP", 0.05)
    for number in range(20):
        (tmp_path / f"{number}.log").touch()
    follower = source(host, tmp_path / "*.log")
    with running(follower, host):
        host.settle(0.3)
        looks: list[int] = []
        monkeypatch.setattr(follower, "_scan", lambda: looks.append(1))
        monkeypatch.setattr(follower, "_read", lambda tail: looks.append(2))
        host.settle(0.3)
        assert looks == []


def test_a_network_file_system_is_polled(host: TestHost, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inotify_module, "network_of", lambda device: "nfs4")
    monkeypatch.setattr(file_module, "POLL", 0.05)
    log.touch()
    with running(source(host, log), host):
        assert host.said("looking once a second, as inotify fails: nfs4 tells nothing of what other machines write")
        add(log, "one\n")
        host.wait_for(b"one")
        copytruncate(log, log.with_suffix(".log.1"))
        add(log, "two\n")
        host.wait_for(b"one", b"two")


@pytest.mark.parametrize("copied", [False, True], ids=["renamed", "copied"])
def test_files_that_are_rotated_into_another_folder_while_stopped(host: TestHost, log: Path, copied: bool) -> None:
    """What was not read is found there, twice rotated even; a file of another name in it is left alone."""
    old = log.parent / "old"
    old.mkdir()
    add(log, "one\n")

    def followed() -> FileSource:
        return FileSource(host, "app", [str(log)], from_start=True, rotated=[str(old)])

    with running(followed(), host):
        host.wait_for(b"one")
    add(log, "two\n")
    for name in ("app.log.2", "app.log.1"):
        if copied:
            shutil.copy(log, old / name)
            os.truncate(log, 0)
        else:
            log.rename(old / name)
        add(log, f"after {name}\n")
        os.utime(old / name, (2_000_000_000 - int(name[-1]),) * 2)
    add(old / "other.log", "none of it\n")
    with running(followed(), host):
        host.wait_for(b"one", b"two", b"after app.log.2", b"after app.log.1")
