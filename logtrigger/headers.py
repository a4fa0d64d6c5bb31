"""What stands before a log message: time, host, program, pid - in the forms that daemons really write.

Known are RFC 3164 (also without host, as pfSense and BusyBox write it, and with the facility.level of BusyBox and OpenWrt),
RFC 5424, ISO time stamps as rsyslog's files have them, `logread`, `journalctl -o short`, epoch seconds, the common log format,
objects of JSON, and the logs that programs write themselves: a time, perhaps in brackets, behind which the message begins. A
line of none of them is all body; one that begins with `program[pid]: ` still names its program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from logtrigger import timestamps
from logtrigger.patterns.pattern import Anchor

_LEVEL = (
    rb"(?:kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|security|console|local[0-7])"
    rb"\.(?:emerg|panic|alert|crit|err|error|warn|warning|notice|info|debug)"
)
_TIME = rb"(?:" + timestamps.ISO + rb"|" + timestamps.BSD + rb"|" + timestamps.EPOCH + rb")"
_TAG = rb"(?P<tag>(?P<program>[^\s:\[\]]{1,128})(?:\[(?P<pid>[^\]\s]{0,32})\])?:)(?: |\Z)"
_HOST = rb"(?P<host>[^\s\[\]]{0,254}[^\s:\[\]])"
_SYSLOG = re.compile(
    rb"(?:<[0-9]{1,3}>)?(?:(?P<time>\[?"
    + _TIME
    + rb"\]?) +(?:"
    + _LEVEL
    + rb" +(?:: )?|"
    + _HOST
    + rb" +(?:"
    + _LEVEL
    + rb" +)?)??|"
    + _LEVEL
    + rb" +(?:: )?)?"
    + _TAG
)
# A time, and where what it belongs to begins; FreeSWITCH puts the name of a call before it.
_BEFORE_TIME = rb"(?:<[0-9]{1,3}>|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} )?\[?"
# OpenVPN adds its microseconds where it is told to say much.
_BEHIND_TIME = rb"(?>" + _BEFORE_TIME + _TIME + rb"\]? +(?:us=[0-9]{1,6} )?)"
_STAMPED = re.compile(_BEHIND_TIME)
# A time, perhaps a host, and no tag: "Jan  1 00:00:00 host last message repeated 3 times".
_TIME_ONLY = re.compile(_BEFORE_TIME + rb"(?P<time>" + _TIME + rb")\]? +(?:(?P<host>[^\s:\[\]]{1,255}) (?=last message ))?")
_RFC5424 = re.compile(
    rb"<[0-9]{1,3}>1 (?P<time>\S{1,40}) (?P<host>\S{1,255}) (?P<tag>(?P<program>\S{1,48}) (?P<pid>\S{1,128})) \S{1,32} "
    rb'(?:-|(?:\[[^\s="\]]{1,64}(?: [^\s="\]]{1,64}="(?:[^"\\\]]|\\.)*")*\])+)(?: (?:\xef\xbb\xbf)?|\Z)'
)
_BRACKETS = re.compile(
    rb"[^\[]{0,300}\[(?P<time>" + timestamps.COMMON + rb"|" + timestamps.BSD + rb"|" + timestamps.ISO + rb")\]"
)
# An object of JSON: its time, where nothing but plain values stands before that.
_JSON = re.compile(
    rb'\{(?:"[0-9A-Za-z_.@-]{1,32}":(?:"[^"\\]{0,128}"|[0-9.-]{1,32}),){0,8}"(?:time|@?timestamp)":"(?P<time>'
    + timestamps.ISO
    + rb')"'
)

# A time of RFC 3164 and what follows it, up to where a year or fraction of a second would have ended.
_BSD_LENGTH = 21
_BSD_WIDTH = 16
_SECOND = re.compile(rb".{13}([0-5][0-9]) \Z")
_BSD_STAMP = re.compile(rb"[A-Z][a-z]{2} [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} \Z")
_ISO_STAMP = re.compile(timestamps.ISO + rb" \Z")
_MOST_STAMPS = 4096
_MOST_OTHERS = 200  # lines of a chunk with other headers than most
# Beginnings of lines, as long as _BSD_LENGTH, that tell the whole of a time: nothing behind them could be a part of it.
_CLOCK = rb" [0-9]{2}:[0-9]{2}:[0-9]{2}"
_WHOLE_TIME = re.compile(
    rb"(?:\[?[A-Z][a-z]{2} [ 0-3][0-9]%b|\[?[0-9]{4}(?:-[0-9]{2}-|/[0-9]{2}/)[0-9]{2}%b)(?:\]| [^0-9])" % (_CLOCK, _CLOCK)
)


# The commonest headers up to the tag, for re.MULTILINE: a group that is a time and a blank if `KnownStamps` has it, and a host.
USUAL_HEAD = rb"^(?:<[0-9]{1,3}>)?([A-Z].{14} (?![0-9])|[0-9]{4}-[^\s]{15,27} )[^\s:\[\]]{1,255} "
# Up to where a pattern that is anchored at the time begins; a group that is not empty.
TIME_HEAD = rb"^(?=(.))" + _BEHIND_TIME + rb"?+"


def usual_tag(programs: Iterable[str], longest_pid: int = 32) -> bytes:
    """The tag of one of these programs (none: of any) behind USUAL_HEAD, up to the message: `parse` finds the same."""
    return rb"(?!-[:\[])(?:" + (_names(programs) or rb"[^\s:\[\]]{1,128}") + rb")(?:\[[^\]\s]{0,%d}\])?: " % longest_pid


def other_tag(programs: Iterable[str], longest_pid: int = 32) -> bytes:
    """The same of any program but these."""
    return rb"(?!(?:" + _names(programs) + rb")[\[:])" + usual_tag((), longest_pid)


@cache
def _program() -> re.Pattern[bytes]:
    """For a line of the commonest headers its program, else the line. Compiled when it is asked for first."""
    time = rb"(?:[A-Z][a-z]{2} [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|" + timestamps.ISO + rb")"
    tag = rb"(?!-[:\[])([^\s:\[\]]{1,128})(?:\[[^\]\s]{0,32}\])?: "
    return re.compile(rb"^(?:(?:<[0-9]{1,3}>)?" + time + rb" [^\s:\[\]]{1,255} " + tag + rb"|(.*))", re.MULTILINE)


def programs_in(data: bytes) -> set[str] | None:
    """The programs that lines' headers name, as `parse` finds them; None: that would take too long to tell."""
    first = _program().match(data)
    if first is None or not first[1]:
        return None
    found = set(_program().findall(data))
    others = [line for name, line in found if not name]
    if len(others) > _MOST_OTHERS:
        return None
    named = {parse(line).program for line in others}
    return {program for program in named if program} | {name.decode("utf-8", "replace") for name, _ in found if name}


