"""One rule's options to the rule the engine runs: patterns, key and conditions, compiled as they will run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from logtrigger import conditions, patterns, places
from logtrigger.addresses import AddressSet
from logtrigger.conditions import Condition
from logtrigger.config import absence, counting, firewall, shell, trust
from logtrigger.config.merge import Draft
from logtrigger.config.options import RuleOptions
from logtrigger.config.uci import Value
from logtrigger.config.words import Report, listed, suggestion
from logtrigger.errors import PatternError
from logtrigger.patterns import SYNTAXES
from logtrigger.patterns.pattern import Anchor, Pattern
from logtrigger.rule import SYSTEM_LOG, Rule

# Scripts get these as LT_name and so on, whatever the rule.
RESERVED_FIELDS = frozenset(
    {"name", "message", "body", "count", "key", "time", "source", "id", "late", "ignored", "state", "truncated"}
)
NO_KEY = ("none",)
OPTION_OF = {"scanf": "pattern", "format": "format", "regex": "regex"}  # the option that holds a pattern of a syntax

Types = Mapping[str, str]  # field -> type


class Scripts:
    """What there is to be said of scripts; rules share them, and each is looked at once."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[list[trust.Doubt], list[str]]] = {}

    def look(self, path: Path) -> tuple[list[trust.Doubt], list[str]]:
        """What speaks against running it, and what this system's shell will not take in it."""
        if path not in self._known:
            self._known[path] = list(trust.script_doubts(path)), shell.portability(path)
        return self._known[path]


def compile_rule(draft: Draft, options: RuleOptions, report: Report, scripts: Scripts) -> Rule | None:
    """The rule, or None where the report says why there is none. Other rules' names are left to relations.py."""
    options = counting.spelled_out(draft, options, report)
    syntax, texts = _syntax(draft, options, report)
    how = _How(syntax, options.nocase, _anchor(options))
    excepts = _compiled("except", how, [(value, None) for value in options.excepts], report)
    compiled = _compiled(OPTION_OF[syntax], how, _with_fields(texts, options.fields, report), report)
    _check_env(draft, options, report)
    absence.check(draft, options, report)
    if options.enabled:
        _check_script(draft, options, report, scripts)
        _check_file(draft, options, report)
    if not compiled:
        return None
    types = {n: t for p in reversed(compiled) for n, t in zip(p.fields, p.types, strict=True)}
    names = tuple(dict.fromkeys(name for pattern in compiled for name in pattern.fields))
    types = {name: types[name] for name in names}
    _check_names(names, draft, report)
    _check_places(names, types, draft, report)
    key = _key(draft, options, names, types, report)
    return Rule(
        name=options.name,
        place=draft.place,
        patterns=compiled,
        excepts=excepts,
        rejects=tuple(value.text for value in options.reject),
        programs=frozenset(options.program),
        source=options.file or options.source or SYSTEM_LOG,
        maxfail=options.maxfail,
        time=options.time,
        key=key,
        distinct=counting.distinct_of(draft, options, key, types, report),
        group=options.group or "",
        weight=options.weight,
        reset_by=tuple(value.text for value in options.reset_by),
        suppress=options.suppress,
        absent=options.absent,
        forget=options.forget,
        when=_conditions(options.when, {**types, **places.types(types)}, report),
        ignore=AddressSet(options.ignore),
        senders=options.sender,
        ban=firewall.ban_of(draft, options, types, report),
        trust=firewall.trust_of(draft, options, types, report),
        script=options.script,
        env=options.env,
        actions=tuple(dict.fromkeys(options.action)),
    )


def _syntax(draft: Draft, options: RuleOptions, report: Report) -> tuple[str, tuple[Value, ...]]:
    """The syntax a rule uses, and its patterns: exactly one of the three options is to be given."""
    given = {"scanf": options.pattern, "format": options.format, "regex": options.regex}
    used = [syntax for syntax in SYNTAXES if given[syntax]]
    if not used:
        report.error(draft.place, "the rule has no pattern", "write option pattern, format or regex")
    elif len(used) > 1:
        options_used = [f"'{OPTION_OF[syntax]}'" for syntax in used]
        report.error(given[used[1]][0].place, f"the rule has {listed(options_used)}", "write one of them")
    syntax = used[0] if used else "scanf"
    return syntax, given[syntax]


def _with_fields(patterns: Sequence[Value], given: Sequence[Value], report: Report) -> list[tuple[Value, Value | None]]:
    """Each pattern with its fields: the n-th for the n-th, or one for all."""
    if len(given) > 1 and len(given) != len(patterns):
        fault = f"{len(given)} lists of fields for {len(patterns)} pattern{'s' if len(patterns) != 1 else ''}"
        report.error(given[-1].place, fault, "write 'fields' once for all patterns, or once for each")
        return [(pattern, None) for pattern in patterns]
    if len(given) == 1:
        return [(pattern, given[0]) for pattern in patterns]
    return list(zip(patterns, given, strict=True)) if given else [(pattern, None) for pattern in patterns]


