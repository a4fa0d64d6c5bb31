"""`logtrigger replay`: what the rules would have seen in old logs."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import click

from logtrigger import config, parallel
from logtrigger.cli import print_no_more
from logtrigger.config import DEFAULT_PATH
from logtrigger.durations import amount
from logtrigger.engine import MatcherFactory
from logtrigger.errors import ConfigError
from logtrigger.fill import Fill
from logtrigger.matchers import fastest, user_cache
from logtrigger.parallel import Once
from logtrigger.replay import Log, Summary
from logtrigger.rule import Settings
from logtrigger.text import safe

_ERROR = 2

_to_json = json.JSONEncoder().encode


@click.command(short_help="run the rules over old logs")
@click.argument("logs", nargs=-1, type=click.Path(allow_dash=True), metavar="[LOG…|-]")
@click.option("-c", "path", type=click.Path(path_type=Path), metavar="FILE", help=f"The configuration [{DEFAULT_PATH}].")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to tell triggers [text].")
@click.option("--jobs", type=click.IntRange(1), default=1, metavar="N", help="How many processes share the rules [1].")
@click.pass_context
def replay(context: click.Context, logs: Sequence[str], path: Path | None, form: str, jobs: int) -> None:
    """Run every enabled rule over the given logs, in the time of the logs. No action is taken.

    \b
    logtrigger replay /var/log/auth.log.1
    zcat /var/log/auth.log.2.gz | logtrigger replay -c new-rules.conf

    Triggers go to standard output, a summary to standard error. The exit status is 2 for mistakes, else 0. With --jobs the
    rules are shared out among so many processes, which is quicker on several cores and changes no output.
    """
    try:
        settings, complaints = config.load(path or context.obj or DEFAULT_PATH)
    except ConfigError as error:
        for complaint in error.complaints:
            click.echo(complaint, err=True)
        context.exit(_ERROR)
    for complaint in complaints:
        click.echo(complaint, err=True)
    context.exit(_replay(settings, [_log(name) for name in logs or ["-"]], form, jobs))


def _log(name: str) -> Log:
    if name == "-":
        return Once("stdin", lambda: open(0, "rb", closefd=False))
    kind = Log if os.path.isfile(name) or not os.path.exists(name) else Once
    return kind(safe(os.fsencode(name)), lambda: open(name, "rb"))


def _replay(settings: Settings, logs: Sequence[Log], form: str, jobs: int) -> int:
    text_of = _json if form == "json" else _text
    began = time.perf_counter()
    try:
        now = time.time()  # noqa: TID251 - the outer shell
        summary = parallel.replay(settings, logs, now, text_of, _tell, _matchers(settings), jobs)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        print_no_more()
        return 0
    except OSError as error:
        if error.filename is None:
            print_no_more()
        name = "standard output" if error.filename is None else str(error.filename)
        click.echo(f"{safe(os.fsencode(name))}: {error.strerror}", err=True)
        return _ERROR
    except parallel.WorkerError as error:
        click.echo(error, err=True)
        return _ERROR
    _summarise(summary, time.perf_counter() - began)
    return 0


def _matchers(settings: Settings) -> MatcherFactory:
    """The daemon's compiled patterns are made use of, but left to it."""
    return fastest(settings.state.parent, lambda _, text: click.echo(text, err=True), keep=False, spare=user_cache())


def _tell(text: str) -> None:
    sys.stdout.write(text)


def _json(trigger: Fill, line: int) -> str:
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
    if trigger.state:
        facts["state"] = trigger.state
    return _to_json(facts) + "\n"


def _text(trigger: Fill, line: int) -> str:
    words = " ".join((_when(trigger.time), trigger.rule, *trigger.key))
    return f"{words} ({trigger.count}) {trigger.source}:{line}: {trigger.message}\n"


@lru_cache(maxsize=64)
def _when(time: float) -> str:
    """Neighbours share their times."""
    minute, second = divmod(time, 60)
    if not second.is_integer():
        return f"{datetime.fromtimestamp(time):%Y-%m-%d %H:%M:%S}"
    return f"{_minute(minute)}{int(second):02}"


@lru_cache(maxsize=64)
def _minute(minute: float) -> str:
    return f"{datetime.fromtimestamp(minute * 60):%Y-%m-%d %H:%M:}"


def _summarise(summary: Summary, seconds: float) -> None:
    click.echo(
        f"{amount(summary.lines, 'line')} in {seconds:.2f} s, {summary.lines / max(seconds, 1e-9):,.0f} lines/s", err=True
    )
    width = max(map(len, ["rule", *summary.events]))
    click.echo(f"  {'rule':<{width}}  {'events':>9}  {'triggers':>9}", err=True)
    for rule, events in summary.events.items():
        click.echo(f"  {rule:<{width}}  {events:>9,}  {summary.triggers[rule]:>9,}", err=True)
