"""Batches as one come to what they come to one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.model import Unban
from logtrigger.store import Batch, Store, WindowRow
from tests.store.given import a_ban, a_position

stream_numbers = st.integers(0, 3)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """A batch with each stream and window in one list only."""
    streams = draw(st.dictionaries(stream_numbers, st.none() | st.integers(0, 9)))
    windows = draw(st.dictionaries(stream_numbers, st.none() | st.binary(max_size=2)))
    return Batch(
        positions=tuple(a_position(str(n), offset=offset) for n, offset in streams.items() if offset is not None),
        forgotten_streams=tuple(str(n) for n, offset in streams.items() if offset is None),
        windows=tuple(WindowRow("r", "s", str(n), data) for n, data in windows.items() if data is not None),
        dropped_windows=tuple(("r", str(n)) for n, data in windows.items() if data is None),
    )


@given(st.lists(batches(), min_size=1, max_size=4))
def test_batches_as_one_write_what_they_write_one_by_one(parts: list[Batch]) -> None:
    singly, together = Store(None), Store(None)
    whole = Batch()
    for part in parts:
        singly.commit_now(part)
        whole = whole.then(part)
    together.commit_now(whole)
    for load in (Store.load_positions, Store.load_windows):
        assert sorted(map(repr, load(singly))) == sorted(map(repr, load(together)))
    singly.close()
    together.close()


def test_very_many_changes_that_wait_come_to_what_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logtrigger.store.values.KEEP_BANS", 3)
    over = Unban("192.0.2.7", 1_100.0, "root")
    first, second = Batch(bans=[a_ban(), over]), Batch(bans=[a_ban("192.0.2.8")])
    assert first.then(second).bans == (a_ban(), over, a_ban("192.0.2.8"))
    assert first.then(second).then(Batch(bans=[over])).bans == (over, a_ban("192.0.2.8"))
