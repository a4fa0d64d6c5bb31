"""Sources come and go with the configuration, and where they stood is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from logtrigger.errors import SourceError
from logtrigger.feeds import Feeds
from logtrigger.rule import Settings
from tests.sources.host import TestHost, until

SETTINGS = Settings(path=Path("rules.conf"), rules=(), state=Path("state.db"))


def test_a_source_that_is_closed_and_opened_again_goes_on_where_it_stood(tmp_path: Path) -> None:
    """The daemon's store is asked only once, at the start; a reload must not go back to what it said then."""
    log = tmp_path / "log"
    log.write_bytes(b"")
    host, name = TestHost(), str(log)
    feeds = Feeds(host, [])
    host.positions = feeds.known  # type: ignore[method-assign]  # as the daemon does
    feeds.open([name], SETTINGS)
    log.write_bytes(b"one\n")
    until(host.loop, lambda: host.lines == [b"one"])
    left = feeds.change([], SETTINGS)
    assert [position.offset for position in left] == [4]
    with log.open("ab") as file:
        file.write(b"two\n")
    feeds.change([name], SETTINGS)
    until(host.loop, lambda: host.lines == [b"one", b"two"])
    feeds.close()


def test_positions_are_asked_of_those_that_moved(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"")
    host = TestHost()
    feeds = Feeds(host, [])
    host.on_deliver = lambda chunk: feeds.delivered(chunk.source, 1.0)
    feeds.open([str(log)], SETTINGS)
    assert feeds.moved() == []
    log.write_bytes(b"one\n")
    until(host.loop, lambda: host.lines)
    assert [position.offset for position in feeds.moved()] == [4]
    assert feeds.moved() == []
    feeds.close()


def test_paused_sources_deliver_nothing_and_new_ones_open_paused(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"")
    host = TestHost()
    feeds = Feeds(host, [])
    feeds.pause()
    feeds.open([str(log)], SETTINGS)
    log.write_bytes(b"one\n")
    for _ in range(5):
        host.loop.turn(0.02)
    assert host.lines == []
    feeds.resume()
    until(host.loop, lambda: host.lines == [b"one"])
    feeds.close()


class _Broken(Feeds):
    def _open_one(self, name: str, settings: Settings) -> None:
        raise SourceError(f"{name}: cannot be opened: nothing there (make it)")


def test_a_source_that_cannot_be_opened_ends_the_start_but_not_a_reload() -> None:
    host = TestHost()
    feeds = _Broken(host, [])
    with pytest.raises(SourceError):
        feeds.open(["x"], SETTINGS)
    feeds.change(["x"], SETTINGS)
    assert host.reports == [(0, "x: cannot be opened: nothing there (make it)")]
