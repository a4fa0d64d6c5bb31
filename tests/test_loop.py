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
