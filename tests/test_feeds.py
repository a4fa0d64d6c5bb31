"""Sources come and go with the configuration, and where they stood is kept."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from logtrigger.errors import Place, SourceError
from logtrigger.feeds import Feeds, make
from logtrigger.logfiles import LogFiles
from logtrigger.model import Chunk
from logtrigger.rule import Rule, SenderIs, Settings, SourceOptions
from logtrigger.sources.stdin import StdinSource
from tests.script import rule
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
    host.on_deliver = lambda chunk: feeds.delivered(chunk, 1.0)
    feeds.open([str(log)], SETTINGS)
    assert feeds.moved() == []
    log.write_bytes(b"one\n")
    until(host.loop, lambda: host.lines)
    assert [position.offset for position in feeds.moved()] == [4]
    assert feeds.moved() == []
    feeds.close()


def test_before_a_stop_all_are_asked(tmp_path: Path) -> None:
    """That a rotated file was read to its end is found out after its last line."""
    log = tmp_path / "log"
    log.write_bytes(b"")
    host = TestHost()
    feeds = Feeds(host, [])
    host.on_deliver = lambda chunk: feeds.delivered(chunk, 1.0)
    feeds.open([str(log)], SETTINGS)
    log.write_bytes(b"one\n")
    until(host.loop, lambda: host.lines)
    (before,) = feeds.moved()
    log.rename(tmp_path / "log.1")
    for _ in range(10):
        host.loop.turn(0.02)
    feeds.pause()
    (after,) = feeds.moved()
    assert (before.tail + ".", before.offset) == (after.tail, after.offset)
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
    assert host.reports == [(0, "x: cannot be opened: nothing there (make it); it is tried again until it can be opened")]
    (standing,) = feeds.standings()
    assert (standing.name, standing.fault) == ("x", "x: cannot be opened: nothing there (make it)")
    feeds.change([], SETTINGS)
    assert feeds.standings() == []
    feeds.close()


def test_what_a_reload_cannot_open_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told once, however often it fails, and once more when it is open."""
    monkeypatch.setattr("logtrigger.feeds.FIRST_RETRY", 0.005)
    host, sock = TestHost(), tmp_path / "below" / "log.sock"
    one = SourceOptions(name="net", place=place(1), listen=(f"unix:{sock}",), write=f"{tmp_path}/logs/x.log")
    (tmp_path / "logs").write_text("no folder")
    feeds = Feeds(host, [])
    tries: list[str] = []
    try_one = feeds._open_one

    def try_and_note(name: str, settings: Settings) -> None:
        tries.append(name)
        try_one(name, settings)

    monkeypatch.setattr(feeds, "_open_one", try_and_note)
    feeds.change([], settings(one))
    until(host.loop, lambda: len(tries) > 3)
    assert len(host.said("cannot be written to")) == 1
    (tmp_path / "logs").unlink()
    sock.parent.mkdir()
    until(host.loop, lambda: host.said("net: is open now"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"<13>Nov 21 08:00:00 app: hello", str(sock))
        until(host.loop, lambda: host.lines)
    assert feeds.standings()[0].fault == "" and not feeds.are_over
    feeds.close()


def test_a_reload_that_wants_a_source_no_more_ends_the_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logtrigger.feeds.FIRST_RETRY", 0.005)
    host, tries = TestHost(), list[str]()
    feeds = Feeds(host, [])

    def fail(name: str, settings: Settings) -> None:
        tries.append(name)
        raise SourceError("in vain")

    monkeypatch.setattr(feeds, "_open_one", fail)
    feeds.change(["x", "y"], SETTINGS)
    feeds.change(["y"], SETTINGS)
    tries.clear()
    until(host.loop, lambda: len(tries) >= 2)
    assert set(tries) == {"y"}
    feeds.close()


def test_a_dry_run_writes_no_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"")
    one = SourceOptions(name="in", place=place(1), file=(str(log),), write=f"{tmp_path}/logs/x.log")
    host = TestHost()
    feeds = Feeds(host, [], dry_run=True)
    host.on_deliver = lambda chunk: feeds.delivered(chunk, 1.0)
    feeds.open([], settings(one))
    log.write_bytes(b"one\n")
    until(host.loop, lambda: host.lines)
    assert not (tmp_path / "logs").exists()
    feeds.close()


def settings(*sources: SourceOptions, rules: Sequence[Rule] = ()) -> Settings:
    return replace(SETTINGS, sources=sources, rules=tuple(rules))


def place(line: int) -> Place:
    return Place("rules.conf", line)


