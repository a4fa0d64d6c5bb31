"""What is said of peers: soon, but not often."""

from __future__ import annotations

import pytest

from logtrigger.sources.receiver import notices
from logtrigger.sources.receiver.notices import Notices
from tests.sources.host import TestHost, until


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute is short."""
    monkeypatch.setattr(notices, "EVERY", 0.1)


def texts(host: TestHost) -> list[str]:
    return [text for _, text in host.reports]


def test_the_first_few_at_once_and_the_others_as_a_number(host: TestHost, quick: None) -> None:
    some = Notices(host, 0, "and {count} more", said=2)
    for number in range(7):
        some.add(f"number {number}")
    assert texts(host) == ["number 0", "number 1"]
    until(host.loop, lambda: len(host.reports) == 3)
    assert texts(host)[2] == "and 5 more"
    some.add("hardly later")
    until(host.loop, lambda: len(host.reports) == 4)
    assert texts(host)[3] == "and 1 more"
    host.settle(0.25)
    some.add("much later")
    assert texts(host)[4:] == ["much later"]


def test_what_is_not_said_yet_is_said_at_the_end(host: TestHost) -> None:
    some = Notices(host, 1, "and {count} more")
    some.add("one", 3)
    some.add("two", 4)
    some.close()
    assert host.reports == [(1, "one"), (1, "and 4 more")]
    some.close()
    assert len(host.reports) == 2


def test_nothing_is_said_of_nothing(host: TestHost, quick: None) -> None:
    some = Notices(host, 0, "{count}")
    some.add("one")
    host.settle(0.25)
    some.close()
    assert texts(host) == ["one"]
