"""The ignore list, whole: names, files that change, and a command; none of them is ever waited for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from logtrigger import ignoring as module
from logtrigger.addresses import AddressSet
from logtrigger.ignoring import Ignoring
from logtrigger.loop import Loop
from logtrigger.rule import Settings


class Bench:
    """An ignore list in a loop, and names that stand for what a test says."""

    def __init__(self, *ignore: str, **options: Any) -> None:
        self.loop, self.said, self.spared = Loop(), list[str](), list[str]()
        self.names: dict[str, Sequence[str]] = {}
        self.changes = self.asked = 0  # asked: for the addresses of names
        self.list = Ignoring(self.loop, given(*ignore, **options), self._say, self._change, self.spared.append, self._resolve)
        self.list.start()

    def _say(self, level: int, text: str) -> None:
        self.said.append(text)

    def _change(self) -> None:
        self.changes += 1

    def _resolve(self, name: str) -> Sequence[str]:
        self.asked += 1
        if name not in self.names:
            raise socket.gaierror(-2, "Name or service not known")
        return self.names[name]

    def until(self, come: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not come():
            assert time.monotonic() < end, self.said
            self.loop.turn(0.02)

    def close(self) -> None:
        self.list.close()
        self.loop.close()


def given(*ignore: str, **options: Any) -> Settings:
    return Settings(path=Path("rules.conf"), rules=(), state=Path("state.db"), ignore=AddressSet(ignore), **options)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    monkeypatch.setattr(module, "_NAMES_EVERY", 0.02)
    monkeypatch.setattr(module, "_NAMES_AGAIN", 0.02)
    monkeypatch.setattr(module, "_FILES_EVERY", 0.02)
    monkeypatch.setattr(module, "_PATIENCE", 0.3)
    made: list[Bench] = []

    def make(*ignore: str, **options: Any) -> Bench:
        made.append(Bench(*ignore, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


# Names


def test_name_is_looked_up_again_and_again(bench: Callable[..., Bench]) -> None:
    """The last good answer counts on where there is none; that is said once."""
    made = bench("10.0.0.0/8", ignore_names=("gw.example.org",))
    assert "192.0.2.7" not in made.list.addresses and "10.1.2.3" in made.list.addresses
    made.until(lambda: made.said)
    asked = made.asked
    made.until(lambda: made.asked > asked + 2)
    fault = "ignore: 'gw.example.org' has no address: Name or service not known; until it has one, nobody is spared for it"
    assert made.said == [fault]
    made.names["gw.example.org"] = ["192.0.2.7", "2001:db8::7"]
    made.until(lambda: "192.0.2.7" in made.list.addresses)
    assert "2001:db8::7" in made.list.addresses and made.changes == 1
    assert made.list.origin("192.0.2.7") == ("name", "gw.example.org")
    made.names["gw.example.org"] = ["192.0.2.8"]
    made.until(lambda: "192.0.2.8" in made.list.addresses)
    assert "192.0.2.7" not in made.list.addresses
    del made.names["gw.example.org"]
    made.until(lambda: len(made.said) == 2)
    assert made.said[1].endswith("its last addresses count on") and "192.0.2.8" in made.list.addresses


def test_slow_name_server_holds_nobody_up(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Event()

    def slowly(bench: Bench, name: str) -> Sequence[str]:
        return ["192.0.2.7"] if answers.wait(20) else []

    monkeypatch.setattr(Bench, "_resolve", slowly)
    made = bench(ignore_names=("slow.example.org",))
    made.loop.turn(0.0)
    answers.set()  # only now: had anybody waited for it, there would be no address
    made.until(lambda: "192.0.2.7" in made.list.addresses)


def test_names_wait_for_room_for_a_thread(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine under attack: neither the start nor a later look fails for good."""

    def no_room(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_room)
        made = bench(ignore_names=("gw.example.org",))
    made.names["gw.example.org"] = ["192.0.2.7"]
    made.until(lambda: "192.0.2.7" in made.list.addresses)


def test_resolving_for_real() -> None:
    assert set(module.resolve("localhost")) & {"127.0.0.1", "::1"}


def test_reload_forgets_names_that_are_gone(bench: Callable[..., Bench]) -> None:
    made = bench(ignore_names=("a.example.org",))
    made.names["a.example.org"] = ["192.0.2.7"]
    made.until(lambda: "192.0.2.7" in made.list.addresses)
    made.list.take_up(given("10.0.0.0/8"))
    assert "192.0.2.7" not in made.list.addresses and "10.0.0.1" in made.list.addresses


