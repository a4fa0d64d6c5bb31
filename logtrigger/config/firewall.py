"""`config firewall` to the options of the firewall, and a rule's options about bans to what it bans."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from logtrigger.config import merge, trust, widening
from logtrigger.config.merge import Draft
from logtrigger.config.options import DaemonOptions, FirewallTable, RuleOptions, read
from logtrigger.config.uci import Option, Section
from logtrigger.config.words import Report, listed, shown, suggestion
from logtrigger.rule import BanOptions, Escalation, FirewallOptions

_COMMANDS = ("ban", "unban", "flush")
_LOOKED_AT = 1 << 20  # bytes of a program


def settle(sections: Iterable[Section], report: Report) -> FirewallOptions:
    """What all sections of that type come to together."""
    given = merge.together("firewall", sections, report)
    table = read(FirewallTable, given, report)
    _check(table, given, report)
    return FirewallOptions(
        backend=table.backend,
        hooks=tuple(dict.fromkeys(table.hook)),
        priority=table.priority,
        reject=table.target == "reject",
        protocol=table.protocol or "",
        ports=tuple(dict.fromkeys(table.ports)),
        cut=table.cut,
        restore=table.on_flush == "restore",
        guard=table.guard,
        trial=table.trial,
        max_bans=table.max_bans,
        ban=table.ban or (),
        unban=table.unban or (),
        flush=table.flush or (),
    )


def _check(table: FirewallTable, given: Mapping[str, Option], report: Report) -> None:
    for name in _COMMANDS:
        if name not in given:
            continue
        if table.backend != "script":
            report.error(
                given[name].place, f"'{name}' is for backend 'script' only", "remove it, or write: option backend 'script'"
            )
        elif command := getattr(table, name):
            _check_command(name, command, given[name], report)
    if table.backend == "script":
        for name in ("ban", "unban"):
            if name not in given and "backend" in given:
                report.error(
                    given["backend"].place, f"backend 'script' needs '{name}'", f"write: option {name} 'COMMAND {{ip}}'"
                )


def check_ignoring(given: Mapping[str, Option], options: DaemonOptions, report: Report) -> None:
    """Report a command or files for the ignore list that are not there, or that others can change."""
    if options.ignore_command:
        _check_command("ignore_command", options.ignore_command, given["ignore_command"], report)
        if not _is_told_address(options.ignore_command):
            fault = "'ignore_command' does not look at the address that it is asked about"
            report.warning(given["ignore_command"].place, fault, "add {ip} where the program takes it")
    for path in options.ignore_file:
        place = given["ignore_file"].place
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            report.warning(place, f"there is no file {path}", "create it; until then it spares nobody")
        except OSError as error:
            report.warning(place, f"{path} cannot be seen: {error.strerror}", "until it can be read it spares nobody")
        else:
            if stat.S_ISDIR(status.st_mode):
                report.error(place, f"'ignore_file' is a folder: {path}", "name a file in it")
                continue
            for fault, remedy in trust.doubts(path, status):
                report.error(place, f"'ignore_file': {fault}", remedy)


def _is_told_address(command: Sequence[str]) -> bool:
    """Whether an address stands among a command's arguments, or what it runs may take the variable for it."""
    if any("{ip}" in word or "LT_ip" in word for word in command):
        return True
    for path in map(Path, command):
        with suppress(OSError, ValueError):
            if path.is_file() and path.stat().st_size <= _LOOKED_AT and b"LT_ip" in path.read_bytes():
                return True
    return False


def _check_command(name: str, command: Sequence[str], given: Option, report: Report) -> None:
    """The program is there, and nobody else can change it."""
    import shutil  # loaded where it is needed: milliseconds at a start

    found = shutil.which(command[0])
    if found is None:
        report.error(given.place, f"'{name}': there is no program {shown(command[0])}", "install it, or correct the path")
        return
    for fault, remedy in trust.script_doubts(Path(found)):
        report.error(given.place, f"'{name}': {fault}", remedy)


def ban_of(draft: Draft, options: RuleOptions, types: Mapping[str, str], report: Report) -> BanOptions | None:
    """What a rule bans; None: nothing, or nothing that could be banned."""
    if options.ban is None or not options.ban:
        return None
    addresses = [name for name, kind in types.items() if kind == "ip"]
    wanted = options.ban_field or (addresses[0] if addresses else "")
    if not addresses:
        remedy = "name a field 'ip' or give one this type, as in from:ip; or write: option ban 'no'"
        report.error(draft.given["ban"].place, f"rule '{options.name}' bans, but has no field of type ip", remedy)
        return None
    if wanted not in addresses:
        known = suggestion(wanted, addresses) or f"of this type: {listed(addresses)}"
        report.error(draft.given["ban_field"].place, f"'ban_field' names '{wanted}', which is no field of type ip", known)
        return None
    seconds = None if math.isinf(options.ban) else options.ban
    return BanOptions(
        field=wanted,
        seconds=seconds,
        prefix4=options.ban_prefix4,
        prefix6=options.ban_prefix6,
        escalation=_escalation(draft, options, report),
        widen=widening.check(draft, options, report),
    )


def trust_of(draft: Draft, options: RuleOptions, types: Mapping[str, str], report: Report) -> float:
    """For how long a rule's events make their address trusted, in seconds; 0.0: not at all."""
    if options.trust is None:
        return 0.0
    place = draft.given["trust"].place
    if "ip" not in types.values() or "user" not in types:
        remedy = "name the fields in option fields: a login excuses failures of its own user only"
        report.error(place, "'trust' needs a field of type ip and a field 'user'", remedy)
    if options.maxfail != 1:
        report.error(place, "'trust' with maxfail above 1: one good login is enough", "remove one of the two")
    return options.trust


def _escalation(draft: Draft, options: RuleOptions, report: Report) -> Escalation | None:
    """How a rule's bans grow; None: they do not."""
    part, extra = options.ban_random
    if options.ban_factor == 1.0 and not part and not extra:
        return None
    if options.ban_max is not None and options.ban is not None and options.ban_max < options.ban < math.inf:
        fault = "'ban_max' is shorter than the first ban, 'ban'"
        report.error(draft.given["ban_max"].place, fault, "write a longer time, or a shorter 'ban'")
    return Escalation(
        factor=options.ban_factor,
        longest=options.ban_max,
        part=part,
        extra=extra,
        decay=options.ban_decay,
        per_rule=options.ban_scope == "rule",
    )
