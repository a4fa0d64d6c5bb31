"""`logtrigger init`: a first configuration, for what there is on this machine."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from logtrigger import shipped
from logtrigger.config import DEFAULT_PATH
from logtrigger.findings import Findings, Found, gather
from logtrigger.sources.machine import Machine
from logtrigger.text import safe_text

_ERROR = 2
_SHIPPED = "etc/config/logtrigger"
_WIDTH = 110

_HEAD = """\
# The configuration of logtrigger, as `logtrigger init` has written it for what it found on this machine.
#
# Look what it would do:   logtrigger --dry-run -D 1           bans nobody
# After every change:      logtrigger check && logtrigger reload
# Somebody is locked out:  logtrigger why ADDRESS, logtrigger unban ADDRESS
# All that can stand here: man 5 logtrigger
"""

_TAIL = """\
# What the library's rules do is changed by overrides: three failures, say, and a day instead of an hour.
#config override
#	list rule 'sshd_*'
#	option maxfail '3'
#	option ban '1d'

# A rule of your own: a line from the log, with %s where text changes and %d where a number does.
#config rule
#	option name 'my_door'
#	option pattern 'door[%d]: wrong code from %s'
#	option fields '- ip'
#	option maxfail '5'
#	option time '10m'
#	option ban '1h'
"""


@click.command(short_help="write a first configuration")
@click.option("--output", metavar="FILE|-", help=f"Where to write it; - is standard output. [{DEFAULT_PATH}]")
@click.pass_context
def init(context: click.Context, output: str | None) -> None:
    """Write a configuration for what there is on this machine: its log, its firewall, the daemons that the rule library knows.

    \b
    logtrigger init --output -
    logtrigger init && logtrigger check && logtrigger --dry-run -D 1

    It asks nothing, and overwrites nothing but the configuration that is shipped: where there is another one, the exit status
    is 1. Each line has a comment that says why it is there.
    """
    path = output or str(context.obj or DEFAULT_PATH)
    if path != "-" and os.path.lexists(path) and not _is_shipped(Path(path)):
        click.echo(
            f"{safe_text(path)} is there already, and stays as it is (see what would be written with --output -)", err=True
        )
        context.exit(1)
    findings = gather(Machine(path=os.environ.get("PATH", os.defpath)))
    text = written(findings, os.geteuid() == 0)
    if path == "-":
        click.echo(text, nl=False)
        return
    try:
        _write(Path(path), text)
    except OSError as error:
        click.echo(f"{safe_text(path)} cannot be written: {error.strerror} (write elsewhere with --output FILE)", err=True)
        context.exit(_ERROR)
    for line in _told(path, findings):
        click.echo(line)


def _is_shipped(path: Path) -> bool:
    """Whether this is the configuration that comes with the program, as it came."""
    try:
        return not path.is_symlink() and path.read_bytes() == shipped.path(_SHIPPED).read_bytes()
    except OSError:
        return False


def _write(path: Path, text: str) -> None:
    """A file that nobody but its owner may change, whole or not at all."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.init")
    new.unlink(missing_ok=True)  # left by one that was killed
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, 0o644)
            file.write(text)
        new.replace(path)
    except OSError:
        new.unlink()
        raise


def written(findings: Findings, is_root: bool = True) -> str:
    """The configuration's text."""
    return "\n".join(
        [
            _HEAD,
            *_log(findings),
            "config logtrigger",
            *_services(findings),
            *_ignored(findings),
            *_copy(findings),
            "",
            *_firewall(findings, is_root),
            "",
            _TAIL,
        ]
    )


def _comment(text: str, indent: str = "") -> Iterator[str]:
    yield from textwrap.wrap(
        safe_text(text), _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
    )


