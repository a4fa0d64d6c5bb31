"""A rule's `distinct`, and the condition that is another way to write it: `country_changed user within 2h`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from logtrigger import places
from logtrigger.conditions import HEADER_FIELDS
from logtrigger.config import kinds
from logtrigger.config.merge import Draft
from logtrigger.config.options import RuleOptions
from logtrigger.config.uci import Value
from logtrigger.config.words import Report, listed, suggestion
from logtrigger.distinct import MOST_VALUES
from logtrigger.rule import Distinct

_CHANGED = re.compile(r"\s*(?P<what>\w+)_changed\s+(?P<key>\S+)\s+within\s+(?P<time>\S+)\s*")
_NEARLY = re.compile(r"\s*\w+_changed\b")


def spelled_out(draft: Draft, options: RuleOptions, report: Report) -> RuleOptions:
    """The options with a condition such as `country_changed user within 2h` as what it stands for.

    That is: key 'user', distinct 'country', maxfail '2', time '2h'.
    """
    changed = [value for value in options.when if _NEARLY.match(value.text)]
    if not changed:
        return options
    options = replace(options, when=tuple(value for value in options.when if value not in changed))
    found = _CHANGED.fullmatch(changed[0].text)
    try:
        time = kinds.duration(Value(found["time"], changed[0].place)) if found else 0.0
    except ValueError:
        time = 0.0
    if found is None or not time:
        report.error(changed[0].place, f"'when': '{changed[0].text}' is no condition", "write country_changed user within 2h")
        return options
    meant = f"option key '{found['key']}', distinct '{found['what']}', maxfail '2', time '{found['time']}'"
    if len(changed) > 1:
        report.error(changed[1].place, "'when': a rule counts one kind of change", "write a rule of its own for the other one")
    for name in ("key", "distinct", "maxfail", "time"):
        if name in draft.given:
            fault = f"'{name}' beside the condition '{changed[0].text}', which settles it"
            report.error(draft.given[name].place, fault, f"remove it, or instead of the condition write {meant}")
    return replace(options, key=(found["key"],), distinct=found["what"], maxfail=2, time=time)


def distinct_of(
    draft: Draft, options: RuleOptions, key: Sequence[str], types: Mapping[str, str], report: Report
) -> Distinct | None:
    """What a rule counts instead of events; None: events."""
    name = options.distinct
    if name is None:
        return None
    given = draft.given.get("distinct") or draft.given["when"]
    gained = places.types(types)
    known = {**types, **HEADER_FIELDS, **gained}
    if name not in known:
        remedy = suggestion(name, known) or f"there are {listed([*types, *HEADER_FIELDS])}"
        report.error(given.place, f"'distinct' names '{name}', which is no field", remedy)
        return None
    if _is_settled(name, key, types):
        fault = f"'distinct' names '{name}', of which each counter sees one value only"
        report.error(given.place, fault, f"the rule is counted by {listed(key)}: name another field, or write option key")
    if options.weight != 1:
        report.error(draft.given["weight"].place, "'weight' beside 'distinct': values have none", "remove one of the two")
    if options.maxfail == 1:
        report.error(given.place, "'distinct' with maxfail 1 counts nothing", "write option maxfail '2' or more")
    if options.maxfail > MOST_VALUES:
        fault = f"'maxfail' is too much for 'distinct': {options.maxfail}"
        report.error(draft.given["maxfail"].place, fault, f"write at most {MOST_VALUES}")
    return Distinct(name, options.ban_prefix4, options.ban_prefix6)


def _is_settled(name: str, key: Sequence[str], types: Mapping[str, str]) -> bool:
    """Whether a key has one value of this field."""
    if name in key:
        return True
    place = places.names(types).get(name)
    if place is None:
        return False
    address = places.first(types) if name == place else name.removesuffix(f"_{place}")
    return address in key
