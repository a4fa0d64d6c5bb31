"""Spans of time as people write them."""

from __future__ import annotations

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def spoken(seconds: float) -> str:
    """The span with as few units as it takes.

    >>> spoken(3600), spoken(5400), spoken(0.5)
    ('1h', '1h30m', '0.5s')
    """
    if seconds != int(seconds) or seconds < 1:
        return f"{seconds:g}s"
    parts, rest = [], int(seconds)
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
