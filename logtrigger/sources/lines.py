"""Bytes in, whole lines out: what every source does with what it has read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SLACK = 1 << 16  # bytes that a too long line may grow before its middle is dropped again, so that this stays rare


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines and the place they take in the stream; `end` is beyond offset + len(data) where a line was cut."""

    offset: int
    end: int
    data: bytes


class Lines:
    """Splits one stream of bytes into pieces of whole lines and keeps a half-written last line back.

    Only b"\\n" ends a line; everything else passes through. A line of more than max_line bytes (its b"\\n" aside) comes
    alone: its first and its last bytes, max_line together, without what stood between.

    >>> lines = Lines(max_line=10)
    >>> lines.feed(b"one\\ntwo\\nthr")
    [Piece(offset=0, end=8, data=b'one\\ntwo\\n')]
    >>> lines.feed(b"ee, four, five\\n")
    [Piece(offset=8, end=26, data=b'three five\\n')]
    """

    def __init__(self, max_line: int, offset: int = 0) -> None:
        self.offset = offset  # of the first byte not handed out yet
        self._max_line = max_line
        self._held = bytearray()  # the unfinished line, or its beginning and its end
        self._dropped = 0  # bytes of it that are no longer held

    @property
    def held(self) -> int:
        """Length of the unfinished line in the stream."""
        return len(self._held) + self._dropped

    def feed(self, data: bytes) -> list[Piece]:
        """The lines that data completes, as few pieces as possible."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._hold(data)
            return []
        block = b"".join((self._held, data[:end])) if self._held else data[:end]
        dropped = self._dropped
        self._held.clear()
        self._dropped = 0
        if end < len(data):
            self._hold(data[end:])
        return self._pieces(block, dropped)

    def finish(self) -> list[Piece]:
        """The unfinished line, ended, because nothing will follow; its end does not count the added b"\\n"."""
        if not self._held:
            return []
        (piece,) = self.feed(b"\n")
        self.offset -= 1
        return [Piece(piece.offset, self.offset, piece.data)]

    def _hold(self, data: bytes) -> None:
        self._held += data
        excess = len(self._held) - self._max_line - 1  # one more than is shown: the line stays known as too long
        if excess > SLACK:
            half = self._max_line // 2
            del self._held[half : half + excess]
            self._dropped += excess

    def _pieces(self, block: bytes, dropped: int) -> list[Piece]:
        pieces = []
        done = 0
        for start, end in self._long_lines(block):
            if start > done:
                pieces.append(self._piece(block[done:start], start - done))
            pieces.append(self._piece(self._cut(block[start:end]), end - start + dropped))
            done, dropped = end, 0  # only the first line of a block can have lost bytes
        if done < len(block):
            pieces.append(self._piece(block[done:], len(block) - done))
        return pieces

    def _piece(self, data: bytes, size: int) -> Piece:
        start = self.offset
        self.offset += size
        return Piece(start, self.offset, data)

    def _long_lines(self, block: bytes) -> Iterator[tuple[int, int]]:
        """Start and end of each line that is too long. Looks at one line end in max_line bytes only."""
        at = 0
        while len(block) - at > self._max_line + 1:
            end = block.rfind(b"\n", at, at + self._max_line + 1) + 1
            if not end:
                end = block.find(b"\n", at) + 1
                yield at, end
            at = end

    def _cut(self, line: bytes) -> bytes:
        half = self._max_line // 2
        return line[:half] + line[half - self._max_line - 1 :]
