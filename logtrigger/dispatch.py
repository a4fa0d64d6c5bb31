"""What is done about triggers: planned, started, and told of when it has ended."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from logtrigger import places
from logtrigger.actions.base import Action, Left, Result
from logtrigger.actions.configured import Configured
from logtrigger.actions.environment import environment
from logtrigger.actions.lanes import Lanes
from logtrigger.actions.script import Scripts
from logtrigger.commits import Commits
from logtrigger.console import Console
from logtrigger.durations import amount, spoken
from logtrigger.errors import StoreError
from logtrigger.loop import Loop, Timer
from logtrigger.loopguard import MOST, PAUSE, SPAN, LoopGuard, Pause, Verdict
from logtrigger.model import Trigger, Undone
from logtrigger.rule import FED, BanOptions, Rule, Settings
from logtrigger.store import Done, Store
from logtrigger.text import cut
from logtrigger.watch import OWN_PROGRAM

_NOTHING = "nothing to run"
_SHOWN = 200  # bytes of a message that is paused
_OUTPUT, _OUTPUT_LINE = 5, 300  # lines of what an action has said that are kept, and bytes of each
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
        present: what an earlier time comes to by the clock as it is now, which somebody may have set.
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
        present: Callable[[float], float] = float,
    ) -> None:
        self._present = present
        self._loop, self._store, self._commits, self._console = loop, store, commits, console
        self._clock, self._dry_run = clock, dry_run
        self._seq = store.next_seq()
        self._guard = LoopGuard()
        self._timer: Timer | None = None  # for the end of the next pause
        self.tallies: dict[str, Tally] = {}  # of each rule that has triggered
        self.results: Counter[tuple[str, bool]] = Counter()  # how many runs of an action went well, and how many did not
        self.failed: dict[str, tuple[float, str]] = {}  # of each action whose runs did, when the last one and how
        self.followers: list[Follower] = []  # are told of each trigger and its number
        self.scripts = Scripts(loop, settings.script_timeout)
        self.actions = Configured(loop, self.scripts, console.report, clock, present)
        self.work = Lanes(self._action, self._refill, self._on_done)
        self.on_output: Callable[[str, Trigger, Sequence[str]], None] = _nobody  # action, trigger, lines to be fed back
        self.suspended: dict[str, float] = {}  # rules that an operator has paused, and until when
        self._awaited: set[tuple[int, str]] = set()  # numbers and actions that the notice of a stop has still to reach
        self._on_told: Callable[[], None] | None = None
        self._left: set[tuple[str, str]] = set()  # actions that are not begun and why, where that was said
        self._full: dict[str, int] = {}  # actions for which too many triggers wait -> how many had been turned away before
        self.take_up(settings)

    def take_up(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self._settings = settings
        self._left.clear()
        self.rules = {rule.name: rule for rule in settings.rules}
        self.suspended = {name: until for name, until in self.suspended.items() if name in self.rules}
        self.scripts.timeout = settings.script_timeout
        self.actions.take_up(settings)
        self.work.set_limits(self.actions.parallel(), self.actions.most())

    def start(self) -> None:
        """Go on with what the last run left undone."""
        owed = self._store.owed()
        if owed:
            self._console.report(1, "running what the last run left undone")
        self.work.resume(owed, self._seq - 1, lambda name, limit: self._store.undone(name, limit=limit))

    def drain(self, drained: Callable[[], None]) -> None:
        """Start nothing more; call `drained` when nothing runs any more."""
        self.work.drain(drained)
        self.actions.close()

    def rule_with_bans(self, trigger: Trigger) -> Rule:
        """A trigger's rule, with what its actions ban where it bans nothing by itself."""
        rule = self.rules[trigger.rule]
        if rule.ban is not None or not rule.actions or (seconds := self.actions.ban(trigger, rule)) is None:
            return rule
        return replace(rule, ban=BanOptions(field=places.first(rule.types), seconds=None if seconds == inf else seconds))

    def trigger(self, trigger: Trigger, done: str = "") -> None:
        """A window has filled: do what its rule says. `done` tells what is done already."""
        rule = self.rules[trigger.rule]
        note, names = self._plan(trigger, rule)
        if why := self.why_not(trigger.rule) or (self._held(trigger) if names else ""):
            note, names = why, ()
        note = done if done and note == _NOTHING else f"{done}; {note}" if done else note
        self._console.trigger(trigger, rule, self._shown(trigger, rule), note)
        seq, self._seq = self._seq, self._seq + 1
        self._tell(seq, trigger)
        self._begin(seq, trigger, names)

    def suspend(self, rule: str, until: float) -> None:
        """Do nothing about a rule's triggers until then (epoch seconds), or a restart; they are recorded."""
        self.suspended[rule] = until

    def clock_was_set(self, seconds: float) -> None:
        """Forward by so many, or back: what is paused goes on when it was to."""
        self.suspended = {name: until + seconds for name, until in self.suspended.items()}
        self._guard.shift(seconds)

    def why_not(self, rule: str) -> str:
        """Why nothing is done about a rule's triggers now; empty: it is."""
        made = self.rules.get(rule)
        for name in (rule, made.of if made else ""):
            left = self.suspended.get(name, 0.0) - self._clock()
            if left > 0:
                return f"not acted on: the rule is paused for {spoken(max(1, round(left)))} more"
            self.suspended.pop(name, None)
        return ""

    def notice(self, state: str, text: str, fields: Mapping[str, str] | None = None) -> None:
        """Tell those who want to know of the daemon itself or of bans.

        `state`: start, stop, ban, extended, unban or rule_silent.
        """
        now, fields = self._clock(), fields or {}
        notice = Trigger(
            id=f"{OWN_PROGRAM}@{state}:{self._seq}:{now:.6f}",
            rule=OWN_PROGRAM,
            time=now,
            count=1,
            key=tuple(list(fields.values())[-1:]),
            fields=fields,
            message=text,
            body=text,
            source=OWN_PROGRAM,
            host=os.uname().nodename,
            program=OWN_PROGRAM,
            pid=str(os.getpid()),
            state=state,
        )
        names = () if self._dry_run else self.actions.told_of(notice)
        if not names and state != "rule_silent":  # which is told in the history in any case
            return
        if names:
            self._console.report(2, f"{text}; telling {', '.join(names)}")
        seq, self._seq = self._seq, self._seq + 1
        for follower in self.followers:
            follower(seq, notice)
        if state == "stop":
            self._awaited = {(seq, name) for name in names if self.actions.can_take(name)}
        full = self._begin(seq, notice, names)
        self._awaited -= {(seq, name) for name in full}

    def _begin(self, seq: int, trigger: Trigger, names: Sequence[str]) -> Sequence[str]:
        """Begin with these actions and store what is to be done; gives those for which too many triggers wait already."""
        full = self.work.add(seq, trigger, names) if names else ()
        if full or self._full:
            self._tell_full(full)
        self._commits.trigger(seq, trigger, tuple(name for name in names if name not in full))
        return full

    def when_told(self, told: Callable[[], None]) -> None:
        """Call once, when the notice of the stop has been told to all who can take it now."""
        self._on_told = told
        self._told()

    def _told(self) -> None:
        if not self._awaited and self._on_told is not None:
            told, self._on_told = self._on_told, None
            self._loop.call_soon(told)  # whose end told us so is still at it

    def _tell_full(self, full: Sequence[str]) -> None:
        for name in full:
            if name not in self._full:
                self._full[name] = self.work.turned_away[name] - 1
                most = self.work.most(name)
                self._console.report(0, f"{name}: {_waiting(most)} for it already; further ones are given up (max_waiting)")
        for name in [name for name in self._full if self.work.owed[name] <= self.work.most(name) // 2]:
            lost = self.work.turned_away[name] - self._full.pop(name)
            self._console.report(0, f"{name}: takes triggers again; {lost:,} given up meanwhile")

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
                f"rule {pause.rule}: it is acted on again, after {amount(pause.passed_over, 'trigger')} passed over: "
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
        names = self.actions.names(trigger, rule)
        if not names:
            return _NOTHING, ()
        labels = ", ".join(self.actions.label(rule, name) for name in names)
        if trigger.late > self._settings.late:
            return f"too late to run {labels}", ()
        if self._dry_run:
            return f"dry run: {labels} is not run", ()
        return f"running {labels}", names

    def _action(self, trigger: Trigger, name: str) -> Action | None:
        """What is to be started for a trigger; a script that had to wait too long, over a restart perhaps, is left.

        What sends goes by its own `give_up`.
        """
        if self.actions.is_script(name) and self._clock() - self._present(trigger.time) > self._settings.late:
            return Left(name, "not run: too late by now")
        return self.actions.find(trigger, name)

    def _refill(self, name: str, after: int, limit: int, done: Callable[[Sequence[Undone] | StoreError], None]) -> None:
        self._store.undone_later(name, after, limit, lambda rows: self._loop.call_threadsafe(lambda: done(rows)))

    def running(self) -> str:
        """What has been started and has not ended, in words; empty: nothing."""
        busy = [name for name in self.work.owed if self.work.running_of(name)]
        scripts = sum(self.work.running_of(name) for name in busy if self.actions.is_script(name))
        sending = [name for name in busy if not self.actions.is_script(name)]
        kinds = [amount(scripts, "script")] if scripts else []
        return " and ".join([*kinds, *([f"what {', '.join(sending)} {'send' if sending[1:] else 'sends'}"] if sending else [])])

    def _on_done(self, seq: int, trigger: Trigger, name: str, result: Result) -> None:
        label = self.actions.label(self.rules.get(trigger.rule), name)
        if not result.begun:
            told = (name, result.text) in self._left
            self._left.add((name, result.text))
            result = replace(result, told=told)
        self._console.result(trigger, label, result)
        self.results[name, result.ok] += 1
        if not result.ok:
            self.failed[name] = self._clock(), f"{label}: {result.text}"
        said = tuple(cut(line, _OUTPUT_LINE) for line in result.output[-_OUTPUT:])
        self._commits.result(Done(seq, name, result.text, result.seconds, said))
        if result.whole and self.actions.feeds(name) and not trigger.source.startswith(FED):  # one level deep
            self.on_output(name, trigger, result.whole)
        if (seq, name) in self._awaited:
            self._awaited.remove((seq, name))
            self._told()


def _waiting(triggers: int) -> str:
    return f"{amount(triggers, 'trigger')} {'waits' if triggers == 1 else 'wait'}"


def _nobody(name: str, trigger: Trigger, lines: Sequence[str]) -> None:
    """What is fed back is not wanted."""
