"""`logtrigger check`: every mistake of a configuration, with its place and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from logtrigger import config
from logtrigger.config import DEFAULT_PATH, Unreadable
from logtrigger.errors import Complaint, ConfigError

_MISTAKES, _UNREADABLE = 1, 2


@click.command(short_help="check a configuration")
@click.option(
    "-c", "path", type=click.Path(path_type=Path), metavar="FILE", help=f"The configuration, by default {DEFAULT_PATH}."
)
@click.pass_context
def check(context: click.Context, path: Path | None) -> None:
    """Check a configuration and all files it includes.

    Mistakes and warnings go to standard error, a summary to standard output. The exit status is 0 where there is no
    mistake, 1 where there is one, and 2 where the file cannot be read.
    """
    context.exit(_check(path or context.obj or DEFAULT_PATH))


def _check(path: Path) -> int:
    try:
        settings, complaints = config.load(path)
    except ConfigError as error:
        for complaint in error.complaints:
            click.echo(complaint, err=True)
        if isinstance(error, Unreadable):
            return _UNREADABLE
        click.echo(f"{path}: {_counted(_errors(error.complaints), 'mistake')}")
        return _MISTAKES
    for complaint in complaints:
        click.echo(complaint, err=True)
    wrong = _errors(complaints)
    warnings = len(complaints) - wrong
    noted = f", {_counted(warnings, 'warning')}" if warnings else ""
    click.echo(
        f"{path}: {_counted(len(settings.rules), 'rule')}, {_counted(wrong, 'mistake') if wrong else 'no mistakes'}{noted}"
    )
    return _MISTAKES if wrong else 0


def _errors(complaints: Iterable[Complaint]) -> int:
    return sum(complaint.severity == "error" for complaint in complaints)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
