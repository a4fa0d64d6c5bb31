"""`logtrigger replay`: what the rules would have seen in old logs."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from logtrigger import config
from logtrigger.config import DEFAULT_PATH
from logtrigger.engine import MatcherFactory
from logtrigger.errors import ConfigError
from logtrigger.matchers import fastest
from logtrigger.model import Trigger
from logtrigger.replay import Log, Summary
from logtrigger.replay import replay as run_replay
from logtrigger.rule import Settings
from logtrigger.text import safe

_ERROR = 2

_to_json = json.JSONEncoder(ensure_ascii=False).encode


@click.command(short_help="run the rules over old logs")
@click.argument("logs", nargs=-1, metavar="[LOG…|-]")
@click.option("-c", "path", type=click.Path(path_type=Path), metavar="FILE", help=f"The configuration [{DEFAULT_PATH}].")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to tell triggers [text].")
@click.pass_context
def replay(context: click.Context, logs: Sequence[str], path: Path | None, form: str) -> None:
    """Run every enabled rule over the given logs, in the time of the logs. No action is taken.

    Triggers go to standard output, a summary to standard error. The exit status is 2 for mistakes, else 0.
    """
    try:
        settings, complaints = config.load(path or context.obj or DEFAULT_PATH)
    except ConfigError as error:
        for complaint in error.complaints:
            click.echo(complaint, err=True)
        context.exit(_ERROR)
    for complaint in complaints:
        click.echo(complaint, err=True)
    context.exit(_replay(settings, [_log(name) for name in logs or ["-"]], form))


def _log(name: str) -> Log:
    if name == "-":
        return Log("stdin", lambda: open(0, "rb", closefd=False))
    return Log(safe(os.fsencode(name)), lambda: open(name, "rb"))


def _replay(settings: Settings, logs: Sequence[Log], form: str) -> int:
    tell = _tell_json if form == "json" else _tell_text
    began = time.perf_counter()
    try:
        summary = run_replay(settings, logs, time.time(), tell, _matchers(settings))  # noqa: TID251 - the outer shell
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough; python is to write nothing more, not even at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        name = "standard output" if error.filename is None else str(error.filename)
        click.echo(f"{safe(os.fsencode(name))}: {error.strerror}", err=True)
        return _ERROR
    _summarise(summary, time.perf_counter() - began)
    return 0


def _matchers(settings: Settings) -> MatcherFactory:
    return fastest(settings.state.parent, lambda _, text: click.echo(text, err=True), keep=False)


def _tell_json(trigger: Trigger, line: int) -> None:
    facts = {
        "rule": trigger.rule,
        "time": trigger.time,
        "count": trigger.count,
        "key": list(trigger.key),
        "fields": dict(trigger.fields),
        "message": trigger.message,
        "source": trigger.source,
        "line": line,
    }
    sys.stdout.write(json.dumps(facts) + "\n")


def _tell_text(trigger: Trigger, line: int) -> None:
    when = datetime.fromtimestamp(trigger.time)
    key = f" {' '.join(trigger.key)}" if trigger.key else ""
    sys.stdout.write(
        f"{when:%Y-%m-%d %H:%M:%S} {trigger.rule}{key} ({trigger.count}) {trigger.source}:{line}: {trigger.message}\n"
    )


def _summarise(summary: Summary, seconds: float) -> None:
    click.echo(f"{summary.lines:,} lines in {seconds:.2f} s, {summary.lines / max(seconds, 1e-9):,.0f} lines/s", err=True)
    width = max(map(len, ["rule", *summary.events]))
    click.echo(f"  {'rule':<{width}}  {'events':>9}  {'triggers':>9}", err=True)
    for rule, events in summary.events.items():
        click.echo(f"  {rule:<{width}}  {events:>9,}  {summary.triggers[rule]:>9,}", err=True)
