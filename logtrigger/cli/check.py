"""`logtrigger check`: every mistake of a configuration, with its place and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from logtrigger.config import DEFAULT_PATH, Unreadable, build, lint
from logtrigger.durations import amount
from logtrigger.errors import Complaint, ConfigError

_MISTAKES, _UNREADABLE = 1, 2


@click.command(short_help="check a configuration")
@click.option(
    "-c", "path", type=click.Path(path_type=Path), metavar="FILE", help=f"The configuration, by default {DEFAULT_PATH}."
)
@click.option("--strict", is_flag=True, help="Take warnings for mistakes.")
@click.pass_context
def check(context: click.Context, path: Path | None, strict: bool) -> None:
    """Check a configuration and all files it includes.

    \b
    logtrigger check
    logtrigger check -c new-rules.conf --strict

    Mistakes and warnings go to standard error, a summary to standard output. The exit status is 0 where there is no
    mistake, 1 where there is one, and 2 where the file cannot be read.
    """
    context.exit(_check(path or context.obj or DEFAULT_PATH, strict))


def _check(path: Path, strict: bool) -> int:
    try:
        configuration = build.read(path)
    except ConfigError as error:
        for complaint in _graded(error.complaints, strict):
            click.echo(complaint, err=True)
        if isinstance(error, Unreadable):
            return _UNREADABLE
        click.echo(f"{path}: {amount(_errors(_graded(error.complaints, strict)), 'mistake')}")
        return _MISTAKES
    settings = configuration.settings
    doubts = lint.warnings(configuration.built, settings.rules, settings.sources) + lint.emptiness(settings)
    notes = lint.idleness(configuration.built, settings)
    complaints = sorted([*_graded({*configuration.complaints, *doubts}, strict), *notes])
    for complaint in complaints:
        click.echo(complaint, err=True)
    wrong = _errors(complaints)
    warnings = len(complaints) - wrong - len(notes)
    noted = f", {amount(warnings, 'warning')}" if warnings else ""
    click.echo(
        f"{path}: {amount(settings.number_of_rules, 'rule')}, {amount(wrong, 'mistake') if wrong else 'no mistakes'}{noted}"
    )
    return _MISTAKES if wrong else 0


def _graded(complaints: Iterable[Complaint], strict: bool) -> list[Complaint]:
    """The complaints by their places; where we are strict, each is an error."""
    return sorted({replace(complaint, severity="error") if strict else complaint for complaint in complaints})


def _errors(complaints: Iterable[Complaint]) -> int:
    return sum(complaint.severity == "error" for complaint in complaints)
