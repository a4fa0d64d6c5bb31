"""What is durable of an open file, and when. How files are followed is tested in test_file.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.model import Chunk
from logtrigger.sources.content import open_content
from logtrigger.sources.fingerprint import OVER
from logtrigger.sources.openfiles import OpenFiles
from logtrigger.sources.tail import Tail
from tests.sources.host import TestHost


@pytest.fixture
def host() -> Iterator[TestHost]:
    host = TestHost()
    yield host
    host.loop.close()


@pytest.fixture
def files(host: TestHost) -> Iterator[OpenFiles]:
    files = OpenFiles(host, "app")
    yield files
    files.close()


def begin(files: OpenFiles, path: Path, offset: int = 0) -> Tail:
    content = open_content(str(path))
    return files.begin(content, files.new_position(str(path), content, offset), str(path))


def test_a_stream_is_durable_with_its_first_line_and_says_how_it_begins(
    host: TestHost, files: OpenFiles, tmp_path: Path
) -> None:
    (tmp_path / "log").write_bytes(b"one\n")
    tail = begin(files, tmp_path / "log")
    assert not host.stored and not list(files.positions())
    files.deliver(tail, tail.take(tail.fetch()))
    assert host.events == [f"register {tail.stream}", f"deliver {tail.stream}"]
    assert host.stored[tail.stream].head.startswith("4:")
    assert [position.offset for position in files.positions()] == [4]


def test_a_stream_that_begins_later_is_durable_at_once(host: TestHost, files: OpenFiles, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntwo\n")
    begin(files, tmp_path / "log", 4)
    assert [position.offset for position in host.stored.values()] == [4]


def test_a_copy_is_durable_as_the_place_to_go_on_in(host: TestHost, files: OpenFiles, tmp_path: Path) -> None:
    for name in ("log", "copy"):
        (tmp_path / name).write_bytes(b"one\ntwo\n")
    tail = begin(files, tmp_path / "log", 4)
    old = files.let_go(tail)
    files.move(tail, open_content(str(tmp_path / "copy")), str(tmp_path / "copy"))
    assert host.stored[tail.stream].inode == os.stat(tmp_path / "copy").st_ino
    assert list(files.tails) == [tail.key]
    old.close()


def test_of_a_rotated_file_without_a_writer_it_is_said_that_all_was_read(files: OpenFiles, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\n")
    tail = begin(files, tmp_path / "log")
    files.deliver(tail, tail.take(tail.fetch()))

    def is_over() -> bool:
        (position,) = files.positions()
        return position.tail.endswith(OVER)

    assert not is_over()
    tail.detached = True
    assert files.detached() == [tail]
    with (tmp_path / "log").open("ab"):
        assert not is_over()
    assert is_over()


def test_who_gets_lines_may_close_everything(host: TestHost, files: OpenFiles, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 20 + b"\none\n")
    host.max_line = 10
    tail = begin(files, tmp_path / "log")

    def close(chunk: Chunk) -> None:
        files.close()

    host.on_deliver = close
    files.deliver(tail, tail.take(tail.fetch()))
    assert len(host.chunks) == 1 and tail.content is None
