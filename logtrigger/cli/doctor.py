"""`logtrigger doctor`: whether everything between a log line and a ban works."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from logtrigger import config
from logtrigger.cli import ask, tables
from logtrigger.config import DEFAULT_PATH
from logtrigger.doctor.findings import Finding
from logtrigger.text import safe_text

_INDENT = 9


@click.command(short_help="whether all is well, and what to do where not")
@click.option("-v", "--verbose", is_flag=True, help="Show what is well, too.")
@ask.options
@click.pass_context
def doctor(context: click.Context, verbose: bool, path: Path | None, socket: Path | None, as_json: bool) -> None:
    """Look at everything between a log line and a ban, and say what to do where something is wrong.

    \b
    sudo logtrigger doctor

    Whether the daemon runs with this configuration and may do what it should; whether each source is written and read; whether
    a line that is logged arrives; whether rules still know their lines; whether the kernel blocks what is banned, and packets
    do not come past it; clocks; scripts; the store. Nothing is changed, but for one line that is logged.

    The exit status is 0 where nothing is wrong, and 1 where something is.
    """
    from logtrigger.doctor.examination import examine  # brings all that it looks at

    path = path or context.obj or DEFAULT_PATH
    findings, room = [], tables.width()
    for finding in examine(path, _sockets(path, socket), time.time()):  # noqa: TID251 - the outer shell
        findings.append(finding)
        if not as_json and (verbose or finding.level != "ok"):
            click.echo(tables.paragraph(finding.level, _said(finding), _INDENT, room))
    wrong = sum(finding.is_wrong for finding in findings)
    if as_json:
        ask.write_json([asdict(finding) for finding in findings])
    elif wrong:
        click.echo(f"{wrong} of {len(findings)} findings want looking after")
    else:
        click.echo(f"nothing is wrong ({len(findings)} findings; -v shows them)")
    context.exit(1 if wrong else 0)


def _said(finding: Finding) -> str:
    return safe_text(f"{finding.check}: {finding.text}" + (f" ({finding.remedy})" if finding.remedy else ""))


def _sockets(path: Path, socket: Path | None) -> tuple[Path, ...]:
    if socket is not None:
        return (socket,)
    try:
        return config.control_sockets(path)
    except config.Unreadable:
        return ask.usual_sockets()
