"""`config dataset` and `config event`: sections to a mapping, held against the fields of the Elastic Common Schema."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from logtrigger import shipped
from logtrigger.config import options, uci
from logtrigger.config.options import DatasetTable, EcsAction, EventTable
from logtrigger.config.rules import OPTION_OF, complain
from logtrigger.config.uci import Section, Value
from logtrigger.config.words import Report, listed, shown, suggestion
from logtrigger.digests import blake2b
from logtrigger.ecs import anchoring, fields
from logtrigger.ecs.mapping import HEADER, Copy, Dataset, Event, Mapping, Set, Text, limits, type_of
from logtrigger.ecs.transforms import TRANSFORMS
from logtrigger.errors import Complaint, PatternError, Place
from logtrigger.patterns import SYNTAXES
from logtrigger.patterns.pattern import Pattern
from logtrigger.rule import ActionOptions
from logtrigger.templates import Template

_TARGET = re.compile(r"(@?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)=(.*)", re.DOTALL)
_WHOLE = re.compile(r"-?[0-9]{1,100}")
_OURS = ("@timestamp", "message")  # every document has them
# Type of a document's field -> types of a line's that fill it, and what else to write. Any text fills the others.
_TAKES = {
    "ip": (("ip",), "give the field the type ip"),
    "long": (("int", "port"), "write %d, or give the field the type int or port"),
    "float": (("float", "int", "port"), "write %f or %d"),
    "date": (("date",), "only the header's 'time' is one"),
    "boolean": ((), "write list value with true or false"),
}
_NO_VALUE = ("geo_point", "object", "flattened")
_WRITE_SET, _WRITE_VALUE = "write one such as 'client.ip=ip'", "write one such as 'event.outcome=failure'"


@dataclass(frozen=True, slots=True)
class Equipped:
    """What an action of type ecs says, and the datasets it takes."""

    table: EcsAction
    mapping: Mapping
    geoip: tuple[Path, ...] = ()  # databases that tell where addresses are


def settle(sections: Iterable[Section], report: Report) -> Mapping:
    """The datasets of a configuration, in its order; what is wrong is reported."""
    ours = [section for section in sections if section.type in ("dataset", "event")]
    datasets: dict[str, Dataset] = {}
    for section in ours:
        if section.type == "dataset":
            made = _dataset(section, report)
            first = datasets.get(made.name)
            if not made.name:
                report.error(section.place, "the dataset has no name", "write: config dataset 'NAME'")
            elif first is not None:
                report.error(section.place, f"a dataset is called '{made.name}' at {first.place} already", "join the two")
            else:
                datasets[made.name] = made
    events: dict[str, list[Event]] = {name: [] for name in datasets}
    named: dict[str, Place] = {}
    for section in ours:
        if section.type == "event" and (found := _event(section, datasets, named, report)) is not None:
            events[found[0]].append(found[1])
    made_up = tuple(replace(dataset, events=tuple(events[name])) for name, dataset in datasets.items())
    return Mapping(made_up, _digest(ours))


def with_shipped(own: Mapping, report: Report) -> Mapping:
    """A configuration's datasets, and those that come with the program where it has none of their names."""
    sections: list[Section] = []
    for path in shipped.files(shipped.DATASETS):
        sections += uci.parse(path.read_bytes(), str(path), report)
    kept = [section for section in sections if _dataset_of(section) not in own.names]
    more = settle(kept, report)
    return Mapping((*own.datasets, *more.datasets), f"{own.written} {more.written}")


def equip(actions: Sequence[ActionOptions], own: Mapping, geoip: tuple[Path, ...], report: Report) -> tuple[ActionOptions, ...]:
    """The actions, those of type ecs with the datasets they name; without those that name one that is not there."""
    if not any(action.type == "ecs" for action in actions):
        return tuple(actions)
    every, equipped = with_shipped(own, report), list[ActionOptions]()
    for action in actions:
        if action.type == "ecs":
            for name in action.own.dataset:
                if name not in every.names:
                    remedy = suggestion(name, every.names) or f"there are {listed(every.names)}"
                    report.error(action.place, f"action '{action.name}': there is no dataset '{name}'", remedy)
            chosen = every.only(name for name in action.own.dataset if name in every.names)
            action = replace(action, own=Equipped(action.own, chosen, geoip))
        equipped.append(action)
    return tuple(equipped)


