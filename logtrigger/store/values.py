"""What the store takes, and what it tells of its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from logtrigger.model import Ban, Offender, Position, Trigger, Trust, Unban, Undone

KEEP_BANS = 10_000  # bans kept as history, and changes of bans that wait for room on the disk


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One open window as the engine wrote it down. `signature` says which version of the rule could go on with it."""

    namespace: str  # rule or group
    signature: str
    key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """How an action of a trigger ended."""

    seq: int
    name: str
    result: str
    seconds: float
    output: tuple[str, ...] = ()  # its last lines, made safe and cut


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of the `most` newest triggers numbered below `before`, those numbered above `after`: a page of them."""

    rule: str | None  # None: any
    most: int
    before: int
    after: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A trigger of the history, and of each of its actions: name, state, result and seconds it took."""

    seq: int
    trigger: Trigger
    actions: Sequence[tuple[str, str, str | None, float | None]] = ()
    outputs: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of actions that said something, their last lines


@dataclass(frozen=True, slots=True)
class About:
    """What is known of some networks: bans with their ends and last triggers, and triggers that name an address."""

    bans: Sequence[tuple[Ban, Unban | None, Recorded | None]]
    triggers: Sequence[Recorded]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What changed since the last commit. It belongs to the store once handed over: nothing in it may change any more.

    A stream or window is in one list only, the changed or the forgotten.
    """

    positions: Sequence[Position] = ()
    forgotten_streams: Sequence[str] = ()
    windows: Sequence[WindowRow] = ()
    dropped_windows: Sequence[tuple[str, str]] = ()  # namespace, key
    triggers: Sequence[Undone] = ()
    results: Sequence[Done] = ()
    bans: Sequence[Ban | Unban] = ()  # in the order in which they came about
    offenders: Sequence[Offender] = ()  # likewise
    trusts: Sequence[Trust] = ()  # likewise

    def then(self, later: Batch) -> Batch:
        """Both as one: of each stream and window the later word counts."""
        positions = {p.stream: p for p in (*self.positions, *later.positions)}
        windows = {(w.namespace, w.key): w for w in (*self.windows, *later.windows)}
        for stream in later.forgotten_streams:
            positions.pop(stream, None)
        for window in later.dropped_windows:
            windows.pop(window, None)
        return Batch(
            positions=tuple(positions.values()),
            forgotten_streams=tuple({*self.forgotten_streams, *later.forgotten_streams} - positions.keys()),
            windows=tuple(windows.values()),
            dropped_windows=tuple({*self.dropped_windows, *later.dropped_windows} - windows.keys()),
            triggers=(*self.triggers, *later.triggers),
            results=(*self.results, *later.results),
            bans=_bounded((*self.bans, *later.bans)),
            offenders=tuple({(o.network, o.scope): o for o in (*self.offenders, *later.offenders)}.values()),
            trusts=tuple({(t.address, t.user): t for t in (*self.trusts, *later.trusts)}.values()),
        )


def _bounded(bans: Sequence[Ban | Unban]) -> Sequence[Ban | Unban]:
    """All changes; of very many, as after hours of a full disk, what each network has come to."""
    return bans if len(bans) <= KEEP_BANS else tuple({change.network: change for change in bans}.values())
