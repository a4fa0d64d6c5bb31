"""Triggers: those that the store remembers, and those that come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from logtrigger.config.words import suggestion
from logtrigger.control.protocol import Refused, Row, Rows, Wait
from logtrigger.durations import amount
from logtrigger.errors import StoreError
from logtrigger.model import Trigger
from logtrigger.store import PAGE, Recorded, Wanted

if TYPE_CHECKING:
    from logtrigger.daemon import Daemon

_LAG = 1_000  # triggers that may wait for one who follows
_LAG_TEXT = 4 << 20  # characters of their messages


def events(daemon: Daemon, user: int, *, rule: str | None = None, most: int = 20, follow: bool = False) -> Rows:
    """A row for each of the newest triggers, oldest first; then, if asked to follow, for each one that comes."""
    if rule is not None and rule not in daemon.configuration.origins:
        known = daemon.configuration.origins
        raise Refused(f"no rule is called '{rule[:100]}'", suggestion(rule, known) or "'logtrigger rules' lists them")
    following = _Following(rule)
    if follow:
        daemon.dispatch.followers.append(following.take)
    try:
        waiting = daemon.commits.waiting
        before = waiting[0][0] if waiting else daemon.dispatch.next_seq
        fresh = [(seq, trigger, names) for seq, trigger, names in waiting if rule in (None, trigger.rule)]
        fresh = fresh[max(0, len(fresh) - most) :]
        wanted, after = most - len(fresh), 0
        while wanted:
            page = yield _ask(daemon, Wanted(rule, wanted, before, after))
            if isinstance(page, StoreError):
                raise Refused(str(page))
            for one in page:
                yield _row(one.seq, one.trigger, one.actions)
            if len(page) < PAGE:
                break
            after = page[-1].seq
        for seq, trigger, names in fresh:
            yield _row(seq, trigger, [(name, "undone", None, None) for name in names])
        while follow:
            found = yield Wait(following.next, for_ever=True)
            if found is None:
                raise Refused(
                    f"fell behind: {amount(following.lost, 'trigger')} or more were left out", "ask again, and read faster"
                )
            yield _row(*found)
    finally:
        if follow:
            daemon.dispatch.followers.remove(following.take)


def _ask(daemon: Daemon, wanted: Wanted) -> Wait:
    def ask(bring: Callable[[Any], None]) -> None:
        def done(rows: list[Recorded] | StoreError) -> None:
            daemon.loop.call_threadsafe(lambda: bring(rows))

        daemon.store.recent(wanted, done)

    return Wait(ask)


class _Following:
    """The triggers that wait for one who follows; when they become too many, no more are taken."""

    def __init__(self, rule: str | None) -> None:
        self.lost = 0
        self._rule = rule
        self._waiting: deque[tuple[int, Trigger]] = deque()
        self._text = 0
        self._bring: Callable[[Any], None] | None = None

    def take(self, seq: int, trigger: Trigger) -> None:
        if self._rule not in (None, trigger.rule):
            return
        if self._bring is not None:
            bring, self._bring = self._bring, None
            bring((seq, trigger))
        elif self.lost or len(self._waiting) >= _LAG or self._text > _LAG_TEXT:
            self.lost += 1
        else:
            self._waiting.append((seq, trigger))
            self._text += len(trigger.message)

    def next(self, bring: Callable[[Any], None]) -> None:
        """Bring the next trigger, when there is one; None: some were lost."""
        if self._waiting:
            found = self._waiting.popleft()
            self._text -= len(found[1].message)
            bring(found)
        elif self.lost:
            bring(None)
        else:
            self._bring = bring


def _row(seq: int, trigger: Trigger, actions: Sequence[tuple[str, str, str | None, float | None]] = ()) -> Row:
    return {
        "seq": seq,
        "id": trigger.id,
        "rule": trigger.rule,
        "time": trigger.time,
        "count": trigger.count,
        "key": list(trigger.key),
        "fields": dict(trigger.fields),
        "message": trigger.message,
        "source": trigger.source,
        "host": trigger.host,
        "program": trigger.program,
        "pid": trigger.pid,
        "late": trigger.late,
        "ignored": trigger.ignored,
        "state": trigger.state,
        "actions": [
            {"action": name, "state": state, "result": result, "seconds": seconds} for name, state, result, seconds in actions
        ],
    }
