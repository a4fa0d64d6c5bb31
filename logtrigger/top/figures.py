"""What the screen shows, worked out of two looks at the daemon: rates, order, spans. No terminal and no clock here."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from logtrigger.durations import spoken

Facts = Mapping[str, Any]

SPAN = 120  # looks that the sparklines go back


@dataclass(frozen=True, slots=True)
class Look:
    """What the daemon said of itself at one moment (epoch seconds)."""

    time: float
    status: Facts
    rules: Sequence[Facts]
    bans: Sequence[Facts]  # the newest


@dataclass(slots=True)
class Figures:
    """Looks, one after the other, and what they come to."""

    events: deque[float] = field(default_factory=lambda: deque(maxlen=SPAN))  # a second
    triggers: deque[float] = field(default_factory=lambda: deque(maxlen=SPAN))
    look: Look | None = None
    _before: Look | None = None
    _rates: dict[str, float] = field(default_factory=dict)

    def take(self, look: Look) -> None:
        """The next look. What a daemon that was started anew has counted begins from nothing."""
        before, self.look = self.look, look
        if before is None or before.status["started"] != look.status["started"]:
            self._rates = {}
            return
        span = look.time - before.time
        if span <= 0:
            return
        counts = {row["rule"]: row["events"] for row in before.rules}
        self._rates = {row["rule"]: max(0, row["events"] - counts.get(row["rule"], 0)) / span for row in look.rules}
        self.events.append(max(0, look.status["events"] - before.status["events"]) / span)
        self.triggers.append(max(0, look.status["triggers"] - before.status["triggers"]) / span)

    def rate(self, rule: str) -> float:
        """Events of a rule, a second."""
        return self._rates.get(rule, 0.0)

    def is_paused(self, rule: str) -> bool:
        """Whether nothing is done about the rule's triggers."""
        return self.look is not None and any(row["rule"] == rule and row["state"] == "paused" for row in self.look.rules)

    def rules(self, wanted: str = "") -> list[tuple[str, ...]]:
        """A row for each rule whose name has this text, the busiest first: name, rate, events, triggers, last, keys, state."""
        if self.look is None:
            return []
        rows = [row for row in self.look.rules if wanted.lower() in row["rule"].lower()]
        rows.sort(key=lambda row: (-self.rate(row["rule"]), -row["events"], row["rule"]))
        now = self.look.time
        return [
            (
                row["rule"],
                rate_text(self.rate(row["rule"])),
                short(row["events"]),
                short(row["triggers"]),
                ago(now, row["last"]),
                short(row["keys"]),
                ", ".join(row["actions"]) if row["state"] == "running" else row["state"],
            )
            for row in rows
        ]

    def bans(self, wanted: str = "") -> list[tuple[str, ...]]:
        """A row for each of the newest bans with this text: network, country, what is left, rule."""
        if self.look is None:
            return []
        rows = (
            (row["network"], row["country"], left(self.look.time, row["until"]), row["rule"] or f"({row['by']})")
            for row in self.look.bans
        )
        return [row for row in rows if any(wanted.lower() in cell.lower() for cell in row)]

    def sources(self, most: int) -> list[str]:
        """A line for each source: what it reads, when its last line came, what lies unread; those in trouble come first."""
        if self.look is None:
            return []
        found = sorted(self.look.status["sources"], key=lambda one: (not one["fault"], not one["paused"], -one["lag"]))
        shown = found if len(found) <= most else found[: most - 1]
        more = [f"and {len(found) - len(shown)} more sources"] if len(shown) < len(found) else []
        return [*(_source(one, self.look.time) for one in shown), *more]

    def queues(self) -> list[str]:
        """A line about scripts, and one for each action with a far end."""
        if self.look is None:
            return []
        status = self.look.status
        queue = status["scripts"] if "scripts" in status else status["queue"]
        lines = [f"scripts {queue['running']} running, {queue['waiting']} waiting"]
        for one in status["actions"]:
            failing = one["last_error"] if (one["last_error_at"] or 0) > (one["last_success"] or 0) else ""
            lines.append(
                f"{one['action']} {short(one['sent'])} sent, {short(one['waiting'])} waiting" + f": {failing}" * bool(failing)
            )
        return lines

    def headline(self) -> str:
        """What matters first."""
        if self.look is None:
            return ""
        status, now = self.look.status, self.look.time
        parts = [
            f"up {spoken(max(1, round(now - status['started'])))}",
            f"{short(status['bans']['number'])} banned ({status['bans']['backend'] or 'nobody asked for yet'})",
            f"{status['rules']['running']} rules",
        ]
        wrong = [f"firewall: {status['bans']['error']}"] if status["bans"]["error"] else []
        wrong += [f"store: {status['store']['error']}"] if status["store"]["error"] else []
        return "  ".join([f"logtrigger {status['version']}", *wrong, *parts])


def _source(one: Facts, now: float) -> str:
    if one["fault"]:
        return f"{one['source']}: {one['fault']}"
    parts = [one["source"], f"last line {ago(now, one['last'])} ago" if one["last"] else "no line yet"]
    if one["lag"]:
        parts.append(f"{one['lag'] / 1024:,.0f} KiB behind")
    if one["ahead"] is not None and abs(one["ahead"]) > 30:
        parts.append(f"clock {spoken(round(abs(one['ahead'])))} {'ahead' if one['ahead'] > 0 else 'behind'}")
    if one["paused"]:
        parts.append("waits for the store")
    return ", ".join(parts)


def ago(now: float, then: float | None) -> str:
    """How long ago, in the largest unit; a dash for never.

    >>> ago(100.0, 30.0), ago(100.0, None)
    ('1m', '-')
    """
    return "-" if then is None else largest(max(0.0, now - then))


def left(now: float, until: float | None) -> str:
    """How long a ban goes on."""
    return "for ever" if until is None else largest(max(0.0, until - now))


def largest(seconds: float) -> str:
    """A span in its two largest units.

    >>> largest(59.4), largest(3700.0), largest(200_000.0)
    ('59s', '1h1m', '2d7h')
    """
    whole = int(seconds)
    for size, name, below, name_below in ((86_400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 0, "")):
        if whole >= size:
            rest = whole % size // below if below else 0
            return f"{whole // size}{name}" + (f"{rest}{name_below}" if rest else "")
    return f"{whole}s"


def short(number: int) -> str:
    """A number in at most five characters.

    >>> [short(n) for n in (999, 12_345, 1_234_567, 98_765_432)]
    ['999', '12.3k', '1.2M', '98.8M']
    """
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if number >= size:
            unit = 1000 if letter == "k" else size
            return f"{number / unit:.1f}{letter}" if number / unit < 100 else f"{number / unit:.0f}{letter}"
    return str(number)


def rate_text(rate: float) -> str:
    """Events a second.

    >>> [rate_text(r) for r in (0.0, 0.25, 12.0, 123456.0)]
    ['-', '0.2', '12', '123k']
    """
    if not rate:
        return "-"
    return f"{rate:.1f}" if rate < 10 else short(round(rate))
