"""Lines in, documents out: which event each line is, found in one scan of a chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring_ascii as quoted

from logtrigger import places
from logtrigger.ecs import places as ecs_places
from logtrigger.ecs.attempt import Attempt
from logtrigger.ecs.document import Shape
from logtrigger.ecs.heads import Heads
from logtrigger.ecs.mapping import Dataset, Event, Mapping
from logtrigger.engine import MatcherFactory
from logtrigger.matcher import LiteralMatcher, Owner
from logtrigger.places import Look

_WHITE = b" \t\r\f\v"
_PLAIN = Dataset("", place=None)  # of documents with time and message only


class _Candidate:
    """One event of a dataset, ready to be tried."""

    __slots__ = ("dataset", "event", "find", "shapes")  # dataset: its name

    def __init__(self, dataset: Dataset, event: Event, places: ecs_places.Behind | None) -> None:
        self.dataset, self.event = dataset.name, event
        self.shapes = [Shape(dataset, event, pattern, places) for pattern in event.patterns]
        self.find = Attempt(event.patterns).find


class Normaliser:
    """Makes documents of lines.

    Args:
        mapping: the datasets. Of several, a line belongs to those whose program its header names, and the first that has an
            event for it counts. Where there is only one, its messages may stand in any line: behind a header that names one of
            its programs, or else behind the time.
        now: epoch seconds; settles the year of times that leave it out.
        look: where an address is.
        build: makes the matcher.
        only_known: pass over lines that are no event.
    """

    def __init__(
        self,
        mapping: Mapping,
        now: float,
        look: Look = places.nowhere,
        build: MatcherFactory = LiteralMatcher,
        *,
        only_known: bool = False,
    ) -> None:
        behind = None if look is places.nowhere else ecs_places.behind(look)
        self._candidates = [_Candidate(d, event, behind) for d in mapping.datasets for event in d.events]
        self._matcher = build([Owner(candidate.event.patterns) for candidate in self._candidates])
        programs = {program for dataset in mapping.datasets for program in dataset.programs}
        self._of_program = {name: tuple(d.name for d in mapping.datasets if name in d.programs) for name in programs}
        anybody = [dataset for dataset in mapping.datasets if not dataset.programs]
        default = mapping.datasets if len(mapping.datasets) == 1 else anybody
        self._default = tuple(dataset.name for dataset in default)
        self._heads = Heads(None if anybody else self._of_program, now)
        self._unknown = Shape(next((dataset for dataset in anybody if dataset.sets), _PLAIN), None, None, behind)
        self._only_known = only_known

    def documents(self, data: bytes) -> Iterator[str]:
        """The document of each line that is not empty, without a line end.

        Args:
            data: whole lines, each ending in a line feed.
        """
        owners = self._owners(data)
        begin, last = 0, data.rfind(b"\n")
        find, document, only_known = data.find, self._document, self._only_known
        while begin <= last:
            end = find(b"\n", begin)
            here = owners.get(end, ())
            if (here or not only_known) and (made := document(data, begin, end, here, "")):
                yield made
            begin = end + 1

    def _owners(self, data: bytes) -> dict[int, list[int]]:
        """Where a line ends -> the events that it may be, in order; what may be none is missing."""
        found: dict[int, list[int]] = {}
        for owner, ends in sorted(self._matcher.lines(data).items()):
            one = [owner]
            for end in ends:
                found[end] = found[end] + one if end in found else one
        return found

    def document(self, line: bytes, time: str = "") -> str:
        """The document of one line; empty where it is no event and only those are wanted.

        Args:
            line: without its line end.
            time: to be taken where the line says none, as 2023-10-31T15:09:55Z.
        """
        data = line.replace(b"\n", b" ") + b"\n"
        owners = [owner for _, _, owner in self._matcher.scan(data)]
        return self._document(data, 0, len(data) - 1, owners, time)

    def event_of(self, line: bytes) -> tuple[str, str] | None:
        """The dataset and the event that a line is; None: it is none."""
        data = line.replace(b"\n", b" ").rstrip() + b"\n"
        end = len(data) - 1
        owners = [owner for _, _, owner in self._matcher.scan(data)]
        head = self._heads.of(data, 0, end)
        found = self._find(data, head.body, end, head.program, owners)
        return None if found is None else (found[0].dataset, found[0].event.name)

    def _document(self, data: bytes, begin: int, end: int, owners: Sequence[int], time: str) -> str:
        while end > begin and data[end - 1] in _WHITE:
            end -= 1
        if begin == end:
            return ""
        head = self._heads.of(data, begin, end)
        body = begin + head.body
        when = head.time or time
        if when:
            when = f'"{when}"'
        found = self._find(data, body, end, head.program, owners) if owners else None
        message = quoted(data[begin:end].decode("utf-8", "replace"))
        if found is not None:
            candidate, number, values = found
            shape = candidate.shapes[number]
            if shape.needs_header:
                return shape.text(when, message, values, head.front, head.pid, data[body:end])
            return shape.text(when, message, values)
        if self._only_known:
            return ""
        return self._unknown.text(when, message, (), head.front, head.pid, data[body:end])

    def _find(
        self, data: bytes, body: int, end: int, program: str, owners: Sequence[int]
    ) -> tuple[_Candidate, int, Sequence[bytes]] | None:
        """The first event of the program's datasets that matches the message data[body:end], by which pattern, the captures."""
        names = self._of_program.get(program) or self._default
        for owner in owners:
            candidate = self._candidates[owner]
            if candidate.dataset in names:
                found = candidate.find(data, body, end)
                if found is not None:
                    return candidate, *found
        return None
