"""`config action`: each section to the options of one action, and what rules and actions say of each other."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from logtrigger import conditions, places
from logtrigger.actions.senders.base import Secret, Unreachable
from logtrigger.conditions import Condition
from logtrigger.config import shell, trust
from logtrigger.config.options import ACTION, ACTIONS, ActionTable, read, table
from logtrigger.config.relations import Built
from logtrigger.config.uci import Section
from logtrigger.config.words import Report, listed, shown, suggestion
from logtrigger.errors import PatternError, Place
from logtrigger.logfiles.names import Template as PathTemplate
from logtrigger.rule import FED, NOTICE, ActionOptions
from logtrigger.templates import Template

# What every trigger knows besides its rule's fields.
KNOWN = "name key count message body host program pid source time late id ignored state".split()
_DATE = ("year", "month", "day")  # what a path knows besides
_FILLING = ("alerta.sh", "sendmail.sh")  # scripts of ours, which put fields into the texts that they are given
_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
SCRIPT = "script"  # what a rule's own script is called among its actions
_NEEDS = {"notify": "apprise"}  # type -> package
_SECRETS = ("password_file",)
# What an alert of Alerta has and a heartbeat has not, and the other way round.
_SAYING = {"heartbeat": ("resource", "event", "correlate", "value", "text", "attribute"), "alert": ("origin",)}
_NUMBERS = {"count": "int", "time": "int", "late": "int"}  # of what every trigger knows, with a number in each
_EVERY = {"mail": 60.0, "notify": 60.0}  # seconds between two messages to a person, where nothing else is asked for


@dataclass(frozen=True, slots=True)
class Named:
    """A `config action` that has a name, what was read of it, and its type's own options; None where it has no type."""

    section: Section
    common: ActionTable
    own: Any


def settle(sections: Iterable[Section], report: Report) -> dict[str, Named]:
    """All actions by name, in the order of the configuration."""
    named: dict[str, Named] = {}
    for section in sections:
        if section.type != "action":
            continue
        if not section.name:
            report.error(section.place, "the action has no name", "write: config action 'NAME'")
        elif section.name == SCRIPT:
            report.error(section.place, f"an action cannot be called '{SCRIPT}'", "choose another name")
        elif section.name in named:
            first = named[section.name].section.place
            report.error(section.place, f"an action is called '{section.name}' at {first} already", "choose another name")
        one = _named(section, report)
        if section.name:
            named.setdefault(section.name, one)
    return named


def use(
    rules: Sequence[Built], named: Mapping[str, Named], notices: Sequence[tuple[Place, str]], report: Report
) -> tuple[ActionOptions, ...]:
    """The actions that are named, ready to be made; reports those that do not fit, and those that nobody names.

    `notices` are the names of those that are told of the daemon itself, and where they are named.
    """
    when: dict[str, dict[str, tuple[Condition, ...]]] = {name: {} for name in named}
    for built in rules:
        _check_twice(built, report)
        if built.rule is not None and built.options.env:
            types = {**built.rule.types, **places.types(built.rule.types)}
            _check_filled(built.options, built.place("env"), f"rule '{built.rule.name}'", types, report)
        for name in dict.fromkeys(built.options.action):
            if _is_known(name, built.place("action"), named, report) and built.rule is not None:
                when[name][built.rule.name] = tuple(_fit(named[name], built, report))
    _check_fed({built.options.source for built in rules}, named, report)
    for place, name in notices:
        if _is_known(name, place, named, report) and NOTICE not in when[name]:
            when[name][NOTICE] = tuple(_fit_notices(named[name], place, report))
    for name, one in named.items():
        if not when[name]:
            remedy = f"write list action '{name}' into a rule, or remove the section"
            report.warning(one.section.place, f"no rule names the action '{name}'", remedy)
    return tuple(
        ActionOptions(
            name=name,
            place=one.section.place,
            type=one.common.type,
            own=one.own,
            every=_EVERY.get(one.common.type, 0.0) if one.common.every is None else one.common.every,
            give_up=one.common.give_up,
            max_waiting=one.common.max_waiting,
            when=when[name],
        )
        for name, one in named.items()
        if when[name] and one.own is not None
    )


