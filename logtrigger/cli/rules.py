"""`logtrigger rules`: what the rules of the running daemon do, and where each of their values comes from."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import click

from logtrigger.cli import ask, complete, tables
from logtrigger.cli.tables import Column, roughly
from logtrigger.control.client import Facts


@click.command(short_help="the running daemon's rules")
@click.argument("name", required=False, shell_complete=complete.rules)
@click.option("--library", is_flag=True, help="The services that the rule library has rules for, whether a daemon runs or not.")
@ask.options
@click.pass_context
def rules(
    context: click.Context, name: str | None, library: bool, path: Path | None, socket: Path | None, as_json: bool
) -> None:
    """The rules of the running daemon: events and triggers since its start, keys that are being counted, what they do.

    \b
    logtrigger rules
    logtrigger rules sshd_failed
    logtrigger rules --library

    With NAME, that rule: every option, its value and the place it was written at. With --library NAME is that of a service.
    """
    if library:
        from logtrigger.cli.library import show

        show(context, name, path or context.obj, as_json)
        return
    with ask.daemon(context, path, socket) as daemon:
        if name is None:
            rows = daemon.ask("rules")
            ask.write_json_list(rows) if as_json else _list(rows)
        else:
            first, *options = daemon.ask("rule", name=name)
            ask.write_json({**first, "options": options}) if as_json else _show(first, options)


def said_of(row: Facts) -> str:
    """A rule's name and state in a line."""
    return tables.safe(f"{row['rule']}: {row['state']}" + (f", {row['why']}" if row["why"] else ""))


def _list(rows: Iterable[Facts]) -> None:
    now = time.time()  # noqa: TID251 - the outer shell
    cells = [
        [
            row["rule"],
            f"{row['events']:,}",
            f"{row['triggers']:,}",
            f"{roughly(max(0.0, now - row['last']))} ago" if row["last"] else "",
            f"{row['keys']:,}",
            ", ".join(row["actions"]) if row["state"] == "running" else f"{row['state']}: {row['why']}",
        ]
        for row in rows
    ]
    for line in tables.table([Column("RULE"), "EVENTS", "TRIGGERS", "LAST", "KEYS", Column("DOES")], cells, tables.width()):
        click.echo(line)


def _show(first: Facts, options: Iterable[Facts]) -> None:
    state = first["state"] if first["state"] == "running" else f"{first['state']}: {first['why']}"
    room = tables.width()
    click.echo(tables.paragraph(first["rule"], state, len(first["rule"]) + 2, room))
    cells = [
        [option["option"] if number == 0 else "", value, (option["place"] or "default") if number == 0 else ""]
        for option in options
        for number, value in enumerate(option["values"] or [""])
    ]
    for line in tables.table(["OPTION", Column("VALUE"), Column("FROM", keeps_end=True)], cells, room):
        click.echo(line)
