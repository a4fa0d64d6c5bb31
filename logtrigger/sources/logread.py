"""OpenWrt's ring buffer of log lines in memory: followed, and gone on with where it was left as long as the ring holds it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from logtrigger.digests import blake2b
from logtrigger.errors import SourceError
from logtrigger.loop import Callback, Timer
from logtrigger.model import Chunk, Position
from logtrigger.sources.base import Host
from logtrigger.sources.lines import Piece
from logtrigger.sources.program import Program, Run
from logtrigger.sources.tail import new_stream

PATH = "logread"  # what stands in a position where files have their path
FOLLOW, SHOW = ("logread", "-f"), ("logread",)
LAST = 8  # lines by which the place is found again
SETTLE = 0.3  # seconds until `logread -f` is taken to have begun, and until what it had printed then has come
LAG = 5.0  # seconds by which what it prints may come later than in the ring
PATIENCE = 10.0  # seconds that showing the ring may take
TRIES = 5
BATCH = 1 << 17  # bytes of a chunk, about


class LogreadSource:
    """Follows the ring with `logread -f`, which knows no place to begin at.

    So it is started first, and what it prints is held; then the ring is shown as a whole, the last lines delivered are looked
    for in it, and what stands behind them is new; what was held goes on where it overlaps with that. Where nothing has been
    delivered yet, the ring is shown once more before all that: it ends with the place to begin at.
    """

    tells_senders = False

    def __init__(self, host: Host, name: str, *, from_start: bool = False) -> None:
        self.name = name
        self._host = host
        self._stream = new_stream()
        self._offset = 0  # bytes delivered
        self._last: deque[str] = deque(maxlen=LAST)  # digests of the lines delivered last
        self._begun = from_start  # the place to go on at is known
        self._follower = Program(host, name, self._begin_run, self._follow)
        self._viewer: Program | None = None
        self._shown: list[bytes] = []  # lines of the ring
        self._held: list[bytes] = []  # lines of `logread -f` until it is known where they belong
        self._joined = False
        self._expected: list[bytes] = []  # lines of the ring that `logread -f` may print once more
        self._next: int | None = None  # the next one of them, once it has begun
        self._tries = 0
        self._timers: dict[str, Timer] = {}
        self._open = self._paused = self._waiting = False

    def open(self) -> None:
        """Raises SourceError where there is no logread."""
        self._recall()
        self._open = True
        if self._begun:
            self._follower.open()
        else:
            self._show()

    def close(self) -> None:
        self._open = False
        for timer in self._timers.values():
            timer.cancel()
        self._follower.close()
        if self._viewer is not None:
            self._viewer.close()

    def pause(self) -> None:
        self._paused = True
        self._follower.pause()

    def resume(self) -> None:
        self._paused = False
        self._follower.resume()
        if self._waiting:
            self._later("join", SETTLE, self._join)

    def positions(self) -> Iterable[Position]:
        return [self._position()] if self._begun else []

    def abandon(self) -> None:
        """Close, and remember nothing."""
        self._host.forget(self._stream)
        self.close()

    def _position(self) -> Position:
        return Position(self._stream, self.name, PATH, 0, 0, self._offset, ",".join(self._last))

    def _recall(self) -> None:
        known = list(self._host.positions(self.name))
        ours = next((position for position in known if position.path == PATH), None)
        for position in known:
            if position is not ours:
                self._host.forget(position.stream)
        if ours is not None:
            self._stream, self._offset, self._begun = ours.stream, ours.offset, True
            self._last.extend(filter(None, ours.head.split(",")))
        elif self._begun:
            self._host.register(self._position())

    # What the ring holds

    def _show(self) -> None:
        """Have the whole ring printed."""
        self._shown, self._tries = [], self._tries + 1
        self._viewer = viewer = Program(self._host, self.name, lambda: SHOW, self._view, once=self._viewed)
        self._later("patience", PATIENCE, self._give_up)
        try:
            viewer.open()
        except SourceError:
            self._viewer = None
            if not self._begun:
                raise
            self._viewed(False)

    def _view(self, run: Run, pieces: list[Piece]) -> None:
        for piece in pieces:
            self._shown += _lines(piece.data)

    def _give_up(self) -> None:
        if self._viewer is not None:
            self._viewer.close()
        self._viewed(False)

    def _viewed(self, well: bool) -> None:
        self._cancel("patience")
        self._viewer = None
        if not well and self._tries < TRIES:
            self._later("show", SETTLE * 2**self._tries, self._show)
        elif not self._begun:
            self._begin_behind(self._shown)
        elif well:
            self._later("join", SETTLE, self._join)
        else:
            self._host.report(0, f"{self.name}: logread does not show the ring; what it took while nobody watched is not read")
            self._shown = []
            self._join()

    def _begin_behind(self, lines: Sequence[bytes]) -> None:
        """The first start ever: what is there is old."""
        self._last.extend(map(_digest, lines[-LAST:]))
        self._begun, self._tries = True, 0
        self._host.register(self._position())
        self._follower.open()

    # What is new

    def _begin_run(self) -> Sequence[str]:
        """`logread -f` is about to be started: in a moment it will have begun, and then the ring is looked at."""
        self._joined, self._held, self._tries = False, [], 0
        self._later("show", SETTLE, self._show)
        return FOLLOW

    def _follow(self, run: Run, pieces: list[Piece]) -> None:
        for piece in pieces:
            if self._joined and self._expected:
                self._deliver_all(self._unexpected(_lines(piece.data)), catching_up=False)
            elif self._joined:
                self._deliver(piece.data, catching_up=False)
            else:
                self._held += _lines(piece.data)

    def _join(self) -> None:
        """Deliver what the ring holds behind the last line known, and then what has come since."""
        self._waiting = self._paused
        if self._paused or not self._open:
            return
        ring, held = self._shown, self._held
        at = overlap(ring, held)
        old, new = held[: max(0, -at)] + ring, held[len(ring) - at :]
        begin = self._place(old)
        self._shown, self._held, self._joined = [], [], True
        if at == len(ring):  # `logread -f` has not come to the ring's end; BusyBox's takes a second to print a line
            self._expect(ring)
            new = self._unexpected(new)
        self._deliver_all(old[begin:], catching_up=True)
        self._deliver_all(new, catching_up=False)

    def _expect(self, ring: list[bytes]) -> None:
        """`logread -f` may yet print the last lines of the ring, which have been delivered."""
        self._expected, self._next = ring, None
        self._later("expect", LAG, lambda: self._expect([]))

    def _unexpected(self, lines: list[bytes]) -> list[bytes]:
        """The lines without those that were shown with the ring: they begin somewhere in it and go on to its end."""
        for index, line in enumerate(lines):
            if not self._expected:
                return lines[index:]
            if self._next is None:
                found = (at for at in range(len(self._expected), 0, -1) if self._expected[at - 1] == line)
                self._next = next(found, None)
                if self._next is None:
                    self._expected = []
                    return lines[index:]
            elif self._next < len(self._expected) and self._expected[self._next] == line:
                self._next += 1
            else:
                self._expected = []
                return lines[index:]
        return []

    def _place(self, ring: Sequence[bytes]) -> int:
        """Index behind the last line known; the beginning, where the ring has lost it."""
        last = list(self._last)
        if not last:
            return 0
        digests = list(map(_digest, ring))
        for end in range(len(ring), 0, -1):
            most = min(len(last), end)
            if digests[end - 1] == last[-1] and digests[end - most : end] == last[-most:]:
                return end
        if ring:
            self._host.report(
                0,
                f"{self.name}: the ring has given up the line read last, and perhaps others that were not read "
                "(log_size in /etc/config/system makes it larger)",
            )
        return 0

    def _deliver_all(self, lines: Sequence[bytes], *, catching_up: bool) -> None:
        batch: list[bytes] = []
        size = 0
        for line in lines:
            batch.append(line)
            size += len(line)
            if size > BATCH:
                self._deliver(b"".join(batch), catching_up=catching_up)
                batch, size = [], 0
        if batch:
            self._deliver(b"".join(batch), catching_up=catching_up)

    def _deliver(self, data: bytes, *, catching_up: bool) -> None:
        if not self._open:
            return
        start, end = self._offset, self._offset + len(data)
        self._host.deliver(Chunk(self.name, " ".join(FOLLOW), self._stream, start, end, data, catching_up=catching_up))
        self._offset = end
        self._last.extend(map(_digest, data[:-1].rsplit(b"\n", LAST)[-LAST:]))

    def _later(self, what: str, seconds: float, call: Callback) -> None:
        self._cancel(what)
        self._timers[what] = self._host.loop.call_later(seconds, call)

    def _cancel(self, what: str) -> None:
        if what in self._timers:
            self._timers.pop(what).cancel()


def overlap(ring: Sequence[bytes], held: Sequence[bytes]) -> int:
    """Index in the ring at which the held lines begin; as many of them as can be are taken for lines of the ring.

    They reach to its end at least, as they were waited for. They may begin before the ring does, which has lost lines
    meanwhile, or where `logread -f` begins with some that are there: then the index is negative.

    >>> overlap([b"a", b"b", b"c"], [b"b", b"c", b"d"])
    1
    >>> overlap([b"b", b"c"], [b"a", b"b", b"c", b"d"])
    -1
    """
    for at in range(len(ring) - len(held), len(ring)):
        start, end = max(0, -at), len(ring) - at
        if start < end and held[start] == ring[at + start] and held[start:end] == ring[at + start :]:
            return at
    return len(ring)


def _lines(data: bytes) -> list[bytes]:
    """Whole lines, apart, each with its end."""
    return [line + b"\n" for line in data[:-1].split(b"\n")]


def _digest(line: bytes) -> str:
    return blake2b(line.rstrip(b"\n"), digest_size=6).hexdigest()
