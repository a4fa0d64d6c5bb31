"""`logtrigger pause`: do nothing about what a rule finds, for a while."""

from __future__ import annotations

from pathlib import Path

import click

from logtrigger.cli import ask, complete
from logtrigger.cli.rules import said_of
from logtrigger.config.kinds import duration
from logtrigger.config.uci import Value
from logtrigger.errors import Place


@click.command(short_help="do nothing about a rule's triggers for a while")
@click.argument("rule", metavar="RULE", shell_complete=complete.rules)
@click.argument("time", required=False, metavar="[TIME]")
@ask.options
@click.pass_context
def pause(context: click.Context, rule: str, time: str | None, path: Path | None, socket: Path | None, as_json: bool) -> None:
    """Do nothing about what RULE finds: no ban, script or action, for TIME, by default an hour.

    \b
    logtrigger pause sshd_failed 30m

    It goes on counting, and what triggers is recorded. A restart, or `logtrigger resume`, ends the pause.
    """
    try:
        seconds = None if time is None else round(duration(Value(time, Place("TIME", 1))))
    except ValueError as error:
        raise click.UsageError(f"'{time}' is no time ({error})") from None
    with ask.daemon(context, path, socket) as daemon:
        for row in daemon.ask("pause", rule=rule, seconds=seconds):
            ask.write_json(row) if as_json else click.echo(said_of(row))
