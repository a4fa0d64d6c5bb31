"""Which matcher is used: the fastest there is, and plain Python where that fails."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from logtrigger import hyperscan_matcher
from logtrigger.matcher import LiteralMatcher, Owner
from logtrigger.matchers import CHOICE, fastest, user_cache
from logtrigger.patterns import scanf

OWNERS = [Owner([scanf.compile("a%s")])]
HITS = [(2, 4, 0)]


class Reports:
    """What was reported."""

    def __init__(self) -> None:
        self.said: list[tuple[int, str]] = []

    def __call__(self, level: int, text: str) -> None:
        self.said.append((level, text))


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    monkeypatch.delenv(CHOICE, raising=False)
    return Reports()


@pytest.mark.package("hyperscan")
@pytest.mark.parametrize("keep", [True, False])
def test_hyperscan_where_it_is_installed(reports: Reports, tmp_path: Path, keep: bool) -> None:
    matcher = fastest(tmp_path, reports, keep=keep)(OWNERS)
    assert isinstance(matcher, hyperscan_matcher.HyperscanMatcher)
    assert list(matcher.scan(b"b\nax\n")) == HITS
    assert [path.suffix for path in tmp_path.iterdir()] == [".hs"] * keep
    assert reports.said == []


@pytest.mark.package("hyperscan")
def test_commands_keep_what_the_daemon_has_not_compiled_elsewhere(reports: Reports, tmp_path: Path) -> None:
    """The daemon's folder is left to it, and its work made use of."""
    daemon, own = tmp_path / "daemon", tmp_path / "own"
    assert list(fastest(daemon, reports, keep=False, spare=own)(OWNERS).scan(b"b\nax\n")) == HITS
    assert not daemon.exists() and len(list(own.iterdir())) == 1
    fastest(daemon, reports)(OWNERS)
    (kept,) = own.iterdir()
    kept.unlink()
    assert list(fastest(daemon, reports, keep=False, spare=own)(OWNERS).scan(b"b\nax\n")) == HITS
    assert list(own.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/home/bob"}, Path("/home/bob/.cache/logtrigger")),
        ({"HOME": "/home/bob", "XDG_CACHE_HOME": "/x"}, Path("/x/logtrigger")),
        ({"XDG_CACHE_HOME": "relative"}, None),
        ({}, None),
    ],
)
def test_where_commands_keep_their_caches(environ: dict[str, str], folder: Path | None) -> None:
    assert user_cache(environ) == folder


@pytest.mark.package("hyperscan")
def test_no_cache_without_a_folder(reports: Reports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(fastest(None, reports)(OWNERS).scan(b"b\nax\n")) == HITS
    assert list(tmp_path.iterdir()) == []


def test_python_where_hyperscan_is_not_installed(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no fault: nothing is said."""
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    matcher = fastest(None, reports)(OWNERS)
    assert isinstance(matcher, LiteralMatcher)
    assert reports.said == []


@pytest.mark.package("hyperscan")
def test_python_where_hyperscan_cannot_compile(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> bytes:
        raise ValueError("too large")

    monkeypatch.setattr(hyperscan_matcher, "_compiled", refuse)
    matcher = fastest(None, reports)(OWNERS)
    assert isinstance(matcher, LiteralMatcher)
    assert list(matcher.scan(b"b\nax\n")) == HITS
    assert reports.said == [(0, "hyperscan cannot be used: too large; matching goes on in Python, slower")]


class Unsound:
    """The database of a library that misses lines."""

    def __init__(self, mode: int) -> None: ...

    def compile(self, **_: Any) -> None: ...

    def info(self) -> bytes:
        return b"Version: 5.4.12 Features:  Mode: BLOCK"


def test_python_where_hyperscan_misses_lines(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some version of its library does: to be slower is better."""
    unsound: Any = SimpleNamespace(Database=Unsound, HS_MODE_BLOCK=1, error=Exception)
    monkeypatch.setitem(sys.modules, "hyperscan", unsound)
    assert isinstance(fastest(None, reports)(OWNERS), LiteralMatcher)
    said = "its version 5.4.12 misses lines; install 'hyperscan<0.7.20'"
    assert reports.said == [(0, f"hyperscan cannot be used: {said}; matching goes on in Python, slower")]


def test_variable_keeps_to_python(reports: Reports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOGTRIGGER_ENGINE", "python")
    assert isinstance(fastest(tmp_path, reports)(OWNERS), LiteralMatcher)
    assert list(tmp_path.iterdir()) == []
