"""`list geoip`: databases that can be read, and that know what rules ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from logtrigger import places
from logtrigger.config.uci import Option
from logtrigger.config.words import Report, listed
from logtrigger.rule import Rule


def check(given: Option | None, paths: Sequence[Path], rules: Sequence[Rule], report: Report) -> None:
    """Report databases that are none, and conditions that no database can ever fulfil. One that is missing may come later."""
    asked = _asked(rules)
    if given is None:
        for rule, names in asked:
            fault = f"rule '{rule.name}' asks for {listed(sorted(names))}, and there is no database"
            report.warning(rule.place, fault, "write list geoip '/usr/share/GeoIP/GeoLite2-City.mmdb' into 'config logtrigger'")
        return
    known, complete = _known(given, paths, report)
    for rule, names in asked if complete else ():
        if missing := names - known:
            fault = f"rule '{rule.name}' asks for {listed(sorted(missing))}, which no database of 'geoip' knows"
            report.warning(rule.place, fault, "add one that does, such as GeoLite2-City.mmdb or GeoLite2-ASN.mmdb")


def _known(given: Option, paths: Sequence[Path], report: Report) -> tuple[set[str], bool]:
    """What the databases know, and whether all of them could be read."""
    from logtrigger.geoip import EXTRA, Database, available

    if not available():
        report.error(given.place, EXTRA.partition(": ")[0], EXTRA.partition(": ")[2])
        return set(), False
    known: set[str] = set()
    complete = True
    for value, path in zip(given.values, paths, strict=True):
        if not path.exists():
            report.warning(value.place, f"there is no database {path}", "install it there; until then addresses have no place")
            complete = False
            continue
        try:
            known |= Database(path).fields()
        except ValueError as error:
            fault, _, remedy = str(error).partition("; ")
            report.error(value.place, fault, remedy)
            complete = False
    return known, complete


def _asked(rules: Sequence[Rule]) -> list[tuple[Rule, set[str]]]:
    """The rules with conditions on places or counting them, and the fields of places they ask for."""
    found = []
    for rule in rules:
        wanted = [condition.field for condition in rule.when] + ([rule.distinct.field] if rule.distinct else [])
        gained = places.names(rule.types) if wanted else {}
        if asked := {gained[name] for name in wanted if name in gained}:
            found.append((rule, asked))
    return found
