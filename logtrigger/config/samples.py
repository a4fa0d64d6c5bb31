"""Sample lines that a rule is to recognise (`expect`) or not (`reject`), put before the engine that will run the rule."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from logtrigger import __version__, headers, places, sealed, shipped
from logtrigger.addresses import AddressSet
from logtrigger.config.merge import OF_FAILURES, Draft
from logtrigger.config.options import RuleOptions
from logtrigger.config.relations import Built
from logtrigger.config.words import listed, shown, suggestion
from logtrigger.digests import blake2b
from logtrigger.engine import Engine
from logtrigger.errors import Complaint
from logtrigger.model import Chunk
from logtrigger.patterns.form import Conversion, Form
from logtrigger.patterns.pattern import Pattern
from logtrigger.rule import Rule, Settings

_ARROW = re.compile(r"(?:^| )-> ?")
_DIGEST = 16  # bytes
_OURS = str(shipped.path(shipped.RULES))
# Options of which no sample says anything.
_UNTRIED = {"name", "enabled", "file", "source", "ignore", "script", "env", "action", "key", *OF_FAILURES}


def failures(built: Iterable[Built], running: Sequence[Rule], passed: Passed | None = None) -> list[tuple[str, Complaint]]:
    """The names of running rules whose samples do not come out as they say, each with what is wrong.

    With `passed`, rules that are known to have passed are not tried again; those that pass now are noted there. Rules that come
    with the program have been tried before it was given away.
    """
    rules = {rule.name: rule for rule in running}
    found: list[tuple[str, Complaint]] = []
    for one in built:
        rule = rules.get(one.options.name)
        if rule is None or not (one.options.expect or one.options.reject):
            continue
        if passed is not None and (_is_shipped(one.draft) or passed.has(one.draft)):
            continue
        complaints = _of_rule(rule, one.options)
        if passed is not None and not complaints:
            passed.add(one.draft)
        found += [(rule.name, complaint) for complaint in complaints]
    return found


class Passed:
    """The rules whose samples came out well before, just as they stand now; kept in a file, for the next start.

    Args:
        path: the file. What it says is believed only where it is as we wrote it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._label = f"logtrigger samples {__version__} {sys.version}\n".encode()
        content = sealed.read(path, self._label) or b""
        self._before = {content[at : at + _DIGEST] for at in range(0, len(content), _DIGEST)}
        self._now: set[bytes] = set()

    def has(self, draft: Draft) -> bool:
        """Whether the samples of this rule have passed already; then they are kept for another time."""
        digest = _digest(draft)
        if digest in self._before:
            self._now.add(digest)
        return digest in self._before

    def add(self, draft: Draft) -> None:
        """They have passed now."""
        self._now.add(_digest(draft))

    def keep(self) -> None:
        """Write the file, where something changed."""
        if self._now != self._before:
            sealed.write(self._path, self._label, b"".join(sorted(self._now)))


def _is_shipped(draft: Draft) -> bool:
    """Whether all that its samples try stands in a file of the library that comes with the program."""
    given = (option.place.path for name, option in draft.given.items() if name not in _UNTRIED)
    return all(os.path.dirname(path) == _OURS for path in given)


def _digest(draft: Draft) -> bytes:
    """Everything that was written for a rule."""
    facts = [(name, [value.text for value in option.values]) for name, option in draft.given.items()]
    return blake2b(repr(facts).encode("utf-8", "surrogateescape"), digest_size=_DIGEST).digest()


def _of_rule(rule: Rule, options: RuleOptions) -> list[Complaint]:
    found = []
    for sample in options.expect:
        line, wanted = _split(sample.text, rule.fields)
        got = recognised(rule, line)
        if fault := _fault(wanted, got):
            remedy = _way_out(rule, options, line, wanted, got) or "mend the rule or the sample"
            found.append(Complaint(sample.place, f"'expect' of rule '{rule.name}': {fault}", remedy))
    for sample in options.reject:
        if recognised(rule, sample.text) is not None:
            fault = f"'reject' of rule '{rule.name}': the line is an event: {shown(sample.text)}"
            found.append(Complaint(sample.place, fault, "make the pattern narrower, or add option except"))
    return found


def line_of(sample: str) -> str:
    """The line of an `expect`, without what it is to give.

    >>> line_of("Learn: 10.8.0.6 -> bob -> ip=10.8.0.6")
    'Learn: 10.8.0.6 -> bob'
    """
    return _split(sample, ())[0]


