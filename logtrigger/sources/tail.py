"""One generation of a followed file: its content, and how far it has been read."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from dataclasses import replace

from logtrigger.model import Chunk, Position
from logtrigger.sources import fingerprint
from logtrigger.sources.content import Content, Packed
from logtrigger.sources.fingerprint import SPAN
from logtrigger.sources.generations import Inode
from logtrigger.sources.lines import Lines, Piece

READ = 1 << 18  # bytes a turn
LINGER_BLIND = 60.0  # seconds without growth after which a rotated file is over where nobody can tell who has it open


def new_stream() -> str:
    """A name that no other stream has."""
    return os.urandom(6).hex()


def inode_of(fd: int) -> Inode:
    """(device, inode) of an open file."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def last_line_end(fd: int) -> int:
    """Offset behind the last b"\\n" of a file, so that a half-written line is seen whole; its size if that is far off."""
    size = os.fstat(fd).st_size
    span = min(size, 1 << 16)
    end = os.pread(fd, span, size - span).rfind(b"\n") + 1
    return size - span + end if end or span == size else size


def has_writer(fd: int) -> bool | None:
    """Whether a process has this file open for writing; None: cannot tell.

    A read lease is granted only where nobody does (fcntl(2), F_SETLEASE); it is given back at once. Should a writer come
    just then, the signal that tells us is one that is ignored.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    return False


class Unlike(OSError):
    """A packed file began like the one that is looked for, and is another."""


class Tail:
    """Reads one file from a position on. `lain` bytes of it lay there when it was opened: up to there it catches up.

    A turn is `fetch`, which looks without taking, `holds`, and `take`. Only a look *after* the bytes were fetched can tell
    whether they go on from what was read before, or stem from the time after a truncation.
    """

    def __init__(self, content: Content, position: Position, max_line: int, lain: int, hole: bool = False) -> None:
        self.content: Content | None = content
        self.origin = position.path  # where a person finds it
        self.offset = position.offset  # up to which lines have been delivered
        self.read_to = position.offset  # beyond it a half-written line is held
        self.at_end = False
        self.after: Tail | None = None  # an older generation, to be read to its end first
        self.queued = False
        self.watch: int | None = None
        self.detached = False  # its path shows another file, or none
        self.registered = False  # its stream is durable
        self.changed = 0.0  # monotonic time of the last growth
        self.seen = (-1, 0)  # size and mtime (ns) when it was last looked at
        self.last_size = 0  # the one before
        self.key = inode_of(content.fd)
        self._position = position
        self._lines = Lines(max_line, position.offset)
        self._lain = lain
        self._hole = hole
        # What stands at the beginning, and before the last line end read: kept, as a truncation puts other bytes there.
        self._first = self._last = b""
        self._unproven = content.is_packed and position.offset > 0  # reading up to the offset takes its time
        if not content.is_packed:
            self._first = content.read_at(min(SPAN, position.offset or fingerprint.span(position.head)), 0)
        if position.offset and not content.is_packed:
            self._last = content.read_at(min(SPAN, position.offset), max(0, position.offset - SPAN))
        self._since = b""  # the end of what was read after it

    @property
    def is_known(self) -> bool:
        """Whether it is known how the file begins: an earlier run may have read more of it than was stored."""
        return bool(self._first)

    @property
    def stream(self) -> str:
        """The name of the run of bytes that is read."""
        return self._position.stream

    @property
    def path(self) -> str:
        """The followed path; its rotated file goes on under it."""
        return self._position.path

    def rename(self, path: str) -> None:
        """The file is followed under another path now."""
        self.origin = path
        self._position = replace(self._position, path=path)

    def fetch(self) -> bytes:
        """What follows what was read, a turn of it; nothing is taken yet."""
        status = os.fstat(self._open.fd)
        self.last_size = max(0, self.seen[0])
        self.seen = status.st_size, status.st_mtime_ns
        if isinstance(self._open, Packed):
            return self._open.read_at(READ, self.read_to) if self._is_proven(self._open) else b""
        want = min(READ, status.st_size - self.read_to)
        if self.read_to < self._lain:
            want = min(want, self._lain - self.read_to)  # no chunk is half old, half new
        return self._open.read_at(want, self.read_to) if want > 0 else b""

    def holds(self, data: bytes) -> bool:
        """Whether the file still holds what was read of it, and these bytes that were fetched next."""
        if self._open.is_packed:
            return True
        end = self._end + data[:SPAN]
        if self._open.read_at(len(end), self.read_to - len(self._end)) != end:
            return False
        return self.read_to > 0 or self._open.read_at(len(self._first), 0) == self._first

    def take(self, data: bytes) -> list[Chunk]:
        """The lines that fetched bytes complete. After each has been delivered, `offset` is to be set to its end."""
        start = self.read_to
        self.read_to += len(data)
        is_last = len(data) < READ if self._open.is_packed else self.read_to >= self.seen[0]
        self.at_end = is_last and not self._unproven
        if not data:
            return []
        self._remember(data, start)
        return [self._chunk(piece) for piece in self._lines.feed(self._skip_hole(data) if self._hole else data)]

    def finish(self) -> list[Chunk]:
        """The rest, where nothing will be written any more."""
        return [self._chunk(piece) for piece in self._lines.finish()]

    def is_copied_in(self, content: Content) -> bool:
        """Whether a file holds all that was read of this one: what copytruncate leaves."""
        end = self._end
        is_reached = content.read_at(len(end), self.read_to - len(end)) == end
        return is_reached and content.read_at(len(self._first), 0) == self._first

    def is_cut_in(self, content: Content, size: int) -> bool:
        """Whether a file that is shorter than what was read of this one was copied from it: all of it is read already."""
        if not 0 < size <= self.read_to or content.read_at(min(SPAN, size), 0) != self._first[:size]:
            return False
        end = self._end
        start = self.read_to - len(end)
        return size <= start or content.read_at(size - start, start) == end[: size - start]

    def move_to(self, content: Content, origin: str) -> None:
        """Go on in a copy of the file; the content used until now is the caller's."""
        self.content, self.origin = content, origin
        self.key = device, inode = inode_of(content.fd)
        self._position = replace(self._position, device=device, inode=inode)
        self.at_end = False

    def is_over(self, idle: float, linger: float) -> bool:
        """Whether nothing more will come to a file that has been read and has not grown for `idle` seconds."""
        if self.content is None or self.content.is_packed:
            return self.at_end
        try:
            if idle < linger or os.fstat(self.content.fd).st_size != self.read_to:
                return False
        except OSError:
            return True  # its file system has gone
        written = has_writer(self.content.fd)
        return idle >= LINGER_BLIND if written is None else not written

    def position(self) -> Position:
        """Where it stands: fingerprints are taken anew only when it has moved."""
        known = self._position
        is_known = known.tail and fingerprint.span(known.head) >= max(1, len(self._first))
        if known.offset != self.offset or not is_known:
            try:
                head = fingerprint.fingerprint(self._first) if self._first else self._known_head()
                if self.offset == self.read_to:
                    tail = fingerprint.fingerprint(self._end)
                elif self.offset == self._lines.offset:
                    tail = fingerprint.fingerprint(self._last)
                else:
                    tail = fingerprint.tail(self._open, self.offset)
            except OSError:
                head = tail = ""  # nobody can say now; the inode must do
            known = replace(known, offset=self.offset, head=head, tail=tail)
            if self._first or self.offset:  # else what stands there may be cut, and other bytes be read than were looked at
                self._position = known
        return known

    def waits_for(self, other: Tail) -> bool:
        """Whether other, or what waits for it, is to be read before this one."""
        return self is other or (self.after is not None and self.after.waits_for(other))

    def close(self) -> None:
        if self.content is not None:
            self.content.close()
        self.content = None
        self.at_end = True

    @property
    def _open(self) -> Content:
        if self.content is None:
            raise OSError(errno.EBADF, "closed")
        return self.content

    @property
    def _end(self) -> bytes:
        """The last bytes before `read_to`."""
        return (self._last + self._since)[-SPAN:]

    def _known_head(self) -> str:
        """Of what was read before, or, as long as nothing was read, of what stands there now."""
        known = self._position.head
        return known if fingerprint.span(known) and (self.offset or self._open.is_packed) else fingerprint.head(self._open)

    def _is_proven(self, packed: Packed) -> bool:
        """Unpack towards the offset, a moment each time. Raises Unlike where other bytes stand there than were read."""
        if self._unproven and packed.is_near(self.offset - SPAN):
            if not fingerprint.reaches(packed, self._position):
                raise Unlike(0, "holds something else")
            self._unproven = False
        return not self._unproven

    def _remember(self, data: bytes, start: int) -> None:
        missing = SPAN - len(self._first)
        if missing and start <= len(self._first):
            self._first += data[len(self._first) - start :][:missing]
        end = data.rfind(b"\n") + 1
        if end:
            self._last = data[end - SPAN : end] if end >= SPAN else (self._last + self._since + data[:end])[-SPAN:]
            self._since = b""
        self._since = (self._since + data[max(end, len(data) - SPAN) :])[-SPAN:]

    def _skip_hole(self, data: bytes) -> bytes:
        """Without the NULs that a writer without O_APPEND leaves before its next line after a truncation."""
        text = data.lstrip(b"\0")
        self._lines.offset += len(data) - len(text)
        self._hole = not text
        return text

    def _chunk(self, piece: Piece) -> Chunk:
        old = piece.offset < self._lain
        known = self._position
        return Chunk(known.source, self.origin, known.stream, piece.offset, piece.end, piece.data, old)
