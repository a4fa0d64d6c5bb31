"""The copy of the store is made in time and at the end, whatever happens to it, and taken where there is no store."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from logtrigger.errors import StoreError
from logtrigger.loop import Loop
from logtrigger.model import Ban
from logtrigger.statecopy import StateCopy, restore
from logtrigger.store import Batch, Store
from logtrigger.store.schema import VERSION
from tests.cli.asking import NO_FIREWALL, ask, asked
from tests.live import BOUND, Live


class Place:
    """A store in one folder, its copy in another one that is not there yet, and what was reported."""

    def __init__(self, folder: Path) -> None:
        self.state, self.copy = folder / "ram/state.db", folder / "flash/lt/state.db"
        self.said: list[tuple[int, str]] = []
        self.loop = Loop()
        self.store = Store(self.state)

    def report(self, level: int, text: str) -> None:
        self.said.append((level, text))

    def keep(self, every: float = 1000.0) -> StateCopy:
        return StateCopy(self.loop, self.store, self.state, self.copy, self.report, every)

    def ban(self, *networks: str) -> None:
        self.store.commit_now(Batch(bans=[Ban(network, 1e9, None, "sshd", "rule", 5) for network in networks]))

    def reboot(self) -> None:
        """What was in memory is gone."""
        self.store.close()
        for path in self.state.parent.iterdir():
            path.unlink()
        self.state.parent.rmdir()

    def begin(self) -> list[str]:
        """Who is banned after a start."""
        restore(self.state, self.copy, self.report)
        self.store = Store(self.state)
        return [ban.network for ban in self.store.load_bans(2e9)[0]]

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + BOUND
        while not condition():
            assert time.monotonic() < end
            self.loop.turn(0.05)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.close()
    made.loop.close()


def test_no_room_for_a_thread(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and the copy at the end is made all the same."""

    def no_room(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    keeper = place.keep(every=0.01)
    place.ban("192.0.2.7")
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_room)
        place.until(lambda: bool(place.said))
    hourly = "it is tried again each hour, and until then a reboot forgets what is new"
    assert place.said == [(0, f"state_copy: can't start new thread; {hourly}")]
    keeper.last()
    assert place.copy.is_file()


def test_what_the_last_copy_holds_outlasts_a_reboot(place: Place) -> None:
    keeper = place.keep()
    place.ban("192.0.2.7", "2001:db8::/64")
    keeper.last()
    place.reboot()
    assert place.begin() == ["192.0.2.7", "2001:db8::/64"]
    assert place.said == [(1, f"state_copy: {place.copy} is the store now, as there was none")]


def test_it_is_made_again_and_again(place: Place) -> None:
    place.keep(0.01)
    place.until(place.copy.exists)
    place.ban("192.0.2.7")
    place.until(lambda: b"192.0.2.7" in place.copy.read_bytes())
    assert place.said == []


def test_nobody_else_can_read_it(place: Place) -> None:
    place.keep().last()
    assert place.copy.stat().st_mode & 0o777 == 0o600
    assert place.copy.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_lies_around_afterwards(place: Place) -> None:
    place.keep().last()
    assert os.listdir(place.copy.parent) == ["state.db"]
    assert {path.name for path in place.state.parent.iterdir()} <= {"state.db", "state.db-wal"}


