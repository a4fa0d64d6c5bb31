"""One rule at work in the engine: what recognises its lines, and where they are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from logtrigger.absence import Absences
from logtrigger.counters import Counters
from logtrigger.distinct import DistinctWindows
from logtrigger.model import Chunk
from logtrigger.places import Look, nowhere
from logtrigger.recognise import Recogniser, Widening
from logtrigger.rule import Rule
from logtrigger.together import together
from logtrigger.ways import Headed, Way, Ways
from logtrigger.window import Windows

OWN_PROGRAM = "logtrigger"  # lines of ours are for rules that ask for them only, so that no rule can set itself off


class Clock:
    """The latest time that rules which count together have seen in a replay: their events never go back behind it.

    Other rules have no part in it, so that what a rule finds does not depend on which others there are.
    """

    __slots__ = ("latest",)

    def __init__(self) -> None:
        self.latest = 0.0


class Watch:
    """One rule at work: what recognises its lines, and where they are counted."""

    def __init__(self, rule: Rule, windows: Windows, clock: Clock, look: Look, ways: Ways, *, is_alone: bool) -> None:
        self.rule = rule
        self.clock = clock
        self._ways, self._is_alone = ways, is_alone
        self.recogniser = Recogniser(rule, look)
        self.add = windows.add
        self.windows = windows
        self.distinct = windows if isinstance(windows, DistinctWindows) else None  # where values are counted, not events
        self.absences = windows if isinstance(windows, Absences) else None  # where it is told that events stay away
        self.counts_events = self.distinct is None and self.absences is None
        self.weight, self.suppress = rule.weight, rule.suppress
        # The windows that an event of this rule empties, their key's fields, and how those are counted.
        self.resets: list[tuple[Windows, tuple[str, ...], Widening]] = []
        self.events = 0
        self.seconds = 0.0  # spent on its lines while the engine had a meter
        self.sees_own_lines = OWN_PROGRAM in rule.programs

    @cached_property
    def way(self) -> Way | None:
        """What recognises nearly all lines; None: each one needs a thorough look.

        Made when a line first asks for it: compiling costs milliseconds, and most rules of a large configuration never see one.
        """
        return None if self.resets or not self.counts_events else self._ways.of(self.rule)

    @cached_property
    def bulk(self) -> Headed | None:
        """The same for many lines at once; None: they are looked at one by one, and in order with those of other rules."""
        return self.way if self._is_alone and isinstance(self.way, Headed) and self.way.tells_time else None

    def may_see(self, chunk: Chunk) -> bool:
        """Whether the rule is for lines of this sender. Where the source does not tell who sent them, it is not."""
        if chunk.own and not self.sees_own_lines:
            return False
        wanted, sender = self.rule.senders, chunk.sender
        return not wanted or (
            sender is not None and any(w.uid == sender.uid and w.program in ("", sender.program) for w in wanted)
        )


def watches_of(rules: Sequence[Rule], counters: Counters, look: Look = nowhere) -> list[Watch]:
    """The rules at work, connected with each other where they are to be; `look` tells where an address is."""
    ways, clocks, first = Ways(OWN_PROGRAM), [Clock() for _ in rules], together(rules)
    rules_by = Counter(first)
    watches = [
        Watch(rule, counters.of(rule), clocks[index], look, ways, is_alone=rules_by[index] == 1)
        for rule, index in zip(rules, first, strict=True)
    ]
    _connect_resets(watches)
    return watches


def _connect_resets(watches: Sequence[Watch]) -> None:
    by_name = {watch.rule.name: watch for watch in watches}
    for watch in watches:
        for name in watch.rule.reset_by:
            if name in by_name:
                by_name[name].resets.append((watch.windows, watch.rule.key, watch.recogniser.first.widening))
