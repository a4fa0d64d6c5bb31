"""Files that grow: followed by name or glob through rotation, truncation, restarts and half-written lines."""

from __future__ import annotations

import fnmatch
import os
import stat
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise

from logtrigger.loop import Callback, Timer
from logtrigger.model import Position
from logtrigger.sources.base import Host
from logtrigger.sources.content import Content, Plain, Unfinished, open_file
from logtrigger.sources.fingerprint import OVER, TOLD
from logtrigger.sources.generations import Candidate, Generations
from logtrigger.sources.inotify import Watcher
from logtrigger.sources.openfiles import OpenFiles
from logtrigger.sources.past import marked
from logtrigger.sources.reading import Reading
from logtrigger.sources.rests import Rests
from logtrigger.sources.standing import Standing
from logtrigger.sources.tail import LINGER_BLIND, Tail, Unlike, has_writer, inode_of, last_line_end, new_stream

SWEEP = 10.0  # seconds between looks at everything, for what no folder tells: links, mounts
POLL = 1.0  # the same where inotify does not work
LINGER = 3.0  # seconds without growth after which a rotated file is over, if no process has it open for writing


class FileSource:
    """Follows the files that some globs name.

    A file is known by its inode, not by its path: `_at` says which one stands at a path, `_tails` holds all that are open,
    rotated ones included, and `_past` what was read before. In the store a glob itself leaves a position of inode 0: what it
    names after a restart and was not known before is new, and read from its beginning. The first start ever begins at the
    end of each file, and takes what has been rotated by then for read.

    A file that is cut (copytruncate, or a rewrite in place) is noticed by its content; what had not been read of it is read
    from its copy, be it named as rotation does or found by its content beside the log. What cannot be read again, whoever
    follows: what a program writes between the end of the copying and the cut; what is cut away without a copy; a generation
    deleted before anybody looked; a rewrite with the very same bytes up to where reading stopped.

    Args:
        from_start: at the first start ever, read all that the files hold.
        rotated: folders to which rotation moves files (logrotate's `olddir`).
        linger: seconds without growth after which a rotated file may be over.
        missing_level: at which a file that is not there at the start is reported.
    """

    tells_senders = False

    def __init__(
        self,
        host: Host,
        name: str,
        globs: Sequence[str],
        *,
        from_start: bool = False,
        rotated: Sequence[str] = (),
        linger: float = LINGER,
        missing_level: int = 0,
    ) -> None:
        self.name = name
        self._host = host
        self._globs = [os.path.abspath(pattern) for pattern in globs]
        self._from_start = from_start
        self._linger = linger
        self._patience = linger  # seconds until the next look at what could not be judged
        self._missing_level = missing_level
        self._generations = Generations(rotated)
        self._standing = Standing(self._globs, self._generations, self._complain)
        self._reading = Reading(host.loop, self._read)
        self._open = OpenFiles(host, name)
        self._tails = self._open.tails
        self._rests = Rests(host, name, self._standing, self._generations, self._tails, self._begin_rest, self._is_old)
        self._past = self._rests.past
        self._at: dict[str, Tail] = {}
        self._marks: list[Position] = []
        self._before: set[str] = set()  # globs that were followed in an earlier run
        self._timers: dict[str, Timer] = {}
        self._fault = ""
        self._starting = self._rescanning = False

    def open(self) -> None:
        """Find the files and begin to read. Missing and unreadable ones are said once and waited for."""
        self._open.watcher = Watcher(self._host.loop, self._on_written, self._on_name)
        self._recall()
        self._starting = True
        self._scan()
        self._starting = False
        for mark in self._marks:
            self._host.register(mark)
        self._sweep()

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._open.close()
        self._at.clear()
        self._reading.clear()

    def pause(self) -> None:
        self._reading.paused = True

    def resume(self) -> None:
        self._reading.resume()

    def positions(self) -> Iterable[Position]:
        return [*self._past.positions(), *self._open.positions()]

    def unreadable(self) -> list[str]:
        """What stands at the paths and cannot be read, and why."""
        return self._standing.faults()

    def abandon(self) -> None:
        """Close, and remember nothing: should the files be followed again, then from their end."""
        for position in [*self._marks, *self.positions()]:
            self._host.forget(position.stream)
        self.close()

    # What the last run knew

    def _recall(self) -> None:
        known = list(self._host.positions(self.name))
        self._marks = [Position(f"following {self.name} {glob}", self.name, glob, 0, 0, 0) for glob in self._globs]
        for position in known:
            globs = [glob for glob in self._globs if position.path == glob or fnmatch.fnmatch(position.path, glob)]
            self._before.update(globs)
            if not globs:
                self._host.forget(position.stream)
            elif position.inode:
                self._past.add(position)

    def _is_new(self, path: str) -> bool:
        """Whether all of a file that nobody knows is to be read."""
        return not self._starting or self._glob_of(path) in self._before

    def _glob_of(self, path: str) -> str:
        return self._standing.named.get(path, path)

    # Which files there are

    def _scan(self) -> None:
        """Compare what stands at the paths with what is open: begin new files, let go of those that left."""
        self._rescanning = False
        if self._open.watcher is None:
            return
        files = self._standing.look(self._open.watcher)
        for position in self._past.positions():
            if (base := self._standing.base_of(position.path)) is not None:
                self._past.move(position, base)
        before, self._at = self._at, {}
        for path, status in files.items():
            tail = self._tails.get((status.st_dev, status.st_ino)) or self._begin_standing(path)
            if tail is not None:
                self._at[path] = tail
                self._standing.is_well(path)
        self._settle(before)
        self._generations.refresh()
        for path in self._standing.named:
            self._look(path)
            self._find(path)
        for stream in self._past.evict_others(self._standing.named):
            self._host.forget(stream)

    def _begin_standing(self, path: str) -> Tail | None:
        """Read the file at a path; not one that may be an earlier generation of another, which is judged first."""
        if self._standing.base_of(path) is not None:
            return None
        try:
            content = self._open_standing(path)
        except OSError as error:
            self._standing.unreadable(path, error)
            return None
        if content is None:
            return None
        try:
            position = self._past.claim(os.fstat(content.fd).st_ino, content)
            if position is not None:
                return self._begin(content, position, path)
            was_cut = any(one.inode == os.fstat(content.fd).st_ino for one in self._past.unfinished(path))
            offset = 0 if self._is_new(path) or self._from_start else last_line_end(content.fd)
            return self._begin(content, self._open.new_position(path, content, offset), path, hole=was_cut)
        except OSError as error:
            content.close()
            self._standing.unreadable(path, error)
            return None

    def _open_standing(self, path: str) -> Content | None:
        """None: what stands there has changed since it was looked at, and is looked at again."""
        try:
            fd = open_file(path)
        except PermissionError:
            self._hold_place(path)
            raise
        if inode_of(fd) in self._tails or not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            return None
        return Plain(fd)

    def _hold_place(self, path: str) -> None:
        """A file that cannot be read at the first start ever: once it can, reading begins at its present end."""
        if self._starting and not self._is_new(path) and not self._from_start and not self._past.positions(path):
            status = os.stat(path)
            place = Position(new_stream(), self.name, path, status.st_dev, status.st_ino, status.st_size)
            self._past.add(place)
            self._host.register(place)

    def _begin(self, content: Content, position: Position, path: str, *, lain: int | None = None, hole: bool = False) -> Tail:
        tail = self._open.begin(content, position, path, lain=lain, hole=hole)
        self._reading.queue(tail)
        return tail

    def _settle(self, before: dict[str, Tail]) -> None:
        """Detach what left its path; what came to a path is read after what left it."""
        for path, tail in self._at.items():
            tail.detached = False
            if self._at.get(tail.path) is not tail:
                tail.rename(path)
            left = before.get(path)
            if left is not None and left is not tail:
                self._reading.read_first(left, tail)
        standing = set(self._at.values())
        for tail in self._tails.values():
            if tail not in standing and not tail.detached:
                self._host.report(2, f"{self.name}: {tail.path} was renamed or deleted; what is still written to it is read")
                self._detach(tail)

    def _detach(self, tail: Tail) -> None:
        tail.detached = True
        tail.changed = time.monotonic()
        self._reading.queue(tail)
        self._later("retire", self._linger, self._retire)

    # What was rotated away

    def _look(self, path: str) -> bool:
        """Begin to read what earlier generations hold unread; whether there was anything."""
        begun = self._rests.look(path)
        self._read_in_order(path, begun)
        if path in self._rests.pending:
            self._later("pending", self._patience, self._look_again)
        return bool(begun)

    def _find(self, path: str) -> None:
        self._read_in_order(path, self._rests.find(path, path in self._at))

    def _look_again(self) -> None:
        """At what could not be judged; ever more rarely, as long as no name comes or goes."""
        del self._timers["pending"]
        self._patience = min(2 * self._patience, LINGER_BLIND)
        self._generations.refresh()
        for path in list(self._rests.pending):
            self._look(path)
            self._find(path)

    def _is_old(self, path: str) -> bool:
        """Whether it was rotated away before the first start ever."""
        return not self._is_new(path)

    def _begin_rest(self, content: Content, position: Position | None, path: str, now: str) -> Tail:
        hole = position is None
        if position is None:
            is_whole = self._is_new(path) or self._from_start
            position = self._open.new_position(path, content, 0 if is_whole else last_line_end(content.fd))
        tail = self._begin(content, position, path, hole=hole)
        tail.origin = now
        if path == now:
            self._at[path] = tail
        else:
            self._detach(tail)
        return tail

    def _read_in_order(self, path: str, begun: Sequence[Tail]) -> None:
        """One after the other, and then what stands at path."""
        for old, new in pairwise([*begun, *([self._at[path]] if path in self._at else [])]):
            if old is not new:
                self._reading.read_first(old, new)

    # Reading

    def _read(self, tail: Tail) -> None:
        try:
            data = tail.fetch()
            holds = tail.holds(data)
        except OSError as error:
            self._lose(tail, error)
            return
        if not tail.read_to and not tail.detached and self._has_earlier(tail.path):
            self._reading.queue(tail)
        elif holds:
            self._take(tail, data)
        elif tail.is_known:
            self._begin_again(tail)
        else:  # nothing was read of what stood there; the next turn sees what does now
            self._reading.queue(tail)

    def _has_earlier(self, path: str) -> bool:
        """Before the first line of a file: whether another one has to be read first. A cut would not show later."""
        self._generations.refresh()
        return self._look(path)

    def _take(self, tail: Tail, data: bytes) -> None:
        if data:
            tail.changed = time.monotonic()
        self._open.deliver(tail, tail.take(data))
        if not tail.at_end:
            self._reading.queue(tail)

    def _begin_again(self, tail: Tail) -> None:
        """The file was cut or written anew: a new stream, after what a copy still holds of the old one."""
        self._host.report(2, f"{self.name}: {tail.path} was truncated; reading it from its beginning")
        path, detached, missing = tail.path, tail.detached, tail.last_size > tail.read_to
        standing = [name for name, other in self._at.items() if other is tail]
        copy = self._rests.copy_of(tail)
        content = self._open.let_go(tail)
        if copy is not None:
            self._open.move(tail, *copy)
            self._detach(tail)
        new = self._begin(content, self._open.new_position(path, content, 0), path, lain=0, hole=True)
        new.detached = detached
        self._at.update(dict.fromkeys(standing, new))
        if copy is not None:
            self._reading.read_first(tail, new)
        else:
            self._open.register(tail)
            self._past.cut(tail)
        self._look(path)
        if copy is None and path not in self._rests.pending and self._past.holds(tail.position()):
            self._give_up(tail, missing)

    def _give_up(self, tail: Tail, is_missing: bool) -> None:
        """No copy of a file that was cut: its half-written last line is all there is."""
        self._open.deliver(tail, tail.finish())
        self._rests.tell(tail.position(), 0 if is_missing else 1)

    def _lose(self, tail: Tail, error: OSError) -> None:
        """A file that cannot be read any more is opened again later, and goes on where it was."""
        self._past.add(tail.position())
        if isinstance(error, Unlike):
            self._past.is_another(tail.key, tail.stream)
        if tail.content is None or not tail.content.is_packed:
            self._standing.unreadable(tail.origin, error)
        elif isinstance(error, Unlike) or (isinstance(error, Unfinished) and has_writer(tail.content.fd) is not False):
            self._rests.pending.add(tail.path)
            self._later("pending", self._patience, self._look_again)
        else:
            self._past.settle(tail.path, Candidate(tail.origin, tail.key, *tail.seen))
            self._standing.complain(tail.origin, f"{error.strerror}; what it holds beyond byte {tail.offset} is not read")
            self._past.add(tail.position(), TOLD)
        self._drop(tail)

    # The end of a file

    def _retire(self) -> None:
        """Finish rotated files that nobody writes to any more; look at the others again, ever more rarely."""
        del self._timers["retire"]
        now = time.monotonic()
        for tail in self._open.detached():
            if not self._reading.paused and tail.at_end and tail.is_over(now - tail.changed, self._linger):
                self._end(tail)
            else:
                self._reading.queue(tail)
        left = [now - tail.changed for tail in self._open.detached()]
        if left:
            self._later("retire", max(self._linger, min(LINGER_BLIND, min(left))), self._retire)

    def _end(self, tail: Tail) -> None:
        """Deliver an unterminated last line. The stream is remembered, so that nothing reads its file again."""
        self._open.deliver(tail, tail.finish())
        if tail.registered:
            path = self._standing.base_of(tail.path) or tail.path
            self._past.move(marked(tail.position(), OVER), path)
            self._past.settle(path, Candidate(tail.origin, tail.key, *tail.seen))
        else:
            self._host.forget(tail.stream)
        self._drop(tail)

    def _drop(self, tail: Tail) -> None:
        self._open.drop(tail)
        self._at = {path: other for path, other in self._at.items() if other is not tail}

    # When to look

    def _on_written(self, watch: int) -> None:
        tail = self._open.watched(watch)
        if tail is not None:
            self._reading.queue(tail)

    def _on_name(self, name: str | None) -> None:
        if name is None:  # the kernel lost count: anything may have happened
            for tail in self._tails.values():
                self._reading.queue(tail)
        if (not name or self._standing.concerns(name)) and not self._rescanning:
            self._rescanning = True
            self._patience = self._linger
            self._host.loop.call_soon(self._scan)

    def _sweep(self) -> None:
        """Notice what nobody told: in files by size and time, in folders by time. Only what has changed costs more."""
        if self._timers.pop("sweep", None) is not None and (self._has_changed() or self._standing.is_changed()):
            self._scan()
        for tail in self._open.detached():
            self._reading.queue(tail)
        watcher = self._open.watcher
        if watcher is None:
            return
        works = watcher.works
        if not works and self._fault != watcher.fault:
            self._fault = watcher.fault
            self._host.report(1, f"{self.name}: looking once a second, as inotify fails: {self._fault}")
        self._later("sweep", SWEEP if works else POLL, self._sweep)

    def _has_changed(self) -> bool:
        """Whether another file stands at a path. Files that have grown or were cut are read."""
        changed = False
        for path, tail in self._at.items():
            try:
                status = os.stat(path)
            except OSError:
                changed = True
                continue
            if (status.st_dev, status.st_ino) != tail.key:
                changed = True
            elif (status.st_size, status.st_mtime_ns) != tail.seen:
                self._reading.queue(tail)
        return changed

    def _later(self, what: str, seconds: float, call: Callback) -> None:
        if what not in self._timers:
            self._timers[what] = self._host.loop.call_later(seconds, call)

    def _complain(self, path: str, fault: str, is_absent: bool) -> None:
        level = 0 if not is_absent else self._missing_level if self._starting else 3
        self._host.report(level, f"{self.name}: {path}: {fault}")