def feeding(named: Mapping[str, Named]) -> dict[str, bool]:
    """Of each action, by the name that its lines would have as a source, whether it feeds them back."""
    return {f"{FED}{name}": getattr(one.own, "feed", False) for name, one in named.items()}


def _check_twice(built: Built, report: Report) -> None:
    seen = set[str]()
    for value in built.draft.given["action"].values if built.options.action else ():
        for name in value.text.split():
            if name in seen:
                report.warning(
                    value.place, f"rule '{built.options.name}' names the action '{name}' twice", "drop one of the two"
                )
            seen.add(name)


def _check_fed(sources: Collection[str | None], named: Mapping[str, Named], report: Report) -> None:
    """What an action feeds back is for rules to read."""
    for name, one in named.items():
        if getattr(one.own, "feed", False) and f"{FED}{name}" not in sources:
            remedy = f"write option source '{FED}{name}' into a rule, or drop 'feed'"
            report.warning(one.section.options["feed"].place, f"no rule reads what the action '{name}' feeds back", remedy)


def _is_known(name: str, place: Place, named: Mapping[str, Named], report: Report) -> bool:
    if name not in named:
        remedy = suggestion(name, named) or f"write: config action '{name}', and below it what it does"
        report.error(place, f"no action is called '{name}'", remedy)
    return name in named


def _named(section: Section, report: Report) -> Named:
    common = {name: given for name, given in section.options.items() if name in table(ActionTable)}
    made = read(ActionTable, common, report, section.place)
    of = ACTIONS.get(made.type)
    if of is None:
        return Named(section, made, None)
    known = table(of)
    for name, given in section.options.items():
        if name not in known and name not in common and name in ACTION:
            homes = [type for type, other in ACTIONS.items() if name in table(other)]
            remedy = f"it belongs to the type {listed(homes, 'or')}"
            report.error(given.place, f"'{name}' says nothing of an action of type {made.type}", remedy)
    own = read(of, {name: given for name, given in section.options.items() if name in known}, report, section.place)
    _check(section, made.type, own, report)
    return Named(section, made, own)


# What can be wrong with an action alone


def _check(section: Section, type: str, own: Any, report: Report) -> None:
    if type in _NEEDS and find_spec(package := _NEEDS[type]) is None:
        report.error(section.place, f"type {type} takes the package {package}", f"pip install {package}")
    if severity := getattr(own, "severity", None):
        _check_severity(section, type, severity, report)
    for name in ("password_file", "authority", "certificate", "certificate_key"):
        if path := getattr(own, name, None):
            _check_file(section, name, path, report)
    for path in getattr(own, "url_file", ()):
        _check_file(section, "url_file", Path(path), report)
        _check_service(section, Path(path), report)
    if type in ("log", "ecs") and own.path is not None and "{" not in own.path.text:
        _check_written(section, Path(own.path.text), report)
    if type in _OF_TYPE:
        _OF_TYPE[type](section, own, report)
    if getattr(own, "password_file", None) and _is_plain(getattr(own, "url", None)):
        report.warning(section.place, "the password crosses the network unencrypted", "write a url that begins with https://")


def _check_alerta(section: Section, own: Any, report: Report) -> None:
    for name in sorted(set(_SAYING.get(own.say, ())) & set(section.options)):
        (other,) = set(_SAYING) - {own.say}
        report.error(section.options[name].place, f"'{name}' is for say '{other}'", "remove it, or write that")


def _check_ecs(section: Section, own: Any, report: Report) -> None:
    if ("path" in section.options) == ("url" in section.options):
        report.error(section.place, "an action of type ecs has a 'path' or a 'url'", "write one of the two")
    elif "path" in section.options:
        for name in sorted({"index", "batch", "user", "password_file", "authority"} & set(section.options)):
            report.error(section.options[name].place, f"'{name}' is for a 'url', and here is a 'path'", "remove one of the two")
    if own.user and not own.password_file:
        report.error(section.place, "logging in takes 'user' and 'password_file'", "write both, or none")


