"""`logtrigger rules --library`: the services there are rules for, and which of them are in use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from logtrigger import config
from logtrigger.cli import ask, tables
from logtrigger.cli.tables import Column
from logtrigger.config import DEFAULT_PATH, files, library
from logtrigger.config.library import Service
from logtrigger.config.words import Report
from logtrigger.control.client import Facts


def show(context: click.Context, name: str | None, path: Path | None, as_json: bool) -> None:
    """All services as a table, or the one of that name with all that its file says."""
    rows = list(_rows(context, path))
    if name is not None and not any(row["service"] == name for row in rows):
        click.echo(ask.said(f"the library has no rules for '{name}'", library.way_out(name)), err=True)
        context.exit(ask.WRONG)
    if name is not None:
        rows = [row for row in rows if row["service"] == name]
    if as_json:
        ask.write_json_list(rows) if name is None else ask.write_json(rows[0])
    elif name is None:
        _list(rows)
    else:
        _show(rows[0])


def _rows(context: click.Context, path: Path | None) -> Iterator[Facts]:
    used = _in_use(context, path)
    for service in library.services():
        try:
            yield _facts(service, os.path.realpath(service.path) in used)
        except OSError as error:
            click.echo(ask.said(f"{service.path} cannot be read: {error.strerror}", "mend it, or remove it"), err=True)


def _facts(service: Service, used: bool) -> Facts:
    return {
        "service": service.name,
        "watches": service.watches(),
        "used": used,
        "rules": service.rules(),
        "path": str(service.path),
        "hides": str(service.hides) if service.hides else None,
    }


def _in_use(context: click.Context, path: Path | None) -> set[str]:
    """The files of the configuration, whether it names them by `use` or `include`, and whatever else is wrong with it."""
    try:
        return {os.path.realpath(section.place.path) for section in files.read_all(path or DEFAULT_PATH, Report())}
    except config.Unreadable as error:
        if path is not None:
            click.echo(ask.said(str(error)), err=True)
            context.exit(ask.WRONG)
        return set()


def _list(rows: list[Facts]) -> None:
    cells = [
        [row["service"], "yes" if row["used"] else "", f"{len(row['rules'])}", row["watches"] + _whose(row)] for row in rows
    ]
    for line in tables.table(["SERVICE", "IN USE", "RULES", Column("WATCHES")], cells, tables.width()):
        click.echo(line)


def _whose(row: Facts) -> str:
    return f" ({row['path']})" if row["hides"] else ""


def _show(row: Facts) -> None:
    room = tables.width()
    used = "in use" if row["used"] else f"not in use: list use '{row['service']}' in config logtrigger"
    lines = {"watches": row["watches"], "used": used, "file": row["path"], "rules": ", ".join(row["rules"])}
    if row["hides"]:
        lines["instead of"] = row["hides"]
    for label, text in lines.items():
        click.echo(tables.paragraph(label, text, 12, room))
