"""`logtrigger top`: the running daemon on one screen."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from logtrigger.cli import ask

PATIENCE = 5.0  # seconds that an answer may take: so long it takes to quit where the daemon hangs


@click.command(short_help="the running daemon on one screen")
@ask.options_without_json
@click.pass_context
def top(context: click.Context, path: Path | None, socket: Path | None) -> None:
    """Events and triggers a second, the busiest rules, the newest bans, sources and queues, once a second.

    \b
    logtrigger top

    Keys: w why an address is banned, u unban it, p pause a rule for an hour or let it go on, / filter, Tab from rules to bans,
    q quit.
    """
    if find_spec("textual") is None:
        click.echo("top needs the package textual (pip install textual)", err=True)
        context.exit(ask.WRONG)
    with ask.daemon(context, path, socket) as daemon:  # which says why where nobody answers
        where = daemon.path
    from logtrigger.cli.why import told
    from logtrigger.control.client import Client
    from logtrigger.top.app import Top

    Top(lambda: Client([where], PATIENCE), told).run()
