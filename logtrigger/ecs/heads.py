"""What stands before a message, as documents want it: whose message it is, where it begins, its time in UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from logtrigger import headers, timestamps
from logtrigger.ecs.document import NO_FRONT, Front
from logtrigger.logfiles.forms import FACILITIES, SEVERITIES

_PRI = re.compile(rb"<([0-9]{1,3})>")
_RFC5424 = re.compile(rb"<[0-9]{1,3}>1 ").match
_LEVEL = re.compile(rb" ([a-z]+[0-7]?)\.([a-z]+)[ ]")  # as BusyBox and OpenWrt write it
_OTHER_NAMES = {"security": "auth", "console": "alert", "panic": "emerg", "error": "err", "warn": "warning"}
# A time that begins the line. OpenVPN adds its microseconds where it is told to say much.
_STAMP = re.compile(
    rb"(?:<([0-9]{1,3})>)?\[?(" + b"|".join((timestamps.ISO, timestamps.BSD, timestamps.EPOCH)) + rb")\]?"
    rb"(?: us=([0-9]{1,6})(?= |\Z))?(?: +|\Z)"
)
_SYSLOG_TIME = rb"[A-Z][a-z]{2} [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|" + timestamps.ISO
_LONGEST_HEADER = 1024  # bytes in which a header names its program
_MOST_KNOWN = 4096
_PLAIN_LENGTH = 20  # "2023-10-31 15:09:55 "
_FACILITY_CODES = {name: str(code) for code, name in enumerate(FACILITIES)}
_SEVERITY_CODES = {name: str(code) for code, name in enumerate(SEVERITIES)}


class Head(NamedTuple):
    """What stands before a message."""

    time: str  # as 2023-10-31T15:09:55Z, with milliseconds where the line has them; empty where it says none
    body: int  # where in the line the message begins
    program: str = ""  # that the header names, where it is one of those looked for
    pid: str = ""  # where it is a number
    front: Front = NO_FRONT


_NO_HEAD = Head("", 0)


class Heads:
    """Reads the heads of lines.

    Args:
        programs: those whose headers count; None: all.
        now: epoch seconds; settles the year of times that leave it out.
    """

    def __init__(self, programs: Iterable[str] | None, now: float) -> None:
        self._now = now
        self._programs = None if programs is None else frozenset(programs)
        names = rb"[^\s:\[\]]{1,128}"
        if self._programs is not None:
            names = b"|".join(re.escape(name.encode()) for name in sorted(self._programs)) or b"(?!)"
        # Whether a line names one of them somewhere; None: any will do.
        self._names = None if programs is None else re.compile(names).search
        # As headers.USUAL_HEAD: what this finds, headers.parse finds too.
        self._quick = re.compile(
            rb"(?:<([0-9]{1,3})>)?(" + _SYSLOG_TIME + rb") ([^\s:\[\]]{1,255}) (" + names + rb")(?:\[([^\]\s]{0,32})\])?: "
        ).match
        # The last of these: whatever begins with the same text has the same head, such as what a program says in one second.
        self._header, self._recent = b"", _NO_HEAD
        self._times: dict[bytes, str] = {}
        self._plain: dict[bytes, Head] = {}  # the beginning of lines whose time is written in so many bytes
        self._fronts: dict[tuple[bytes | None, ...], Front] = {}

    def of(self, data: bytes, begin: int, end: int) -> Head:
        """The head of the line data[begin:end]."""
        header = self._header
        if header and data.startswith(header, begin, end):
            return self._recent
        limit = begin + _LONGEST_HEADER
        limit = end if end < limit else limit
        if self._names is not None and self._names(data, begin, limit) is None:
            return self.stamped(data, begin, end)
        found = self._quick(data, begin, end)
        if found is None:
            return self._parsed(data, begin, limit) or self.stamped(data, begin, end)
        priority, stamp, host, program, pid = found.groups()
        front = self._fronts.get((priority, host, program)) or self._front((priority, host, program), data, begin, end)
        time = self._times.get(stamp) or self.time(stamp)
        head = Head(time, found.end() - begin, front.facts["program"], _number(pid), front)
        self._header, self._recent = found[0], head
        return head

    def stamped(self, data: bytes, begin: int, end: int) -> Head:
        """The head of a line that is a time and a message, whatever its message looks like."""
        head = self._plain.get(data[begin : begin + _PLAIN_LENGTH])
        if head and begin + _PLAIN_LENGTH < end and data[begin + _PLAIN_LENGTH] not in b" u":
            return head
        found = _STAMP.match(data, begin, end)
        if found is None:
            return _NO_HEAD
        priority, stamp, microseconds = found.groups()
        time, body = self._times.get(stamp) or self.time(stamp), found.end() - begin
        if not time:
            return _NO_HEAD
        if microseconds:
            time = f"{time[:19]}.{int(microseconds) // 1000:03}Z"
        if priority:
            return Head(time, body, "", "", self._fronts.get((priority,)) or self._front((priority,), data, begin, end))
        head = Head(time, body)
        if not microseconds and body == _PLAIN_LENGTH == len(stamp) + 1:
            self._plain[found[0]] = head
        return head

    def _parsed(self, data: bytes, begin: int, end: int) -> Head | None:
        line = data[begin:end]
        header = headers.parse(line)
        if header.program is None or self._programs is not None and header.program not in self._programs:
            return None
        time = self.time(header.stamp.strip(b"[]")) if header.stamp else ""
        facts = _facts(line, header)
        body = header.body
        if line.startswith(b" ", body) and _RFC5424(line):  # rsyslog puts one more before what came in by RFC 3164
            body += 1
        return Head(time, body, header.program, _number(header.pid), Front(tuple(facts.items()), facts))

    def _front(self, key: Sequence[bytes | None], data: bytes, begin: int, end: int) -> Front:
        line = data[begin : min(end, begin + _LONGEST_HEADER)]
        if len(self._fronts) >= _MOST_KNOWN:
            self._fronts.clear()
        made = self._fronts[tuple(key)] = Front(key, _facts(line, headers.parse(line) if len(key) > 1 else None))
        return made

    def time(self, stamp: bytes) -> str:
        """A time in UTC; empty where there is no such time. What neighbours write is remembered."""
        seconds = timestamps.epoch(stamp, self._now)
        text = "" if seconds is None else in_utc(seconds, exact=b"." in stamp or b"," in stamp)
        if len(self._times) >= _MOST_KNOWN:
            self._times.clear()
            self._plain.clear()
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


def _number(text: str | bytes | None) -> str:
    """A process number as JSON; empty where it is none."""
    return str(int(text)) if text and len(text) < 19 and text.isdigit() else ""


def _facts(line: bytes, header: headers.Header | None) -> dict[str, str]:
    """What mapping.HEADER names and stays the same from line to line; what the line lacks is missing."""
    found = {"program": header.program or "", "host": header.host or ""} if header else {}
    priority = _PRI.match(line)
    if priority and int(priority[1]) < 8 * len(FACILITIES):
        facility, severity = divmod(int(priority[1]), 8)
        found["priority"] = str(int(priority[1]))
        found |= _named(FACILITIES[facility], SEVERITIES[severity])
    elif header and (level := _LEVEL.search(b" " + line[: header.tag])):
        found |= _named(*(_OTHER_NAMES.get(name.decode(), name.decode()) for name in level.groups()))
    return {name: value for name, value in found.items() if value}


def _named(facility: str, severity: str) -> dict[str, str]:
    if facility not in _FACILITY_CODES or severity not in _SEVERITY_CODES:
        return {}
    codes = {"facility_code": _FACILITY_CODES[facility], "severity_code": _SEVERITY_CODES[severity]}
    return {"facility": facility, "severity": severity, **codes}
