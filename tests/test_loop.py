"""The loop calls what is due, once, in its own thread, and never on behalf of a descriptor that is gone."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from logtrigger.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def test_a_readable_descriptor_is_told_until_it_is_unwatched(loop: Loop) -> None:
    read, write = os.pipe()
    got: list[bytes] = []
    loop.watch(read, lambda: got.append(os.read(read, 1)))
    os.write(write, b"ab")
    loop.turn(1)
    loop.turn(1)
    assert got == [b"a", b"b"]
    loop.unwatch(read)
    os.write(write, b"c")
    loop.turn(0)
    assert got == [b"a", b"b"]


def test_the_end_of_a_pipe_is_told(loop: Loop) -> None:
    read, write = os.pipe()
    got: list[bytes] = []
    loop.watch(read, lambda: got.append(os.read(read, 1)))
    os.close(write)
    loop.turn(1)
    assert got == [b""]


def test_a_descriptor_closed_in_the_same_turn_is_not_told(loop: Loop) -> None:
    pipes = [os.pipe(), os.pipe()]
    told: list[int] = []

    def close_both(own: int) -> None:
        told.append(own)
        for read, _ in pipes:
            loop.unwatch(read)
            os.close(read)

    for read, write in pipes:
        loop.watch(read, lambda own=read: close_both(own))  # type: ignore[misc]
        os.write(write, b"x")
    loop.turn(1)
    assert len(told) == 1


def test_a_descriptor_given_to_another_in_the_same_turn_is_not_told(loop: Loop) -> None:
    """The kernel gives a closed descriptor's number to the next file at once."""
    pipes = [os.pipe(), os.pipe()]
    told: list[str] = []

    def replace_both() -> None:
        told.append("old")
        for read, _ in pipes:
            loop.unwatch(read)
            os.close(read)
        for read, _ in pipes:
            os.dup2(silent[0], read)
            loop.watch(read, lambda: told.append("new"))

    silent = os.pipe()
    for read, write in pipes:
        loop.watch(read, replace_both)
        os.write(write, b"x")
    loop.turn(1)
    assert told == ["old"]


def test_timers_run_in_the_order_they_are_due(loop: Loop) -> None:
    ran: list[str] = []
    loop.call_later(0.02, lambda: ran.append("second"))
    loop.call_later(0.01, lambda: ran.append("first"))
    loop.call_later(0.015, lambda: ran.append("never")).cancel()
    start = time.monotonic()
    while len(ran) < 2 and time.monotonic() - start < 5:
        loop.turn()
    assert ran == ["first", "second"]
    assert time.monotonic() - start >= 0.02


def test_a_timer_set_by_a_timer_waits_for_the_next_turn(loop: Loop) -> None:
    ran: list[int] = []

    def again() -> None:
        ran.append(1)
        loop.call_later(0, again)

    loop.call_later(0, again)
    loop.turn(1)
    assert len(ran) == 1


def test_call_soon_runs_each_call_once_and_later_ones_in_the_next_turn(loop: Loop) -> None:
    ran: list[str] = []

    def first() -> None:
        ran.append("first")
        loop.call_soon(lambda: ran.append("second"))

    loop.call_soon(first)
    loop.turn(5)
    assert ran == ["first"]
    loop.turn(5)
    assert ran == ["first", "second"]


def test_another_thread_wakes_the_loop(loop: Loop) -> None:
    threads: list[int] = []
    other = threading.Thread(target=lambda: loop.call_threadsafe(lambda: threads.append(threading.get_ident())))
    other.start()
    start = time.monotonic()
    while not threads and time.monotonic() - start < 5:
        loop.turn(5)
    other.join()
    assert threads == [threading.get_ident()]
    assert time.monotonic() - start < 4


def test_any_number_of_wake_ups_is_taken_at_once(loop: Loop) -> None:
    for _ in range(100_000):  # more than the pipe holds
        loop.wake()
    loop.turn(1)
    start = time.monotonic()
    loop.turn(0.05)
    assert time.monotonic() - start >= 0.04


