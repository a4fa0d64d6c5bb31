"""One generation of a followed file: an open descriptor, and how far it has been read."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from dataclasses import replace

from logtrigger.model import Chunk, Position
from logtrigger.sources import fingerprint
from logtrigger.sources.lines import Lines, Piece

READ = 1 << 18  # bytes a turn


def new_stream() -> str:
    """A name that no other stream has."""
    return os.urandom(6).hex()


def inode_of(fd: int) -> tuple[int, int]:
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


class Tail:
    """Reads one file from a position on. `lain` bytes of it lay there when it was opened: up to there it catches up."""

    def __init__(self, fd: int, position: Position, max_line: int, lain: int, hole: bool = False) -> None:
        self.fd: int | None = fd
        self.origin = position.path  # where a person finds it
        self.offset = position.offset  # up to which lines have been delivered
        self.read_to = position.offset  # beyond it a half-written line is held
        self.at_end = False
        self.after: Tail | None = None  # an older generation, to be read to its end first
        self.queued = False
        self.watch: int | None = None
        self.detached = False  # its path shows another file, or none
        self.is_new = position.offset == 0  # nothing of it has been read in an earlier run
        self.changed = 0.0  # monotonic time of the last growth
        self._position = position
        self._lines = Lines(max_line, position.offset)
        self._lain = lain
        self._hole = hole
        self._first = os.pread(fd, min(fingerprint.SPAN, position.offset), 0)
        # What stands before the last line end read, kept so that no truncation can pass off other bytes as these.
        self._last = os.pread(fd, min(fingerprint.SPAN, position.offset), max(0, position.offset - fingerprint.SPAN))
        self._since = b""  # the end of what was read after it

    @property
    def stream(self) -> str:
        return self._position.stream

    @property
    def path(self) -> str:
        """The followed path; its rotated file goes on under it."""
        return self._position.path

    def rename(self, path: str) -> None:
        """The file is followed under another path now."""
        self.origin = path
        self._position = replace(self._position, path=path)

    def size(self) -> int:
        return os.fstat(self._open_fd).st_size

    def is_truncated(self, size: int) -> bool:
        """Whether the file is shorter than what was read of it, or says something else where we stopped."""
        return size < self.read_to or not self._stands_in(self._open_fd)

    def is_copied_in(self, fd: int) -> bool:
        """Whether the file at fd holds all that was read of this one: what copytruncate leaves."""
        if not self.read_to or os.fstat(fd).st_size < self.read_to:
            return False
        return self._stands_in(fd) and os.pread(fd, len(self._first), 0) == self._first

    def move_to(self, fd: int, origin: str) -> int:
        """Go on in a copy of the file; returns the descriptor used until now."""
        left, self.fd, self.origin = self._open_fd, fd, origin
        device, inode = inode_of(fd)
        self._position = replace(self._position, device=device, inode=inode)
        self.at_end = False
        return left

    def read(self, size: int) -> list[Chunk]:
        """The lines of one turn. After each has been delivered, `offset` is to be set to its end."""
        want = min(READ, size - self.read_to)
        if self.read_to < self._lain:
            want = min(want, self._lain - self.read_to)  # no chunk is half old, half new
        data = os.pread(self._open_fd, want, self.read_to)
        start = self.read_to
        self.read_to += len(data)
        self.at_end = self.read_to >= size or not data
        self._remember(data, start)
        return [self._chunk(piece) for piece in self._lines.feed(self._skip_hole(data) if self._hole else data)]

    def finish(self) -> list[Chunk]:
        """The rest, where nothing will be written any more."""
        return [self._chunk(piece) for piece in self._lines.finish()]

    def position(self) -> Position:
        """Where it stands: fingerprints are taken anew only when it has moved."""
        known = self._position
        if known.offset != self.offset or not known.tail:
            try:
                head = fingerprint.fingerprint(self._first) if self._first else fingerprint.head(self._open_fd)
                all_out = self.offset == self._lines.offset
                tail = fingerprint.fingerprint(self._last) if all_out else fingerprint.tail(self._open_fd, self.offset)
            except OSError:
                head = tail = ""  # nobody can say now; the inode must do
            self._position = replace(known, offset=self.offset, head=head, tail=tail)
        return self._position

    def waits_for(self, other: Tail) -> bool:
        """Whether other, or what waits for it, is to be read before this one."""
        return self is other or (self.after is not None and self.after.waits_for(other))

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None
        self.at_end = True

    @property
    def _open_fd(self) -> int:
        if self.fd is None:
            raise OSError(errno.EBADF, "closed")
        return self.fd

    def _remember(self, data: bytes, start: int) -> None:
        missing = fingerprint.SPAN - len(self._first)
        if missing and start == len(self._first):
            self._first += data[:missing]
        end = data.rfind(b"\n") + 1
        if end:
            span = fingerprint.SPAN
            self._last = data[end - span : end] if end >= span else (self._last + self._since + data[:end])[-span:]
            self._since = b""
        self._since = (self._since + data[max(end, len(data) - fingerprint.SPAN) :])[-fingerprint.SPAN :]

    def _stands_in(self, fd: int) -> bool:
        return os.pread(fd, len(self._last), self._lines.offset - len(self._last)) == self._last

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
