"""`logtrigger metrics`: figures about the running daemon, as Prometheus reads them."""

from __future__ import annotations

from pathlib import Path

import click

from logtrigger.cli import ask
from logtrigger.metrics.families import Family, text


@click.command(short_help="figures for Prometheus")
@ask.options
@click.pass_context
def metrics(context: click.Context, path: Path | None, socket: Path | None, as_json: bool) -> None:
    """Figures about the running daemon: lines, events, triggers, bans, actions, queues, and what each rule costs.

    The text is that of Prometheus, such as for the textfile collector of its node_exporter:

    \b
    logtrigger metrics >/var/lib/prometheus/node-exporter/logtrigger.prom

    `option metrics` in `config logtrigger` serves the same over HTTP.
    """
    with ask.daemon(context, path, socket) as daemon:
        rows = list(daemon.ask("metrics"))
    if as_json:
        ask.write_json(rows)
        return
    for line in text(Family(**{**row, "samples": [tuple(sample) for sample in row["samples"]]}) for row in rows):
        click.echo(line)