def test_run_ends_at_stop(loop: Loop) -> None:
    loop.call_later(0.01, loop.stop)
    loop.run()


def test_turn_waits_no_longer_than_asked(loop: Loop) -> None:
    loop.call_later(60, lambda: None)
    start = time.monotonic()
    loop.turn(0.01)
    assert time.monotonic() - start < 5


def test_a_descriptor_can_be_watched_for_writing(loop: Loop) -> None:
    """What is wanted of a watched descriptor can change, also from within a callback."""
    ours, theirs = socket.socketpair()
    told: list[str] = []

    def on_readable() -> None:
        told.append(ours.recv(10).decode())
        loop.change(ours.fileno(), on_readable, on_writable)

    def on_writable() -> None:
        told.append("writable")
        loop.change(ours.fileno(), on_readable, None)

    with ours, theirs:
        loop.watch(ours.fileno(), on_readable)
        loop.turn(0)
        theirs.send(b"one")
        loop.turn(1)
        assert told == ["one"]
        loop.turn(1)
        loop.turn(0)
        assert told == ["one", "writable"]
        loop.unwatch(ours.fileno())


def test_a_timer_may_be_further_away_than_the_system_can_wait(loop: Loop) -> None:
    loop.call_later(10 * 365 * 86_400.0, lambda: None)
    loop.call_soon(loop.stop)
    loop.run()
    loop.call_threadsafe(loop.stop)
    loop.turn()


def test_a_fault_in_a_callback_is_told_and_ends_nothing_else(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What made a descriptor's callback fail may still be there: it is left alone for a moment, not tried without end."""
    monkeypatch.setattr("logtrigger.loop.REST", 0.1)
    faults: list[str] = []
    loop.on_fault = lambda error: faults.append(str(error))
    done: list[str] = []
    read, write = os.pipe()

    def fail(what: str) -> None:
        raise ValueError(what)

    loop.watch(read, lambda: fail("descriptor"))
    os.write(write, b"x")
    loop.call_soon(lambda: fail("call"))
    loop.call_soon(lambda: done.append("call"))
    loop.call_later(0, lambda: fail("timer"))
    loop.call_later(0, lambda: done.append("timer"))
    end = time.monotonic() + 0.08
    while time.monotonic() < end:
        loop.turn(0.01)
    assert sorted(faults) == ["call", "descriptor", "timer"] and sorted(done) == ["call", "timer"]
    loop.turn(0.2)
    loop.turn(0.2)
    assert faults.count("descriptor") == 2
    loop.unwatch(read)
    os.close(read)
    os.close(write)
    for _ in range(3):
        loop.turn(0.06)
    assert faults.count("descriptor") == 2


def test_a_resting_descriptor_may_be_changed_and_goes_on_so(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logtrigger.loop.REST", 0.05)
    loop.on_fault = lambda error: None
    read, write = os.pipe()
    got: list[bytes] = []
    loop.watch(read, lambda: [][0])
    os.write(write, b"x")
    loop.turn(0.1)
    loop.change(read, lambda: got.append(os.read(read, 1)), None)
    end = time.monotonic() + 5
    while not got and time.monotonic() < end:
        loop.turn(0.1)
    assert got == [b"x"]
    loop.unwatch(read)
    os.close(read)
    os.close(write)


def test_without_anybody_to_tell_a_fault_is_raised(loop: Loop) -> None:
    loop.call_soon(lambda: [][0])
    with pytest.raises(IndexError):
        loop.turn(0)


def test_thread_that_comes_too_late() -> None:
    """Nobody is there to be called any more, and no descriptor of somebody else's is written to."""
    read, write = os.pipe2(os.O_NONBLOCK)
    loop = Loop()
    descriptor = loop.wake_fd
    loop.close()
    os.dup2(write, descriptor)
    loop.call_threadsafe(lambda: None)
    with pytest.raises(BlockingIOError):
        os.read(read, 1)
    for one in (read, write, descriptor):
        os.close(one)
