"""Whether an earlier generation of a log has been read, and where what has not been goes on."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

from logtrigger.model import Position
from logtrigger.sources import fingerprint
from logtrigger.sources.content import open_content
from logtrigger.sources.fingerprint import OVER, PART, TOLD
from logtrigger.sources.generations import Generations
from logtrigger.sources.past import GONE, WHOLE, Past, Verdict, is_over, marked
from logtrigger.sources.tail import Tail

TEXT = b"".join(b"line %d\n" % number for number in range(1000))
OTHER = TEXT.replace(b"line", b"LINE")


class Folder:
    """A log in a folder, and what is remembered of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.past = Past()

    def put(self, name: str, text: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return path

    def read(self, name: str, offset: int, mark: str = "", stream: str = "s") -> Position:
        """As if this file had been read up to there, at the log's path."""
        content = open_content(str(self.folder / name))
        status = os.fstat(content.fd)
        head, tail = fingerprint.fingerprint(content.read_at(min(1024, offset), 0)), fingerprint.tail(content, offset)
        position = Position(stream, "app", str(self.log), status.st_dev, status.st_ino, offset, head, tail + mark)
        self.past.add(position)
        return position

    def reading(self, name: str) -> Tail:
        """The log as it is being read: all of what stands there."""
        tail = Tail(open_content(str(self.folder / name)), Position("live", "app", str(self.log), 1, 2, 0), 1 << 20, 0)
        while data := tail.fetch():
            for chunk in tail.take(data):
                tail.offset = chunk.end
        return tail

    def judge(self, name: str, *live: Tail) -> Verdict | None:
        found = Generations().of(str(self.log))
        one = next(one for one in found if one.path == str(self.folder / name))
        return self.past.judge(str(self.log), one, open_content(one.path), live, found)


@pytest.fixture
def at(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_nobody_knows_is_to_be_read_whole(at: Folder) -> None:
    at.put("log.1", TEXT)
    assert at.judge("log.1") is WHOLE


@pytest.mark.parametrize("mark", ["", OVER])
def test_the_inode_decides(at: Folder, mark: str) -> None:
    at.put("log.1", TEXT)
    known = at.read("log.1", len(TEXT), mark)
    at.put("log.2", TEXT)
    assert at.judge("log.1") == Verdict(known, False)


def test_a_rest(at: Folder) -> None:
    at.put("log.1", TEXT)
    known = at.read("log.1", 500)
    assert at.judge("log.1") == Verdict(known, True)


def test_device_numbers_may_change(at: Folder) -> None:
    at.put("log.1", TEXT)
    known = at.read("log.1", 500)
    at.past.add(changed := Position(**{**{f: getattr(known, f) for f in Position.__slots__}, "device": 12345}))
    assert at.judge("log.1") == Verdict(changed, True)


def test_an_inode_with_other_content_is_another_file(at: Folder) -> None:
    at.put("log.1", TEXT)
    at.read("log.1", 500, OVER)
    at.put("log.1", OTHER)
    assert at.judge("log.1") is WHOLE


@pytest.mark.parametrize("name", ["log.1", "log.1.gz"])
def test_a_copy_takes_the_place_of_what_is_gone(at: Folder, name: str) -> None:
    at.put("log.7", TEXT[:500])
    at.read("log.7", 500)
    (at.folder / "log.7").unlink()
    at.put(name, TEXT)
    verdict = at.judge(name)
    assert verdict is not None and verdict.position is not None and verdict.is_unread
    assert verdict.position.inode == (at.folder / name).stat().st_ino


@pytest.mark.parametrize("name", ["log.1", "log.1.gz"])
def test_a_copy_of_what_was_read_to_its_end_is_known(at: Folder, name: str) -> None:
    at.put("log.7", TEXT)
    at.read("log.7", len(TEXT), OVER)
    (at.folder / "log.7").unlink()
    at.put(name, TEXT)
    verdict = at.judge(name)
    assert verdict is not None and verdict.position is not None and not verdict.is_unread


@pytest.mark.parametrize("size", [10, 1000, len(TEXT)])
def test_a_copy_beside_its_original_is_read_already(at: Folder, size: int) -> None:
    at.put("log.2", TEXT)
    at.read("log.2", len(TEXT), OVER)
    at.put("log.1", TEXT[:size])
    verdict = at.judge("log.1")
    assert verdict is not None and verdict.position is not None and not verdict.is_unread
    assert verdict.position.tail.endswith(PART)


def test_a_longer_file_than_one_that_was_over_is_another(at: Folder) -> None:
    at.put("log.7", TEXT[:500])
    at.read("log.7", 500, OVER)
    (at.folder / "log.7").unlink()
    at.put("log.1", TEXT)
    assert at.judge("log.1") is WHOLE


def test_a_copy_of_what_is_being_read_cannot_be_judged_yet(at: Folder) -> None:
    at.put("log", TEXT[:5000])
    live = at.reading("log")
    shutil.copy(at.log, at.folder / "log.1")
    assert at.judge("log.1", live) is None
    at.put("log.1", TEXT)
    assert at.judge("log.1", live) is None


@pytest.mark.parametrize("size", [5, 900, 1500, 4999])
def test_a_shorter_copy_of_what_is_being_read_is_read_already(at: Folder, size: int) -> None:
    at.put("log", TEXT[:5000])
    live = at.reading("log")
    at.put("log.1", TEXT[:size])
    verdict = at.judge("log.1", live)
    assert verdict is not None and verdict.position is not None and not verdict.is_unread
    at.past.cut(live)
    assert at.judge("log.1") == verdict or is_over(verdict.position)


def test_before_anything_is_read_content_tells_a_copy(at: Folder) -> None:
    at.put("log", TEXT)
    unread = Tail(open_content(str(at.log)), Position("live", "app", str(at.log), 1, 2, 0), 1 << 20, 0)
    at.put("log.1", TEXT[:700])
    assert at.judge("log.1", unread) is None
    at.put("log", OTHER)
    assert at.judge("log.1", unread) is WHOLE


def test_only_what_has_changed_is_judged_again(at: Folder) -> None:
    path = at.put("log.1", TEXT)
    (one,) = Generations().of(str(at.log))
    assert at.past.unsettled(str(at.log), [one]) == [one]
    at.past.settle(str(at.log), one)
    assert at.past.unsettled(str(at.log), [one]) == []
    path.write_bytes(OTHER + TEXT)
    (one,) = Generations().of(str(at.log))
    assert at.past.unsettled(str(at.log), [one]) == [one]


def test_streams_whose_files_are_gone_are_given_up_in_the_end(at: Folder) -> None:
    at.put("log.1", TEXT)
    for number in range(GONE + 3):
        at.past.add(Position(str(number), "app", str(at.log), 1, 10**9 + number, 4, "", OVER))
    at.past.add(Position("unfinished", "app", str(at.log), 1, 7, 4))
    assert at.past.evict(str(at.log), Generations().of(str(at.log))) == ["0", "1", "2"]
    assert at.past.evict_others(["another path"]) == []
    assert [one.stream for one in at.past.unfinished(str(at.log))] == ["unfinished"]


def test_marks(at: Folder) -> None:
    position = Position("s", "app", "log", 1, 2, 4, "4:00", "4:11")
    assert marked(marked(position, OVER), TOLD).tail == "4:11!"
    assert marked(marked(position, OVER), "") == position
    assert is_over(marked(position, OVER)) and not is_over(marked(position, TOLD))