def _check_names(names: Sequence[str], draft: Draft, report: Report) -> None:
    given = draft.given.get("fields")
    for name in names:
        if name in RESERVED_FIELDS:
            fault = f"a field cannot be called '{name}'"
            remedy = f"LT_{name} holds something else: choose a name such as 'my_{name}'"
            report.error(given.place if given else draft.place, fault, remedy)


def _check_places(names: Sequence[str], types: Types, draft: Draft, report: Report) -> None:
    """No field may be called as a place of one of the rule's addresses is."""
    given = draft.given.get("fields")
    for name in places.types(types).keys() & set(names):
        fault = f"a field of a rule with an address cannot be called '{name}'"
        remedy = f"that is where the address is: choose a name such as 'my_{name}'"
        report.error(given.place if given else draft.place, fault, remedy)


@dataclass(frozen=True, slots=True)
class _How:
    """How all patterns of a rule are to be read."""

    syntax: str
    nocase: bool
    anchor: Anchor


def _anchor(options: RuleOptions) -> Anchor:
    """Where the message of a rule begins: a program that it does not name may be text that a stranger wrote."""
    if not options.anchored:
        return ""
    return "message" if options.program else "time"


def _compiled(option: str, how: _How, texts: Sequence[tuple[Value, Value | None]], report: Report) -> tuple[Pattern, ...]:
    """All patterns of an option, or none of them where one is wrong."""
    found = [_pattern(option, how, text, fields, report) for text, fields in texts]
    good = tuple(pattern for pattern in found if pattern is not None)
    return good if len(good) == len(found) else ()


def _pattern(option: str, how: _How, text: Value, fields: Value | None, report: Report) -> Pattern | None:
    names = fields.text.split() if fields else ()
    try:
        return patterns.compile(text.text, names, how.syntax, nocase=how.nocase, anchor=how.anchor)
    except PatternError as error:
        alone = _mistake_alone(text, how)
        if alone is None and fields is not None:
            complain("fields", fields, error, report)
        else:
            complain(option, text, alone or error, report)
        return None


def _mistake_alone(text: Value, how: _How) -> PatternError | None:
    """What is wrong with a pattern whatever its fields; None where the mistake lies in these."""
    try:
        patterns.compile(text.text, (), how.syntax, anchor=how.anchor)
    except PatternError as error:
        return error
    return None


def complain(option: str, value: Value, error: PatternError, report: Report) -> None:
    """Report what a compiler says of a value."""
    where = f"'{option}'" if error.column is None else f"'{option}', column {error.column}"
    report.error(value.place, f"{where}: {error.fault}", error.remedy)


def _key(draft: Draft, options: RuleOptions, names: Sequence[str], types: Types, report: Report) -> tuple[str, ...]:
    """The fields to count by: those given, else the first address, else none."""
    if options.key is None:
        addresses = [name for name in names if types[name] == "ip"]
        if not addresses and names and options.maxfail > 1:
            fault = "no field is an address: all events of the rule are counted together"
            report.warning(draft.place, fault, f"write option key '{names[0]}' to count by a field, or 'none' to mean this")
        return tuple(addresses[:1])
    if options.key == NO_KEY:
        return ()
    place = draft.given["key" if "key" in draft.given else "when"].place
    for name in options.key:
        if name not in names:
            known = f"the fields are {listed(names)}" if names else "name the conversions with option fields"
            report.error(place, f"'key' names '{name}', which is no field", suggestion(name, names) or known)
    if len(set(options.key)) < len(options.key):
        report.error(place, "'key' names a field twice", "name each once")
    return options.key


def _conditions(texts: Sequence[Value], types: Types, report: Report) -> tuple[Condition, ...]:
    found = []
    for value in texts:
        try:
            found.append(conditions.compile(value.text, types))
        except PatternError as error:
            complain("when", value, error, report)
    return tuple(found)


def _check_script(draft: Draft, options: RuleOptions, report: Report, scripts: Scripts) -> None:
    if options.script is not None:
        place = draft.given["script"].place
        doubts, faults = scripts.look(options.script)
        for fault, remedy in doubts:
            report.error(place, fault, remedy)
        for fault in faults:
            report.warning(place, f"the script {options.script}: {fault}")


def _check_file(draft: Draft, options: RuleOptions, report: Report) -> None:
    if options.file is not None and os.path.isdir(options.file):
        remedy = f"name a file, or a glob such as {os.path.join(options.file, '*.log')}"
        report.error(draft.given["file"].place, f"'file' is a folder: {options.file}", remedy)


def _check_env(draft: Draft, options: RuleOptions, report: Report) -> None:
    names = [name for name, _ in options.env]
    for name in {name for name in names if names.count(name) > 1}:
        report.error(draft.given["env"].place, f"'env' sets {name} twice", "keep one of the two")
