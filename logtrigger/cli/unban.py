"""`logtrigger unban`: let banned addresses through again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from logtrigger.cli import ask, complete, tables


@click.command(short_help="lift bans")
@click.argument("networks", nargs=-1, metavar="[IP|PREFIX]…", shell_complete=complete.banned)
@click.option("--rule", metavar="RULE", shell_complete=complete.rules, help="What this rule has banned.")
@click.option("--all", "every", is_flag=True, help="All bans.")
@ask.options
@click.pass_context
def unban(
    context: click.Context,
    networks: Sequence[str],
    rule: str | None,
    every: bool,
    path: Path | None,
    socket: Path | None,
    as_json: bool,
) -> None:
    """Lift the bans of addresses, of all within prefixes, of a rule, or all; prints what was lifted.

    \b
    logtrigger unban 192.0.2.7
    logtrigger unban --rule sshd_failed

    The exit status is 1 where nothing of that was banned, or an address stays within a banned prefix; where some of it was not
    banned, that is said.
    """
    if not networks and rule is None and not every:
        raise click.UsageError("say what is to be lifted: addresses or prefixes, --rule RULE, or --all")
    with ask.daemon(context, path, socket) as daemon:
        rows = daemon.ask("unban", networks=list(networks), rule=rule, all=every)
        if as_json:
            ask.write_json_list(rows)
        else:
            for row in rows:
                click.echo(tables.safe(row["network"]))
        for network in daemon.summary.get("not_banned", ()):
            click.echo(f"{tables.safe(network)} is not banned", err=True)
