"""What rules say of each other: names, groups, resets, and whether a rule does anything at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from logtrigger.config.merge import Draft
from logtrigger.config.options import RuleOptions
from logtrigger.config.uci import Value
from logtrigger.config.words import Report, listed, suggestion
from logtrigger.durations import spoken
from logtrigger.errors import Place
from logtrigger.rule import Rule


@dataclass(frozen=True, slots=True)
class Built:
    """A rule, what it was made from, and whether it is to run; no rule where it could not be built."""

    draft: Draft
    options: RuleOptions
    rule: Rule | None

    def place(self, option: str) -> Place:
        """Where an option was set, or else the rule."""
        given = self.draft.given.get(option)
        return given.place if given else self.draft.place


def settle(rules: Sequence[Built], report: Report) -> tuple[Rule, ...]:
    """The rules that run, each knowing the others it names. What does not fit together is reported."""
    named = _by_name(rules, report)
    settled = [(built, _settle_resets(built, named, report)) for built in rules]
    running = [(built, rule) for built, rule in settled if rule is not None and rule.name and built.options.enabled]
    _check_groups(running, report)
    return tuple(rule for _, rule in running)


def _by_name(rules: Sequence[Built], report: Report) -> dict[str, Built]:
    named: dict[str, Built] = {}
    for built in rules:
        if built.options.name is None:
            continue
        first = named.setdefault(built.options.name, built)
        if first is not built:
            fault = f"a rule is called '{built.options.name}' at {first.place('name')} already"
            report.error(built.place("name"), fault, "give each rule a name of its own")
    return named


def _settle_resets(built: Built, named: Mapping[str, Built], report: Report) -> Rule | None:
    """The rule with `reset_by` naming single rules that run."""
    resets = [
        name
        for value in built.options.reset_by
        for name in _names_in(value, named)
        if _can_reset(built, value, name, named, report)
    ]
    return replace(built.rule, reset_by=tuple(dict.fromkeys(resets))) if built.rule else None


def _names_in(value: Value, named: Mapping[str, Built]) -> list[str]:
    """A name may hold blanks, and names may be separated by them: the whole text is tried first."""
    return [value.text] if value.text in named else value.text.split()


def _can_reset(built: Built, value: Value, name: str, named: Mapping[str, Built], report: Report) -> bool:
    if name not in named:
        remedy = suggestion(name, named) or "write the name of a rule"
        report.error(value.place, f"'reset_by': no rule is called '{name}'", remedy)
        return False
    other = named[name]
    if other is built:
        report.error(value.place, f"'reset_by': rule '{name}' cannot reset itself", "name another rule")
        return False
    _check_key_known(built.rule, other.rule, value, report)
    if other.options.absent is not None:
        fault = f"'reset_by': rule '{name}' waits for events (absent) and resets nothing"
        report.error(value.place, fault, "name another rule")
        return False
    if not other.options.enabled:
        report.warning(value.place, f"'reset_by': rule '{name}' is not enabled and resets nothing", "enable it")
    return other.options.enabled


def _check_key_known(rule: Rule | None, resetting: Rule | None, value: Value, report: Report) -> None:
    if rule is None or resetting is None:
        return
    missing = [f"'{name}'" for name in rule.key if name not in resetting.fields]
    if missing:
        fault = f"'reset_by': rule '{resetting.name}' has no field {listed(missing)}, which '{rule.name}' is counted by"
        report.error(value.place, fault, f"name it in the fields of '{resetting.name}'")


def _check_groups(running: Sequence[tuple[Built, Rule]], report: Report) -> None:
    first: dict[str, Rule] = {}
    for built, rule in running:
        if not rule.group:
            continue
        other = first.setdefault(rule.group, rule)
        for option, of_rule, of_other in _shared(rule, other):
            if of_rule != of_other:
                fault = f"rules '{other.name}' and '{rule.name}' of group '{rule.group}' differ in {option}"
                remedy = f"'{other.name}' has {of_other}, '{rule.name}' has {of_rule}: write the same in both"
                report.error(built.place(option.split()[-1]), fault, remedy)


def _shared(rule: Rule, other: Rule) -> list[tuple[str, Any, Any]]:
    """What rules that share counters must agree on: its name, and both values as one would write them."""
    return [
        ("maxfail", rule.maxfail, other.maxfail),
        ("time", _seconds(rule.time), _seconds(other.time)),
        ("the number of fields in key", len(rule.key), len(other.key)),
        ("distinct", _counted(rule), _counted(other)),
        *_widths(rule, other),
    ]


def _counted(rule: Rule) -> str:
    return "a field" if rule.distinct else "no field"


def _widths(rule: Rule, other: Rule) -> list[tuple[str, Any, Any]]:
    """Where both count by addresses and one bans them: the prefixes that these are counted by."""
    if not (rule.counts_networks or other.counts_networks) or not (_counts_addresses(rule) and _counts_addresses(other)):
        return []
    pairs = zip(("ban_prefix4", "ban_prefix6"), _width(rule), _width(other), strict=True)
    return [(f"the prefix that is counted by, {option}", first, second) for option, first, second in pairs]


def _counts_addresses(rule: Rule) -> bool:
    return any(rule.types.get(name) == "ip" for name in rule.key)


def _width(rule: Rule) -> tuple[int, int]:
    return (rule.ban.prefix4, rule.ban.prefix6) if rule.ban and rule.counts_networks else (32, 128)


def _seconds(time: float | None) -> str:
    return "no limit" if time is None else spoken(time)


def idle(built: Sequence[Built], running: Sequence[Rule]) -> list[Rule]:
    """The rules that run and do nothing."""
    resetting = {name for rule in running for name in rule.reset_by}
    made = {one.draft.place: one for one in built}
    return [rule for rule in running if rule.name not in resetting and not _acts(made[rule.place], rule)]


def _acts(built: Built, rule: Rule) -> bool:
    bans = "ban" in built.draft.given and built.options.ban != 0.0  # wrongly, perhaps, as is said elsewhere
    return rule.script is not None or bans or bool(rule.actions) or rule.trust > 0


def check_uses(built: Sequence[Built], running: Sequence[Rule], main: str, report: Report) -> list[Rule]:
    """Report rules of the main file that do nothing; the rules that do something.

    A file that is included may offer more rules than anybody needs: of those only `check` tells.
    """
    unused = idle(built, running)
    for rule in unused:
        if rule.place.path == main:
            remedy = "add option ban or script, or list action, or name it in another rule's reset_by"
            report.warning(rule.place, f"rule '{rule.name}' does nothing", remedy)
    return [rule for rule in running if rule not in unused or rule.place.path == main]
