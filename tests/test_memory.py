"""Memory is given back where that can be done, and nothing happens elsewhere."""

from __future__ import annotations

import ctypes
import gc
import sys

import pytest

from logtrigger import memory


def resident() -> int:
    """Pages of this process that are in memory; proc(5), statm."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])


def test_what_is_free_goes_back() -> None:
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("another C library than GNU's")
    held = [bytearray(4_000) for _ in range(20_000)]  # too small to be mapped by themselves
    top = bytearray(4_000)
    del held
    before = resident()
    memory.give_back()
    assert before - resident() > 10_000  # of 20,000 pages
    del top


def test_what_a_start_has_made_is_looked_through_no_more() -> None:
    kept = [[number] for number in range(1_000)]
    memory.settle()
    try:
        assert gc.get_freeze_count() >= 1_000
        assert not any(one is kept for one in gc.get_objects())
    finally:
        gc.unfreeze()


def test_without_ctypes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ctypes")
    memory.give_back()
    assert "ctypes" not in sys.modules
