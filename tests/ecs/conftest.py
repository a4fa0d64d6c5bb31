"""What the tests of documents share: the shipped datasets, and a clock that stands in UTC."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from logtrigger import timestamps
from logtrigger.config.ecs import with_shipped
from logtrigger.config.words import Report
from logtrigger.ecs.mapping import Mapping
from logtrigger.ecs.normaliser import Normaliser

NOW = 1_698_800_000.0  # 2023-11-01
SetZone = Callable[[str], None]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetZone]:
    """Sets the zone of times that name none."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        forget()

    yield set_zone
    monkeypatch.undo()
    forget()


def forget() -> None:
    time.tzset()
    timestamps._iso_minute.cache_clear()
    timestamps._bsd_minute.cache_clear()


@pytest.fixture(autouse=True)
def utc(zone: SetZone) -> None:
    zone("UTC")


@pytest.fixture(scope="session")
def shipped() -> Mapping:
    report = Report()
    mapping = with_shipped(Mapping(()), report)
    assert report.complaints == []
    return mapping


Document = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def document(shipped: Mapping) -> Document:
    """The document of a line under one of the shipped datasets, or under all."""
    made: dict[tuple[str, ...], Normaliser] = {}

    def document(line: str | bytes, *names: str) -> dict[str, Any]:
        if names not in made:
            made[names] = Normaliser(shipped.only(names), NOW)
        data = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        found = list(made[names].documents(data + b"\n"))
        parsed = [json.loads(one) for one in found]
        assert len(parsed) <= 1
        return parsed[0] if parsed else {}

    return document