def _names(programs: Iterable[str]) -> bytes:
    return b"|".join(re.escape(name.encode()) for name in sorted(programs))


class Header(NamedTuple):
    """What stands before a log message. None where the line does not say.

    `tag` and `body` are the indexes in the line at which the program's tag and the message begin.
    """

    stamp: bytes | None = None  # the time as written
    host: str | None = None
    program: str | None = None
    pid: str | None = None
    tag: int = 0
    body: int = 0

    def time(self, now: float) -> float | None:
        """The time in epoch seconds; `now` settles a year that the line leaves out. None: it says none, or one that is not."""
        return None if self.stamp is None else timestamps.epoch(self.stamp.strip(b"[]"), now)


def begin(anchor: Anchor, header: Header, data: bytes, start: int, end: int) -> int | None:
    """Where in the line data[start:end], whose header this is, a pattern with this anchor must begin; None: nowhere.

    What begins behind the time begins with a line that has none.
    """
    if anchor == "time":
        found = _STAMPED.match(data, start, end)
        return found.end() if found else start
    if header.program is None:
        return None
    return start + (header.tag if anchor == "tag" else header.body)


def parse(line: bytes) -> Header:
    """The header of a line.

    >>> header = parse(b"<29>Aug 21 15:01:32 openvpn[9739]: 1.2.3.4:39236 [me] Peer")
    >>> header.program, header.pid, header.host, header.body
    ('openvpn', '9739', None, 35)
    """
    found = _RFC5424.match(line) or _SYSLOG.match(line)
    if found:
        host, program, pid = found.group("host", "program", "pid")
        return Header(found["time"], _text(host), _text(program), _text(pid), found.start("tag"), found.end())
    found = _TIME_ONLY.match(line)
    if found:
        return Header(found["time"], _text(found["host"]), tag=found.end(), body=found.end())
    found = (_JSON if line.startswith(b"{") else _BRACKETS).match(line)
    return Header(found["time"]) if found else Header()


def _text(raw: bytes | None) -> str | None:
    return None if raw is None or raw == b"-" else raw.decode("utf-8", "replace")


class KnownStamps(dict[bytes, float | None]):
    """What USUAL_HEAD takes for a time -> that in epoch seconds; None, and not remembered, for what is none."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0  # settles a year that the line leaves out
        self.strangers = 0  # answers that were None
        self._minutes: dict[bytes, float] = {}

    def __missing__(self, text: bytes) -> float | None:
        second = _SECOND.match(text)
        start = self._minutes.get(text[:-3]) if second else None
        time = start + int(second[1]) if second and start is not None else self._found(text)
        if time is None:
            self.strangers += 1
        elif len(text) > _BSD_WIDTH and b"." in text:
            pass  # it has a fraction, and will hardly come again
        elif len(self) < _MOST_STAMPS:
            self[text] = time
        else:
            self.clear()
        return time

    def _found(self, text: bytes) -> float | None:
        if _ISO_STAMP.match(text):
            return timestamps.epoch(text[:-1], self.now)
        time = timestamps.epoch(text[:-1], self.now) if _BSD_STAMP.match(text) else None
        if time is not None:
            if len(self._minutes) >= _MOST_STAMPS:
                self._minutes.clear()
            self._minutes[text[:-3]] = time - int(text[-3:-1])
        return time


class Stamps:
    """The time of many lines: neighbours share the text of their time, which is worked out once."""

    def __init__(self) -> None:
        self._known: dict[bytes, float] = {}
        self.known = KnownStamps()

    def time(self, data: bytes, begin: int, end: int, now: float) -> float | None:
        """When the line data[begin:end] says that it was written, as `parse` has it; None where it does not say."""
        time = self._known.get(data[begin : begin + _BSD_LENGTH])
        return self._find(data[begin:end], now) if time is None else time

    def _find(self, line: bytes, now: float) -> float | None:
        time, text = parse(line).time(now), line[:_BSD_LENGTH]
        if time is not None and len(text) == _BSD_LENGTH and _WHOLE_TIME.match(text):
            if len(self._known) >= _MOST_STAMPS:
                self._known.clear()
            self._known[text] = time
        return time
