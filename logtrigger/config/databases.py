"""`list geoip`: databases that can be read, and that know what rules ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from logtrigger import places
from logtrigger.config.options import DaemonOptions
from logtrigger.config.trust import is_missing
from logtrigger.config.uci import Option
from logtrigger.config.words import Report, listed
from logtrigger.errors import Place
from logtrigger.places import COUNTRY, HOME
from logtrigger.rule import Rule

Tell = Callable[[Place, str, str], None]
_COUNTRIES = "add one that does, such as GeoLite2-Country.mmdb"
_ADD = "write list geoip '/usr/share/GeoIP/GeoLite2-City.mmdb' into 'config logtrigger'"


def check(
    given: Option | None, home: Option | None, daemon: DaemonOptions, rules: Sequence[Rule], report: Report, *, trust: bool
) -> None:
    """Report databases that are none, and conditions that no database can ever fulfil. One that is missing may come later.

    One that is broken may be mended: the daemon does not stay away for it.

    Args:
        given: the option `geoip`, as it is written.
        home: the option `home_country`.
        daemon: both as they are read.
        rules: those that do something.
        report: takes what is found.
        trust: for a start, where a broken database is a warning, instead of for `check`, where it is a mistake.
    """
    asked = _asked(rules)
    if given is None:
        if home is not None and daemon.home_country:
            report.warning(home.place, "'home_country' says nothing of any address, as there is no database", _ADD)
        for rule, names in asked:
            fault = f"rule '{rule.name}' asks for {listed(sorted(names))}, and there is no database"
            report.warning(rule.place, fault, _ADD)
        return
    known, complete = _known(given, daemon.geoip, report.warning if trust else report.error, report)
    if home is not None and daemon.home_country and complete and COUNTRY not in known:
        report.warning(
            home.place, "'home_country' says nothing of any address: no database of 'geoip' knows countries", _COUNTRIES
        )
    for rule, names in asked:
        if rule.ban is not None and (condition := _holds_of_nobody_knows_where(rule)):
            fault = f"rule '{rule.name}' also bans addresses of which nobody knows where they are: '{condition}' holds for them"
            report.warning(rule.place, fault, f"write list when 'known {condition.split()[0]}' too, or ask for home == 0")
        if HOME in names and not daemon.home_country:
            fault = f"rule '{rule.name}' asks for {HOME}, and there is no 'home_country'"
            report.warning(rule.place, fault, "write list home_country 'FI' into 'config logtrigger'")
        names = {COUNTRY if name == HOME else name for name in names}
        if complete and (missing := names - known):
            fault = f"rule '{rule.name}' asks for {listed(sorted(missing))}, which no database of 'geoip' knows"
            report.warning(rule.place, fault, "add one that does, such as GeoLite2-City.mmdb or GeoLite2-ASN.mmdb")


def _known(given: Option, paths: Sequence[Path], tell: Tell, report: Report) -> tuple[set[str], bool]:
    """What the databases know, and whether all of them could be read."""
    from logtrigger.mmdb import EXTRA, Database, available

    if not available():
        tell(given.place, EXTRA.partition(": ")[0], EXTRA.partition(": ")[2])
        return set(), False
    known: set[str] = set()
    complete = len(paths) == len(given.values)  # what is no path has been reported already
    for value, path in zip(given.values, paths, strict=True) if complete else ():
        if is_missing(path):
            report.warning(value.place, f"there is no database {path}", "install it there; until then addresses have no place")
            complete = False
            continue
        try:
            known |= Database(path).fields()
        except ValueError as error:
            fault, _, remedy = str(error).partition("; ")
            tell(value.place, fault, remedy)
            complete = False
    return known, complete


def _holds_of_nobody_knows_where(rule: Rule) -> str:
    """A condition on places that holds where these are not known; empty where there is none, or another one does not."""
    gained = places.names(rule.types)
    asking = [condition for condition in rule.when if condition.field in gained]
    if not asking or not all(condition.test("") for condition in asking):
        return ""
    return next((one.text for one in asking if one.text.split()[0] != "unknown"), "")


def _asked(rules: Sequence[Rule]) -> list[tuple[Rule, set[str]]]:
    """The rules with conditions on places or counting them, and the fields of places they ask for."""
    found = []
    for rule in rules:
        wanted = [condition.field for condition in rule.when] + ([rule.distinct.field] if rule.distinct else [])
        gained = places.names(rule.types) if wanted else {}
        if asked := {gained[name] for name in wanted if name in gained}:
            found.append((rule, asked))
    return found