def test_reloads_look_names_up_no_more_often(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each used to begin a row of looks of its own, beside those of the reloads before."""
    monkeypatch.setattr(module, "_NAMES_EVERY", 1000.0)
    monkeypatch.setattr(module, "_NAMES_AGAIN", 1000.0)
    made = bench(ignore_names=("a.example.org",))
    for _ in range(5):
        made.until(lambda: made.list._thread is None)
        made.list.take_up(given(ignore_names=("a.example.org",)))
    made.until(lambda: made.list._thread is None)
    assert made.asked == 6
    assert sum(timer.callback is not None for *_, timer in made.loop._timers) == 1


def test_name_that_comes_while_others_are_looked_up_does_not_wait(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_NAMES_EVERY", 1000.0)
    answers = Event()

    def slowly(bench: Bench, name: str) -> Sequence[str]:
        return ["192.0.2.7" if name.startswith("a") else "192.0.2.8"] if answers.wait(20) else []

    monkeypatch.setattr(Bench, "_resolve", slowly)
    made = bench(ignore_names=("a.example.org",))
    made.list.take_up(given(ignore_names=("a.example.org", "b.example.org")))
    answers.set()
    made.until(lambda: "192.0.2.8" in made.list.addresses)


# Files


def test_file_is_read_again_when_it_changes(bench: Callable[..., Bench], tmp_path: Path) -> None:
    path = tmp_path / "friends"
    made = bench(ignore_files=(path,))
    assert made.said == [f"ignore_file {path} cannot be read: No such file or directory; what it said last counts on"]
    path.write_text("# friends\n192.0.2.7  # bob\n2001:db8::/32 198.51.100.0/24\nnonsense\n")
    made.until(lambda: "192.0.2.7" in made.list.addresses)
    assert "2001:db8::9" in made.list.addresses and "198.51.100.9" in made.list.addresses
    assert made.said[1].startswith(f"{path}:4: passed over: 'nonsense' is no address or prefix")
    assert made.list.origin("192.0.2.7") == ("file", f"{path}:2")
    assert made.list.origin("198.51.100.0/24") == ("file", f"{path}:3")
    path.write_text("192.0.2.8\n")
    made.until(lambda: "192.0.2.8" in made.list.addresses)
    assert "192.0.2.7" not in made.list.addresses
    path.unlink()
    made.until(lambda: len(made.said) == 3)
    assert "192.0.2.8" in made.list.addresses


# The command


def test_look_at_files_that_fails_is_not_the_last_one(bench: Callable[..., Bench], tmp_path: Path) -> None:
    path, faults = tmp_path / "friends", list[Exception]()
    path.touch()
    made = bench(ignore_files=(path,))
    made.loop.on_fault = faults.append
    made.list._changed = lambda: made.spared.append("nobody" if faults else str(1 // 0))
    path.write_text("192.0.2.7\n")
    made.until(lambda: faults)
    path.write_text("192.0.2.7 192.0.2.8\n")
    made.until(lambda: made.spared)
    assert "192.0.2.8" in made.list.addresses


def test_file_of_something_else_is_not_told_word_by_word(bench: Callable[..., Bench], tmp_path: Path) -> None:
    path = tmp_path / "friends"
    path.write_text("192.0.2.7\n" + "Nov 21 gate sshd: hello\n" * 5_000)
    one = bench(ignore_files=(path,))
    assert one.list.addresses.texts == ("192.0.2.7",)
    assert len(one.said) == 11
    assert one.said[0].startswith(f"{path}:2: passed over: 'Nov' ")
    assert one.said[-1] == f"{path}: 24,990 more words passed over: is it the right file?"


def command(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "ask.sh"
    path.write_text(f"#!/bin/sh\necho asked >>{folder}/asked\n{text}\n")
    path.chmod(0o700)
    return (str(path), "{ip}")


def test_command_is_asked_once_for_each_address(bench: Callable[..., Bench], tmp_path: Path) -> None:
    made = bench(ignore_command=command(tmp_path, '[ "$1" = 192.0.2.7 ] && [ "$LT_ip" = 192.0.2.7 ]'))
    for address in ("192.0.2.7", "192.0.2.8", "192.0.2.7"):
        made.list.ask(address)
    made.until(lambda: (tmp_path / "asked").exists() and not made.list._waiting)
    assert made.spared == ["192.0.2.7"]
    assert made.list.spares("192.0.2.7") and not made.list.spares("192.0.2.8")
    made.list.ask("192.0.2.8")
    assert not made.list._waiting and (tmp_path / "asked").read_text().count("asked") == 2
    assert made.said == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("sleep 100", "it took longer than 0s"),
        ("echo what a nonsense; exit 7", "exit 7: what a nonsense"),
        ("kill -TERM $$", "ended by signal 15"),
    ],
)
def test_command_that_fails_spares_nobody(bench: Callable[..., Bench], tmp_path: Path, text: str, what: str) -> None:
    made = bench(ignore_command=command(tmp_path, text))
    made.list.ask("192.0.2.7")
    made.until(lambda: made.said)
    meant = "exit 0 spares an address, exit 1 does not"
    assert made.said == [f"ignore_command: {what}, asked about 192.0.2.7, which stays banned ({meant})"]
    assert made.spared == [] and not made.list.spares("192.0.2.7")
    made.list.ask("192.0.2.7")
    assert not made.list._waiting, "it is not asked again at once"


def test_command_that_is_replaced_has_no_say_any_more(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """Who waits for its answer is asked about anew."""
    go = tmp_path / "go"
    made = bench(ignore_command=command(tmp_path, f"until [ -e {go} ]; do sleep 0.01; done"))
    made.list.ask("192.0.2.7")
    made.until((tmp_path / "asked").exists)
    other = tmp_path / "other"
    other.mkdir()
    made.list.take_up(given(ignore_command=command(other, "exit 1")))
    go.touch()
    made.until(lambda: not made.list._waiting)
    assert made.spared == [] and (other / "asked").read_text() == "asked\n"
    made.list.ask("192.0.2.8")
    made.list.take_up(given())
    assert not made.list._waiting


def test_queue_for_the_command_is_bounded(bench: Callable[..., Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 2)
    made = bench(ignore_command=command(tmp_path, "exit 1"))
    said = "ignore_command: 2 addresses wait for it already; it is not asked about {}, nor others until it has caught up"
    for number in range(5):
        made.list.ask(f"192.0.2.{number}")
    assert made.said == [said.format("192.0.2.2")], "of a flood it is said once"
    made.until(lambda: not made.list._waiting)
    for number in range(5):
        made.list.ask(f"192.0.3.{number}")
    assert made.said[1:] == [said.format("192.0.3.2")]
