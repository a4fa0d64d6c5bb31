"""The actions of a configuration: which of them a trigger calls for, and what starts each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from logtrigger import places
from logtrigger.actions.base import Action, Result
from logtrigger.actions.environment import values_of
from logtrigger.actions.outbox import Limits, Outbox
from logtrigger.actions.script import ScriptAction, Scripts
from logtrigger.loop import Loop
from logtrigger.model import Trigger
from logtrigger.rule import NOTICE, ActionOptions, Rule, Settings

SCRIPT = "script"  # the name of a rule's own script among its actions
BAN = "ban"  # the type of action that is not queued: a ban is done at once

Report = Callable[[int, str], None]


class Configured:
    """What can be started, by name.

    Args:
        loop: in whose thread results are told.
        scripts: runs scripts.
        report: tells the operator (level, text).
        clock: epoch seconds.
        present: what an earlier time comes to by the clock as it is now, which somebody may have set.
    """

    def __init__(
        self,
        loop: Loop,
        scripts: Scripts,
        report: Report,
        clock: Callable[[], float],
        present: Callable[[float], float] = float,
    ) -> None:
        self._present = present
        self._loop, self._scripts, self._report, self._clock = loop, scripts, report, clock
        self._options: dict[str, ActionOptions] = {}
        self._of_rules: dict[str, ScriptAction] = {}
        self._of_type_script: dict[str, ScriptAction] = {}
        self.outboxes: dict[str, Outbox] = {}
        self._notices: Mapping[str, tuple[str, ...]] = {}
        self._script_parallel = 1

    def take_up(self, settings: Settings) -> None:
        """Go by these settings from now on. What waits in an outbox whose options changed goes on in its successor."""
        self._notices = settings.notices
        before, self._options = self._options, {action.name: action for action in settings.actions}
        self._script_parallel = settings.script_parallel
        self._of_rules = {
            rule.name: ScriptAction(self._scripts, rule.script, rule.env) for rule in settings.rules if rule.script
        }
        self._of_type_script = {
            action.name: ScriptAction(self._scripts, action.own.script, action.own.env)
            for action in settings.actions
            if action.type == SCRIPT
        }
        for name in list(self.outboxes):
            if name not in self._options or _plain(self._options[name]) != _plain(before[name]):
                self._replace(name)
        for name, action in self._options.items():
            if name in self.outboxes:
                self.outboxes[name].retry()
            elif action.type not in (SCRIPT, BAN):
                self._open(action)

    def names(self, trigger: Trigger, rule: Rule) -> tuple[str, ...]:
        """What a trigger is to be queued for: the rule's script, and those of its actions whose conditions hold."""
        named = [action for action in self._held(trigger, rule) if action.type != BAN]
        return (*((SCRIPT,) if rule.script else ()), *(action.name for action in named))

    def ban(self, trigger: Trigger, rule: Rule) -> float | None:
        """For how many seconds a trigger's actions ban its address: infinite for ever, None where none does."""
        return max((action.own.time for action in self._held(trigger, rule) if action.type == BAN), default=None)

    def parallel(self) -> Mapping[str, int]:
        """How many of each may run at once."""
        scripts = dict.fromkeys((SCRIPT, *self._of_type_script), self._script_parallel)
        return scripts | {name: box.parallel for name, box in self.outboxes.items()}

    def most(self) -> Mapping[str, int]:
        """How many triggers may wait for each."""
        return {name: action.max_waiting for name, action in self._options.items()}

    def feeds(self, name: str) -> bool:
        """Whether rules are to see what an action's scripts print."""
        action = self._options.get(name)
        return action is not None and getattr(action.own, "feed", False)

    def told_of(self, notice: Trigger) -> tuple[str, ...]:
        """What a notice of the daemon itself or of bans is to be queued for."""
        event = "ban" if notice.state == "extended" else notice.state
        names = [name for name in self._notices.get(event, ()) if name in self._options]
        known = values_of(notice)
        return tuple(n for n in names if all(one.holds(known) for one in self._options[n].when.get(NOTICE, ())))

    def can_take(self, name: str) -> bool:
        """Whether an action may well be done at once: its far end was there when it was last told something."""
        box = self.outboxes.get(name)
        return box is None or not box.fails

    def find(self, trigger: Trigger, name: str) -> Action | None:
        """What is to be started for a trigger; None: it is configured no more."""
        if name == SCRIPT:
            return self._of_rules.get(trigger.rule)
        return self._of_type_script.get(name) or self.outboxes.get(name)

    def is_script(self, name: str) -> bool:
        """Whether an action runs scripts; all others send."""
        return name == SCRIPT or name in self._of_type_script

    def label(self, rule: Rule | None, name: str) -> str:
        """What an action is called where a person reads of it."""
        return str(rule.script) if name == SCRIPT and rule is not None and rule.script else name

    def hurry(self) -> None:
        """Send what waits for its time now: a stop is near."""
        for box in self.outboxes.values():
            box.hurry()

    def close(self) -> None:
        """Send nothing more; what waits is left undone."""
        for box in self.outboxes.values():
            for _, done in box.close():
                done(None)

    def _held(self, trigger: Trigger, rule: Rule) -> list[ActionOptions]:
        if not rule.actions:
            return []
        known = places.with_first(values_of(trigger), rule.types)
        found = [self._options[name] for name in rule.actions if name in self._options]
        return [action for action in found if all(one.holds(known) for one in action.when.get(rule.name, ()))]

    def _open(self, action: ActionOptions) -> None:
        from logtrigger.actions.making import sender_of  # what senders need is imported where there is one

        limits = Limits(age=action.give_up, every=action.every)
        self.outboxes[action.name] = Outbox(
            action.name, sender_of(action), self._loop, self._report, self._clock, limits, self._present
        )

    def _replace(self, name: str) -> None:
        left = self.outboxes.pop(name).close()
        action = self._options.get(name)
        if action is not None and action.type not in (SCRIPT, BAN):
            self._open(action)
        for trigger, done in left:
            if name in self.outboxes and not trigger.message and not self.outboxes[name].counts:
                done(None)  # its texts are in the store only, and the next start finds them there
            elif name in self.outboxes:
                self.outboxes[name].start(trigger, done)
            else:
                done(Result(False, "not configured any more", begun=False))


def _plain(action: ActionOptions) -> ActionOptions:
    """What an outbox depends on."""
    return replace(action, when={}, max_waiting=0, place=None)  # type: ignore[arg-type]
