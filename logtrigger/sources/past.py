"""What once stood at the followed paths: which of it has been read, and which files hold it now.

A log that is rotated leaves generations behind: `app.log.1`, `app.log-20260714.gz`. Each was read at `app.log` already, or
was not; nothing in its name tells. So a stream is remembered for as long as a file of it may be about, and some longer.
In the store a `.` behind the fingerprint of its end says that it was read to its end, a `,` that this file is a copy of what
was read elsewhere, perhaps in the making, and a `!` that its rest was missed, and the operator told so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace

from logtrigger.model import Position
from logtrigger.sources import fingerprint
from logtrigger.sources.content import Content, open_content, unpacked_size
from logtrigger.sources.fingerprint import MARKS, OVER, PART, SPAN, TOLD
from logtrigger.sources.generations import Candidate, Inode
from logtrigger.sources.tail import Tail, new_stream

CUT = 4  # files of a path that were cut, of which the last bytes are kept in memory
GONE = 16  # streams of a path that are remembered though no file of theirs is to be found


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file is: the stream in it, if it is known, and whether anything of it is to be read."""

    position: Position | None = None
    is_unread: bool = True


WHOLE = Verdict()  # a generation that nobody saw


class Past:
    """The streams of a source that are not being read now."""

    def __init__(self) -> None:
        self._streams: dict[str, dict[str, Position]] = {}  # by followed path, then by name
        self._settled: dict[str, dict[Inode, tuple[int, int]]] = {}  # files of which nothing is to be read, as they are
        self._unlike: set[tuple[Inode, str]] = set()  # packed files that only begin like a stream
        self._cut: dict[str, deque[Tail]] = {}  # what was being read when its file was cut, and found no copy

    # Streams

    def add(self, position: Position, mark: str = "") -> None:
        """Remember a stream, as it is or with another mark."""
        self.remove(position.stream)
        self._streams.setdefault(position.path, {})[position.stream] = marked(position, mark) if mark else position

    def remove(self, stream: str) -> None:
        """Forget a stream."""
        for streams in self._streams.values():
            streams.pop(stream, None)

    def holds(self, position: Position) -> bool:
        """Whether a stream is remembered in just this state."""
        return self._streams.get(position.path, {}).get(position.stream) == position

    def positions(self, path: str | None = None) -> list[Position]:
        """All streams, or those of one path."""
        if path is not None:
            return list(self._streams.get(path, {}).values())
        return [position for streams in self._streams.values() for position in streams.values()]

    def unfinished(self, path: str) -> list[Position]:
        """The streams of a path that have not been read to their end, as far as is known."""
        return [position for position in self.positions(path) if not is_marked(position)]

    def claim(self, inode: int, content: Content) -> Position | None:
        """The stream of a file that stands at a path: by inode, if the content agrees. Device numbers change with a reboot."""
        found = [one for one in self.positions() if one.inode == inode and fingerprint.agrees(content, one)]
        if not found:
            return None
        best = max(found, key=lambda one: one.offset)
        self.remove(best.stream)
        return marked(best, "")

    def move(self, position: Position, path: str) -> None:
        """The stream belongs to another path now."""
        self.remove(position.stream)
        self._streams.setdefault(path, {})[position.stream] = replace(position, path=path)

    def evict(self, path: str, present: Sequence[Candidate]) -> list[str]:
        """Give up the streams whose files went longest ago; their names."""
        inodes = {candidate.inode[1] for candidate in present}
        gone = [one.stream for one in self.positions(path) if one.inode not in inodes and is_marked(one)]
        for stream in gone[:-GONE]:
            del self._streams[path][stream]
        return gone[:-GONE]

    def evict_others(self, paths: Collection[str]) -> list[str]:
        """The same for paths that are followed no longer, all of them together."""
        gone = [one.stream for path in self._streams if path not in paths for one in self.positions(path) if is_marked(one)]
        for stream in gone[:-GONE]:
            self.remove(stream)
        self._streams = {path: streams for path, streams in self._streams.items() if streams}
        self._settled = {path: settled for path, settled in self._settled.items() if path in paths}
        return gone[:-GONE]

    # Files

    def settle(self, path: str, one: Candidate) -> None:
        """Nothing of this file is to be read, until it changes."""
        self._settled.setdefault(path, {})[one.inode] = one.state

    def unsettled(self, path: str, found: Sequence[Candidate]) -> list[Candidate]:
        """The files that are to be judged."""
        settled = self._settled.get(path, {})
        self._settled[path] = settled = {one.inode: settled[one.inode] for one in found if one.inode in settled}
        return [one for one in found if settled.get(one.inode) != one.state and one.size]

    def cut(self, tail: Tail) -> None:
        """A file was cut while it was read; as long as its bytes are known, so is a copy that is shorter."""
        self._cut.setdefault(tail.path, deque(maxlen=CUT)).append(tail)
        self.add(tail.position())

    def is_another(self, inode: Inode, stream: str) -> None:
        """A packed file turned out not to be this stream's."""
        self._unlike.add((inode, stream))

    def judge(
        self, path: str, one: Candidate, content: Content, live: Iterable[Tail], found: Sequence[Candidate]
    ) -> Verdict | None:
        """What a file is that may be an earlier generation of path; None: that is not clear yet.

        Args:
            live: the streams of path that are being read.
            found: all files that may be earlier generations.

        Raises:
            OSError: it cannot be read.
        """
        known = [p for p in self.positions(path) if (one.inode, p.stream) not in self._unlike]
        known.sort(key=is_marked)
        own = [p for p in known if p.inode == one.inode[1] and _may_be(content, p)]
        for position in own:
            if not position.tail.endswith(PART):
                return Verdict(position, _is_unread(content, position, is_own=True))
        live = list(live)
        for tail in (*live, *self._cut.get(path, ())):
            if _is_part_of_read(content, one, tail):
                return Verdict(read_already(content, one, path, tail.position().source), False)
        if any(_may_be_live(content, one, tail) for tail in live):
            return None
        for position in known:
            if position in own:
                continue
            home = _home(position, one, found)
            if home is not None and _is_part(content, one, home):
                return Verdict(read_already(content, one, path, position.source), False)
            if home is None and _says_something(position) and _may_be(content, position):
                unread = _is_unread(content, position)
                if content.is_packed or not (unread and is_over(position)):
                    return Verdict(_moved(position, one), unread)
        for position in own:
            return Verdict(position, _is_unread(content, position, is_own=True))
        return WHOLE

    def is_of_another(self, one: Candidate, content: Content) -> bool:
        """Whether a file is known to hold a stream of its own."""
        return any(p.inode == one.inode[1] and fingerprint.agrees(content, p) for p in self.positions() if _is_whole(p))


