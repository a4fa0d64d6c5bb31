"""Reading positions come back, whatever the name of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from logtrigger.store import Batch
from tests.store.given import StoreAt, a_position


def test_registered_stream_is_written_at_once(opened: StoreAt, path: Path) -> None:
    opened().register(a_position())
    assert opened().load_positions() == [a_position()]


@pytest.mark.parametrize("inode", [0, 2**63, 2**64 - 1])
def test_any_inode_and_any_name(opened: StoreAt, inode: int) -> None:
    """Some file systems number inodes beyond SQLite's integers; a name in a watched folder need not be UTF-8."""
    path = "/var/log/\udcff\U0001f600'; DROP TABLE stream"
    position = a_position("7:\udcff", source=path, inode=inode, path=path)
    opened().register(position)
    assert opened().load_positions() == [position]


def test_known_stream_is_registered_at_its_offset_of_the_last_commit(opened: StoreAt) -> None:
    """Beyond it lines were read whose counters and triggers no commit holds: after a crash they are to be read again."""
    store = opened()
    old = a_position("1", offset=100, head="h", tail="t")
    store.commit_now(Batch(positions=(old,)))
    store.register(a_position("1", offset=500, head="i", tail="u", path="/var/log/auth.log.1", inode=10))
    assert opened().load_positions() == [a_position("1", offset=100, head="h", tail="t", path="/var/log/auth.log.1", inode=10)]
