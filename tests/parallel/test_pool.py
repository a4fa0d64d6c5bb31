"""Pieces come back in order, what their source says last, and a process that dies is told."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logtrigger.parallel import Pool, WorkerError


def twice(piece: Any) -> Any:
    return [piece, piece]


@settings(max_examples=20)
@given(st.lists(st.binary(max_size=5).map(lambda some: some * 50_000), max_size=9), st.integers(1, 4))
def test_pieces_come_back_in_order(pieces: list[bytes], jobs: int) -> None:
    """However large they are, and as often as one likes."""
    pool = Pool(twice, jobs)
    try:
        for _ in range(2):
            assert list(pool.results(iter(pieces))) == [(piece, [piece, piece]) for piece in pieces]
    finally:
        pool.close()


@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("fault", [OSError("gone"), KeyboardInterrupt()])
def test_fault_of_the_source_comes_behind_what_was_before(jobs: int, fault: BaseException) -> None:
    def pieces() -> Iterator[int]:
        yield from range(3)
        raise fault

    pool, found = Pool(twice, jobs), []
    try:
        with pytest.raises(type(fault)):
            for piece, _ in pool.results(pieces()):
                found.append(piece)
    finally:
        pool.close()
    assert found == [0, 1, 2]


def test_process_that_dies_over_a_piece_is_told() -> None:
    pool = Pool(lambda piece: os.kill(os.getpid(), signal.SIGKILL), 2)
    try:
        with pytest.raises(WorkerError, match=r"was ended by signal 9 \(Killed\); run it again"):
            list(pool.results(iter([1, 2, 3])))
    finally:
        pool.close()
