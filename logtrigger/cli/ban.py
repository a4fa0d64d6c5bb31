"""`logtrigger ban`: ban an address or prefix."""

from __future__ import annotations

from pathlib import Path

import click

from logtrigger.cli import ask, complete, tables
from logtrigger.config.kinds import duration_or_none
from logtrigger.config.uci import Value
from logtrigger.control.protocol import Refused
from logtrigger.errors import Place

_LONGEST = 1_000_000_000  # seconds; the daemon takes no more


@click.command(short_help="ban an address or prefix")
@click.argument("network", metavar="IP|PREFIX")
@click.argument("span", required=False, metavar="[TIME]", shell_complete=complete.spans)
@click.option("--force", is_flag=True, help="Even this machine's own or its gateway's address, or a very wide prefix.")
@ask.options
@click.pass_context
def ban(
    context: click.Context,
    network: str,
    span: str | None,
    force: bool,
    path: Path | None,
    socket: Path | None,
    as_json: bool,
) -> None:
    """Ban an address or prefix for TIME (90s, 10m, 2h, 7d), or until it is unbanned.

    \b
    logtrigger ban 192.0.2.7 2h
    logtrigger ban 198.51.100.0/24

    Where it is banned already, the ban that ends later holds. What the ignore list holds is never banned.
    """
    seconds = None if span is None else _seconds(span)
    with ask.daemon(context, path, socket) as daemon:
        try:
            for row in daemon.ask("ban", network=network, seconds=seconds, force=force):
                if as_json:
                    ask.write_json(row)
                else:
                    until = "for ever" if row["until"] is None else f"until {tables.moment(row['until'])}"
                    click.echo(f"{tables.safe(row['network'])} is banned {until}")
        except Refused as error:
            how = f"{error.remedy}: --force" if "forced" in error.remedy else error.remedy
            raise Refused(error.error, how) from None


def _seconds(text: str) -> int:
    try:
        seconds = int(duration_or_none(Value(text, Place("TIME", 1))))
    except ValueError as error:
        raise click.UsageError(f"TIME cannot be '{text}': {error}") from None
    if seconds > _LONGEST:
        raise click.UsageError(f"TIME cannot be '{text}': write {_LONGEST // 86_400}d at most, or 0 for ever")
    return seconds
