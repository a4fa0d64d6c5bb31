"""Messages out of a stream or a datagram, each as one line, whatever it holds (RFC 6587, RFC 5425).

A stream is either counted, `LENGTH SP MESSAGE`, or has a line feed behind each message. The first octets of a connection
tell which (RFC 6587, 3.4.1: a digit from 1 to 9 begins a count), and that holds to its end: a message which could change
it might swallow those that follow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from logtrigger.sources.lines import SLACK, Lines
from logtrigger.text import safe

LARGEST_FRAME = 1 << 24  # octets that a count may announce, at least; above the longest line they are cut
LONGEST_COUNT = 16  # digits: where none of them ends it, it is no count

ESCAPES = {b"\n": b"#012", b"\r": b"#015", b"\0": b"#000"}  # as rsyslog writes control characters

_LINE_ENDS = b"\r\n\0 "  # what senders put behind a counted message without counting it
_COUNT = re.compile(rb"[\r\n\0 ]*+([1-9][0-9]{0,%d}+) " % (LONGEST_COUNT - 1))
_FIRST_DIGITS = b"123456789"
_DIGITS = re.compile(rb"[1-9][0-9]{0,%d}\Z" % (LONGEST_COUNT - 1))
_SHOWN = 20  # octets of what is wrong

# Where a connection begins there is text. Octets that never stand in any, in as many bytes as are looked at:
_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r\x1b"))
_NO_CONTROLS = bytes(set(range(256)) - set(_CONTROLS))
_PROBE = 512
_NOISE = 20  # a few octets, and one in so many


def one_line(message: bytes) -> bytes:
    """A message as one line, its b"\\n" included, whatever it holds.

    >>> one_line(b"<13>app: one\\ntwo\\0")
    b'<13>app: one#012two\\n'
    """
    text = message.rstrip(b"\0\r\n")
    for byte, escape in ESCAPES.items():
        if byte in text:
            text = text.replace(byte, escape)
    return text + b"\n"


def lines_of(messages: Sequence[bytes], max_line: int) -> bytes:
    """Messages as lines, one each. A line of more than max_line bytes keeps its beginning and its end."""
    data = b"\n".join(messages) + b"\n"
    plain = b"\r" not in data and b"\0" not in data and data.count(b"\n") == len(messages)
    if plain and (len(data) <= max_line or max(map(len, messages)) <= max_line):
        return data  # nearly always
    return b"".join([_cut(one_line(message), max_line) for message in messages])


def _cut(line: bytes, max_line: int) -> bytes:
    half = max_line // 2
    return line if len(line) <= max_line + 1 else line[:half] + line[half - max_line - 1 :]


class Frames:
    """The messages of one connection, in either framing.

    >>> Frames(1000).feed(b"<13>a: one\\r\\n<13>a: two\\n<13>a: th")
    b'<13>a: one\\n<13>a: two\\n'
    >>> Frames(1000).feed(b"10 <13>a: one14 <13>a: two\\nten9 <13>a: ")
    b'<13>a: one\\n<13>a: two#012ten\\n'
    """

    def __init__(self, max_line: int) -> None:
        self.fault = ""  # why nothing more can be understood
        self._max_line = max_line
        self._largest = max(LARGEST_FRAME, 16 * max_line)
        self._held = bytearray()  # of a counted message; or the first octets, or a count, that say too little yet
        self._missing = 0  # octets of the counted message that are still to come
        self._lines = Lines(max_line)
        self._cr = False  # the last octet was a carriage return: what follows it decides
        self._feed = self._begin

    def feed(self, data: bytes) -> bytes:
        """The lines that data completes. With `fault` set, the connection is of no use any more."""
        return self._feed(data)

    @property
    def held(self) -> int:
        """Octets of an unfinished message, as far as they are kept."""
        return len(self._held) + min(self._lines.held, self._max_line + SLACK) + self._cr

    @property
    def unfinished(self) -> bool:
        """Whether a message, or a count, has begun and not ended."""
        return bool(self._held or self._missing or self._lines.held or self._cr)

    def finish(self) -> bytes:
        """The line without an end before the end of the connection; an incomplete counted message is none."""
        if self._feed == self._counted:
            return b""
        if self._feed == self._begin:
            self._feed = self._ended_lines
            self._lines.feed(self._escaped(bytes(self._held)))
            self._held.clear()
        self._cr = False
        return b"".join(piece.data for piece in self._lines.finish())

    def _begin(self, data: bytes) -> bytes:
        """The first octets: which framing is it?"""
        start = (bytes(self._held) + data).lstrip(b"\r\n")
        self._held.clear()
        if not start or _DIGITS.match(start):
            self._held += start
            return b""
        is_counted = start[0] in _FIRST_DIGITS and _COUNT.match(start)
        self._feed = self._counted if is_counted else self._ended_lines
        if not is_counted and _is_noise(start):
            self.fault = f"it sends no text, but {_shown(start)}"
            return b""
        return self._feed(start)

    def _ended_lines(self, data: bytes) -> bytes:
        return b"".join([piece.data for piece in self._lines.feed(self._escaped(data))])

    def _escaped(self, data: bytes) -> bytes:
        if self._cr:
            data = b"\r" + data
        self._cr = data.endswith(b"\r")
        if self._cr:
            data = data[:-1]
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", ESCAPES[b"\r"])
        return data.replace(b"\0", ESCAPES[b"\0"]) if b"\0" in data else data

    def _counted(self, data: bytes) -> bytes:
        messages, at = list[bytes](), 0
        if self._missing:
            at = min(self._missing, len(data))
            self._hold(data[:at])
            if self._missing:
                return b""
            messages.append(bytes(self._held))
            self._held.clear()
        elif self._held:
            data = bytes(self._held) + data
            self._held.clear()
        size, match = len(data), _COUNT.match
        while found := match(data, at):
            at = found.end()
            end = at + int(found[1])
            if end > size:
                self._start(int(found[1]), data[at:])
                break
            messages.append(data[at:end])
            at = end
        else:
            self._keep_count(data[at:].lstrip(_LINE_ENDS))
        return lines_of(messages, self._max_line) if messages else b""

    def _start(self, count: int, begun: bytes) -> None:
        """A message whose end is still to come."""
        if count > self._largest:
            self.fault = f"it announces a message of {count} octets, where {self._largest} are the most"
        else:
            self._missing = count
            self._hold(begun)

    def _hold(self, data: bytes) -> None:
        """More of the message; of one that is too long, the middle goes."""
        self._held += data
        self._missing -= len(data)
        excess = len(self._held) - self._max_line - 1  # one more than is shown: the line stays known as too long
        if excess > SLACK:
            half = self._max_line // 2
            del self._held[half : half + excess]

    def _keep_count(self, rest: bytes) -> None:
        if not rest or _DIGITS.match(rest):
            self._held += rest
        else:
            self.fault = f"where a message's length in octets should stand, it sends {_shown(rest)}"


def _is_noise(start: bytes) -> bool:
    """Whether a connection begins with what no log message begins with, such as TLS spoken to the wrong port."""
    probe = start[:_PROBE]
    controls = len(probe.translate(None, _NO_CONTROLS))
    return probe[0] in _CONTROLS or controls > 4 + len(probe) // _NOISE


def _shown(data: bytes) -> str:
    return f"'{safe(data[:_SHOWN])}{'…' if len(data) > _SHOWN else ''}'"
