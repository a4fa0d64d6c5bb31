"""What a configuration says of documents: datasets, their events, and what each sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from logtrigger.ecs import fields
from logtrigger.errors import Place
from logtrigger.patterns.pattern import Pattern
from logtrigger.templates import Template

# What every line has besides the fields of a pattern, and its type.
HEADER = {
    "message": "text",  # behind the header
    "time": "date",
    "host": "text",
    "program": "text",
    "pid": "int",
    "priority": "int",  # RFC 5424, section 6.2.1
    "facility": "text",
    "facility_code": "int",
    "severity": "text",
    "severity_code": "int",
}


@dataclass(frozen=True, slots=True)
class Copy:
    """`list set 'client.ip=ip'`: a field of the line goes into one of the document."""

    target: str
    field: str
    transform: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """`list value 'event.outcome=failure'`: a text, perhaps with fields of the line, goes into the document."""

    target: str
    text: Template


Set = Copy | Text


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of message of a dataset. Its patterns are anchored at both ends and are tried in order."""

    name: str
    place: Place
    patterns: tuple[Pattern, ...]
    sets: tuple[Set, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """The messages of one or several programs; one without programs is for what no other dataset knows."""

    name: str
    place: Place | None  # where it is written
    programs: frozenset[str] = frozenset()
    sets: tuple[Set, ...] = ()
    events: tuple[Event, ...] = ()

    def sets_of(self, event: Event | None) -> tuple[Set, ...]:
        """What a document gets: the event's own, and the dataset's for the fields of which the event says nothing."""
        own = event.sets if event else ()
        said = {one.target for one in own}
        return (*own, *(one for one in self.sets if one.target not in said))


@dataclass(frozen=True, slots=True)
class Mapping:
    """The datasets in use, and a digest of all that was written for them, by which two mappings are compared."""

    datasets: tuple[Dataset, ...] = field(compare=False)
    written: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the datasets, in their order."""
        return tuple(dataset.name for dataset in self.datasets)

    def only(self, names: Iterable[str]) -> Mapping:
        """Some of the datasets, in this order; all where none is named. Raises KeyError for one that is not there."""
        known, chosen = {dataset.name: dataset for dataset in self.datasets}, tuple(dict.fromkeys(names))
        return Mapping(tuple(known[name] for name in chosen), f"{self.written} {' '.join(chosen)}") if chosen else self


def type_of(target: str, dataset: str) -> str | None:
    """The type of a document's field; "custom" below the dataset's own name, which ECS leaves to us. None: unknown."""
    if target.startswith(f"{dataset}."):
        return fields.TYPES.get(target, "custom")
    if target.startswith("labels.") and "." not in target[7:]:
        return "keyword"
    return fields.TYPES.get(target)


_LEAST, _MOST = -(1 << 63), (1 << 63) - 1  # Elasticsearch's long
_PORTS = 65_535


def limits(target: str) -> tuple[int, int]:
    """The least and the greatest number that a field of type long takes; ECS has ports among these."""
    return (0, _PORTS) if target.rpartition(".")[2] == "port" else (_LEAST, _MOST)


def targets(sets: Sequence[Set]) -> tuple[str, ...]:
    """The document's fields that are set, each once, in order."""
    return tuple(dict.fromkeys(one.target for one in sets))
