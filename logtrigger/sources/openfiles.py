"""The files that are open: each with its stream, its watch and what is durable of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from logtrigger.model import Chunk, Position
from logtrigger.sources import fingerprint
from logtrigger.sources.base import Host
from logtrigger.sources.content import Content
from logtrigger.sources.fingerprint import OVER
from logtrigger.sources.generations import Inode
from logtrigger.sources.inotify import Watcher
from logtrigger.sources.past import marked
from logtrigger.sources.tail import Tail, inode_of, new_stream


class OpenFiles:
    """All that are open, by inode: those at the followed paths, and rotated ones."""

    def __init__(self, host: Host, source: str) -> None:
        self.tails: dict[Inode, Tail] = {}
        self.watcher: Watcher | None = None
        self._host, self._source = host, source
        self._by_watch: dict[int, Tail] = {}

    def new_position(self, path: str, content: Content, offset: int) -> Position:
        """Where a new stream begins."""
        head, end = (fingerprint.head(content), fingerprint.tail(content, offset)) if offset else ("", "")
        return Position(new_stream(), self._source, path, *inode_of(content.fd), offset, head, end)

    def begin(self, content: Content, position: Position, path: str, *, lain: int | None = None, hole: bool = False) -> Tail:
        """Read a file on from a position. A stream of which nothing was read is made durable with its first line."""
        size = os.fstat(content.fd).st_size
        tail = Tail(content, position, self._host.max_line, size if lain is None else lain, hole)
        if path != position.path:
            tail.rename(path)
        if position.offset:
            self.register(tail)
        self.tails[tail.key] = tail
        tail.changed = time.monotonic()
        if self.watcher is not None and not content.is_packed:
            tail.watch = self.watcher.watch_file(content.fd)
            if tail.watch is not None:
                self._by_watch[tail.watch] = tail
        return tail

    def move(self, tail: Tail, content: Content, origin: str) -> None:
        """Go on in a copy. What was read of it so far is durable as being there."""
        tail.move_to(content, origin)
        tail.registered = False
        self.register(tail)
        self.tails[tail.key] = tail

    def let_go(self, tail: Tail) -> Content:
        """The content of a file whose stream does not go on in it."""
        assert tail.content is not None
        self._unwatch(tail)
        del self.tails[tail.key]
        content, tail.content = tail.content, None  # open for the next stream
        tail.at_end = True
        return content

    def drop(self, tail: Tail) -> None:
        """Close a file."""
        self._unwatch(tail)
        if self.tails.get(tail.key) is tail:
            del self.tails[tail.key]
        tail.close()

    def close(self) -> None:
        """Close all of them."""
        for tail in self.tails.values():
            tail.close()
        self.tails.clear()
        if self.watcher is not None:
            self.watcher.close()
            self.watcher = None

    def register(self, tail: Tail) -> None:
        """Make a stream durable, once."""
        if not tail.registered:
            tail.registered = True
            self._host.register(tail.position())

    def deliver(self, tail: Tail, chunks: Sequence[Chunk]) -> None:
        """Hand lines over; whoever gets them may close everything."""
        if chunks:
            self.register(tail)
        for chunk in chunks:
            self._host.deliver(chunk)
            tail.offset = chunk.end
            if not self.tails:
                return

    def detached(self) -> list[Tail]:
        """Those that stand at no followed path any more."""
        return [tail for tail in self.tails.values() if tail.detached]

    def watched(self, watch: int) -> Tail | None:
        """The file of one of inotify's watches."""
        return self._by_watch.get(watch)

    def positions(self) -> Iterable[Position]:
        return [_position(tail) for tail in self.tails.values() if tail.registered]

    def _unwatch(self, tail: Tail) -> None:
        if tail.watch is not None and self.watcher is not None:
            self.watcher.unwatch(tail.watch)
            del self._by_watch[tail.watch]
            tail.watch = None


def _position(tail: Tail) -> Position:
    """Of a rotated file that nobody writes to it is said already that all was read: it may be deleted meanwhile."""
    return marked(tail.position(), OVER) if tail.detached and tail.is_over(0.0, 0.0) else tail.position()