def sample_failures(sections: Iterable[Section], own: Mapping) -> list[Complaint]:
    """What is wrong with samples of events, where there are some."""
    tried = [section for section in sections if section.type == "event" and {"expect", "reject"} & set(section.options)]
    if not tried:
        return []
    from logtrigger.config import ecssamples

    return ecssamples.failures(tried, own)


def _dataset_of(section: Section) -> str:
    """The dataset that a section is or belongs to."""
    if section.type == "dataset":
        return section.name
    given = section.options.get("dataset")
    return given.values[0].text if given else ""


def _digest(sections: Iterable[Section]) -> str:
    facts = [(s.type, s.name, [(n, [v.text for v in o.values]) for n, o in s.options.items()]) for s in sections]
    return blake2b(repr(facts).encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def _dataset(section: Section, report: Report) -> Dataset:
    known = {name: given for name, given in section.options.items() if name in options.DATASET}
    read = options.read(DatasetTable, known, report, section.place)
    sets = _sets(read, (), section.name, report)
    return Dataset(section.name, section.place, frozenset(read.program), sets)


def _event(section: Section, datasets: dict[str, Dataset], named: dict[str, Place], report: Report) -> tuple[str, Event] | None:
    known = {name: given for name, given in section.options.items() if name in options.EVENT}
    read = options.read(EventTable, known, report, section.place)
    if read.dataset is not None and read.dataset not in datasets:
        remedy = suggestion(read.dataset, datasets) or f"write: config dataset '{read.dataset}'"
        report.error(known["dataset"].place, f"there is no dataset '{read.dataset}'", remedy)
    if read.name is not None and named.setdefault(read.name, section.place) is not section.place:
        fault = f"an event is called '{read.name}' at {named[read.name]} already"
        report.error(section.place, fault, "give each event a name of its own")
    patterns = _patterns(section, read, report)
    sets = _sets(read, patterns, read.dataset or "", report) if patterns else ()
    if read.dataset not in datasets or not patterns:
        return None
    return read.dataset, Event(read.name or "", section.place, patterns, sets)


# Patterns


def _patterns(section: Section, read: EventTable, report: Report) -> tuple[Pattern, ...]:
    given = {"scanf": read.pattern, "format": read.format, "regex": read.regex}
    used = [syntax for syntax in SYNTAXES if given[syntax]]
    if len(used) != 1:
        fault = "has no pattern" if not used else f"has {listed(repr(OPTION_OF[syntax]) for syntax in used)}"
        report.error(section.place, f"the event {fault}", "write one of pattern, format and regex")
        return ()
    texts = given[used[0]]
    if len(read.fields) > 1 and len(read.fields) != len(texts):
        fault = f"{len(read.fields)} lists of fields for {len(texts)} pattern{'s' * (len(texts) != 1)}"
        report.error(read.fields[-1].place, fault, "write 'fields' once for all patterns, or once for each")
        return ()
    names: Sequence[Value | None] = read.fields if len(read.fields) > 1 else [*read.fields, None][:1] * len(texts)
    made = [_pattern(used[0], text, own, read.nocase, report) for text, own in zip(texts, names, strict=True)]
    return tuple(pattern for pattern in made if pattern is not None) if None not in made else ()


def _pattern(syntax: str, text: Value, names: Value | None, nocase: bool, report: Report) -> Pattern | None:
    try:
        return anchoring.compile(text.text, names.text.split() if names else (), syntax, nocase=nocase)
    except PatternError as error:
        try:
            anchoring.compile(text.text, (), syntax)
        except PatternError as alone:
            complain(OPTION_OF[syntax], text, alone, report)
        else:
            complain("fields" if names else OPTION_OF[syntax], names or text, error, report)
        return None


# What goes into a document


def _sets(read: Any, patterns: Sequence[Pattern], dataset: str, report: Report) -> tuple[Set, ...]:
    """The good ones of an event (of a dataset: without patterns)."""
    types: dict[str, set[str]] = {}
    for pattern in patterns:
        for name, kind in zip(pattern.fields, pattern.types, strict=True):
            types.setdefault(name, set()).add(kind)
    known = {name: {kind} for name, kind in HEADER.items() if name not in types} | types
    made: list[tuple[Set, Value]] = []
    for value in read.set:
        made += [(one, value) for one in _copy(value, known, dataset, report)]
    for value in read.value:
        made += [(one, value) for one in _text(value, known, dataset, report)]
    every = {one.target for one, _ in made}
    for one, value in made:
        if any(other.startswith(f"{one.target}.") for other in every):
            report.error(value.place, f"'{one.target}' cannot be a value and stand above others", "name another field")
    return tuple(one for one, _ in made)


def _copy(value: Value, known: dict[str, set[str]], dataset: str, report: Report) -> Iterator[Copy]:
    for target, kind, source in _target("set", value, dataset, _WRITE_SET, report):
        name, bar, transform = source.partition("|")
        if name not in known:
            remedy = suggestion(name, known) or f"there are {listed(known)}"
            report.error(value.place, f"'set' names '{name}', which is no field of the event", remedy)
        elif bar and not transform:
            fault = f"'set': nothing stands behind the bar of '{source}'"
            report.error(value.place, fault, f"write {target}={name}, or a transform: {', '.join(TRANSFORMS)}")
        elif transform and transform not in TRANSFORMS:
            remedy = suggestion(transform, TRANSFORMS) or f"there are {listed(TRANSFORMS)}"
            report.error(value.place, f"'set': there is no transform '{transform}'", remedy)
        elif kind in _TAKES and (transform or not known[name] <= {*_TAKES[kind][0]}):
            held = listed(sorted({"text"} if transform else known[name]), "or")
            fault = f"'set': {target} is of type {kind}, and '{source}' of type {held}"
            report.error(value.place, fault, _TAKES[kind][1])
        else:
            yield Copy(target, name, transform)


def _text(value: Value, known: dict[str, set[str]], dataset: str, report: Report) -> Iterator[Text]:
    for target, kind, text in _target("value", value, dataset, _WRITE_VALUE, report):
        try:
            template = Template(text)
            template.check(known)
        except PatternError as error:
            report.error(value.place, f"'value': {error.fault}", error.remedy)
            continue
        if template.names and kind in _TAKES:
            report.error(value.place, f"'value': {target} is of type {kind}", f"write list set '{target}=FIELD'")
        elif not template.names and kind == "long" and _WHOLE.fullmatch(text) and not _fits(target, int(text)):
            least, most = limits(target)
            report.error(value.place, f"'value': {target} cannot be {text}", f"write a number from {least} to {most}")
        elif not template.names and not _is_of(kind, template.render({})):
            report.error(value.place, f"'value': {target} is of type {kind}, which {shown(text)} is not", "mend the value")
        else:
            yield Text(target, template)


def _target(option: str, value: Value, dataset: str, remedy: str, report: Report) -> Iterator[tuple[str, str, str]]:
    """The document's field, its type and what is to go there; nothing where no value can."""
    found = _TARGET.fullmatch(value.text)
    if not found or not found[2]:
        report.error(value.place, f"'{option}' cannot be {shown(value.text)}", remedy)
        return
    target, text = found.groups()
    kind = type_of(target, dataset)
    if target in _OURS:
        report.error(value.place, f"'{option}': every document has its own {target}", "name another field")
    elif target in fields.OBJECTS:
        below = [*(name for name in fields.TYPES if name.startswith(f"{target}.")), f"{target}.name"]
        report.error(value.place, f"'{option}': {target} holds other fields", f"write one of those, such as {below[0]}=…")
    elif kind in _NO_VALUE:
        report.error(value.place, f"'{option}': {target} is of type {kind}, which no text fills", "name another field")
    else:
        if kind is None:
            own = f"what is your own belongs below '{dataset}.'"
            near = suggestion(target, fields.TYPES)
            report.warning(value.place, f"'{target}' is no field of ECS {fields.VERSION}", near or own)
        yield target, kind or "keyword", text


def _fits(target: str, number: int) -> bool:
    least, most = limits(target)
    return least <= number <= most


def _is_of(kind: str, text: str) -> bool:
    """Whether a text is of a type of Elasticsearch's."""
    try:
        if kind == "ip":
            ipaddress.ip_address(text)
        elif kind == "long":
            return _WHOLE.fullmatch(text) is not None
        elif kind == "float":
            return math.isfinite(float(text))
        elif kind == "date":
            datetime.fromisoformat(text)
    except ValueError:
        return False
    return kind != "boolean" or text in ("true", "false")
