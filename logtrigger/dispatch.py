"""What is done about triggers: planned, started, and told of when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from logtrigger.actions.base import Action, Left, Result
from logtrigger.actions.environment import environment
from logtrigger.actions.queue import Undone, Work
from logtrigger.actions.script import ScriptAction, Scripts
from logtrigger.commits import Commits
from logtrigger.console import Console
from logtrigger.durations import spoken
from logtrigger.errors import StoreError
from logtrigger.loop import Loop, Timer
from logtrigger.loopguard import MOST, PAUSE, SPAN, LoopGuard, Pause, Verdict
from logtrigger.model import Trigger
from logtrigger.rule import Rule, Settings
from logtrigger.store import Done, Store
from logtrigger.text import cut

SCRIPT = "script"  # the name of a rule's script among its actions
_SHOWN = 200  # bytes of a message that is paused
_SOON = 0.01  # seconds


Follower = Callable[[int, Trigger], None]


@dataclass(slots=True)
class Tally:
    """How often a rule has triggered since the start, and when last (epoch seconds)."""

    triggers: int = 0
    last: float = 0.0


class Dispatch:
    """Gives each trigger its number, stores it and starts its actions.

    Args:
        loop: where scripts are waited for.
        settings: the configuration.
        store: holds the table of undone actions.
        commits: takes new triggers and results.
        console: is told of both.
        clock: epoch seconds.
        dry_run: start nothing.
    """

    def __init__(
        self,
        loop: Loop,
        settings: Settings,
        store: Store,
        commits: Commits,
        console: Console,
        clock: Callable[[], float],
        *,
        dry_run: bool,
    ) -> None:
        self._loop, self._store, self._commits, self._console = loop, store, commits, console
        self._clock, self._dry_run = clock, dry_run
        self._seq = store.next_seq()
        self._guard = LoopGuard()
        self._timer: Timer | None = None  # for the end of the next pause
        self.tallies: dict[str, Tally] = {}  # of each rule that has triggered
        self.followers: list[Follower] = []  # are told of each trigger and its number
        self.scripts = Scripts(loop, settings.script_timeout)
        self.work = Work(settings.script_parallel, self._action, self._refill, self._on_done)
        self.take_up(settings)

    def take_up(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self._settings = settings
        self.rules = {rule.name: rule for rule in settings.rules}
        self._script_actions = {
            rule.name: ScriptAction(self.scripts, rule.script, rule.env) for rule in settings.rules if rule.script
        }
        self.scripts.timeout, self.work.parallel = settings.script_timeout, settings.script_parallel

    def start(self) -> None:
        """Go on with what the last run left undone."""
        undone = self._store.undone()
        if undone:
            self._console.report(1, "running what the last run left undone")
        self.work.resume(undone, self._seq - 1)

    def trigger(self, trigger: Trigger, done: str = "") -> None:
        """A window has filled: do what its rule says. `done` tells what is done already."""
        rule = self.rules[trigger.rule]
        note, names = self._plan(trigger, rule)
        if names and (why := self._held(trigger)):
            note, names = why, ()
        note = done if done and not rule.script else f"{done}; {note}" if done else note
        self._console.trigger(trigger, rule, self._shown(trigger, rule), note)
        seq, self._seq = self._seq, self._seq + 1
        self._tell(seq, trigger)
        self._commits.trigger(seq, trigger, names)
        if names:
            self.work.add(seq, trigger, names)

    def _held(self, trigger: Trigger) -> str:
        """Why nothing is done about a trigger, where its message has triggered its rule too often."""
        verdict = self._guard.look(trigger.rule, trigger.body, trigger.time)
        if verdict is Verdict.ACT:
            return ""
        if verdict is Verdict.PAUSE:
            self._console.report(
                0,
                f"rule {trigger.rule}: one same message has triggered it over {MOST} times within {spoken(SPAN)}, as happens "
                f"where a script logs what starts it; for {spoken(PAUSE)} nothing is run for this message: "
                f"{cut(trigger.body, _SHOWN)}",
            )
            self._go_on_later()
        return "not acted on: the same message too often"

    def _go_on(self) -> None:
        for pause in self._guard.over(self._clock()):
            self._console.report(
                0,
                f"rule {pause.rule}: it is acted on again, after {pause.passed_over} triggers that were not: "
                f"{cut(pause.body, _SHOWN)}",
            )
        self._go_on_later()

    def _go_on_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        end = self._guard.next_end
        # The clock may be set back meanwhile: no wait is longer than a pause.
        if end is not None:
            self._timer = self._loop.call_later(min(max(_SOON, end - self._clock()), PAUSE), self._go_on)

    @property
    def pauses(self) -> list[Pause]:
        """The messages that are not acted on at present, as they have triggered too often."""
        return self._guard.pauses

    @property
    def next_seq(self) -> int:
        """The number that the next trigger will get."""
        return self._seq

    def _tell(self, seq: int, trigger: Trigger) -> None:
        tally = self.tallies.setdefault(trigger.rule, Tally())
        tally.triggers += 1
        tally.last = trigger.time
        for follower in self.followers:
            follower(seq, trigger)

    def _shown(self, trigger: Trigger, rule: Rule) -> dict[str, str]:
        """The variables that the script gets, where somebody looks."""
        if self._console.level < 2:
            return {}
        return {name: value for name, value in environment(trigger, rule.env).items() if name != "PATH"}

    def _plan(self, trigger: Trigger, rule: Rule) -> tuple[str, tuple[str, ...]]:
        """What is done about a trigger, in words and as names of actions."""
        if rule.script is None:
            return "nothing to run", ()
        if trigger.late > self._settings.late:
            return f"too late to run {rule.script}", ()
        if self._dry_run:
            return f"dry run: {rule.script} is not run", ()
        return f"running {rule.script}", (SCRIPT,)

    def _action(self, trigger: Trigger, name: str) -> Action | None:
        """What is to be started for a trigger; one that has waited too long, over a restart perhaps, is left."""
        if self._clock() - trigger.time > self._settings.late:
            return Left(name, "not run: too late by now")
        return self._script_actions.get(trigger.rule) if name == SCRIPT else None

    def _refill(self, after: int, limit: int, done: Callable[[Sequence[Undone] | StoreError], None]) -> None:
        self._store.undone_later(after, limit, lambda rows: self._loop.call_threadsafe(lambda: done(rows)))

    def _on_done(self, seq: int, trigger: Trigger, name: str, result: Result) -> None:
        rule = self.rules.get(trigger.rule)
        self._console.result(trigger, str(rule.script) if rule and rule.script else name, result)
        self._commits.result(Done(seq, name, result.text, result.seconds))
