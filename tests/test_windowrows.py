"""A counter comes back from the store as it went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.counters import WindowState
from logtrigger.window import Entry
from logtrigger.windowrows import from_row, to_row

TIMES = st.floats(min_value=0, max_value=1e11)
EVENTS = st.lists(st.tuples(TIMES, st.integers(1, 10**9)))


@given(st.text(), EVENTS, TIMES)
def test_there_and_back(key: str, events: Entry, suppressed: float) -> None:
    state = WindowState("rule sshd", "0123456789abcdef", key, events, suppressed)
    assert from_row(to_row(state)) == state


def test_form_in_the_file() -> None:
    """What an older version has stored must stay readable."""
    row = to_row(WindowState("group ssh", "ab", "192.0.2.7", [(1.5e9, 1), (1_500_000_000.25, 3)], 0.0))
    assert (row.namespace, row.signature, row.key) == ("group ssh", "ab", "192.0.2.7")
    assert row.data == b"[[[1500000000.0,1],[1500000000.25,3]],0.0]"


@pytest.mark.parametrize("data", [b"", b"[", b"[1]", b"[[[1,2,3]],0.0]", b"\xff"])
def test_damage_is_told(data: bytes) -> None:
    """As a ValueError, whatever it looks like: the store's owner says which file it is."""
    row = to_row(WindowState("rule sshd", "ab", "", [], 0.0))
    with pytest.raises(ValueError):
        from_row(type(row)(row.namespace, row.signature, row.key, data))