def _log(findings: Findings) -> Iterator[str]:
    if findings.log is None:
        why = "; ".join(findings.against)
        yield from _comment(f"No system log was found here: {why}. Install a syslog daemon, or name log files in the rules.")
    else:
        yield from _comment(f"The system log is looked for at each start. Here it is {findings.log}, as {findings.log.reason}.")
        if findings.log.program == "journalctl":
            yield from _comment("journald tells of a line a quarter to half a second later; with rsyslog bans are quicker.")
    yield ""


def _services(findings: Findings) -> Iterator[str]:
    banning = _banning(findings)
    others = [service for service in findings.services if service not in banning]
    if banning:
        yield from _comment(
            "Services found here whose rules come with logtrigger. All there are: logtrigger rules --library",
            "\t",
        )
    else:
        yield from _comment(
            "No service was found whose rules come with logtrigger. All there are: logtrigger rules --library", "\t"
        )
    yield from _rows("list use", banning)
    yield from ([] if banning else ["#\tlist use 'sshd'"])
    if others:
        yield from _comment(
            "These are left out: they do only what an override tells them to, or are for a service that logs in another way.",
            "\t",
        )
        yield from (f"#{line}" for line in _rows("list use", others))
    yield ""


def _banning(findings: Findings) -> list[Found]:
    return [service for service in findings.services if service.bans and not service.instead]


def _rows(option: str, services: list[Found]) -> Iterator[str]:
    width = max((len(service.name) for service in services), default=0)
    for service in services:
        quoted = f"'{service.name}'"
        yield f"\t{option} {quoted:<{width + 2}}  # {safe_text(service.watches)}"


def _ignored(findings: Findings) -> Iterator[str]:
    yield from _comment("Who is never banned. This machine's own addresses and its gateways need not stand here.", "\t")
    if findings.session:
        yield from _comment("You are logged in from there. Remove it where that address will be somebody else's one day.", "\t")
        yield f"\tlist ignore '{findings.session}'"
    if findings.networks:
        yield from _comment(
            "The networks that this machine is in; but then nobody in there is ever kept from guessing passwords.", "\t"
        )
        for network, interface in findings.networks:
            yield f"#\tlist ignore '{network}'  # at {safe_text(interface)}"
    if not findings.session and not findings.networks:
        yield "#\tlist ignore '192.0.2.7'"


def _copy(findings: Findings) -> Iterator[str]:
    if findings.forgets:
        yield ""
        yield from _comment(
            "The state is in memory: a reboot forgets bans and counters. To keep them, a place for a copy of it, once an hour.",
            "\t",
        )
        yield "#\toption state_copy '/etc/logtrigger/state.db'"


def _firewall(findings: Findings, is_root: bool) -> Iterator[str]:
    if findings.firewall:
        why = f", as {findings.why}" if "cannot" in findings.why else ""
        yield from _comment(f"What bans is chosen at each start. Here it is {findings.firewall}{why}.")
        yield from ["config firewall", "\toption backend 'auto'"]
    elif not is_root:
        yield from _comment("What bans is chosen at each start. Which one that is was not found out, as only root may look.")
        yield from ["config firewall", "\toption backend 'auto'"]
    else:
        yield from _comment(
            f"Here {findings.why}. So nobody is kept out: bans are shown, no more. Mend that, and write auto for null."
        )
        yield from ["config firewall", "\toption backend 'null'"]


def _told(path: str, findings: Findings) -> Iterator[str]:
    """What was found, and what to do next."""
    banning = " ".join(service.name for service in _banning(findings))
    option = "" if Path(path) == DEFAULT_PATH else f" -c {path}"
    rows = {
        "written": path,
        "reads": str(findings.log or "nothing: there is no system log"),
        "watches": banning or "nothing yet: see logtrigger rules --library",
        "bans by": findings.firewall or "nothing: no firewall can be used",
        "never bans": findings.session or "this machine and its gateways",
        "next": f"logtrigger{option} check && logtrigger{option} --dry-run -D 1",
    }
    yield from (f"{label:<11} {safe_text(text)}" for label, text in rows.items())
