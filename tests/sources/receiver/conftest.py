"""A host for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sources.host import TestHost


@pytest.fixture
def host() -> Iterator[TestHost]:
    host = TestHost()
    yield host
    host.loop.close()
