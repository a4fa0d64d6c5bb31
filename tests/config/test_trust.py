"""Only what root or we alone can write is trusted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from logtrigger.config.trust import doubts, is_missing, on_behalf_of, script_doubts

US, OTHER = 4_000_000, 4_000_001  # users that no system has


def status(mode: int, user: int = US) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, user, OTHER, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "user", "said"),
    [
        (stat.S_IFREG | 0o644, US, []),
        (stat.S_IFREG | 0o644, 0, []),
        (stat.S_IFREG | 0o644, OTHER, [("/x belongs to user 4000001", "chown root /x")]),
        (stat.S_IFREG | 0o664, US, [("/x can be written by group 4000001", "chmod g-w /x")]),
        (stat.S_IFREG | 0o666, US, [("/x can be written by everybody", "chmod go-w /x")]),
        (stat.S_IFREG | 0o602, US, [("/x can be written by everybody", "chmod o-w /x")]),
        (stat.S_IFDIR | 0o777, US, [("/x can be written by everybody", "chmod go-w /x")]),
        (stat.S_IFDIR | 0o1777, US, []),  # such as /tmp
        (stat.S_IFDIR | 0o1777, OTHER, [("/x belongs to user 4000001", "chown root /x")]),
        (stat.S_IFREG | 0o1666, US, [("/x can be written by everybody", "chmod go-w /x")]),
    ],
)
def test_doubts(mode: int, user: int, said: list[tuple[str, str]]) -> None:
    assert list(doubts(Path("/x"), status(mode, user), US)) == said


def test_root_may_look_on_behalf_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `logtrigger doctor` does for a daemon that runs as somebody else. Nobody else may."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    file = status(stat.S_IFREG | 0o644)
    with on_behalf_of(US):
        assert list(doubts(Path("/x"), file)) == []
        assert list(doubts(Path("/x"), status(stat.S_IFREG | 0o644, OTHER)))
        monkeypatch.setattr(os, "geteuid", lambda: OTHER)
        assert list(doubts(Path("/x"), file))
        monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert list(doubts(Path("/x"), file))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "ban.sh"
    path.write_text("exit 0\n")
    path.chmod(0o600)
    return path


def test_script_without_run_bit_is_good(script: Path) -> None:
    assert list(script_doubts(script)) == []


def test_script_that_others_may_write(script: Path) -> None:
    script.chmod(0o606)
    assert list(script_doubts(script)) == [(f"{script} can be written by everybody", f"chmod o-w {script}")]


def test_folder_that_others_may_write(script: Path) -> None:
    script.parent.chmod(0o703)
    assert list(script_doubts(script)) == [(f"{script.parent} can be written by everybody", f"chmod o-w {script.parent}")]


def test_folder_of_a_link_target(script: Path, tmp_path: Path) -> None:
    """Who may exchange the file behind a link decides what runs."""
    (tmp_path / "links").mkdir(mode=0o700)
    (tmp_path / "links/x.sh").symlink_to(script)
    script.parent.chmod(0o703)
    assert [fault for fault, _ in script_doubts(tmp_path / "links/x.sh")] == [f"{script.parent} can be written by everybody"]


def test_missing_script(tmp_path: Path) -> None:
    assert list(script_doubts(tmp_path / "no.sh")) == [
        (f"the script {tmp_path}/no.sh cannot be run: No such file or directory", "create it, or correct the path")
    ]


def test_script_with_arguments(tmp_path: Path) -> None:
    [(_, remedy)] = script_doubts(tmp_path / "no.sh --fast")
    assert remedy == "give a path alone; what the script needs besides goes into: list env 'NAME=value'"


def test_folder_is_no_script(tmp_path: Path) -> None:
    assert list(script_doubts(tmp_path)) == [(f"the script {tmp_path} is no file", "give the path of a script")]


@pytest.mark.parametrize(
    ("text", "mode", "missing"),
    [
        ("#!/bin/sh\n", 0o700, ""),
        ("#! /bin/sh -e\n", 0o700, ""),
        ("#!/usr/bin/env sh\n", 0o700, ""),
        ("#!/usr/bin/env -S sh -e\n", 0o700, ""),
        ("exit 0\n", 0o700, ""),
        ("", 0o700, ""),
        ("#!/no/such/shell\n", 0o700, "/no/such/shell"),
        ("#!/no/such/shell\n", 0o600, ""),  # it is given to /bin/sh
        ("#!nosh", 0o700, "nosh"),
        ("#!/usr/bin/env nosuchsh\n", 0o700, "nosuchsh"),
        ("#!\n", 0o700, "no interpreter"),
    ],
)
def test_interpreter_that_is_not_there(script: Path, text: str, mode: int, missing: str) -> None:
    script.write_text(text)
    script.chmod(mode)
    remedy = "install it, or correct the script's first line"
    assert list(script_doubts(script)) == (
        [(f"the script {script} is for {missing}, which is not there", remedy)] if missing else []
    )


@pytest.mark.parametrize("text", [b"#!/bin/sh\r\nexit 0\r\n", b"exit 0\r\n"])
@pytest.mark.parametrize("mode", [0o600, 0o700])
def test_line_ends_of_windows(script: Path, text: bytes, mode: int) -> None:
    script.write_bytes(text)
    script.chmod(mode)
    [(fault, remedy)] = script_doubts(script)
    assert fault == f"the script {script} has the line ends of Windows, CR LF"
    assert remedy == f"sed -i 's/\\r$//' {script}"


def test_what_is_missing(tmp_path: Path) -> None:
    """Nothing there, or no folder on the way; but not what cannot be looked at."""
    (tmp_path / "file").touch()
    assert is_missing(tmp_path / "none") and is_missing(tmp_path / "file" / "below")
    assert not is_missing(tmp_path / "file") and not is_missing(tmp_path / ("x" * 300))
