"""The daemon: the shell around the engine. It reads sources, starts actions and keeps the store."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from logtrigger import __version__
from logtrigger.banning import Banning
from logtrigger.bannotices import BanNotices
from logtrigger.commits import Commits
from logtrigger.config import Configuration
from logtrigger.console import Console
from logtrigger.counters import WindowState
from logtrigger.dispatch import Dispatch
from logtrigger.durations import amount, spoken
from logtrigger.ending import Ending
from logtrigger.engine import Engine
from logtrigger.errors import ConfigError, ControlError, StoreError
from logtrigger.faults import Faults
from logtrigger.feedback import Feedback
from logtrigger.feeds import Feeds
from logtrigger.loop import Loop
from logtrigger.matchers import fastest
from logtrigger.memory import give_back, settle
from logtrigger.model import Ban, Chunk, Event, Position, Trigger, Unban
from logtrigger.overdue import Overdue
from logtrigger.places import Look, nowhere
from logtrigger.rule import Settings
from logtrigger.silence import Vigil
from logtrigger.store import WAY_OUT, Store
from logtrigger.wallclock import WallClock
from logtrigger.windowrows import from_row

if TYPE_CHECKING:
    from logtrigger.geoip import GeoIP
    from logtrigger.notify_socket import NotifySocket
    from logtrigger.statecopy import StateCopy

_LAGGING, _CAUGHT_UP = 20_000, 5_000  # triggers waiting for a commit: where sources pause, where they go on
_TIDY_EVERY = 60.0  # seconds
METERED = 16  # one chunk in so many is looked at with a clock, which tells what each rule costs

Load = Callable[[], Configuration]


class Service(Protocol):
    """What answers those who ask about the daemon."""

    def serve(self, settings: Settings) -> None:
        """Answer where these settings say. Raises ControlError where that is impossible."""

    def close(self) -> None:
        """Answer nobody any more."""


class Daemon:
    """One running logtrigger.

    Args:
        configuration: the checked configuration.
        console: what is told to the operator.
        load: reads it again, for a reload. Raises ConfigError.
        dry_run: do nothing about triggers, write no line to a file, and remember nothing.
        wall: epoch seconds.
        uptime: seconds since the boot, which nobody sets.
        service: makes what answers questions about us, and commands; None: nobody may ask.
        manager: is told how we are, where one has started us that wants to know.

    Raises:
        StoreError: the state cannot be used.
    """

    def __init__(
        self,
        configuration: Configuration,
        console: Console,
        load: Load,
        *,
        dry_run: bool = False,
        wall: Callable[[], float] = time.time,  # noqa: TID251 - the daemon is where the wall clock is read
        uptime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        service: Callable[[Daemon], Service] | None = None,
        manager: NotifySocket | None = None,
    ) -> None:
        settings = configuration.settings
        self.clock = clock = WallClock(wall, uptime)
        self._steps = 0  # of the clock that counters know of
        self.loop = Loop()
        self.loop.on_fault = Faults(console.report).tell
        self.max_line = settings.max_line
        self.report = console.report
        self.configuration, self.settings, self.started = configuration, settings, clock()
        self.loaded = self.started  # when the configuration was read
        self.probes: dict[bytes, Callable[[str], None]] = {}  # texts that somebody waits for, and who is told of their source
        self._console, self._load, self._dry_run, self._manager = console, load, dry_run, manager
        self.state = settings.state  # in use until a restart, whatever a reload says
        self.state_copy: StateCopy | None = None
        self._restore()
        self.store = Store(None if dry_run else self.state)
        self.commits = Commits(self.loop, self.store, self._snapshot, self._on_committed, self._on_store_error)
        self.feeds = Feeds(self, self.store.load_positions(), lambda: self._ending.wind_up(), dry_run=dry_run)
        self._paused = False
        self._later: list[tuple[str, str, Mapping[str, str]]] | None = None  # what is told of bans once their triggers are
        self._evictions: dict[str, int] = {}  # reported so far
        self.ban_counts: Counter[str | None] = Counter()  # bans that have begun, by rule ("": by hand); None: that have ended
        self.dispatch = Dispatch(
            self.loop, settings, self.store, self.commits, console, clock, dry_run=dry_run, present=clock.present
        )
        self._ending = Ending(
            self.loop,
            self.feeds,
            self.dispatch,
            self.commits,
            console.report,
            limit=lambda: self.settings.script_timeout,
            begins=self._say_stopping,
            ends=lambda: self.banning.record_all(),
        )
        self.banning = Banning(self.loop, settings, self.store, self.commits, console.report, clock, dry_run=dry_run)
        self._notices = BanNotices(self._tell_of_ban, lambda event: bool(self.settings.notices.get(event)))
        self.banning.on_change, self.banning.on_extended = self._ban_changed, self._notices.extended
        self._feedback = Feedback(lambda: self.engine, self.deliver, clock)
        self.dispatch.on_output, self.banning.on_begin = self._feedback.output, self._feedback.note
        self._geoip: GeoIP | None = None
        self.engine = self._engine_for(settings)
        self.banning.on_ignore = self._set_ignore
        self.commits.drop(self.engine.counters.restore(self._stored_windows()))
        self.engine.begin(clock())
        self._overdue = Overdue(self.loop, lambda: self.engine, self._tell_missing, self._is_reading, self.now)
        self._service = service(self) if service is not None else None
        self._fed = 0  # chunks
        self._vigil = Vigil()

    # From the cradle to the grave

    def run(self) -> None:
        """Work until `stop`. Raises SourceError and ControlError where something cannot be opened at the start."""
        os.chdir("/")
        os.umask(0o077)
        try:
            if self._service is not None:
                self._service.serve(self.settings)
            self._keep_copy()
            self.banning.start()
            self.feeds.open(self.engine.sources, self.settings)
            self.dispatch.start()
            self._tidy()
            self._overdue.begin()
            self._overdue.look_ahead()
            self.report(1, "ready")
            if self._manager is not None:
                self._manager.ready(self._in_short())
                self._manager.watch(self.loop, self._in_short)
            give_back()
            settle()
            self.dispatch.notice(
                "start", f"logtrigger {__version__} has started; {amount(self.settings.number_of_rules, 'rule')}"
            )
            self.loop.run()
        finally:
            if self._service is not None:
                self._service.close()
            self.feeds.close()
            self.banning.close()
            if self.state_copy is not None:
                self.state_copy.last()
            self.store.close()
            self.loop.close()

    def _restore(self) -> None:
        """A store in memory is gone after a reboot, its copy is not."""
        if self.settings.state_copy is not None and not self._dry_run:
            from logtrigger import statecopy  # few machines have their state in memory

            statecopy.restore(self.state, self.settings.state_copy, self.report)

    def _keep_copy(self) -> None:
        wanted = None if self._dry_run else self.settings.state_copy
        if self.state_copy is not None and self.state_copy.path != wanted:
            self.state_copy.close()
            self.state_copy = None
        if self.state_copy is None and wanted is not None:
            from logtrigger.statecopy import StateCopy

            self.state_copy = StateCopy(self.loop, self.store, self.state, wanted, self.report)

    def _stored_windows(self) -> list[WindowState]:
        try:
            return [from_row(row) for row in self.store.load_windows()]
        except ValueError as error:
            raise StoreError(f"{self.settings.state}: damaged ({error}): {WAY_OUT}") from error

    def watch_signals(self) -> None:
        """SIGTERM and SIGINT stop, SIGHUP reloads, SIGCHLD tells of scripts."""
        handlers = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self.stop,
            signal.SIGHUP: self.reload,
            signal.SIGCHLD: self.dispatch.scripts.reap,
        }
        signal.set_wakeup_fd(self.loop.wake_fd, warn_on_full_buffer=False)
        for number, act in handlers.items():
            signal.signal(number, self._handler(act))

    @property
    def is_stopping(self) -> bool:
        """Whether the daemon comes to its end."""
        return self._ending.has_begun

    def _handler(self, act: Callable[[], None]) -> Callable[[int, object], None]:
        return lambda _number, _frame: self.loop.call_soon(act)

    def stop(self) -> None:
        """End in order: read nothing more, wait for running scripts, store everything. A second time: end scripts now."""
        self._ending.stop()

    def _say_stopping(self) -> None:
        if self._manager is not None:
            self._manager.stopping()

    def reload(self) -> None:
        """Read the configuration again; one with mistakes changes nothing."""
        try:
            self.reload_now()
        except ConfigError as error:
            for complaint in error.complaints:
                self.report(0, str(complaint))
            self.report(0, "not reloaded; the old configuration stays in force")

    def reload_now(self) -> None:
        """As `reload`, but raises ConfigError, for whoever asked to hear of it."""
        if self.is_stopping:
            return
        if self._manager is not None:
            self._manager.reloading()
        try:
            self._take_up()
        finally:
            if self._manager is not None:
                self._manager.ready(self._in_short())

    def _take_up(self) -> None:
        loaded = self.now()
        configuration = self._load()
        settings = configuration.settings
        if settings.state != self.state:
            self.report(0, f"the state stays in {self.state} until a restart")
        self.loaded = loaded
        older, self.configuration, self.settings, self.max_line = self.engine, configuration, settings, settings.max_line
        self.engine = self._engine_for(settings)
        self.engine.take_over(older)
        self.dispatch.take_up(settings)
        self.banning.take_up(settings)
        self._set_ignore()
        self.commits.drop(self.engine.counters.adopt(older.counters))
        self.engine.begin(self.clock())
        self.commits.leave(self.feeds.change(self.engine.sources, settings))
        self._overdue.begin()
        self._overdue.look_ahead()
        if self._service is not None:
            try:
                self._service.serve(settings)
            except ControlError as error:
                self.report(0, str(error))
        self._keep_copy()
        self.report(1, f"reloaded; {amount(settings.number_of_rules, 'rule')}")

    def _in_short(self) -> str:
        """How it stands, in one line."""
        text = f"{amount(self.settings.number_of_rules, 'rule')}, {amount(len(self.banning.bans), 'ban')}"
        faults = {"firewall": self.banning.fault, "store": self.commits.error}
        state = ["stopping", text] if self.is_stopping else [text]
        return "; ".join([*state, *(f"{name}: {fault}" for name, fault in faults.items() if fault)])

    def _set_ignore(self) -> None:
        self.engine.ignore = self.banning.ignoring.addresses

    def _engine_for(self, settings: Settings) -> Engine:
        build = fastest(None if self._dry_run else settings.state.parent, self.report)
        self.look = self._look(settings)
        engine = Engine(settings, build=build, look=self.look)
        if self._console.level >= 3:
            engine.observer = self._on_event
        return engine

    def _look(self, settings: Settings) -> Look:
        """What tells where an address is."""
        if not settings.geoip:
            self._geoip = None
            return nowhere
        from logtrigger.geoip import GeoIP  # brings a package that few configurations need

        self._geoip = GeoIP(settings.geoip, self.report, settings.home, before=self._geoip)
        return self._geoip.look

    # Sources, as their host

    def deliver(self, chunk: Chunk) -> None:
        """Count the lines of a chunk and start what they cause."""
        self._console.chunk(chunk)
        now = self.now()
        self.feeds.delivered(chunk, now)
        self._vigil.hear(chunk, now)
        for text in [text for text in self.probes if text in chunk.data]:
            self.probes.pop(text)(chunk.source)
        if triggers := self._feed(chunk):
            self._act_on(triggers)
        if self.engine.waits:
            self._overdue.read(old=chunk.catching_up)
        self._note_changes()

    def now(self) -> float:
        """The time. Where somebody has set the clock, what was noted since the boot goes along first."""
        now = self.clock()
        for step in self.clock.since(self._steps):
            self._steps += 1
            self.engine.shift(step)
            self.dispatch.clock_was_set(step.by)
            self.banning.clock_was_set()
            way = "forward" if step.by > 0 else "back"
            self.report(1, f"the clock was set {way} by {spoken(max(1, round(abs(step.by))))}; nothing is missing for that")
        return now

    def _note_changes(self) -> None:
        self.commits.changed()
        if self.commits.pending > _LAGGING and not self._paused:
            self._pause()

    def _act_on(self, triggers: Sequence[Trigger]) -> None:
        self._later = later = list[tuple[str, str, Mapping[str, str]]]()
        try:
            acted_on = [trigger for trigger in triggers if not self.dispatch.why_not(trigger.rule)]
            notes = self.banning.meet((trigger, self.dispatch.rule_with_bans(trigger)) for trigger in acted_on)
            for trigger in triggers:
                self.dispatch.trigger(trigger, notes.get(trigger.id, ""))
        finally:
            self._later = None
            for state, text, fields in later:
                self.dispatch.notice(state, text, fields)
        self._feedback.bans()

    def _tell_missing(self, triggers: Sequence[Trigger]) -> None:
        self._act_on(triggers)
        self._note_changes()

    def _is_reading(self) -> bool:
        return not (self._paused or self.is_stopping)

    def _feed(self, chunk: Chunk) -> Sequence[Trigger]:
        self._fed += 1
        self.engine.meter = time.perf_counter if self._fed % METERED == 0 else None
        try:
            return self.engine.feed(chunk, self.clock())
        except Exception as error:  # no line may end the daemon, which would read it again at the next start
            where = f"{chunk.origin}, bytes {chunk.offset} to {chunk.end}"
            self.report(0, f"{where}: passed over, through a fault of logtrigger's own: {error!r}")
            return ()

    def register(self, position: Position) -> None:
        """Make a new stream durable, before its first chunk."""
        try:
            self.store.register(position)
        except StoreError as error:
            self.commits.fails(error)

    def forget(self, stream: str) -> None:
        """A stream is over."""
        self.engine.forget(stream)
        self.feeds.forget(stream)
        self.commits.forget(stream)

    def positions(self, source: str) -> Iterable[Position]:
        """What was known of a source's streams when the daemon started, or when the source was last closed."""
        return self.feeds.known(source)

    def is_own(self, pid: int) -> bool:
        """Whether this process is ourselves, or belongs to a script that runs."""
        return pid == os.getpid() or self.dispatch.scripts.owns(pid)

    def _pause(self) -> None:
        self._paused = True
        self.report(0, "the store lags behind; reading pauses until it has caught up")
        self.feeds.pause()

    def _go_on(self) -> None:
        self._paused = False
        self.report(0, "the store has caught up; reading goes on")
        self.feeds.resume()
        self._overdue.begin()

    def _ban_changed(self, change: Ban | Unban) -> None:
        self.ban_counts[change.rule if isinstance(change, Ban) else None] += 1
        self._notices.changed(change)

    def _tell_of_ban(self, state: str, text: str, fields: Mapping[str, str]) -> None:
        if self._later is None:
            self.dispatch.notice(state, text, fields)
        else:
            self._later.append((state, text, fields))

    def _on_event(self, event: Event) -> None:
        self._console.event(event, self.dispatch.rules[event.rule])

    # The store

    def _snapshot(self) -> tuple[Sequence[Position], Sequence[WindowState]]:
        return self.feeds.moved(), self.engine.counters.changes()

    def _on_committed(self, seq: int) -> None:
        self.dispatch.work.committed(seq)
        if self._paused and not self.is_stopping and self.commits.pending < _CAUGHT_UP:
            self._go_on()

    def _on_store_error(self, error: StoreError | None) -> None:
        if error is None:
            unrecorded, self.commits.unrecorded = self.commits.unrecorded, 0
            lost = f"the history lacks {amount(unrecorded, 'trigger')} without actions" if unrecorded else "nothing was lost"
            self.report(0, f"{self.state} can be written again; {lost}")
        else:
            self.report(0, f"{error}; work goes on, but a crash now would repeat or miss what is not stored")

    def _tidy(self) -> None:
        """Now and then: forget what is over, and look for what is new."""
        self.loop.call_later(_TIDY_EVERY, self._tidy)  # first: what fails now is tried again
        self.engine.expire(self.now())
        if self._geoip is not None:
            self._geoip.refresh()
        for name, count in self.engine.counters.evictions().items():
            if count != self._evictions.get(name, 0):
                self.report(0, f"{name}: {amount(count, 'counter')} given up for others (max_keys {self.settings.max_keys})")
                self._evictions[name] = count
        for silent in self._vigil.judge(self.settings.rules, self.engine.events(), self.clock()):
            self.report(0, f"{silent} ({silent.remedy})")
            self.dispatch.notice("rule_silent", str(silent), {"program": silent.program, "rule": silent.rule})
