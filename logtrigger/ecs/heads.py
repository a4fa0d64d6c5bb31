"""What stands before a message, as documents want it: whose message it is, where it begins, its time in UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from logtrigger import headers, timestamps
from logtrigger.logfiles.forms import FACILITIES, SEVERITIES

_PRI = re.compile(rb"<([0-9]{1,3})>")
_LEVEL = re.compile(rb" ([a-z]+[0-7]?)\.([a-z]+)[ ]")  # as BusyBox and OpenWrt write it
_OTHER_NAMES = {"security": "auth", "console": "alert", "panic": "emerg", "error": "err", "warn": "warning"}
# A time that begins the line. OpenVPN adds its microseconds where it is told to say much.
_STAMP = re.compile(
    rb"(?:<[0-9]{1,3}>)?\[?(" + b"|".join((timestamps.ISO, timestamps.BSD, timestamps.EPOCH)) + rb")\]?"
    rb"(?: us=([0-9]{1,6})(?= |\Z))?(?: +|\Z)"
)
_SYSLOG_TIME = rb"[A-Z][a-z]{2} [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|" + timestamps.ISO
_LONGEST_HEADER = 1024  # bytes in which a header names its program
_MOST_KNOWN = 4096
_FACILITY_CODES = {name: str(code) for code, name in enumerate(FACILITIES)}
_SEVERITY_CODES = {name: str(code) for code, name in enumerate(SEVERITIES)}


class Head(NamedTuple):
    """What stands before a message."""

    time: str  # as 2023-10-31T15:09:55Z, with milliseconds where the line has them; empty where it says none
    body: int  # where in the data the message begins
    program: str  # that the header names, where it is one of those looked for
    quick: re.Match[bytes] | None  # what was found, where the header is of the commonest form


class Heads:
    """Reads the heads of lines.

    Args:
        programs: those whose headers count; None: all.
        now: epoch seconds; settles the year of times that leave it out.
    """

    def __init__(self, programs: Iterable[str] | None, now: float) -> None:
        self._now = now
        self._names = None if programs is None else [name.encode() for name in sorted(programs)]
        names = rb"[^\s:\[\]]{1,128}" if self._names is None else b"|".join(map(re.escape, self._names))
        # As headers.quick_head: what this finds, headers.parse finds too.
        self._quick = re.compile(
            rb"(?:<([0-9]{1,3})>)?(" + _SYSLOG_TIME + rb") ([^\s:\[\]]{1,255}) (" + names + rb")(?:\[([^\]\s]{0,32})\])?: "
        ).match
        self._times: dict[bytes, str] = {}

    def of(self, data: bytes, begin: int, end: int) -> Head:
        """The head of the line data[begin:end]."""
        if self._names != []:
            found = self._quick(data, begin, end)
            if found:
                time = self._times.get(found[2]) or self.time(found[2])
                return Head(time, found.end(), found[4].decode("utf-8", "replace"), found)
            limit = min(end, begin + _LONGEST_HEADER)
            if self._names is None or any(data.find(name, begin, limit) >= 0 for name in self._names):
                head = self._parsed(data, begin, end)
                if head:
                    return head
        return self.stamped(data, begin, end)

    def stamped(self, data: bytes, begin: int, end: int) -> Head:
        """The head of a line that is a time and a message, whatever its message looks like."""
        found = _STAMP.match(data, begin, end)
        if found is None:
            return Head("", begin, "", None)
        time = self._times.get(found[1]) or self.time(found[1])
        if time and found[2]:
            time = f"{time[:19]}.{int(found[2]) // 1000:03}Z"
        return Head(time, found.end() if time else begin, "", None)

    def _parsed(self, data: bytes, begin: int, end: int) -> Head | None:
        header = headers.parse(data[begin : min(end, begin + _LONGEST_HEADER)])
        if header.program is None or self._names is not None and header.program.encode() not in self._names:
            return None
        return Head(self.time(header.stamp.strip(b"[]")) if header.stamp else "", begin + header.body, header.program, None)

    def time(self, stamp: bytes) -> str:
        """A time in UTC; empty where there is no such time. What neighbours write is remembered."""
        seconds = timestamps.epoch(stamp, self._now)
        text = "" if seconds is None else in_utc(seconds, exact=b"." in stamp or b"," in stamp)
        if len(self._times) >= _MOST_KNOWN:
            self._times.clear()
        self._times[stamp] = text
        return text


def in_utc(seconds: float, *, exact: bool) -> str:
    """Epoch seconds as ISO 8601 writes them.

    >>> in_utc(1698764995.5004, exact=True), in_utc(1698764995.0, exact=False)
    ('2023-10-31T15:09:55.500Z', '2023-10-31T15:09:55Z')
    """
    try:
        when = datetime.fromtimestamp(round(seconds, 3) if exact else int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    milliseconds = f".{round(when.microsecond, -3) // 1000:03}" if exact else ""
    return f"{when:%Y-%m-%dT%H:%M:%S}{milliseconds}Z"


def header_fields(line: bytes, head: Head) -> dict[str, str]:
    """What mapping.HEADER names, but for the message: of a line whose header names its program; what it lacks is missing."""
    found = {"time": head.time}
    header = None
    if head.program:
        header = headers.parse(line[:_LONGEST_HEADER])
        found |= {"program": head.program, "host": header.host or "", "pid": header.pid or ""}
    priority = _PRI.match(line)
    if priority and int(priority[1]) < 8 * len(FACILITIES):
        facility, severity = divmod(int(priority[1]), 8)
        found["priority"] = str(int(priority[1]))
        found |= _named(FACILITIES[facility], SEVERITIES[severity])
    elif header and (level := _LEVEL.search(b" " + line[: header.tag] + b" ")):
        found |= _named(*(_OTHER_NAMES.get(name.decode(), name.decode()) for name in level.groups()))
    return {name: value for name, value in found.items() if value}


def _named(facility: str, severity: str) -> dict[str, str]:
    if facility not in _FACILITY_CODES or severity not in _SEVERITY_CODES:
        return {}
    codes = {"facility_code": _FACILITY_CODES[facility], "severity_code": _SEVERITY_CODES[severity]}
    return {"facility": facility, "severity": severity, **codes}