def test_what_is_there_already_is_not_written(place: Place) -> None:
    """Each writing wears the flash."""
    place.ban("192.0.2.7")
    place.keep().last()
    before = place.copy.stat()
    place.keep().last()
    assert (place.copy.stat().st_ino, place.copy.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    place.ban("192.0.2.8")
    place.keep().last()
    assert place.copy.stat().st_ino != before.st_ino or place.copy.stat().st_mtime_ns != before.st_mtime_ns


def test_a_store_that_is_there_is_kept(place: Place) -> None:
    """The program was started again; the store is newer than the copy."""
    place.keep().last()
    place.ban("192.0.2.7")
    place.store.close()
    assert place.begin() == ["192.0.2.7"]
    assert place.said == []


def test_without_store_and_copy_it_begins_afresh(place: Place) -> None:
    place.reboot()
    assert (place.begin(), place.said) == ([], [])


def test_the_log_of_a_store_that_is_gone_is_not_mixed_in(place: Place) -> None:
    """SQLite would take a -wal file beside the copy for the copy's own."""
    place.ban("192.0.2.7")
    place.keep().last()
    place.ban("192.0.2.8")
    wal = place.state.with_name("state.db-wal")
    left = wal.read_bytes()
    place.store.close()
    place.state.unlink()
    wal.write_bytes(left)
    assert left and place.begin() == ["192.0.2.7"]


def test_a_full_medium(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told once, the older copy stays, and it goes on by itself when there is room again."""
    place.ban("192.0.2.7")
    keeper = place.keep()
    keeper.last()
    before = place.copy.read_bytes()
    place.ban("192.0.2.8")
    is_full = True

    def fsync(number: int) -> None:
        if is_full:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    keeper.last()
    keeper.last()
    assert place.copy.read_bytes() == before and os.listdir(place.copy.parent) == ["state.db"]
    is_full = False
    keeper.last()
    fault = "[Errno 28] No space left on device; it is tried again each hour, and until then a reboot forgets what is new"
    assert place.said == [(0, f"state_copy: {fault}"), (0, f"state_copy: {place.copy} can be written again")]


def test_a_store_that_cannot_be_read_is_told(place: Place) -> None:
    keeper = place.keep()
    place.store.close()
    keeper.last()
    assert place.said[0][1].startswith(f"state_copy: {place.state}: the store is closed; it is tried again")


def test_a_slow_medium_holds_nobody_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is written, commits and the loop go on, and no second copy is begun."""
    may_go_on, begun, real = threading.Event(), list[int](), os.fsync

    def fsync(number: int) -> None:
        begun.append(number)
        may_go_on.wait(BOUND)
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    keeper = place.keep(0.01)
    place.until(lambda: bool(begun))
    place.ban("192.0.2.7")
    turns = list[int]()
    place.loop.call_later(0.2, lambda: turns.append(1))
    place.until(lambda: bool(turns))
    assert len(begun) == 1 and not place.copy.exists()
    may_go_on.set()
    keeper.last()  # waits for the first one, and makes one more
    place.reboot()
    assert place.begin() == ["192.0.2.7"]


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x55" * (len(data) - 4096)
    path.write_bytes(data)


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")


def link(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (damage, "damaged, or no logtrigger store"),
        (lambda path: path.write_bytes(b"no database" * 100), "damaged, or no logtrigger store"),
        (make_newer, "written by a newer logtrigger"),
        (lambda path: path.chmod(0o622), "others could write it"),
        (link, "Too many levels of symbolic links"),
        (fifo, "it is no file"),
        pytest.param(lambda path: os.chown(path, 65534, 0), "others could write it", marks=pytest.mark.root),
    ],
)
def test_one_that_cannot_be_used_is_laid_aside(place: Place, spoil: Callable[[Path], None], why: str) -> None:
    place.ban("192.0.2.7")
    place.keep().last()
    spoil(place.copy)
    place.reboot()
    assert place.begin() == []
    ((level, text),) = place.said
    assert level == 0 and why in text and text.endswith("; counters, bans and reading positions begin anew")
    assert os.path.lexists(f"{place.copy}.unused") and not os.path.lexists(place.copy)
    assert {path.name for path in place.state.parent.iterdir()} <= {"state.db", "state.db-wal"}


def test_copying_into_a_store_needs_a_place(place: Place, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="can be written and has room"):
        place.store.copy(tmp_path / "file/copy")


def test_the_daemon_goes_on_after_a_reboot(tmp_path: Path) -> None:
    """A real one: two hits, a reboot, and the third hit is the third; a dry run neither reads nor writes a copy."""
    live = Live(tmp_path)
    copy = tmp_path / "flash/state.db"
    live.configure(live.rule(maxfail="3"), state_copy=copy)
    with live.running(level=3):
        live.write("hit bob", "hit bob")
        live.wait_for("2/3")
    assert copy.exists()
    live.state.unlink()
    with live.running("--dry-run"):
        pass
    assert not live.state.exists()
    with live.running(level=3):
        live.write("hit bob")
        live.wait_for("exit 0")
    assert f"state_copy: {copy} is the store now" in live.output
    assert len(live.ran.read_text().split()) == 1


def test_status_tells_of_it(tmp_path: Path) -> None:
    with asked(tmp_path, state_copy=tmp_path / "flash/state.db") as one:
        assert f", with a copy in {tmp_path}/flash/state.db" in ask(one, "status").stdout
        store = json.loads(ask(one, "status", "--json").stdout)["store"]
        assert (store["copy"], store["copy_error"]) == (f"{tmp_path}/flash/state.db", "")
        one.configure(one.rule(), NO_FIREWALL)
        assert ask(one, "reload").exit_code == 0
        assert json.loads(ask(one, "status", "--json").stdout)["store"]["copy"] is None


def test_a_reload_moves_it(tmp_path: Path) -> None:
    live = Live(tmp_path)
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    live.configure(state_copy=old)
    with live.running():
        live.configure(state_copy=new)
        live.signal(signal.SIGHUP)
        live.wait_for("reloaded")
    assert new.exists() and not old.exists()