def test_a_source_that_changed_is_opened_anew_and_others_stay(tmp_path: Path) -> None:
    """Where a section stands is no change."""
    host = TestHost()
    a, b = (SourceOptions(name=name, place=place(1), command=("sleep", "60")) for name in "ab")
    feeds = Feeds(host, [])
    feeds.open(["a", "b"], settings(a, b))
    before = dict(feeds._open)
    feeds.change(["a", "b"], settings(replace(a, command=("sleep", "61")), replace(b, place=place(7))))
    assert feeds._open["a"] is not before["a"] and feeds._open["b"] is before["b"]
    feeds.change(["b"], settings(b))
    assert list(feeds._open) == ["b"]
    feeds.close()


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"file": ("/nowhere/x",), "rotated": ("/nowhere/old",)}, "FileSource"),
        ({"command": ("sleep", "60")}, "CommandSource"),
        ({"journal": True}, "JournalSource"),
        ({"logread": True}, "LogreadSource"),
        ({"stdin": True}, "StdinSource"),
        ({"listen": ("tcp:601",)}, "Receiver"),
    ],
)
def test_each_kind_of_source(options: dict[str, Any], kind: str) -> None:
    made = make(TestHost(), "s", SourceOptions(name="s", place=place(1), **options), lambda: None, lambda: None)
    assert (type(made).__name__, made.name) == (kind, "s")


def test_lines_are_written_to_files_whether_a_rule_reads_them_or_not(tmp_path: Path) -> None:
    sock = tmp_path / "log.sock"
    one = SourceOptions(name="net", place=place(1), listen=(f"unix:{sock}",), write=f"{tmp_path}/logs/{{program}}.log")
    host = TestHost()
    feeds = Feeds(host, [])
    host.on_deliver = lambda chunk: feeds.delivered(chunk, 1.0)
    feeds.open([], settings(one))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"<13>Nov 21 08:00:00 app: hello", str(sock))
        until(host.loop, lambda: host.lines)
    assert b"app: hello" in (tmp_path / "logs/app.log").read_bytes()
    feeds.change([], settings())
    assert not sock.exists()
    feeds.close()


def test_a_folder_that_cannot_be_written_to_keeps_a_source_closed(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no folder")
    one = SourceOptions(name="net", place=place(1), listen=("udp:5514",), write=f"{tmp_path}/logs/x/{{host}}.log")
    with pytest.raises(
        SourceError, match="net: .*logs/x cannot be written to: (Not a directory|File exists)"
    ):  # the latter since Python 3.13
        Feeds(TestHost(), []).open([], settings(one))


def test_a_rule_that_asks_for_senders_is_told_where_none_is_known(tmp_path: Path) -> None:
    host, name = TestHost(), str(tmp_path / "log")
    feeds = Feeds(host, [])
    asks = rule("x", name="asks", source=name, senders=(SenderIs(0),))
    feeds.open([name], settings(rules=[asks, rule("x", name="other", source=name)]))
    said = host.said("does not tell who wrote a line")
    assert len(said) == 1 and said[0].startswith("rule asks sees no line: it asks for senders, and ")
    feeds.close()


def test_it_is_over_when_nothing_can_come_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input at its end is; another source beside it may still bring something."""
    over: list[str] = []
    host = TestHost()
    feeds = Feeds(host, [], lambda: over.append("over"))
    pipe, command = (
        SourceOptions(name="pipe", place=place(1), stdin=True),
        SourceOptions(name="cmd", place=place(1), command=("sleep", "60")),
    )
    with open(os.devnull) as empty:
        monkeypatch.setattr(StdinSource.__init__, "__defaults__", (empty.fileno(), "standard input"))
        feeds.open(["pipe", "cmd"], settings(pipe, command))
        host.settle(0.1)
        assert over == [] and not feeds.are_over
        feeds.change(["pipe"], settings(pipe))
        assert over == ["over"] and feeds.are_over
        feeds.close()


def test_a_clock_that_is_ahead_is_seen_each_minute() -> None:
    """By the first line of a live chunk; one without a time says nothing."""
    feeds = Feeds(TestHost(), [])

    def line(text: str, source: str, now: float, old: bool = False) -> None:
        data = text.encode() + b"\n"
        feeds.delivered(Chunk(source, source, "s", 0, len(data), data, catching_up=old), now)

    line("2026-11-21T08:00:05+00:00 h app: x", "a", 1795248000.0)
    line("2026-11-21T09:00:00+00:00 h app: x", "a", 1795248059.0)
    line("no time at all", "b", 1795248000.0)
    line("2020-11-21T08:00:00+00:00 h app: x", "c", 1795248000.0, old=True)
    assert feeds.skew() == {"a": 5.0}
    line("2026-11-21T08:01:00+00:00 h app: x", "a", 1795248060.0)
    assert feeds.skew() == {"a": 0.0}
    line("2026-11-21T06:01:04+00:00 h app: x", "a", 1795240862.0)
    assert feeds.skew() == {"a": 2.0}, "our own clock was set back"


def test_what_cannot_be_written_is_for_the_rules_all_the_same() -> None:
    class Broken:
        def write(self, chunk: Chunk, now: float) -> None:
            raise ValueError("for this test")

    host = TestHost()
    feeds = Feeds(host, [])
    feeds._files["a"] = cast(LogFiles, Broken())
    feeds.delivered(Chunk("a", "a", "s", 0, 2, b"x\n"), 1.0)
    assert host.said("a: 2 bytes could not be written to files: ValueError('for this test')")
