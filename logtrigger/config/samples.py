"""Sample lines that a rule is to recognise (`expect`) or not (`reject`), put before the engine that will run the rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from logtrigger.addresses import AddressSet
from logtrigger.config.relations import Built
from logtrigger.config.uci import Value
from logtrigger.config.words import listed, shown
from logtrigger.engine import Engine
from logtrigger.errors import Complaint
from logtrigger.model import Chunk
from logtrigger.rule import Rule, Settings

_ARROW = re.compile(r"(?:^| )-> ?")


def failures(built: Iterable[Built], running: Sequence[Rule]) -> list[tuple[str, Complaint]]:
    """The names of running rules whose samples do not come out as they say, each with what is wrong."""
    rules = {rule.name: rule for rule in running}
    return [
        (rule.name, complaint)
        for one in built
        if (rule := rules.get(one.options.name)) is not None and (one.options.expect or one.options.reject)
        for complaint in _of_rule(rule, one.options.expect, one.options.reject)
    ]


def _of_rule(rule: Rule, expect: Sequence[Value], reject: Sequence[Value]) -> list[Complaint]:
    found = []
    for sample in expect:
        line, wanted = _split(sample.text, rule.fields)
        got = recognised(rule, line)
        if fault := _fault(rule, wanted, got):
            found.append(Complaint(sample.place, f"'expect' of rule '{rule.name}': {fault}", "mend the rule or the sample"))
    for sample in reject:
        if recognised(rule, sample.text) is not None:
            fault = f"'reject' of rule '{rule.name}': the line is an event: {shown(sample.text)}"
            found.append(Complaint(sample.place, fault, "make the pattern narrower, or add option except"))
    return found


def _split(text: str, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The line, and the fields it is to give: what stands behind the last arrow, if that is NAME=VALUE."""
    arrows = list(_ARROW.finditer(text))
    if not arrows or not re.match(r"\w+=", text[arrows[-1].end() :]):
        return text, {}
    starts = "|".join(map(re.escape, names)) or r"\w+"
    pieces = re.split(rf"(?:^|\s+)({starts})=", text[arrows[-1].end() :])
    if pieces[0]:  # the first name is none of the rule's
        return text[: arrows[-1].start()], {pieces[0].partition("=")[0]: ""}
    return text[: arrows[-1].start()], dict(zip(pieces[1::2], map(str.strip, pieces[2::2]), strict=True))


def _fault(rule: Rule, wanted: Mapping[str, str], got: Mapping[str, str] | None) -> str:
    if got is None:
        return "the line is no event"
    unknown = [name for name in wanted if name not in got]
    if unknown:
        return f"the rule has no field {listed(map(repr, unknown))}"
    wrong = [f"{name} is {shown(got[name])}, not {shown(value)}" for name, value in wanted.items() if got[name] != value]
    return listed(wrong) if wrong else ""


def recognised(rule: Rule, line: str) -> Mapping[str, str] | None:
    """The fields of the event that this line is for this rule; None where it is none. Counting plays no part."""
    alone = replace(rule, maxfail=1, time=None, group="", weight=1, reset_by=(), suppress=0.0, ignore=AddressSet())
    engine = Engine(Settings(path=Path(), state=Path(), rules=(alone,)), every_source=True)
    engine.observer = lambda _: None  # the thorough way: the quick one is worth its compiling for many lines only
    data = line.encode("utf-8", "surrogateescape") + b"\n"
    triggers = engine.feed(Chunk("", "", "", 0, len(data), data), now=0.0)
    return triggers[0].fields if triggers else None
