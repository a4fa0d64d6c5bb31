"""What is to be stored, collected until the next commit: at most one a second, and one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from logtrigger.counters import WindowState
from logtrigger.errors import StoreError
from logtrigger.loop import Loop
from logtrigger.model import Ban, Offender, Position, Trigger, Trust, Unban, Undone
from logtrigger.store import Batch, Done, Store
from logtrigger.windowrows import to_row

_EVERY = 1.0  # seconds
_UNWRITTEN = 10_000  # triggers kept while nothing can be written; fewer than those at which reading pauses

Snapshot = Callable[[], tuple[Sequence[Position], Sequence[WindowState]]]


class Commits:
    """Collects changes and hands them to the store, all of one moment together.

    Args:
        snapshot: gives the positions and counters that changed since it was last called.
        committed: is told the number of the last trigger that is in the table now.
        failed: is told of an error when it first appears, and with None when commits work again.
    """

    def __init__(
        self,
        loop: Loop,
        store: Store,
        snapshot: Snapshot,
        committed: Callable[[int], None],
        failed: Callable[[StoreError | None], None],
    ) -> None:
        self._loop, self._store, self._snapshot = loop, store, snapshot
        self._committed, self._failed = committed, failed
        self._triggers: list[Undone] = []
        self._results: list[Done] = []
        self._forgotten: list[str] = []
        self._dropped: list[tuple[str, str]] = []
        self._left: list[Position] = []
        self._bans: dict[str, list[Ban | Unban]] = {}  # of each network, in their order
        self._handed: dict[str, Position] = {}  # as the store was given them last, by stream
        self._offenders: dict[tuple[str, str], Offender] = {}
        self._trusts: dict[tuple[str, str], Trust] = {}
        self._newest = 0  # number of the last trigger handed over
        self._changed = self._scheduled = self._writing = False
        self._awaiting: list[Callable[[StoreError | None], None]] = []  # wait for what is collected to be stored
        self._error = ""
        self.unrecorded = 0  # triggers that the history lacks

    @property
    def pending(self) -> int:
        """How many triggers wait for a commit: where these become many, sources should pause."""
        return len(self._triggers) + self._store.pending

    @property
    def waiting(self) -> list[Undone]:
        """The triggers that the store has not been given yet."""
        return list(self._triggers)

    @property
    def error(self) -> str:
        """Why the last commit failed; empty where it did not."""
        return self._error

    def trigger(self, seq: int, trigger: Trigger, names: tuple[str, ...]) -> None:
        """A new trigger, and the actions that are to be done for it.

        Where nothing can be written for long, a trigger without actions is not kept for the history: else the memory would
        fill, or reading have to pause, and with it the banning.
        """
        if not names and self._error and self.pending >= _UNWRITTEN:
            self.unrecorded += 1
            return
        self._triggers.append((seq, trigger, names))
        self.changed()

    def result(self, done: Done) -> None:
        """An action has ended."""
        self._results.append(done)
        self.changed()

    def ban(self, change: Ban | Unban) -> None:
        """A ban has begun, lasts longer, was wanted anew, or is over."""
        changes = self._bans.setdefault(change.network, [])
        if isinstance(change, Ban) and changes and isinstance(changes[-1], Ban):
            change = change if change.lines else replace(change, lines=changes[-1].lines)
            changes[-1] = change  # all that the store is to know
        else:
            changes.append(change)
        self.changed()

    def unstored_bans(self, network: str) -> tuple[Ban | Unban, ...]:
        """What has become of a network that the store has not been given yet, oldest first."""
        return tuple(self._bans.get(network, ()))

    def offenders(self, changed: Iterable[Offender]) -> None:
        """What is known of networks that were banned before."""
        self._offenders.update({(one.network, one.scope): one for one in changed})
        self.changed()

    def trusts(self, changed: Iterable[Trust]) -> None:
        """What is known of good logins."""
        self._trusts.update({(one.address, one.user): one for one in changed})
        self.changed()

    def leave(self, positions: Iterable[Position]) -> None:
        """Where the streams of a source stand that is closed now."""
        self._left += positions
        self.changed()

    def forget(self, stream: str) -> None:
        """A stream is over."""
        self._forgotten.append(stream)
        self.changed()

    def drop(self, states: Iterable[WindowState]) -> None:
        """Counters that no rule goes on with."""
        self._dropped += [(state.namespace, state.key) for state in states]
        self.changed()

    def changed(self) -> None:
        """Something is to be stored, within a second."""
        self._changed = True
        if not self._scheduled and not self._writing:
            self._scheduled = True
            self._loop.call_later(_EVERY, self._on_time)

    def at_once(self, done: Callable[[StoreError | None], None]) -> None:
        """Store what there is as soon as can be; `done` hears that it is stored, or why it is not."""
        self._awaiting.append(done)
        if not self._writing:
            self._commit()

    def fails(self, error: StoreError) -> None:
        """Something could not be stored that was not to wait for a commit; the next commit tells whether that has changed."""
        failed_before, self._error = bool(self._error), str(error)
        if not failed_before:
            self._failed(error)
        self.changed()

    def last(self) -> None:
        """Store everything now and wait for it. Raises StoreError."""
        self._store.commit_now(self._batch())

    def _on_time(self) -> None:
        self._scheduled = False
        if self._changed and not self._writing:
            self._commit()

    def _commit(self) -> None:
        batch = self._batch()
        self._writing = True  # not before: where that fails, nobody would tell of an end
        newest = self._newest = batch.triggers[-1][0] if batch.triggers else self._newest
        told, self._awaiting = self._awaiting, []
        self._store.commit(batch, lambda error: self._loop.call_threadsafe(lambda: self._written(newest, error, told)))

    def _written(self, newest: int, error: StoreError | None, told: Sequence[Callable[[StoreError | None], None]] = ()) -> None:
        self._writing = False
        failed_before, self._error = bool(self._error), str(error or "")
        if bool(error) != failed_before:
            self._failed(error)
        if error is None:
            self._committed(newest)  # what an earlier, failed commit held is written too
        for done in told:
            done(error)
        if self._awaiting:
            self._commit()
        elif error or self._changed:
            self.changed()

    def _batch(self) -> Batch:
        moved, states = self._snapshot()
        positions = {position.stream: position for position in (*self._left, *moved)}
        kept = [state for state in states if state.events or state.suppressed]
        dropped = [(state.namespace, state.key) for state in states if not (state.events or state.suppressed)]
        gone = set(self._forgotten)
        changed = {name: one for name, one in positions.items() if name not in gone and self._handed.get(name) != one}
        self._handed = {name: one for name, one in (self._handed | changed).items() if name not in gone}
        windows = [to_row(state) for state in kept]
        present = {(row.namespace, row.key) for row in windows}
        batch = Batch(
            positions=tuple(changed.values()),
            forgotten_streams=tuple(gone),
            windows=tuple(windows),
            dropped_windows=tuple(pair for pair in dict.fromkeys([*self._dropped, *dropped]) if pair not in present),
            triggers=tuple(self._triggers),
            results=tuple(self._results),
            bans=tuple(change for changes in self._bans.values() for change in changes),
            offenders=tuple(self._offenders.values()),
            trusts=tuple(self._trusts.values()),
        )
        self._triggers, self._results, self._forgotten, self._dropped, self._left = [], [], [], [], []
        self._bans, self._offenders, self._trusts = {}, {}, {}
        self._changed = False
        return batch
