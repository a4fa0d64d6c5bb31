"""Times as log lines write them, turned into epoch seconds.

Times without a year or zone are read as local time, in the latest year that does not put them into the future. Whole minutes
are remembered, since neighbouring lines share them.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

_DAY = 86_400.0
_MONTHS = {m: i for i, m in enumerate((b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec").split(), 1)}

# RFC 3164, section 4.1.2, with a year or a fraction as some daemons add; ctime(3), as OpenWrt's logread writes it.
BSD = (
    rb"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ 0-3]?[0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    rb"(?: (?:19|20)[0-9]{2}(?![0-9:.]))?"
)
# RFC 3339 and RFC 5424, section 6.2.3; with a blank or a comma as program logs have it, with slashes as nginx writes them, with
# a blank for the hour's first digit as MariaDB, and one before the zone as Exim does.
ISO = (
    rb"[0-9]{4}(?:-[0-9]{2}-|/[0-9]{2}/)[0-9]{2}[T ][ 0-9][0-9]:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
    rb"(?:Z|[+-][0-9]{2}:?[0-9]{2}| [+-][0-9]{4}(?= ))?"
)
EPOCH = rb"[0-9]{10}(?:\.[0-9]{1,9})?(?![0-9])"
# The common log format of web servers, and Apache's error log.
COMMON = rb"[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}"

_BSD_PARTS = re.compile(
    rb"(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) +([0-9]+) ([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(?: ([0-9]{4}))?\Z"
)
_COMMON_PARTS = re.compile(rb"(.{2})/(.{3})/(.{4}):(.{2}):(.{2}):([0-9]{2}) ([+-][0-9]{2})([0-9]{2})\Z")
_ISO_PARTS = re.compile(rb"(.{10}).(.{5}):([0-9]{2})(?:[.,]([0-9]+))? ?(.*)\Z")


def epoch(text: bytes, now: float) -> float | None:
    """Epoch seconds of a time in any of the forms above; None for one that does not exist (30 February, hour 25) or is before
    the epoch.

    >>> epoch(b"2023-10-31T15:09:55.5Z", 0.0)
    1698764995.5
    """
    seconds = _seconds(text, now)
    return seconds if seconds is not None and seconds >= 0 else None


def _seconds(text: bytes, now: float) -> float | None:
    try:
        if text[4:5] in (b"-", b"/"):
            return _iso(text)
        if text[2:3] == b"/":
            return _common(text)
        if text[:1].isdigit():
            return float(text)
        return _bsd(text, now)
    except (ValueError, OverflowError):
        return None


def _common(text: bytes) -> float:
    parts = _COMMON_PARTS.match(text)
    if parts is None or int(parts[6]) > 60:
        raise ValueError(text)
    return _common_minute(*parts.group(1, 2, 3, 4, 5, 7, 8)) + int(parts[6])


@lru_cache(maxsize=64)
def _common_minute(*parts: bytes) -> float:
    day, month, year, hour, minute, hours, minutes = parts
    if month not in _MONTHS:
        raise ValueError(month)
    zone = timezone(timedelta(hours=int(hours), minutes=int(hours[:1] + minutes)))
    return datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), tzinfo=zone).timestamp()


def _iso(text: bytes) -> float:
    parts = _ISO_PARTS.match(text)
    if parts is None:
        raise ValueError(text)
    day, minute, second, fraction, zone = parts.groups()
    if int(second) > 60:
        raise ValueError(text)
    return _iso_minute(day, minute, zone) + int(second) + float(b"0." + (fraction or b"0"))


@lru_cache(maxsize=64)
def _iso_minute(day: bytes, minute: bytes, zone: bytes) -> float:
    text = day.replace(b"/", b"-") + b" " + minute.replace(b" ", b"0") + zone
    return datetime.fromisoformat(text.decode("ascii")).timestamp()


def _bsd(text: bytes, now: float) -> float:
    parts = _BSD_PARTS.match(text)
    if parts is None:
        raise ValueError(text)
    month, day, hour, minute, second, fraction, year = parts.groups()
    if int(second) > 60:
        raise ValueError(text)
    start = _bsd_minute(month, day, hour, minute, year, int(now // _DAY))
    return start + int(second) + float(fraction or 0)


@lru_cache(maxsize=64)
def _bsd_minute(month: bytes, day: bytes, hour: bytes, minute: bytes, year: bytes | None, today: int) -> float:
    if month not in _MONTHS:
        raise ValueError(month)
    when = (_MONTHS[month], int(day), int(hour), int(minute))
    if year:
        return datetime(int(year), *when).timestamp()
    latest = datetime.fromtimestamp((today + 2) * _DAY)  # clocks differ: up to a day ahead is this year still
    for candidate in range(latest.year, latest.year - 9, -1):  # 29 February is at most eight years away
        try:
            at = datetime(candidate, *when)
        except ValueError:
            if when[:2] != (2, 29):
                raise
            continue
        if at <= latest:
            return at.timestamp()
    raise ValueError(month)
