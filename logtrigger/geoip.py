"""Where an address is: several databases as one, which may be replaced while they are in use."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from logtrigger.mmdb import Database, Stamp
from logtrigger.places import COUNTRY, HOME, NOWHERE, Places

MOST_CACHED = 10_000  # addresses
LOOK_EVERY = 5.0  # seconds between two looks at whether a file was replaced


@dataclass(frozen=True, slots=True)
class _Failure:
    """A file that could not be opened as it was."""

    stamp: Stamp | None  # None: it was not there
    told: bool


class GeoIP:
    """Several databases as one: of each field the first that knows it says it.

    Args:
        paths: the files, the best one first.
        report: tells the operator (level, text).
        home: the countries that are expected.
        clock: seconds, for how often files are looked at.
        before: what was in use until now. A file that is broken meanwhile stays in use as it was read then.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        report: Callable[[int, str], None],
        home: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
        before: GeoIP | None = None,
    ) -> None:
        self._paths, self._report, self._home, self._clock = paths, report, frozenset(home), clock
        opened: dict[Path, Database] = {} if before is None else before._open
        self._open: dict[Path, Database] = {path: one for path, one in opened.items() if path in paths}
        self._failed: dict[Path, _Failure] = {}
        self._damaged: set[Path] = set()  # told of
        self._cache: dict[str, Places] = {}
        self.refresh()

    def look(self, address: str) -> Places:
        """What the databases know of an address in its canonical form; now and then it is seen whether they were replaced."""
        if self._clock() >= self._due:
            self.refresh()
        found = self._cache.get(address)
        if found is None:
            if len(self._cache) >= MOST_CACHED:
                self._cache.clear()
            found = self._cache[address] = self._find(address)
        return found

    def refresh(self) -> None:
        """Open what was replaced since. A file that is none is reported, and the old one kept."""
        self._due = self._clock() + LOOK_EVERY
        for path in self._paths:
            try:
                stamp: Stamp | None = Stamp.of(path)
            except OSError:
                stamp = None
            opened, failed = self._open.get(path), self._failed.get(path)
            if (opened is None or opened.stamp != stamp) and (failed is None or failed != _Failure(stamp, told=True)):
                self._open_anew(path, stamp)

    def _open_anew(self, path: Path, stamp: Stamp | None) -> None:
        before, failed = self._open.get(path), self._failed.get(path)
        try:
            self._open[path] = Database(path)
        except ValueError as error:
            # While there is one in use, a file may be in the making: it is told of where it is the same at the next look.
            is_settled = before is None or failed == _Failure(stamp, told=False)
            self._failed[path] = _Failure(stamp, told=is_settled)
            kept = "; the one read before stays in use" if before else "; addresses have no place until it can be read"
            if is_settled:
                self._report(0, f"{error}{kept}")
            return
        if before or path in self._failed:
            self._report(1, f"{path}: read anew")
        self._failed.pop(path, None)
        self._damaged.discard(path)
        self._cache.clear()

    def _find(self, address: str) -> Places:
        found: dict[str, str] = {}
        for path in self._paths:
            if path in self._open:
                found = {**self._look_in(path, address), **found}
        if self._home and (country := found.get(COUNTRY)):
            found[HOME] = "1" if country in self._home else "0"
        return found

    def _look_in(self, path: Path, address: str) -> Places:
        try:
            return self._open[path].look(address)
        except ValueError as error:
            if path not in self._damaged:
                self._damaged.add(path)
                self._report(0, f"{error}; until then some addresses have no place")
            return NOWHERE
