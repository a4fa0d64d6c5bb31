"""`logtrigger resume`: act on what a paused rule finds again."""

from __future__ import annotations

from pathlib import Path

import click

from logtrigger.cli import ask, complete
from logtrigger.cli.rules import said_of


@click.command(short_help="act on a paused rule's triggers again")
@click.argument("rule", metavar="RULE", shell_complete=complete.rules)
@ask.options
@click.pass_context
def resume(context: click.Context, rule: str, path: Path | None, socket: Path | None, as_json: bool) -> None:
    """End the pause of RULE.

    \b
    logtrigger resume sshd_failed

    The exit status is 1 where it was not paused.
    """
    with ask.daemon(context, path, socket) as daemon:
        for row in daemon.ask("resume", rule=rule):
            ask.write_json(row) if as_json else click.echo(said_of(row))
