"""The last lines of a log: whole ones, and not more than asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from logtrigger.doctor.tails import of_file, tail


@pytest.mark.parametrize(
    ("data", "longest", "last"),
    [
        (b"one\ntwo\n", 100, b"one\ntwo\n"),
        (b"one\ntwo\n", 5, b"two\n"),
        (b"one\ntwo\nhalf a li", 100, b"one\ntwo\n"),
        (b"no end", 100, b""),
        (b"", 100, b""),
    ],
)
def test_whole_lines_of_a_file(tmp_path: Path, data: bytes, longest: int, last: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(data)
    assert of_file(path, longest) == last


def test_files_of_a_source(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    files = [{"path": str(path)}, {"path": str(path)}, {"path": str(tmp_path / "gone")}, {"path": ""}]
    assert tail({"files": files, "reads": ""}) == b"one\n"
    assert tail({"files": [], "reads": "udp 127.0.0.1:514"}) == b""
