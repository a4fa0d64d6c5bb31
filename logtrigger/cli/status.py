"""`logtrigger status`: how the running daemon stands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click

from logtrigger.cli import ask, tables
from logtrigger.cli.tables import moment, roughly
from logtrigger.control.client import Facts
from logtrigger.durations import amount

_INDENT = 15
_SKEW = 2.0  # seconds between clocks that are nothing to speak of


@click.command(short_help="how the running daemon stands")
@ask.options
@click.pass_context
def status(context: click.Context, path: Path | None, socket: Path | None, as_json: bool) -> None:
    """How the running daemon stands: what it reads, its rules, its queue, bans and store.

    \b
    logtrigger status

    The exit status is 0 where it answers, and 3 where none does.
    """
    with ask.daemon(context, path, socket) as daemon:
        for facts in daemon.ask("status"):
            if as_json:
                ask.write_json(facts)
            else:
                room = tables.width()
                for label, text in _paragraphs(facts, time.time()):  # noqa: TID251 - the outer shell
                    click.echo(tables.paragraph(label, text, _INDENT, room))


def _paragraphs(facts: Facts, now: float) -> Iterator[tuple[str, str]]:
    running = f"{facts['version']}, process {facts['pid']}"
    stopping = ", stopping" if facts["stopping"] else ""
    yield "logtrigger", f"{running}, since {moment(facts['started'])} ({roughly(now - facts['started'])}){stopping}"
    yield "configuration", facts["configuration"]
    label = "reads"
    for source in facts["sources"] or [{}]:
        yield label, _source(source, now) if source else "nothing: no rule runs"
        label = ""
    yield (
        "rules",
        f"{facts['rules']['running']:,} running" + f", {len(facts['rules']['off']):,} off" * bool(facts["rules"]["off"]),
    )
    for one in facts["rules"]["off"]:
        yield "", f"{one['rule']} is off: {one['why']}"
    for one in facts["rules"]["paused"]:
        yield "", f"{one['rule']}: {one['why']}"
    for one in facts["paused"]:
        left = f"for {roughly(max(0.0, one['until'] - now))} more, after {amount(one['passed_over'], 'trigger')}"
        yield (
            "",
            f"{one['rule']} is not acted on {left}, for this message, which it sets off itself perhaps: {one['body'][:200]}",
        )
    yield "events", f"{facts['events']:,}; {amount(facts['triggers'], 'trigger')}"
    scripts = facts["scripts"]
    yield "scripts", _running(scripts, now)
    for one in scripts["actions"]:
        yield "", f"of these {one['action']}: {_running(one, now)}"
    label = "actions"
    for one in facts["actions"]:
        yield label, _delivery(one, now)
        label = ""
    yield "bans", _bans(facts["bans"])
    store = facts["store"]
    waiting = f", {amount(store['pending'], 'trigger')} to be written" if store["pending"] else ""
    copy = f", with a copy in {store['copy']}" if store["copy"] else ""
    yield "store", f"{store['path']}, {tables.size(store['bytes'])}{waiting}{copy}"
    if store["error"]:
        yield "", store["error"]
    if store["copy_error"]:
        yield "", f"no copy: {store['copy_error']}"
    label = "given up"
    for name, count in facts["evicted"].items():
        yield label, f"{amount(count, 'counter')} of {name}, to make room for others (max_keys)"
        label = ""


def _source(source: Facts, now: float) -> str:
    what = source["reads"] if source["reads"] == source["source"] else f"{source['source']}: {source['reads']}"
    if source["fault"]:
        return f"{source['fault']}; it is tried again until it can be opened"
    heard = f"last line {roughly(max(0.0, now - source['last']))} ago" if source["last"] else "no line yet"
    behind = f", {tables.size(source['lag'])} behind" if source["lag"] else ""
    fault = "".join(f"; {one}" for one in source["unreadable"])
    return f"{what}; {heard}{behind}{_clock(source['ahead'])}{', paused' * source['paused']}{fault}"


def _clock(ahead: float | None) -> str:
    """What to say of a source whose lines bear another time than they came at; whole seconds are all that most of them hold."""
    if ahead is None or abs(ahead) < _SKEW:
        return ""
    return f", its clock is {roughly(abs(ahead))} {'ahead' if ahead > 0 else 'behind'}"


def _running(scripts: Facts, now: float) -> str:
    text = f"{scripts['running']:,} running, {scripts['waiting']:,} waiting"
    return text + (f", {scripts['failed']:,} failed; {_last(scripts, now)}" if scripts["failed"] else "")


def _delivery(one: Facts, now: float) -> str:
    soon = f", next in {roughly(max(0.0, one['next'] - now))}" if one["next"] is not None else ""
    lost = f", {one['given_up']:,} given up" * bool(one["given_up"])
    counts = f"{one['sent']:,} sent, {one['waiting']:,} waiting{soon}{lost}"
    good = f"; last sent {roughly(max(0.0, now - one['last_success']))} ago" if one["last_success"] else ""
    if not one["last_error"]:
        return f"{one['action']}: {counts}{good}"
    return f"{one['action']}: {counts}{good}; {_last(one, now)}"


def _last(one: Facts, now: float) -> str:
    """The last fault."""
    return f"failed {roughly(max(0.0, now - one['last_error_at']))} ago: {one['last_error']}"


def _bans(bans: Facts) -> str:
    backend = f", by {bans['backend']}" + ", which blocks nothing" * (bans["backend"] == "null") if bans["backend"] else ""
    error = f"; not all in force: {bans['error']}" if bans["error"] else ""
    before = f"; {amount(bans['offenders'], 'network')} banned before" if bans["offenders"] else ""
    return f"{bans['number']:,}{backend}{before}{error}"
