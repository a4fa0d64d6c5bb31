"""Times as log lines write them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger import timestamps
from logtrigger.timestamps import epoch


@pytest.fixture(params=["UTC", "Europe/Helsinki", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A local time zone; what is remembered of another one is forgotten."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        _local_time_changes()
        yield request.param
    _local_time_changes()


def _local_time_changes() -> None:
    time.tzset()
    timestamps._iso_minute.cache_clear()
    timestamps._bsd_minute.cache_clear()


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> float:
    return datetime(year, month, day, hour, minute, second).timestamp()


NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (b"2024-02-29T22:00:01Z", datetime(2024, 2, 29, 22, 0, 1, tzinfo=UTC)),
        (b"2024-02-29T22:00:01.250Z", datetime(2024, 2, 29, 22, 0, 1, 250_000, tzinfo=UTC)),
        (b"2024-02-29T22:00:01.123456789+02:00", datetime(2024, 2, 29, 20, 0, 1, 123_457, tzinfo=UTC)),
        (b"2024-02-29 22:00:01,5-0530", datetime(2024, 3, 1, 3, 30, 1, 500_000, tzinfo=UTC)),
        (b"2024-02-29 22:00:01 +0200", datetime(2024, 2, 29, 20, 0, 1, tzinfo=UTC)),
        (b"2024-02-29  9:00:01Z", datetime(2024, 2, 29, 9, 0, 1, tzinfo=UTC)),
        (b"2024/02/29 22:00:01Z", datetime(2024, 2, 29, 22, 0, 1, tzinfo=UTC)),
        (b"29/Feb/2024:22:00:01 -0330", datetime(2024, 3, 1, 1, 30, 1, tzinfo=UTC)),
        (b"29/Feb/2024:22:00:01 +0100", datetime(2024, 2, 29, 21, 0, 1, tzinfo=UTC)),
        (b"1709251200", datetime(2024, 3, 1, tzinfo=UTC)),
        (b"1709251200.75", datetime(2024, 3, 1, 0, 0, 0, 750_000, tzinfo=UTC)),
    ],
)
def test_time_with_a_zone(text: bytes, moment: datetime, zone: str) -> None:
    assert epoch(text, NOW) == pytest.approx(moment.timestamp(), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "year", "month", "day"),
    [
        (b"Feb 29 10:11:12", 2024, 2, 29),
        (b"Mar  1 10:11:12", 2024, 3, 1),
        (b"Mar 1 10:11:12", 2024, 3, 1),
        (b"Mar 01 10:11:12", 2024, 3, 1),
        (b"Mar  2 10:11:12", 2024, 3, 2),  # a clock may be ahead, by a day
        (b"Mar  5 10:11:12", 2023, 3, 5),  # else it was last year
        (b"Dec 31 10:11:12", 2023, 12, 31),
        (b"Thu Feb 29 10:11:12 2024", 2024, 2, 29),
        (b"Tue Feb 28 10:11:12 2023", 2023, 2, 28),
        (b"Feb 28 10:11:12 2021", 2021, 2, 28),
        (b"2024-02-29T10:11:12", 2024, 2, 29),
        (b"2024-02-29 10:11:12", 2024, 2, 29),
        (b"2024/02/29 10:11:12", 2024, 2, 29),
    ],
)
def test_time_without_a_zone_is_local(text: bytes, year: int, month: int, day: int, zone: str) -> None:
    """And one without a year was in the latest year that does not put it into the future."""
    assert epoch(text, NOW) == local(year, month, day, 10, 11, 12)


def test_fraction_of_a_second() -> None:
    assert epoch(b"Feb 29 10:11:12.5", NOW) == local(2024, 2, 29, 10, 11, 12) + 0.5


def test_leap_day_is_looked_for_in_leap_years() -> None:
    assert epoch(b"Feb 29 00:00:00", local(2023, 6, 1)) == local(2020, 2, 29)
    assert epoch(b"Feb 29 00:00:00", local(2103, 6, 1)) == local(2096, 2, 29)


def test_leap_second_is_the_next_minute() -> None:
    assert epoch(b"2016-12-31T23:59:60Z", NOW) == datetime(2017, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        b"Feb 30 10:11:12",
        b"Feb 29 10:11:12 2023",
        b"Foo  1 10:11:12",
        b"Feb  0 10:11:12",
        b"Feb  1 24:00:00",
        b"Feb  1 23:60:00",
        b"Feb  1 23:00:61",
        b"2024-13-01T00:00:00Z",
        b"2024-02-30T00:00:00Z",
        b"2024-02-01T25:00:00Z",
        b"2024-02-01T00:00:61Z",
        b"0000-01-01T00:00:00Z",
        b"31/Foo/2024:00:00:00 +0000",
        b"30/Feb/2024:00:00:00 +0000",
        b"29/Feb/2024:24:00:00 +0000",
        b"29/Feb/2024:00:00:61 +0000",
        b"29/Feb/2024:00:00:00 +2400",
        b"2024/02/30 00:00:00",
    ],
)
def test_time_that_does_not_exist(text: bytes) -> None:
    assert epoch(text, NOW) is None


FORMS = [timestamps.BSD, timestamps.ISO, timestamps.EPOCH, timestamps.COMMON]


@given(st.one_of([st.from_regex(form, fullmatch=True) for form in FORMS]), st.floats(0, 4e9))
def test_no_time_of_a_known_form_fails(text: bytes, now: float) -> None:
    """Whatever an attacker writes for a time is one, or none."""
    found = epoch(text, now)
    assert found is None or isinstance(found, float)


def test_a_time_before_the_epoch_is_none() -> None:
    assert timestamps.epoch(b"0001-01-01T00:00:00+14:00", 0.0) is None
