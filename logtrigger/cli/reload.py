"""`logtrigger reload`: have the running daemon read its configuration again."""

from __future__ import annotations

from pathlib import Path

import click

from logtrigger.cli import ask, tables
from logtrigger.control.protocol import Refused
from logtrigger.durations import amount


@click.command(short_help="read the configuration again")
@ask.options
@click.pass_context
def reload(context: click.Context, path: Path | None, socket: Path | None, as_json: bool) -> None:
    """Have the running daemon read its configuration again. Where it has mistakes, they are named, and the old one stays.

    \b
    logtrigger check && logtrigger reload

    Counters, offsets and bans of rules that have not changed go on. The exit status is 2 where there are mistakes.
    """
    complaints, rules = [], None
    with ask.daemon(context, path, socket) as daemon:
        try:
            for row in daemon.ask("reload"):
                if "complaint" in row:
                    complaints.append(row)
                    click.echo(tables.safe(row["complaint"]), err=True)
                else:
                    rules = row["rules"]
        except Refused:
            if as_json:
                ask.write_json({"reloaded": False, "complaints": complaints})
            raise
        if as_json:
            ask.write_json({"reloaded": True, "rules": rules, "complaints": complaints})
        else:
            click.echo(f"reloaded; {amount(rules or 0, 'rule')}")
