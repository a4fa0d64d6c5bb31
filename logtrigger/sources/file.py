"""Files that grow: followed by name or glob through rotation, truncation, restarts and half-written lines."""

from __future__ import annotations

import fnmatch
import os
import stat
import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise

from logtrigger.loop import Callback, Timer
from logtrigger.model import Position
from logtrigger.sources import fingerprint, paths
from logtrigger.sources.base import Host
from logtrigger.sources.inotify import Watcher
from logtrigger.sources.resume import Found, assign, find_copy, find_rest, generations_since, open_file
from logtrigger.sources.tail import Tail, has_writer, inode_of, last_line_end, new_stream

Inode = tuple[int, int]

SWEEP = 10.0  # seconds between looks at everything, for what no folder tells: links, mounts, network file systems
POLL = 1.0  # the same where inotify does not work
LINGER = 3.0  # seconds without growth after which a rotated file is over, if no process has it open for writing
LINGER_BLIND = 60.0  # the same where that cannot be told


class FileSource:
    """Follows the files that some globs name.

    A file is known by its inode, not by its path: `_at` says which one stands at a path, `_tails` holds all that are open,
    rotated ones included. In the store a glob itself leaves a position of inode 0: what it names after a restart and was not
    known before is new, and read from its beginning. The first start ever begins at the end of each file.
    """

    def __init__(
        self,
        host: Host,
        name: str,
        globs: Sequence[str],
        *,
        from_start: bool = False,
        linger: float = LINGER,
        missing_level: int = 0,
        rotated: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._host = host
        self._globs = [os.path.abspath(pattern) for pattern in globs]
        self._from_start = from_start
        self._linger = linger
        self._rotated = rotated  # folders that rotated files are moved to
        self._missing_level = missing_level  # at which a file that is not there at the start is reported
        self._watcher: Watcher | None = None
        self._tails: dict[Inode, Tail] = {}
        self._at: dict[str, Tail] = {}
        self._by_watch: dict[int, Tail] = {}
        self._known: list[Position] = []  # of the last run, not found again yet
        self._stored: set[str] = set()  # streams of the last run: registering costs a write each
        self._before: set[str] = set()  # globs that were followed in an earlier run
        self._ready: deque[Tail] = deque()
        self._said: dict[str, str] = {}
        self._timers: dict[str, Timer] = {}
        self._names = paths.names((), ())
        self._starting = self._paused = self._turning = self._rescanning = False

    tells_senders = False

    def open(self) -> None:
        """Find the files and begin to read. Missing and unreadable ones are said once and waited for."""
        self._recall()
        self._watcher = Watcher(self._host.loop, self._on_written, self._on_name)
        self._starting = True
        self._scan()
        self._starting = False
        self._sweep()

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        for timer in self._timers.values():
            timer.cancel()
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()
        self._at.clear()
        self._ready.clear()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._schedule()

    def positions(self) -> Iterable[Position]:
        return [tail.position() for tail in self._tails.values()]

    def abandon(self) -> None:
        """Close, and remember nothing: should the files be followed again, then from their end."""
        for tail in self._tails.values():
            self._host.forget(tail.stream)
        for position in self._known:
            self._host.forget(position.stream)
        for pattern in self._globs:
            self._host.forget(self._mark(pattern))
        self.close()

    # What the last run knew

    def _recall(self) -> None:
        known = [position for position in self._host.positions(self.name) if not self._is_foreign(position)]
        self._known = [position for position in known if position.inode]
        self._stored = {position.stream for position in self._known}
        for pattern in self._globs:
            if any(p.path == pattern or fnmatch.fnmatch(p.path, pattern) for p in known):
                self._before.add(pattern)
            if not any(p.stream == self._mark(pattern) for p in known):
                self._host.register(Position(self._mark(pattern), self.name, pattern, 0, 0, 0))

    def _is_foreign(self, position: Position) -> bool:
        """Whether no glob names it any more; then it is forgotten."""
        if any(position.path == glob or fnmatch.fnmatch(position.path, glob) for glob in self._globs):
            return False
        self._host.forget(position.stream)
        return True

    def _mark(self, pattern: str) -> str:
        return f"followed {self.name} {pattern}"

    # Which files there are

    def _scan(self) -> None:
        """Compare what stands at the paths with what is open: begin new files, let go of those that left."""
        self._rescanning = False
        if self._watcher is None:
            return
        named = self._watch_folders(self._watcher)
        fresh: dict[str, int] = {}
        at: dict[str, Tail] = {}
        for path in named:
            found = self._look(path, fresh)
            if found is not None:
                at[path] = found
        before, self._at = self._at, at
        for path, tail in self._begin_all(fresh, named).items():
            at[path] = tail
        self._settle(before)
        self._find_rests()

    def _watch_folders(self, watcher: Watcher) -> dict[str, str]:
        """The paths as they are once each folder that matters is watched, so that nothing comes unseen."""
        named = paths.expand(self._globs)
        for _ in range(3):
            watcher.watch_folders(paths.folders(self._globs, named))
            again = paths.expand(self._globs)
            if again.keys() == named.keys():
                break
            named = again
        self._names = paths.names(self._globs, named)
        for pattern in self._globs:
            if pattern not in named and pattern not in named.values():
                self._complain(pattern, "no file has such a name yet; waiting for one")
        return named

    def _look(self, path: str, fresh: dict[str, int]) -> Tail | None:
        """The open file that stands at path; one that is not open yet is opened into `fresh`."""
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                self._complain(path, "is no regular file and is left alone; name a file that a program writes its log to")
                return None
            tail = self._tails.get((status.st_dev, status.st_ino))
            if tail is None:
                self._open_file(path, fresh)
        except FileNotFoundError:
            self._complain(path, "does not exist yet; waiting for it", level=self._missing_level if self._starting else 3)
            return None
        except OSError as error:
            self._complain_unreadable(path, error)
            return None
        self._said.pop(path, None)
        return tail

    def _open_file(self, path: str, fresh: dict[str, int]) -> None:
        try:
            fd = open_file(path)
        except PermissionError:
            self._hold_place(path)
            raise
        inode = inode_of(fd)
        again = inode in self._tails or inode in {inode_of(other) for other in fresh.values()}
        if again or not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)  # one file under two names is read once; what changed since it was looked at is looked at again
        else:
            fresh[path] = fd

    def _hold_place(self, path: str) -> None:
        """A file that cannot be read at the first start ever: once it can, reading begins at its present end."""
        if self._starting and not self._is_new(path) and not any(p.path == path for p in self._known):
            status = os.stat(path)
            place = Position(new_stream(), self.name, path, status.st_dev, status.st_ino, status.st_size)
            self._known.append(place)
            self._host.register(place)

    def _is_new(self, path: str, pattern: str = "") -> bool:
        """Whether all of a file that nobody knows is to be read."""
        if self._from_start or not self._starting:
            return True
        return pattern in self._before or any(fnmatch.fnmatch(path, before) for before in self._before)

    def _begin_all(self, fresh: dict[str, int], named: dict[str, str]) -> dict[str, Tail]:
        """Start to read the files that were not open, each where it was left or where new ones begin."""
        known = assign(self._known, fresh)
        begun: dict[str, Tail] = {}
        for path, fd in fresh.items():
            try:
                position = known.get(path)
                if position is None:
                    offset = 0 if self._is_new(path, named[path]) else last_line_end(fd)
                    position = self._new_position(path, fd, offset)
                begun[path] = self._begin(fd, position, path)
            except OSError as error:
                os.close(fd)
                self._complain_unreadable(path, error)
            else:
                self._known = [other for other in self._known if other is not position]
        return begun

    def _new_position(self, path: str, fd: int, offset: int) -> Position:
        device, inode = inode_of(fd)
        end = fingerprint.tail(fd, offset)
        return Position(new_stream(), self.name, path, device, inode, offset, fingerprint.head(fd), end)

    def _begin(self, fd: int, position: Position, path: str, lain: int | None = None, hole: bool = False) -> Tail:
        size = os.fstat(fd).st_size
        tail = Tail(fd, position, self._host.max_line, size if lain is None else lain, hole)
        if path != position.path:
            tail.rename(path)
        if tail.stream not in self._stored:
            self._host.register(tail.position())
        self._tails[inode_of(fd)] = tail
        tail.changed = time.monotonic()
        if self._watcher is not None and (watch := self._watcher.watch_file(fd)) is not None:
            tail.watch = watch
            self._by_watch[watch] = tail
        self._queue(tail)
        return tail

    def _settle(self, before: dict[str, Tail]) -> None:
        """Detach what left its path; what came to a path is read after what left it."""
        for path, tail in self._at.items():
            tail.detached = False
            if self._at.get(tail.path) is not tail:
                tail.rename(path)
            left = before.get(path)
            if left is not None and left is not tail:
                self._read_first(left, tail)
        standing = set(self._at.values())
        for tail in self._tails.values():
            if tail not in standing and not tail.detached:
                self._detach(tail)

    def _read_first(self, old: Tail, new: Tail) -> None:
        if old.fd is not None and not old.waits_for(new):
            old.at_end = False
            new.after = old
            self._queue(old)

    def _detach(self, tail: Tail) -> None:
        self._host.report(2, f"{self.name}: {tail.path} was renamed or deleted; what is still written to it is read")
        tail.detached = True
        tail.changed = time.monotonic()
        self._queue(tail)
        self._later("retire", self._linger, self._retire)

    def _find_rests(self) -> None:
        """Look for the unread rest of what was rotated away while we were not there; read it before its successor."""
        rests: dict[str, list[Found]] = {}
        for position in [p for p in self._known if self._starting or p.path in self._at]:
            found = find_rest(position, self._tails, self._rotated)
            if found is not None:
                self._known.remove(position)
                self._begin_rest(position, found)
                rests.setdefault(position.path, []).append(found)
            elif position.path in self._at:
                self._known.remove(position)
                self._host.forget(position.stream)
                self._host.report(
                    1,
                    f"{self.name}: {position.path} was replaced while nobody watched, and its earlier file is gone: "
                    f"what stood there beyond byte {position.offset} was not read",
                )
        for path, found_here in rests.items():
            self._read_in_order(path, sorted(found_here, key=lambda found: os.fstat(found.fd).st_mtime_ns))

    def _read_in_order(self, path: str, rests: list[Found]) -> None:
        """The rests of one path first, then whole generations that nobody saw, then what stands there now."""
        current = self._at.get(path)
        if current is None or current.is_new:
            for found in generations_since(rests[-1], path, self._tails, self._rotated):
                self._begin_rest(self._new_position(path, found.fd, 0), found)
                rests.append(found)
        chain = [self._tails[inode_of(found.fd)] for found in rests] + ([current] if current is not None else [])
        for old, new in pairwise(chain):
            self._read_first(old, new)

    def _begin_rest(self, position: Position, found: Found) -> None:
        device, inode = inode_of(found.fd)
        place = Position(
            position.stream, self.name, position.path, device, inode, position.offset, position.head, position.tail
        )
        tail = self._begin(found.fd, place, position.path)
        tail.origin = found.path
        tail.detached = True
        self._later("retire", self._linger, self._retire)

    # Reading

    def _queue(self, tail: Tail) -> None:
        if not tail.queued and tail.fd is not None:
            tail.queued = True
            self._ready.append(tail)
        self._schedule()

    def _schedule(self) -> None:
        if self._ready and not self._paused and not self._turning:
            self._turning = True
            self._host.loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Read one file for a moment; the next one in the next turn of the loop."""
        self._turning = False
        if self._paused or not self._ready:
            return
        tail = self._ready.popleft()
        tail.queued = False
        if tail.after is not None and not tail.after.at_end:
            self._queue(tail)
        elif tail.fd is not None:
            tail.after = None
            self._read(tail)
        self._schedule()

    def _read(self, tail: Tail) -> None:
        try:
            size = tail.size()
            if tail.is_truncated(size):
                self._begin_again(tail)
                return
            if size > tail.read_to:
                tail.changed = time.monotonic()
            chunks = tail.read(size)
        except OSError as error:
            self._lose(tail, error)
            return
        for chunk in chunks:
            self._host.deliver(chunk)
            tail.offset = chunk.end
            if tail.fd is None:
                return  # closed meanwhile
        if not tail.at_end:
            self._queue(tail)

    def _begin_again(self, tail: Tail) -> None:
        """The file was emptied and is written anew (copytruncate): a new stream, after what a copy still holds of the old."""
        self._host.report(2, f"{self.name}: {tail.path} was truncated; reading it from its beginning")
        assert tail.fd is not None
        fd, path, hole_at = tail.fd, tail.path, tail.read_to
        self._unwatch(tail)
        copy = find_copy(path, tail.is_copied_in, self._rotated)
        if copy is not None and inode_of(copy.fd) in self._tails:
            os.close(copy.fd)
            copy = None
        del self._tails[inode_of(fd)]
        standing = [name for name, other in self._at.items() if other is tail]
        detached = tail.detached
        if copy is None:
            self._end(tail)
            if self._watcher is None:
                return  # closed meanwhile
            tail.fd = None  # the descriptor goes on
            tail.at_end = True
        else:
            self._follow_copy(tail, copy)
        new = self._begin(fd, self._new_position(path, fd, 0), path, lain=0, hole=hole_at > 0)
        new.detached = detached
        for name in standing:
            self._at[name] = new
        if copy is not None:
            self._read_first(tail, new)

    def _follow_copy(self, tail: Tail, copy: Found) -> None:
        tail.move_to(copy.fd, copy.path)
        self._tails[inode_of(copy.fd)] = tail
        tail.detached = True
        tail.changed = time.monotonic()
        self._host.register(tail.position())
        self._later("retire", self._linger, self._retire)

    def _lose(self, tail: Tail, error: OSError) -> None:
        """A file that cannot be read any more is opened again by the next sweep, and goes on where it was."""
        self._complain_unreadable(tail.path, error)
        self._known.append(tail.position())
        self._drop(tail)

    # The end of a file

    def _retire(self) -> None:
        """Finish rotated files that nobody writes to any more; look at the others again."""
        del self._timers["retire"]
        now = time.monotonic()
        for tail in [tail for tail in self._tails.values() if tail.detached]:
            if not self._paused and tail.at_end and self._is_over(tail, now - tail.changed):
                self._end(tail)
                self._drop(tail)
            else:
                self._queue(tail)
        if any(tail.detached for tail in self._tails.values()):
            self._later("retire", self._linger, self._retire)

    def _is_over(self, tail: Tail, idle: float) -> bool:
        try:
            if idle < self._linger or tail.fd is None or tail.size() != tail.read_to:
                return False
        except OSError:
            return True  # its file system has gone
        written = has_writer(tail.fd)
        return idle >= LINGER_BLIND if written is None else not written

    def _end(self, tail: Tail) -> None:
        """Deliver an unterminated last line, and forget the stream."""
        for chunk in tail.finish():
            self._host.deliver(chunk)
            tail.offset = chunk.end
        self._host.forget(tail.stream)

    def _drop(self, tail: Tail) -> None:
        self._unwatch(tail)
        self._tails = {inode: other for inode, other in self._tails.items() if other is not tail}
        self._at = {path: other for path, other in self._at.items() if other is not tail}
        tail.close()

    def _unwatch(self, tail: Tail) -> None:
        if tail.watch is not None and self._watcher is not None:
            self._watcher.unwatch(tail.watch)
            del self._by_watch[tail.watch]
            tail.watch = None

    # When to look

    def _on_written(self, watch: int) -> None:
        tail = self._by_watch.get(watch)
        if tail is not None:
            self._queue(tail)

    def _on_name(self, name: str | None) -> None:
        if name is None:  # the kernel lost count: anything may have happened
            for tail in self._tails.values():
                self._queue(tail)
        if (not name or self._names.fullmatch(name)) and not self._rescanning:
            self._rescanning = True
            self._host.loop.call_soon(self._scan)

    def _sweep(self) -> None:
        if self._timers.pop("sweep", None) is not None:
            self._scan()
        for tail in self._tails.values():
            self._queue(tail)
        if self._watcher is not None:
            works = self._watcher.works
            if not works and self._said.get("") != self._watcher.fault:
                self._said[""] = self._watcher.fault
                self._host.report(1, f"{self.name}: looking once a second, as inotify fails: {self._watcher.fault}")
            self._later("sweep", SWEEP if works else POLL, self._sweep)

    def _later(self, what: str, seconds: float, call: Callback) -> None:
        if what not in self._timers:
            self._timers[what] = self._host.loop.call_later(seconds, call)

    def _complain_unreadable(self, path: str, error: OSError) -> None:
        self._complain(path, f"cannot be read: {error.strerror}; it is tried again until that is mended")

    def _complain(self, path: str, fault: str, level: int = 0) -> None:
        """Say once what is wrong with a path, until that changes."""
        if self._said.get(path) != fault:
            self._said[path] = fault
            self._host.report(level, f"{self.name}: {path}: {fault}")
