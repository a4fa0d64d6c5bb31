"""What several sections say together: defaults below a rule, overrides above it, each value keeping its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from logtrigger.config.options import OVERRIDE, SECTIONS, OverrideOptions, read
from logtrigger.config.uci import Option, Section
from logtrigger.config.words import Report, suggestion
from logtrigger.errors import Place

# What says how failures are counted and what they lead to.
_COUNTING = ("maxfail", "time", "distinct", "group", "weight", "reset_by", "suppress")
OF_FAILURES = (*_COUNTING, "widen", *(name for name in SECTIONS["rule"] if name.startswith("ban")))
# What is set above -> what it takes the place of below: a rule that waits for events counts none, and the other way round; so
# does one that sees good logins.
_INSTEAD = {
    "file": ("source",),
    "source": ("file",),
    "absent": (*_COUNTING, "ban"),
    "maxfail": ("absent", "forget"),
    "trust": OF_FAILURES,
}
OVERRIDE_ONLY = OVERRIDE.keys() - SECTIONS["rule"].keys()


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule as written: every option that somebody set for it, with the place it comes from."""

    place: Place
    given: dict[str, Option] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name as written; empty where there is none."""
        return self.given["name"].values[0].text if "name" in self.given else ""


def drafts(sections: Sequence[Section], report: Report) -> list[Draft]:
    """The rules in the order of the configuration, with defaults and overrides applied."""
    defaults = together("defaults", sections, report)
    rules = [Draft(s.place, _over(defaults, _known(s))) for s in sections if s.type == "rule"]
    for section in sections:
        if section.type == "override":
            _override(section, rules, report)
    return rules


def together(type: str, sections: Iterable[Section], report: Report) -> dict[str, Option]:
    """The options of all sections of one type: lists are joined, anything else may be set only once."""
    merged: dict[str, Option] = {}
    for section in sections:
        for name, new in _known(section).items() if section.type == type else ():
            old = merged.setdefault(name, new)
            if old is not new and SECTIONS[type][name].kind.many:
                merged[name] = replace(old, values=old.values + new.values)
            elif old is not new:
                report.error(new.place, f"'{name}' is set at {old.place} already", "keep one of the two")
    return merged


def _known(section: Section) -> dict[str, Option]:
    return {name: given for name, given in section.options.items() if name in SECTIONS[section.type]}


def _over(below: Mapping[str, Option], above: Mapping[str, Option]) -> dict[str, Option]:
    """What is set above goes before what is set below; whoever names a file there means no source that is named below."""
    hidden = {other for name in above for other in _INSTEAD.get(name, ())}
    return {name: given for name, given in below.items() if name not in hidden} | dict(above)


def _override(section: Section, rules: Sequence[Draft], report: Report) -> None:
    changes: Mapping[str, Option] = {n: given for n, given in _known(section).items() if n not in OVERRIDE_ONLY}
    for glob in read(OverrideOptions, section.options, report, section.place).rule:
        chosen = [rule for rule in rules if fnmatchcase(rule.name, glob.text)]
        for rule in chosen:
            merged = _over(rule.given, _meant(changes, rule, glob.text))
            rule.given.clear()
            rule.given.update(merged)
        if not chosen:
            remedy = suggestion(glob.text, [rule.name for rule in rules]) or "write a rule's name or a glob such as sshd*"
            report.error(glob.place, f"no rule is called '{glob.text}'", remedy)


def _meant(changes: Mapping[str, Option], rule: Draft, glob: str) -> Mapping[str, Option]:
    """What of the changes a rule takes: sshd_* means those about failures, not the one that sees good logins."""
    if "trust" not in rule.given or glob == rule.name:
        return changes
    return {name: given for name, given in changes.items() if name not in OF_FAILURES}
