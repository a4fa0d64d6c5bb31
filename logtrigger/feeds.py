"""The sources that are open: made from the configuration, changed by a reload, paused and resumed together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from logtrigger import headers
from logtrigger.durations import amount
from logtrigger.errors import Place, SourceError
from logtrigger.loop import Timer
from logtrigger.model import Chunk, Position
from logtrigger.rule import BANS, FED, SYSTEM_LOG, Settings, SourceOptions
from logtrigger.sources.base import Host, Source

SKEW_EVERY = 60.0  # seconds between looks at the time a line says
FIRST_RETRY = 1.0  # seconds until a source that could not be opened is tried again; each time twice as long as before,
LAST_RETRY = 60.0  # up to this
_LONGEST_HEADER = 1024  # bytes

if TYPE_CHECKING:
    from logtrigger.logfiles import LogFiles


@dataclass(frozen=True, slots=True)
class Standing:
    """How a source stands."""

    name: str
    reading: str  # what it reads, where it was left to choose
    positions: tuple[Position, ...]  # of what can be reread
    heard: float | None  # when its last lines came in, epoch seconds; None: none since the start
    paused: bool
    skew: float | None = None  # seconds by which its clock is ahead of ours, as a line of the last minutes had it
    fault: str = ""  # why it is not open
    unreadable: tuple[str, ...] = ()  # what of it cannot be read, and why


@dataclass(frozen=True, slots=True)
class _Unopened:
    """A source that cannot be opened: why, and what tries again."""

    fault: str
    timer: Timer


@dataclass(slots=True)
class Tally:
    """What has come from a source since the start."""

    lines: int = 0
    bytes: int = 0


class Feeds:
    """All open sources, by name.

    Args:
        host: what the sources deliver to.
        known: the positions that the store knew at the start.
        over: called when nothing can come any more: standard input has ended, and there is no other source.
        dry_run: write no line to a file.
    """

    def __init__(
        self, host: Host, known: Iterable[Position], over: Callable[[], None] = lambda: None, *, dry_run: bool = False
    ) -> None:
        self._host, self._over, self._dry_run = host, over, dry_run
        self._known = list(known)
        self._open: dict[str, Source] = {}
        self._options: dict[str, SourceOptions | None] = {}  # that each was opened with
        self._files: dict[str, LogFiles] = {}  # that the lines of a source are written to
        self._unopened: dict[str, _Unopened] = {}  # that could not be opened, and are tried again
        self._ended: set[str] = set()  # of which nothing will come any more
        self._settings: Settings | None = None
        self._moved: set[str] = set()  # delivered, or paused, since their positions were last asked for
        self._skew: dict[str, tuple[float, float | None]] = {}  # when looked at, and the seconds that a line was ahead
        self.tallies: dict[str, Tally] = {}  # of each source that has delivered something, over reloads
        self._heard: dict[str, float] = {}  # when each delivered last, epoch seconds
        self._paused = False

    def known(self, source: str) -> list[Position]:
        """What was known of a source's streams when the daemon started, or when the source was last closed."""
        return [position for position in self._known if position.source == source]

    def open(self, names: Iterable[str], settings: Settings) -> None:
        """Open these sources, and those that are to be written to files. Raises SourceError for the first that cannot be."""
        self._settings = settings
        for name in _wanted(names, settings):
            self._open_one(name, settings)

    def change(self, names: Sequence[str], settings: Settings) -> list[Position]:
        """Close what is not wanted any more, open what is new or has changed; gives where the closed ones stand.

        What stays open reads its certificates again, and opens anew the files it writes. What cannot be opened is tried
        again until it can.
        """
        self._settings, wanted = settings, _wanted(names, settings)
        for name in list(self._unopened):  # whoever asks for a reload is told anew what cannot be opened
            self._unopened.pop(name).timer.cancel()
        stale = [name for name in self._open if name not in wanted or self._options[name] != _options(name, settings)]
        left = [position for name in stale for position in self._close_one(name)]
        for name in wanted:
            if name in self._open:
                self._refresh(name)
            else:
                self._try(name, FIRST_RETRY)
        self._end_if_over()
        return left

    def close(self) -> None:
        """Close them all."""
        for one in self._unopened.values():
            one.timer.cancel()
        for source in self._open.values():
            source.close()
        for files in self._files.values():
            files.close()

    def pause(self) -> None:
        """Let no source deliver anything until `resume`."""
        self._paused = True
        self._moved.update(self._open)  # before a stop: what was read to its end is known to be so without another line
        for source in self._open.values():
            source.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused = False
        for source in self._open.values():
            source.resume()

    def delivered(self, chunk: Chunk, now: float) -> None:
        """A source has moved on: its lines are written where they are to be."""
        self._moved.add(chunk.source)
        self._heard[chunk.source] = now
        tally = self.tallies.setdefault(chunk.source, Tally())
        tally.lines += chunk.data.count(b"\n")
        tally.bytes += len(chunk.data)
        if not chunk.catching_up and abs(now - self._skew.get(chunk.source, (-SKEW_EVERY, None))[0]) >= SKEW_EVERY:
            self._look_at_clock(chunk, now)
        if files := self._files.get(chunk.source):
            self._write(files, chunk, now)

    def _write(self, files: LogFiles, chunk: Chunk, now: float) -> None:
        try:
            files.write(chunk, now)
        except Exception as error:  # what cannot be written is for the rules to see all the same
            self._host.report(0, f"{chunk.source}: {amount(len(chunk.data), 'byte')} could not be written to files: {error!r}")

    def skew(self) -> dict[str, float]:
        """By how many seconds the lines of each source are ahead of our clock, where they say a time; looked at each minute."""
        return {name: ahead for name, (_, ahead) in self._skew.items() if ahead is not None}

    def _look_at_clock(self, chunk: Chunk, now: float) -> None:
        line = chunk.data[: chunk.data.find(b"\n", 0, _LONGEST_HEADER)]
        written = headers.parse(line).time(now)
        self._skew[chunk.source] = now, None if written is None else written - now

    def forget(self, stream: str) -> None:
        """A stream is over: whoever opens its source again is not to look for it."""
        self._known = [position for position in self._known if position.stream != stream]

    def moved(self) -> list[Position]:
        """Where the sources stand that have moved since this was last asked."""
        moved, self._moved = self._moved, set()
        return [position for name in moved if name in self._open for position in self._open[name].positions()]

    def standings(self) -> list[Standing]:
        """How each open source stands, for a person to look at."""
        return [
            Standing(
                name,
                getattr(source, "reading", ""),
                tuple(source.positions()),
                self._heard.get(name),
                self._paused,
                self.skew().get(name),
                unreadable=tuple(getattr(source, "unreadable", tuple)()),
            )
            for name, source in self._open.items()
        ] + [Standing(name, "", (), None, self._paused, fault=one.fault) for name, one in self._unopened.items()]

    def _try(self, name: str, pause: float) -> None:
        """Open a source now, or else after a while; the daemon has others to read."""
        assert self._settings is not None
        before = self._unopened.pop(name, None)
        if before is not None:
            before.timer.cancel()
        try:
            self._open_one(name, self._settings)
        except SourceError as error:
            if before is None or before.fault != str(error):
                self._host.report(0, f"{error}; it is tried again until it can be opened")
            timer = self._host.loop.call_later(pause, lambda: self._try(name, min(2 * pause, LAST_RETRY)))
            self._unopened[name] = _Unopened(str(error), timer)
        else:
            if before is not None:
                self._host.report(0, f"{name}: is open now")

    def _open_one(self, name: str, settings: Settings) -> None:
        options = _options(name, settings)
        files = _files(options, self._host) if options is not None and options.write and not self._dry_run else None
        try:
            source = make(self._host, name, options, lambda: self._has_ended(name), lambda: self._warn_of_senders(name))
            if self._paused:
                source.pause()
            source.open()
        except SourceError:
            if files:
                files.close()
            raise
        if files:
            self._files[name] = files
        self._open[name], self._options[name] = source, options
        self._warn_of_senders(name)

    def _refresh(self, name: str) -> None:
        if name in self._files:
            self._files[name].reopen()
        reload = getattr(self._open[name], "reload", None)
        try:
            if reload is not None:
                reload()
        except SourceError as error:
            self._host.report(0, str(error))
        self._warn_of_senders(name)

    def _warn_of_senders(self, name: str) -> None:
        """A rule that asks who wrote a line, of a source that cannot tell, never sees one."""
        source = self._open[name]
        if self._settings is None or getattr(source, "tells_senders", True):
            return
        for rule in self._settings.rules:
            if rule.source == name and rule.senders:
                reading = getattr(source, "reading", "") or name
                self._host.report(
                    0,
                    f"rule {rule.name} sees no line: it asks for senders, and {reading} does not tell who wrote a line "
                    "(use option program instead, or a `config source` that reads the journal)",
                )

    def _has_ended(self, name: str) -> None:
        self._ended.add(name)
        self._host.loop.call_soon(self._end_if_over)

    @property
    def are_over(self) -> bool:
        """Whether nothing can come any more."""
        return bool(self._ended) and self._ended >= self._open.keys() and not self._unopened

    def _end_if_over(self) -> None:
        if self.are_over:
            self._over()

    def _close_one(self, name: str) -> list[Position]:
        source = self._open.pop(name)
        self._heard.pop(name, None)
        self._skew.pop(name, None)
        self._ended.discard(name)
        left = list(source.positions())
        self._known = [position for position in self._known if position.source != name] + left
        source.close()
        if files := self._files.pop(name, None):
            files.close()
        return left


