"""`logtrigger bans`: who is banned."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from logtrigger.cli import ask, complete, tables
from logtrigger.cli.tables import Column, moment, roughly
from logtrigger.control.client import Client, Facts


@click.command(short_help="who is banned")
@click.argument("networks", nargs=-1, metavar="[IP|PREFIX]…", shell_complete=complete.banned)
@click.option("--rule", metavar="RULE", shell_complete=complete.rules, help="Only what this rule has banned.")
@click.option("-n", "most", type=click.IntRange(min=0), metavar="N", help="The newest N. [on a terminal what fits, else all]")
@click.option("--all", "every", is_flag=True, help="All of them.")
@ask.options
@click.pass_context
def bans(
    context: click.Context,
    networks: Sequence[str],
    rule: str | None,
    most: int | None,
    every: bool,
    path: Path | None,
    socket: Path | None,
    as_json: bool,
) -> None:
    """Who is banned, the newest first. With addresses: what bans them, and the lines that led to it.

    \b
    logtrigger bans --rule sshd_failed
    logtrigger bans 192.0.2.7

    The exit status is 1 where an address was asked for that is not banned.
    """
    if networks and (rule is not None or most is not None or every):
        raise click.UsageError("--rule, -n and --all are for the list, not for addresses")
    if most is None and not every and not as_json and tables.width() is not None:
        most = max(5, tables.height() - 3)
    with ask.daemon(context, path, socket) as daemon:
        rows = daemon.ask("bans", networks=list(networks) or None, rule=rule, most=None if every else most)
        if as_json:
            ask.write_json_list(rows)
        elif networks:
            _explain(rows)
        else:
            _list(daemon, rows)


def _list(daemon: Client, rows: Iterable[Facts]) -> None:
    shown = 0

    def cells() -> Iterator[list[str]]:
        nonlocal shown
        now = time.time()  # noqa: TID251 - the outer shell
        for row in rows:
            shown += 1
            yield [row["network"], moment(row["since"]), _left(row, now), _whose(row), str(row["times"]), str(row["nth"])]

    for line in tables.table(["NETWORK", Column("SINCE"), "LEFT", Column("RULE"), "TIMES", "NTH"], cells(), tables.width()):
        click.echo(line)
    if (number := daemon.summary.get("number", shown)) > shown:
        click.echo(f"{shown:,} of {number:,}; -n N or --all shows more", err=True)


def _explain(rows: Iterable[Facts]) -> None:
    now, room = time.time(), tables.width()  # noqa: TID251 - the outer shell
    for row in rows:
        whose = f"rule {row['rule']}" if row["rule"] else row["by"]
        times = f", {row['times']} times" if row["times"] > 1 else ""
        nth = f", ban number {row['nth']} of it" if row["nth"] > 1 else ""
        left = "for ever" if row["until"] is None else f"for {_left(row, now)} more"
        text = f"{row['network']}: banned by {whose} on {moment(row['since'])}{times}{nth}, {left}"
        click.echo(tables.paragraph("", text, 0, room))
        for one in row["lines"]:
            click.echo(tables.paragraph("", one, 2, room))


def _whose(row: Facts) -> str:
    return row["rule"] or f"({row['by']})"


def _left(row: Facts, now: float) -> str:
    return "for ever" if row["until"] is None else roughly(max(0.0, row["until"] - now))
