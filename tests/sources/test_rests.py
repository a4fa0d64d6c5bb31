"""Looking for what rotation carried away. How it is read then is tested in test_file.py, what a file is in test_past.py."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.model import Position
from logtrigger.sources import fingerprint
from logtrigger.sources.content import Content, open_content
from logtrigger.sources.fingerprint import TOLD
from logtrigger.sources.generations import Generations, Inode
from logtrigger.sources.inotify import Watcher
from logtrigger.sources.rests import Rests
from logtrigger.sources.standing import Standing
from logtrigger.sources.tail import Tail, inode_of
from tests.sources.host import TestHost

TEXT = b"".join(b"line %d\n" % number for number in range(500))


class Search:
    """A followed log, of which a thousand bytes have been read, and what is found of it."""

    def __init__(self, host: TestHost, folder: Path) -> None:
        self.host, self.log = host, folder / "app.log"
        self.said: list[str] = []
        self.begun: list[tuple[str, int]] = []
        self.tails: dict[Inode, Tail] = {}
        generations = Generations()
        watcher = Watcher(host.loop, lambda watch: None, lambda name: None)
        standing = Standing([str(self.log)], generations, lambda path, fault, is_absent: self.said.append(fault))
        standing.look(watcher)
        watcher.close()
        self.rests = Rests(host, "app", standing, generations, self.tails, self._begin, lambda path: False)
        self.log.write_bytes(TEXT)
        content = open_content(str(self.log))
        head, tail = fingerprint.head(content), fingerprint.tail(content, 1000)
        self.position = Position("s", "app", str(self.log), *inode_of(content.fd), 1000, head, tail)
        self.rests.past.add(self.position)
        content.close()

    def _begin(self, content: Content, position: Position | None, path: str, now: str) -> Tail:
        self.begun.append((os.path.basename(now), position.offset if position else 0))
        start = position or Position("new", "app", path, *inode_of(content.fd), 0)
        tail = self.tails[inode_of(content.fd)] = Tail(content, start, 1 << 20, 0)
        return tail

    def look(self) -> list[tuple[str, int]]:
        self.rests.look(str(self.log))
        self.rests.find(str(self.log), True)
        return self.begun


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Search]:
    host = TestHost()
    yield Search(host, tmp_path)
    host.loop.close()


def test_rest_first_then_what_nobody_saw(search: Search) -> None:
    search.log.rename(search.log.with_name("app.log.2"))
    search.log.with_name("app.log.1").write_bytes(b"between\n")
    assert search.look() == [("app.log.2", 1000), ("app.log.1", 0)]
    assert search.look() == [("app.log.2", 1000), ("app.log.1", 0)]  # what is being read is not looked at again


def test_under_any_name(search: Search) -> None:
    search.log.rename(search.log.with_name("aside.txt"))
    assert search.look() == [("aside.txt", 1000)]


def test_a_copy_under_any_name(search: Search) -> None:
    search.log.with_name("saved").write_bytes(TEXT)
    search.log.write_bytes(b"new\n")
    assert search.look() == [("saved", 1000)]


def test_what_is_lost_is_told_once(search: Search) -> None:
    search.log.write_bytes(b"new\n")
    search.look()
    assert search.look() == []
    assert [level for level, _ in search.host.reports] == [0]
    assert [one.tail[-1] for one in search.rests.past.positions()] == [TOLD]


def test_what_was_told_as_lost_is_read_when_it_turns_up(search: Search) -> None:
    search.log.write_bytes(b"new\n")
    search.look()
    search.log.with_name("app.log.1").write_bytes(TEXT)
    search.rests._generations.refresh()
    assert search.look() == [("app.log.1", 1000)]


def test_nothing_is_told_as_lost_while_names_change_hands(search: Search) -> None:
    """Rotation renames what was about to be looked at: its new name was not there yet, its old one is not any more."""
    search.log.rename(search.log.with_name("app.log.1"))
    search.log.write_bytes(b"new\n")
    assert len(search.rests._generations.of(str(search.log))) == 1  # this is the list that the look goes by
    search.log.with_name("app.log.1").rename(search.log.with_name("app.log.2"))
    assert search.look() == []
    assert search.rests.pending == {str(search.log)}
    assert search.host.reports == []
    assert search.look() == [("app.log.2", 1000)]
    assert search.rests.pending == set()


def test_nothing_is_told_as_lost_while_another_name_changes(search: Search) -> None:
    search.log.rename(search.log.with_name("saved"))
    search.log.write_bytes(b"new\n")
    assert len(search.rests._generations.others(str(search.log))) == 1
    search.log.with_name("saved").rename(search.log.with_name("kept"))
    assert search.look() == []
    assert search.host.reports == []
    assert search.look() == [("kept", 1000)]


def test_a_file_that_is_being_packed_is_waited_for_and_nothing_told(search: Search) -> None:
    search.log.write_bytes(b"new\n")
    with search.log.with_name("app.log.1.gz").open("wb", buffering=0) as out:
        out.write(gzip.compress(TEXT)[:5])
        assert search.look() == []
        assert search.rests.pending == {str(search.log)}
        assert search.host.reports == []


def test_a_packed_file_that_nobody_finishes_is_told(search: Search) -> None:
    search.log.write_bytes(b"new\n")
    search.log.with_name("app.log.1.gz").write_bytes(gzip.compress(TEXT)[:5])
    assert search.look() == []
    assert search.said[-1] == f"its end is missing; what it alone holds of {search.log} is not read"
    assert search.rests.pending == set()