def _wanted(names: Iterable[str], settings: Settings) -> list[str]:
    """The sources that rules read, and those whose lines are written to files. What is fed back, bans too, comes by itself."""
    open_ones = (name for name in names if not name.startswith(FED) and name != BANS)
    return list(dict.fromkeys([*open_ones, *(source.name for source in settings.sources if source.write)]))


def _options(name: str, settings: Settings) -> SourceOptions | None:
    """The `config source` of that name, wherever it is written."""
    found = next((source for source in settings.sources if source.name == name), None)
    return found and replace(found, place=Place("", 0))


def _files(options: SourceOptions, host: Host) -> LogFiles:
    from logtrigger.logfiles import LogFiles, Template

    template = Template(options.write)
    try:
        return LogFiles(template, host.report)
    except OSError as error:
        raise SourceError(
            f"{options.name}: {template.folder} cannot be written to: {error.strerror} (run as root, or write elsewhere)"
        ) from error


def make(host: Host, name: str, options: SourceOptions | None, ended: Callable[[], None], moved: Callable[[], None]) -> Source:
    """The source of that name: the system log, a `config source`, or a rule's `file`. What it needs is imported only here.

    `ended` is called when nothing more can come of it, `moved` when the system log is read elsewhere from then on.
    """
    if options is not None:
        return _configured(host, options, ended)
    if name == SYSTEM_LOG:
        from logtrigger.sources.syslog import SystemLogSource

        return SystemLogSource(host, moved=moved)
    from logtrigger.sources.file import FileSource

    return FileSource(host, name, [name])


def _configured(host: Host, options: SourceOptions, ended: Callable[[], None]) -> Source:
    name, from_start = options.name, options.from_start
    if options.listen:
        from logtrigger.sources import receiver

        return receiver.make(host, options)
    if options.journal:
        from logtrigger.sources.journal import JournalSource

        return JournalSource(host, name, units=options.units, matches=options.matches, from_start=from_start)
    if options.logread:
        from logtrigger.sources.logread import LogreadSource

        return LogreadSource(host, name, from_start=from_start)
    if options.stdin:
        from logtrigger.sources.stdin import StdinSource

        return StdinSource(host, name, ended)
    if options.command:
        from logtrigger.sources.command import CommandSource

        return CommandSource(host, name, options.command)
    from logtrigger.sources.file import FileSource

    return FileSource(host, name, options.file, from_start=from_start, rotated=options.rotated)
