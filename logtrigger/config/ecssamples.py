"""Sample lines of events: what one must recognise (`expect`), with what its document then holds, and what not (`reject`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from logtrigger.config.uci import Section
from logtrigger.config.words import listed, shown, suggestion
from logtrigger.ecs.mapping import Dataset, Event, targets
from logtrigger.ecs.mapping import Mapping as Datasets
from logtrigger.ecs.normaliser import Normaliser
from logtrigger.errors import Complaint

_ARROW = re.compile(r" -> (?=@?[\w.-]+=)")


def failures(sections: Iterable[Section], mapping: Datasets) -> list[Complaint]:
    """What is wrong with samples that do not come out as they say; of events that could not be made nothing is said."""
    found: list[Complaint] = []
    trials = {dataset.name: _Trial(dataset) for dataset in mapping.datasets}
    events = {event.name: (trials[d.name], event) for d in mapping.datasets for event in d.events}
    for section in sections:
        if section.type == "event" and "name" in section.options:
            name = section.options["name"].values[0].text
            if name in events and events[name][1].place == section.place:
                trial, event = events[name]
                found += trial.of(event, section)
    return found


_NAMED = re.compile(r"\s+(@?[\w-]+(?:\.[\w-]+)+)=")  # a field that the event does not set, behind the value of one that it does


class _Trial:
    """A dataset's events, before which samples are put."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._normaliser = Normaliser(Datasets((dataset,)), now=0.0)

    def of(self, event: Event, section: Section) -> Iterator[Complaint]:
        known = [*targets(self._dataset.sets_of(event)), "@timestamp", "message"]
        for sample in section.options["expect"].values if "expect" in section.options else ():
            line, wanted = _split(sample.text, known)
            if fault := self._fault(event, line, wanted, known):
                yield Complaint(sample.place, f"'expect' of event '{event.name}': {fault[0]}", fault[1])
        for sample in section.options["reject"].values if "reject" in section.options else ():
            if self._event_of(sample.text) == event.name:
                fault_ = f"'reject' of event '{event.name}': the line is one: {shown(sample.text)}"
                yield Complaint(sample.place, fault_, "make the pattern narrower")

    def _event_of(self, line: str) -> str | None:
        found = self._normaliser.event_of(line.encode("utf-8", "surrogateescape"))
        return None if found is None else found[1]

    def _fault(self, event: Event, line: str, wanted: Mapping[str, str], known: list[str]) -> tuple[str, str] | None:
        is_ = self._event_of(line)
        if is_ is None:
            return "the line is no event", "a pattern takes the whole message; try it with logtrigger match"
        if is_ != event.name:
            return f"the line is event '{is_}'", "write this one before it, or make that one narrower"
        got = flat(json.loads(self._normaliser.document(line.encode("utf-8", "surrogateescape"))))
        for name, value in wanted.items():
            if name not in got:
                if name in known:
                    return f"the document has no {name}", "what it is set from is empty in this line, or no such value"
                return f"the document has no {name}", suggestion(name, known) or f"it sets {listed(known)}"
            if value.startswith(f"{got[name]} ") and (other := _NAMED.match(value[len(got[name]) :])):
                near = suggestion(other[1], known) or f"it sets {listed(known)}"
                return f"the document has no {other[1]}", near
            if got[name] != value:
                return f"{name} is {shown(got[name])}, not {shown(value)}", "mend the event or the sample"
        return None


def _split(text: str, known: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The line, and what its document is to hold: what stands behind the last arrow that a NAME= follows."""
    arrows = list(_ARROW.finditer(text))
    if not arrows:
        return text, {}
    said = text[arrows[-1].end() :]
    names = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    pieces = re.split(rf"(?:^|\s+)({names})=", said)
    if pieces[0]:  # the first name is none of the event's
        return text[: arrows[-1].start()], {pieces[0].partition("=")[0]: ""}
    return text[: arrows[-1].start()], dict(zip(pieces[1::2], map(str.strip, pieces[2::2]), strict=True))


def flat(document: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """The document's fields by their full names, as text; the values of a list are joined by blanks.

    >>> flat({"client": {"port": 22}, "related": {"ip": ["10.0.0.1", "10.0.0.2"]}})
    {'client.port': '22', 'related.ip': '10.0.0.1 10.0.0.2'}
    """
    found: dict[str, str] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{name}.")
        else:
            found[above + name] = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found