def _split(text: str, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The line, and the fields it is to give: what stands behind the last arrow that NAME= follows."""
    arrows = [arrow for arrow in _ARROW.finditer(text) if re.match(r"\w+=", text[arrow.end() :])]
    if not arrows:
        return text, {}
    starts = "|".join(map(re.escape, names)) or r"\w+"
    pieces = re.split(rf"(?:^|\s+)({starts})=", text[arrows[-1].end() :])
    if pieces[0]:  # the first name is none of the rule's
        return text[: arrows[-1].start()], {pieces[0].partition("=")[0]: ""}
    return text[: arrows[-1].start()], dict(zip(pieces[1::2], map(str.strip, pieces[2::2]), strict=True))


def _fault(wanted: Mapping[str, str], got: Mapping[str, str] | None) -> str:
    if got is None:
        return "the line is no event"
    unknown = [name for name in wanted if name not in got]
    if unknown:
        return f"the rule has no field {listed(map(repr, unknown), 'or')}"
    wrong = [f"{name} is {shown(got[name])}, not {shown(value)}" for name, value in wanted.items() if got[name] != value]
    return listed(wrong) if wrong else ""


def _way_out(rule: Rule, options: RuleOptions, line: str, wanted: Mapping[str, str], got: Mapping[str, str] | None) -> str:
    """What to do about a line that is no event, or gives other values; empty where that is not known."""
    if got is None:
        return _program_missing(rule, line) or _advice(rule, options, line) or _too_few_names(rule, options)
    if unknown := [name for name in wanted if name not in got]:
        known = f"the fields are {listed(rule.fields)}" if rule.fields else "name the conversions with option fields"
        return suggestion(unknown[0], rule.fields) or known
    if few := _too_few_names(rule, options):
        return few
    longer = [name for name, value in wanted.items() if value and value != got.get(name, "") and value in got.get(name, "")]
    return f"write more of the line's text into the pattern, or give '{longer[0]}' a type such as word" if longer else ""


def _program_missing(rule: Rule, line: str) -> str:
    if not rule.programs:
        return ""
    program = headers.parse(line.encode("utf-8", "surrogateescape")).program
    if program in rule.programs:
        return ""
    return f"its header names {shown(program)}, which is not in option program" if program else "write it with its header"


def _advice(rule: Rule, options: RuleOptions, line: str) -> str:
    """What `logtrigger match` would say of the line."""
    from logtrigger import advice, explain  # seldom needed, and the daemon is to stay small

    raw, writing = line.encode("utf-8", "surrogateescape"), advice.Writing.of("format" if options.format else "scanf")
    for pattern in rule.patterns:
        misses = explain.Misses(pattern) if isinstance(pattern, Form) else None
        if misses is None or pattern.match(raw, 0, len(raw)) is not None:
            continue  # it matches, and an exception or a condition says no
        misses.add(rule.place, raw)
        for miss in misses.ranked(strict=False):
            if found := advice.advice(misses.form, raw, miss.begin, miss.stop, writing):
                return found
    return ""


def _too_few_names(rule: Rule, options: RuleOptions) -> str:
    """Names go by order: a forgotten '-' gives all that follow the text of another conversion."""
    given = options.fields * len(rule.patterns) if len(options.fields) == 1 else options.fields
    for pattern, fields in zip(rule.patterns if options.pattern else (), given, strict=False):
        names, conversions = len(fields.text.split()), _conversions(pattern)
        if names < conversions:
            return f"{names} field{'s' * (names != 1)} for {conversions} conversions; '-' passes over one"
    return ""


def _conversions(pattern: Pattern) -> int:
    return sum(isinstance(element, Conversion) for element in pattern.elements) if isinstance(pattern, Form) else 0


def recognised(rule: Rule, line: str) -> Mapping[str, str] | None:
    """The fields of the event that this line is for this rule; None where it is none.

    Counting plays no part, nor do conditions on where an address is: a sample is the same whatever the databases say.
    """
    gained = places.types(rule.types)
    when = tuple(condition for condition in rule.when if condition.field not in gained)
    alone = replace(rule, when=when, maxfail=1, time=None, group="", weight=1, reset_by=(), suppress=0.0, ignore=AddressSet())
    alone = replace(alone, distinct=None)
    engine = Engine(Settings(path=Path(), state=Path(), rules=(alone,)), every_source=True)
    engine.observer = lambda _: None  # the thorough way: the quick one is worth its compiling for many lines only
    data = line.encode("utf-8", "surrogateescape") + b"\n"
    triggers = engine.feed(Chunk("", "", "", 0, len(data), data), now=0.0)
    return triggers[0].fields if triggers else None
