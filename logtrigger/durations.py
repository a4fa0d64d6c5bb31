"""Spans of time, and numbers of things, as people write them."""

from __future__ import annotations

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def in_one_unit(seconds: float) -> str:
    """The span in the largest unit of which it is a whole number.

    >>> in_one_unit(90_000), in_one_unit(86_400), in_one_unit(5_400)
    ('25h', '1d', '90m')
    """
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds % size == 0), ("s", 1))
    return f"{seconds / size:g}{unit}"


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


def amount(number: int, noun: str) -> str:
    """So many of something.

    >>> amount(1, "rule"), amount(2500, "rule")
    ('1 rule', '2,500 rules')
    """
    return f"{number:,} {noun}" + "s" * (number != 1)
