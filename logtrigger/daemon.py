"""The daemon: the shell around the engine. It reads sources, starts actions and keeps the store."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from logtrigger import __version__
from logtrigger.banning import Banning
from logtrigger.bannotices import BanNotices
from logtrigger.commits import Commits
from logtrigger.config import Configuration
from logtrigger.console import Console
from logtrigger.control.protocol import Request, Rows
from logtrigger.control.server import Server
from logtrigger.counters import WindowState
from logtrigger.dispatch import Dispatch
from logtrigger.durations import amount
from logtrigger.engine import Engine
from logtrigger.errors import ConfigError, ControlError, StoreError
from logtrigger.feeds import Feeds
from logtrigger.loop import Loop
from logtrigger.matchers import fastest
from logtrigger.memory import give_back, settle
from logtrigger.metrics import METERED
from logtrigger.model import Ban, Chunk, Event, Position, Trigger, Unban
from logtrigger.overdue import Overdue
from logtrigger.places import Look, nowhere
from logtrigger.rule import BANS, FED, Settings
from logtrigger.silence import Vigil
from logtrigger.store import WAY_OUT, Store
from logtrigger.windowrows import from_row

if TYPE_CHECKING:
    from logtrigger.geoip import GeoIP
    from logtrigger.metrics.endpoint import Endpoint
    from logtrigger.metrics.families import Family
    from logtrigger.notify_socket import NotifySocket

_LAGGING, _CAUGHT_UP = 20_000, 5_000  # triggers waiting for a commit: where sources pause, where they go on
_TIDY_EVERY = 60.0  # seconds
_FAULT_EVERY = 60.0  # seconds between reports of one fault
_PATIENCE = 5.0  # seconds, beyond the time limit of scripts
_FAREWELL = 5.0  # seconds to be told of a stop
_LAST_SENDS = 35.0  # seconds for what is being sent when we stop: more than senders wait for an answer
_LOOK_EVERY = 0.02  # seconds, for the end of the last action after the input's end

Load = Callable[[], Configuration]


class Daemon:
    """One running logtrigger.

    Args:
        configuration: the checked configuration.
        console: what is told to the operator.
        load: reads it again, for a reload. Raises ConfigError.
        dry_run: do nothing about triggers, write no line to a file, and remember nothing.
        clock: epoch seconds.
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
        clock: Callable[[], float] = time.time,  # noqa: TID251 - the daemon is where the wall clock is read
        manager: NotifySocket | None = None,
    ) -> None:
        settings = configuration.settings
        self.loop = Loop()
        self.loop.on_fault = self._on_fault
        self.max_line = settings.max_line
        self.report = console.report
        self.configuration, self.settings, self.started = configuration, settings, clock()
        self.loaded = self.started  # when the configuration was read
        self.probes: dict[bytes, Callable[[str], None]] = {}  # texts that somebody waits for, and who is told of their source
        self._console, self._load, self._dry_run, self._manager = console, load, dry_run, manager
        self.clock = self._clock = clock
        self.store = Store(None if dry_run else settings.state)
        self.commits = Commits(self.loop, self.store, self._snapshot, self._on_committed, self._on_store_error)
        self.feeds = Feeds(self, self.store.load_positions(), self._wind_up, dry_run=dry_run)
        self._paused = False
        self._later: list[tuple[str, str, Mapping[str, str]]] | None = None  # what is told of bans once their triggers are
        self._stopping = self._ending = self._finished = False
        self._faults: dict[str, float] = {}  # where something has failed, and when it was said last
        self._evictions: dict[str, int] = {}  # reported so far
        self.ban_counts: Counter[str | None] = Counter()  # bans that have begun, by rule ("": by hand); None: that have ended
        self.dispatch = Dispatch(self.loop, settings, self.store, self.commits, console, clock, dry_run=dry_run)
        self.dispatch.on_output = self._feed_back
        self.banning = Banning(self.loop, settings, self.store, self.commits, console.report, clock, dry_run=dry_run)
        self._notices = BanNotices(self._tell_of_ban, lambda event: bool(self.settings.notices.get(event)))
        self.banning.on_change, self.banning.on_extended = self._ban_changed, self._notices.extended
        self.banning.on_begin = self._note_begin
        self._begun: list[tuple[Ban, str]] = []  # bans that rules are to read about, and whom each is about
        self._geoip: GeoIP | None = None
        self.engine = self._engine_for(settings)
        self.banning.on_ignore = self._set_ignore
        self.commits.drop(self.engine.counters.restore(self._stored_windows()))
        self.engine.begin(clock())
        self._overdue = Overdue(self.loop, lambda: self.engine, self._tell_missing, self._is_reading, clock)
        self._control: Server | None = None
        self._metrics: Endpoint | None = None
        self._fed = 0  # chunks
        self._vigil = Vigil()

    # From the cradle to the grave

    def run(self) -> None:
        """Work until `stop`. Raises SourceError and ControlError where something cannot be opened at the start."""
        os.chdir("/")
        os.umask(0o077)
        try:
            self._serve_control()
            self._serve_metrics()
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
            if self._control is not None:
                self._control.close()
            if self._metrics is not None:
                self._metrics.close()
            self.feeds.close()
            self.banning.close()
            self.store.close()
            self.loop.close()

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
        return self._stopping

    def _serve_control(self) -> None:
        """Answer commands. A dry run is nobody's to command: there may be a daemon at work beside it."""
        if self._dry_run or self.settings.control is None:
            return
        if self._control is None:
            self._control = Server(self.loop, self.report, self._answer)
        self._control.serve(self.settings.control, self.settings.control_group)

    def _serve_metrics(self) -> None:
        """Answer Prometheus, where the configuration says so."""
        wanted = None if self._dry_run else self.settings.metrics
        if self._metrics is not None and self._metrics.address != wanted:
            self._metrics.close()
            self._metrics = None
        if self._metrics is None and wanted is not None:
            from logtrigger.metrics.endpoint import Endpoint  # brings a package that few configurations need

            try:
                self._metrics = Endpoint(wanted, lambda answer: self.loop.call_threadsafe(lambda: answer(self._families())))
            except OSError as error:
                self.report(
                    0, f"metrics: cannot listen on {wanted[0]} port {wanted[1]}: {error.strerror}; work goes on without"
                )

    def _families(self) -> Sequence[Family]:
        from logtrigger.metrics.gather import families

        return list(families(self))

    def _answer(self, request: Request) -> Rows:
        from logtrigger.control.desk import Desk  # most daemons are never asked anything

        return Desk(self).answer(request)

    def _handler(self, act: Callable[[], None]) -> Callable[[int, object], None]:
        return lambda _number, _frame: self.loop.call_soon(act)

    def stop(self) -> None:
        """End in order: read nothing more, wait for running scripts, store everything. A second time: end scripts now.

        Who is told of the stop has some seconds for it, and so has what is being sent; else they are told after the next start.
        """
        if self._stopping:
            self.dispatch.scripts.terminate()
            self._end_work()
            self._leave_what_is_sent()
            return
        self._stopping = True
        if self._manager is not None:
            self._manager.stopping()
        try:
            self.feeds.pause()
        finally:
            self.dispatch.notice("stop", "logtrigger is stopping")
            self.dispatch.actions.hurry()
            self.dispatch.when_told(self._end_work)
            self.loop.call_later(_FAREWELL, self._end_work)

    def _end_work(self) -> None:
        if self._ending:
            return
        self._ending = True
        self.loop.call_later(_LAST_SENDS, self._leave_what_is_sent)
        self.dispatch.drain(self._finish)
        if running := self.dispatch.running():
            self.report(1, f"stopping; waiting for {running} (Ctrl-C or SIGTERM again ends that)")

    def _wind_up(self, before: tuple[object, ...] = (), since: float = 0.0) -> None:
        """Nothing can come any more: end when everything is done that has been caused.

        What makes no progress, such as mail to a server that is away, is left for the next run.
        """
        work, now = self.dispatch.work, time.monotonic()
        if self._stopping or not self.feeds.are_over:
            return
        self.dispatch.actions.hurry()
        left = (work.running, work.waiting, work.spilled)
        if left != before:
            since = now
        if any(left) and now - since < self.settings.script_timeout + _PATIENCE:
            self.loop.call_later(_LOOK_EVERY, lambda: self._wind_up(left, since))
        else:
            self.report(1, "the input has ended")
            self.stop()

    def _leave_what_is_sent(self) -> None:
        """Wait no longer for what does not come to an end by itself in a reasonable time; scripts do, by their own limit."""
        if self._finished:
            return
        if self.dispatch.scripts.pids:
            self.loop.call_later(1.0, self._leave_what_is_sent)
            return
        self.report(1, "what is being sent still is left for the next start")
        self._finish()

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        try:
            self.commits.last()
        except StoreError as error:
            self.report(0, str(error))
        finally:
            self.report(1, "stopped")
            self.loop.stop()

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
        if self._stopping:
            return
        if self._manager is not None:
            self._manager.reloading()
        try:
            self._take_up()
        finally:
            if self._manager is not None:
                self._manager.ready(self._in_short())

    def _take_up(self) -> None:
        loaded = self._clock()
        configuration = self._load()
        settings = configuration.settings
        if settings.state != self.settings.state:
            self.report(0, f"the state stays in {self.settings.state} until a restart")
        self.loaded = loaded
        older, self.configuration, self.settings, self.max_line = self.engine, configuration, settings, settings.max_line
        self.engine = self._engine_for(settings)
        self.engine.take_over(older)
        self.dispatch.take_up(settings)
        self.banning.take_up(settings)
        self._set_ignore()
        self.commits.drop(self.engine.counters.adopt(older.counters))
        self.engine.begin(self._clock())
        self.commits.leave(self.feeds.change(self.engine.sources, settings))
        self._overdue.begin()
        self._overdue.look_ahead()
        try:
            self._serve_control()
        except ControlError as error:
            self.report(0, str(error))
        self._serve_metrics()
        self.report(1, f"reloaded; {amount(settings.number_of_rules, 'rule')}")

    def _in_short(self) -> str:
        """How it stands, in one line."""
        text = f"{amount(self.settings.number_of_rules, 'rule')}, {amount(len(self.banning.bans), 'ban')}"
        faults = {"firewall": self.banning.fault, "store": self.commits.error}
        state = ["stopping", text] if self._stopping else [text]
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

    def _on_fault(self, error: Exception) -> None:
        """Something that the loop has called has failed: a fault of ours, which shall not end the work. Told once a while."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else "somewhere"
        text, now = f"a fault of logtrigger's own in {where}: {error!r}; work goes on", time.monotonic()
        if now - self._faults.get(where, -_FAULT_EVERY) >= _FAULT_EVERY:
            self._faults[where] = now
            self.report(0, text)

    # Sources, as their host

    def deliver(self, chunk: Chunk) -> None:
        """Count the lines of a chunk and start what they cause."""
        self._console.chunk(chunk)
        now = self._clock()
        self.feeds.delivered(chunk, now)
        self._vigil.hear(chunk, now)
        for text in [text for text in self.probes if text in chunk.data]:
            self.probes.pop(text)(chunk.source)
        if triggers := self._feed(chunk):
            self._act_on(triggers)
        if self.engine.waits:
            self._overdue.read(old=chunk.catching_up)
        self._note_changes()

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
        if self._begun:
            self._feed_bans()

    def _note_begin(self, ban: Ban, whom: str, trigger: Trigger) -> None:
        if BANS in self.engine.sources and trigger.source != BANS:  # one level deep
            self._begun.append((ban, whom))

    def _feed_bans(self) -> None:
        """Rules may read of bans, within the same turn: a ban and what it counted for are stored together."""
        from logtrigger import banlines  # few configurations have such rules

        begun, self._begun = self._begun, []
        for ban, whom in begun:
            chunk = banlines.chunk(ban, whom, self._clock())
            self.deliver(chunk)
            self.engine.forget(chunk.stream)

    def _tell_missing(self, triggers: Sequence[Trigger]) -> None:
        self._act_on(triggers)
        self._note_changes()

    def _feed_back(self, name: str, trigger: Trigger, lines: Sequence[str]) -> None:
        """Lines that a script of an action has printed are lines of a source of their own.

        The stream's name comes from the trigger's: where a script runs again after a crash, the same lines cause the same.
        """
        source = f"{FED}{name}"
        if source in self.engine.sources:
            stream = f"{source} {trigger.id}"
            data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
            self.deliver(Chunk(source, source, stream, 0, len(data), data))
            self.engine.forget(stream)

    def _is_reading(self) -> bool:
        return not (self._paused or self._stopping)

    def _feed(self, chunk: Chunk) -> Sequence[Trigger]:
        self._fed += 1
        self.engine.meter = time.perf_counter if self._fed % METERED == 0 else None
        try:
            return self.engine.feed(chunk, self._clock())
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
        if self._paused and not self._stopping and self.commits.pending < _CAUGHT_UP:
            self._go_on()

    def _on_store_error(self, error: StoreError | None) -> None:
        if error is None:
            unrecorded, self.commits.unrecorded = self.commits.unrecorded, 0
            lost = f"the history lacks {amount(unrecorded, 'trigger')} without actions" if unrecorded else "nothing was lost"
            self.report(0, f"{self.settings.state} can be written again; {lost}")
        else:
            self.report(0, f"{error}; work goes on, but a crash now would repeat or miss what is not stored")

    def _tidy(self) -> None:
        """Now and then: forget what is over, and look for what is new."""
        self.engine.expire(self._clock())
        if self._geoip is not None:
            self._geoip.refresh()
        for name, count in self.engine.counters.evictions().items():
            if count != self._evictions.get(name, 0):
                self.report(0, f"{name}: {amount(count, 'counter')} given up for others (max_keys {self.settings.max_keys})")
                self._evictions[name] = count
        self.loop.call_later(_TIDY_EVERY, self._tidy)
        for silent in self._vigil.judge(self.settings.rules, self.engine.events(), self._clock()):
            self.report(0, f"{silent} ({silent.remedy})")
            self.dispatch.notice("rule_silent", str(silent), {"program": silent.program, "rule": silent.rule})
