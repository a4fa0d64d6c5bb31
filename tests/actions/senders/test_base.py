"""Secrets are read when they are wanted, and shown to nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.actions.senders.base import Secret, Unreachable, values
from logtrigger.model import Trigger


def test_the_first_line_is_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("  s3cret \nanother line\n")
    assert Secret(path).read() == "s3cret"
    assert "s3cret" not in repr(Secret(path))


def test_a_secret_that_cannot_be_read_may_be_there_later(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        Secret(tmp_path / "none").read()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(Unreachable, match="is no text"):
        Secret(tmp_path / "bytes").read()


@pytest.mark.parametrize(
    ("text", "why"), [("", "is empty"), ("\n\nx", "is empty"), ("a\0b", "no character"), ("a\tb", "no character")]
)
def test_what_no_header_could_hold_is_not_quoted(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(Unreachable, match=f"key: its first line .*{why}"):
        Secret(tmp_path / "key").read()


def test_a_file_of_an_impossible_name_can_be_told_of(make_trigger: Callable[..., Trigger]) -> None:
    known = values(make_trigger(source="/var/log/\udcffé.log"))
    assert known["source"] == "/var/log/\ufffdé.log" and known["source"].encode()
