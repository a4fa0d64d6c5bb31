"""`logtrigger events`: what has triggered lately, and what does now."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from logtrigger.cli import ask, complete, tables
from logtrigger.control.client import Facts


@click.command(short_help="what has triggered")
@click.option("-f", "--follow", is_flag=True, help="Go on with what triggers from now on.")
@click.option("-n", "most", type=click.IntRange(min=0), default=20, metavar="N", help="The newest N triggers [20].")
@click.option("--rule", metavar="RULE", shell_complete=complete.rules, help="Only this rule's.")
@ask.options
@click.pass_context
def events(
    context: click.Context, follow: bool, most: int, rule: str | None, path: Path | None, socket: Path | None, as_json: bool
) -> None:
    """What has triggered lately, the newest last: time, rule, key, number of events, message, and how the actions ended.

    \b
    logtrigger events -n 100
    logtrigger events -f --rule sshd_failed

    With --json one object a line.
    """
    room = tables.width()
    with ask.daemon(context, path, socket) as daemon:
        try:
            for row in daemon.ask("events", patient=follow, rule=rule, most=most, follow=follow):
                if as_json:
                    ask.write_json(row)
                else:
                    click.echo(_line(row, room))
                if follow:
                    sys.stdout.flush()
        except KeyboardInterrupt:
            pass  # the way to end it


def _line(row: Facts, room: int | None) -> str:
    key = f" {' '.join(row['key'])}" if row["key"] else ""
    ends = [f"{one['action']}: {one['result']}" for one in row["actions"] if one["state"] == "done"]
    ended = f" [{', '.join(ends)}]" if ends else ""
    text = f"{tables.moment(row['time'])} {row['rule']}{key} ({row['count']}) {row['source']}: {row['message']}{ended}"
    lead, _, rest = tables.safe(text).partition(" ")
    return tables.paragraph(f"{lead} ", rest, len(lead) + 1, room)