def _check_mail(section: Section, own: Any, report: Report) -> None:
    if bool(own.user) != bool(own.password_file):
        report.error(section.place, "logging in takes 'user' and 'password_file'", "write both, or none")
    if own.user and own.security == "none":
        report.warning(section.place, "the password crosses the network unencrypted", "write option security 'starttls'")


def _check_script(section: Section, own: Any, report: Report) -> None:
    """As of a rule's own script."""
    if own.script is None:
        return  # which has been said
    place = section.options["script"].place
    for fault, remedy in trust.script_doubts(own.script):
        report.error(place, fault, remedy)
    for fault in shell.portability(own.script):
        report.warning(place, f"the script {own.script}: {fault}")
    names = [name for name, _ in own.env]
    for name in {name for name in names if names.count(name) > 1}:
        report.error(section.options["env"].place, f"'env' sets {name} twice", "keep one of the two")


def _check_written(section: Section, path: Path, report: Report) -> None:
    """A file that is to be written, if something stands there."""
    place = section.options["path"].place
    if os.path.isdir(path):  # unlike Path's, these take what we may not look at for nothing
        report.warning(place, f"'path' is a folder: {path}", "name a file in it")
    elif os.path.islink(path):
        report.warning(place, f"'path' is a link: {path}", "name the file itself, as no link is followed")
    elif os.path.exists(path) and not os.path.isfile(path):
        report.warning(place, f"'path' is no regular file: {path}", "name a file")


def _check_severity(section: Section, type: str, severity: str, report: Report) -> None:
    if type == "alerta":
        from logtrigger.actions.senders.alerta import ALIASES, SEVERITIES

        known: Sequence[str] = (*SEVERITIES, *ALIASES)
    else:
        from logtrigger.logfiles.forms import SEVERITIES as known
    if severity not in known:
        remedy = suggestion(severity, known) or f"write {listed(known, 'or')}"
        report.error(section.options["severity"].place, f"there is no severity '{severity}' for {type}", remedy)


def _check_file(section: Section, name: str, path: Path, report: Report) -> None:
    place = section.options[name].place
    try:
        status = path.stat()
    except OSError as error:
        report.error(place, f"'{name}': {path} cannot be read: {error.strerror}", "create it, or correct the path")
        return
    if not stat.S_ISREG(status.st_mode):
        report.error(place, f"'{name}': {path} is no file", "give the path of a file")
        return
    if not status.st_size:
        report.warning(place, f"'{name}': {path} is empty", "write it before anything is to be sent")
    for fault, remedy in trust.doubts(path, status):
        report.error(place, f"'{name}': {fault}", remedy)
    if name in (*_SECRETS, "url_file", "certificate_key") and status.st_mode & 0o004:
        report.warning(place, f"'{name}': everybody can read {path}", f"chmod o-r {path}")


def _check_service(section: Section, path: Path, report: Report) -> None:
    """What apprise says of a URL of its own; never what stands in it."""
    try:
        url = Secret(path).read()
    except Unreachable:
        return  # that the file is not there, or empty, has been said
    try:
        apprise = import_module("apprise")
    except ImportError:
        return
    if apprise.Apprise.instantiate(url, suppress_exceptions=True) is None:
        remedy = "write one as in https://github.com/caronc/apprise/wiki, such as ntfy://topic"
        report.error(section.options["url_file"].place, f"'url_file': apprise knows no service for what {path} says", remedy)


def _is_plain(url: str | None) -> bool:
    """Whether what is sent there can be read on the way."""
    if url is None or not url.lower().startswith("http:"):
        return False
    host = urlsplit(url).hostname or ""
    return not (host == "localhost" or host == "::1" or host.startswith("127."))


_OF_TYPE: Mapping[str, Callable[[Section, Any, Report], None]] = {
    "alerta": _check_alerta,
    "ecs": _check_ecs,
    "mail": _check_mail,
    "script": _check_script,
}


