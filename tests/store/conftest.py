"""A state file, and the store on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.store import Store
from tests.store.given import StoreAt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "logtrigger.db"


@pytest.fixture
def opened(path: Path) -> Iterator[StoreAt]:
    """Opens the store at `path`; what was opened before is closed first, as a restart would."""
    stores: list[Store] = []

    def open_again() -> Store:
        for store in stores:
            store.close()
        stores.append(Store(path))
        return stores[-1]

    yield open_again
    for store in stores:
        store.close()
