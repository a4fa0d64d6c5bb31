"""Lines that stand for several: `message repeated N times: [ … ]` and `last message repeated N times`.

Only where the message itself begins so, directly behind the tag: a user name that says so counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from logtrigger import headers
from logtrigger.headers import Header
from logtrigger.model import Chunk

MOST = 1000  # events one such line may stand for
_LONGEST = 8192  # bytes of a line that is remembered

_MARK = b"message repeated "
_QUOTED = re.compile(rb"message repeated ([0-9]{1,9}) times: \[ ?")
_LAST = re.compile(rb"last message repeated ([0-9]{1,9}) times\Z")

Piece = tuple[bytes, int, int, int]  # lines; where they begin and end in the stream; how many events each line is


class Repeats:
    """Takes such lines apart; remembers the last ordinary line of each stream for those that only point at it."""

    def __init__(self) -> None:
        self._last: dict[str, bytes] = {}

    def pieces(self, chunk: Chunk) -> Iterator[Piece]:
        """The chunk in pieces: runs of ordinary lines, and each repeated line by itself, put in place of its reference."""
        data, begin = chunk.data, 0
        at = data.find(_MARK)
        while at >= 0:
            start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at) + 1
            line = data[start : end - 1].rstrip(b" \t\r")
            header = headers.parse(line)
            found = (_QUOTED.match(line, header.body) or _LAST.match(line, header.body)) if header.body else None
            if found:
                self._remember(chunk.stream, data[begin:start])
            if found and (repeated := self._repeated(chunk.stream, line, header, found)) is not None:
                self._remember(chunk.stream, repeated)
                yield data[begin:start], chunk.offset + begin, chunk.offset + start, 1
                yield repeated, chunk.offset + start, chunk.offset + end, min(int(found[1]), MOST)
                begin = end
            at = data.find(_MARK, end)
        yield data[begin:], chunk.offset + begin, chunk.end, 1
        self._remember(chunk.stream, data[begin:])

    def _repeated(self, stream: str, line: bytes, header: Header, found: re.Match[bytes]) -> bytes | None:
        """The line that happened again, behind the header of the line that says so; None: it does not say so of another's."""
        if found.re is _QUOTED:
            return line[: header.body] + line[found.end() :].removesuffix(b"]") + b"\n"
        last = self._last.get(stream, b"\n")
        before = headers.parse(last)
        if header.program not in (None, before.program, "syslogd", "rsyslogd"):
            return None  # any program could else multiply what another one has logged
        return line[: header.tag] + last[before.tag :]

    def _remember(self, stream: str, data: bytes) -> None:
        if data:
            begin = data.rfind(b"\n", 0, len(data) - 1) + 1
            self._last[stream] = data[begin:] if len(data) - begin <= _LONGEST else b"\n"

    def forget(self, stream: str) -> None:
        """The stream is over."""
        self._last.pop(stream, None)