# What can be wrong between an action and a rule that names it


def _fit(one: Named, built: Built, report: Report) -> Iterator[Condition]:
    """The action's conditions on the rule's fields; reports what the rule does not know."""
    assert built.rule is not None
    types = {**built.rule.types, **places.types(built.rule.types)}
    rule = built.rule.name
    if one.common.type == "ban" and not places.first(built.rule.types):
        report.error(built.place("action"), f"rule '{rule}' has no address to ban", "give a field the type ip")
    if one.common.type == "ban" and built.rule.absent is not None:
        report.error(built.place("action"), f"rule '{rule}' waits for events (absent): there is nobody to ban", "remove it")
    yield from _fit_fields(one, f"rule '{rule}'", built.rule.fields, types, report)


# What stands in the texts that tell of bans and of silent rules, besides what every trigger knows.
_OF_NOTICES = {"ip": "ip", "network": "net", "rule": "text"}


def _fit_notices(one: Named, place: Place, report: Report) -> Iterator[Condition]:
    """The same where an action is told of starts, stops and bans."""
    if one.common.type == "ban":
        report.error(place, f"'{one.section.name}' is an action of type ban: there is nobody to ban", "name another action")
    yield from _fit_fields(
        one, "what is told of logtrigger itself", tuple(_OF_NOTICES), {**_OF_NOTICES, "state": "text"}, report
    )


def _fit_fields(one: Named, whose: str, known: Sequence[str], types: Mapping[str, str], report: Report) -> Iterator[Condition]:
    for name, template in _templates(one.own):
        there = {*KNOWN, *types, *(_DATE if name == "path" else ())}
        for missing in sorted(template - there):
            near = suggestion(missing, there) or f"there are {listed(known)}"
            where = one.section.options[name].place if name in one.section.options else one.section.place
            report.error(where, f"'{name}': {whose} has no field '{missing}'", near)
    if one.common.type == "script" and one.own is not None and "env" in one.section.options:
        _check_filled(one.own, one.section.options["env"].place, whose, types, report)
    if one.common.type == "webhook" and one.own is not None and one.own.body is not None:
        _check_json(one, types, report)
    for value in one.common.when:
        try:
            yield conditions.compile(value.text, types)
        except PatternError as error:
            report.error(value.place, f"'when', for {whose}: {error.fault}", error.remedy)


def _check_filled(own: Any, place: Place, whose: str, types: Mapping[str, str], report: Report) -> None:
    """Fields in the texts that a script of ours is given: one that is not there would be nothing."""
    if own.script is None or own.script.name not in _FILLING:
        return
    there = {*KNOWN, "truncated", *types}  # of what is cut a script alone is told
    for name, text in own.env:
        for missing in sorted({*_FIELD.findall(text)} - there):
            report.error(place, f"'env', in {name}: {whose} has no field '{missing}'", suggestion(missing, there))


def _check_json(one: Named, types: Mapping[str, str], report: Report) -> None:
    """Whether a body that begins as JSON does is some, whatever the fields hold."""
    body: Template = one.own.body
    if not body.text.lstrip().startswith(("{{", "[")) or "content-type" in (name.lower() for name, _ in one.own.header):
        return
    import json

    known = {**types, **_NUMBERS}
    sample = body.render({name: "1" if known.get(name) in ("int", "port") else "x" for name in body.names})
    try:
        json.loads(sample)
    except ValueError:
        fault = f"'body' is no JSON; with an x for each text it reads {shown(sample)}"
        remedy = "write fields between double quotes; or of what is none list header 'Content-Type: text/plain'"
        report.warning(one.section.options["body"].place, fault, remedy)


def _templates(own: Any) -> Iterator[tuple[str, frozenset[str]]]:
    """The texts of an action, by option, and the fields that stand in them."""
    for row in fields(own) if own is not None else ():
        for value in _each(getattr(own, row.name)):
            if isinstance(value, Template):
                yield row.name, value.names
            elif isinstance(value, PathTemplate):
                yield row.name, value.fields


def _each(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _each(item)
    else:
        yield value