def is_over(position: Position) -> bool:
    """Whether a stream has been read to its end."""
    return position.tail.endswith((OVER, PART))


def is_being_read(position: Position) -> bool:
    """Whether a position is that of a file that may still grow; not of one that is over, nor of what a glob leaves behind."""
    return position.inode != 0 and not is_marked(position)


def is_marked(position: Position) -> bool:
    """Whether nothing is to be done about a stream, as far as is known."""
    return position.tail.endswith((OVER, PART, TOLD))


def _is_whole(position: Position) -> bool:
    return not position.tail.endswith(PART)


def marked(position: Position, mark: str) -> Position:
    """A position with one of the MARKS, or without."""
    tail = position.tail.rstrip(MARKS) + mark
    return position if tail == position.tail else replace(position, tail=tail)


def _moved(position: Position, one: Candidate) -> Position:
    return replace(position, device=one.inode[0], inode=one.inode[1])


def read_already(content: Content, one: Candidate, path: str, source: str, mark: str = PART) -> Position:
    """A stream for a file of which nothing is to be read."""
    offset = 0 if content.is_packed else one.size
    head, tail = fingerprint.head(content), fingerprint.tail(content, offset)
    return Position(new_stream(), source, path, *one.inode, offset, head, tail + mark)


def _is_part_of_read(content: Content, one: Candidate, tail: Tail) -> bool:
    """Whether a file is a copy that ends before the place up to which its original has been read."""
    return not content.is_packed and one.size < tail.read_to and tail.is_cut_in(content, one.size)


def _may_be_live(content: Content, one: Candidate, tail: Tail) -> bool:
    """Whether a file may be a copy of one that is being read, perhaps in the making: then it is too early to tell.

    A file may have been cut, and hold the next generation already, before anybody has noticed.
    """
    if tail.content is None:
        return False
    is_fresh = not tail.content.is_packed and (not tail.read_to or not tail.holds(b""))
    if content.is_packed or tail.content.is_packed:
        position = tail.position()
        begins = fingerprint.span(position.head) > 0 and fingerprint.begins_as(content, position)
        return begins or (is_fresh and _begin_alike(content, tail.content))
    return (tail.is_known and tail.is_copied_in(content)) or (is_fresh and _same(content, tail.content, one.size))


def _begin_alike(content: Content, other: Content) -> bool:
    first, second = content.read_at(SPAN, 0), other.read_at(SPAN, 0)
    size = min(len(first), len(second))
    return size > 0 and first[:size] == second[:size]


def _may_be(content: Content, position: Position) -> bool:
    """Whether a file holds a stream. Of a packed one only the beginning is looked at; the rest shows when it is read."""
    return (fingerprint.begins_as if content.is_packed else fingerprint.agrees)(content, position)


def _says_something(position: Position) -> bool:
    return fingerprint.span(position.head) > 0


def _is_unread(content: Content, position: Position, is_own: bool = False) -> bool:
    if not content.is_packed:
        return bool(content.read_at(1, position.offset))
    if is_over(position) and is_own:
        return False  # a packed file does not grow
    return not is_over(position) or unpacked_size(content) != position.offset % (1 << 32)


def _home(position: Position, one: Candidate, found: Sequence[Candidate]) -> Candidate | None:
    """Another file that is the stream's own."""
    for other in found:
        if other.inode[1] == position.inode and other.inode != one.inode:
            with suppress(OSError), closing(open_content(other.path)) as content:
                if _may_be(content, position):
                    return other
    return None


def _is_part(content: Content, one: Candidate, whole: Candidate) -> bool:
    """Whether a plain file is a copy of another one's beginning, or of all of it."""
    if content.is_packed or one.size > whole.size:
        return False
    try:
        with closing(open_content(whole.path)) as other:
            return not other.is_packed and _same(content, other, one.size)
    except OSError:
        return False


def _same(content: Content, other: Content, size: int) -> bool:
    """Whether two files begin alike, and hold the same before `size`."""
    span = min(SPAN, size)
    return all(content.read_at(span, at) == other.read_at(span, at) for at in (0, size - span))
