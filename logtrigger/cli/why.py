"""`logtrigger why`: why an address is banned, was banned, or is not."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from logtrigger.cli import ask, complete, tables
from logtrigger.cli.tables import moment, roughly
from logtrigger.control.client import Facts
from logtrigger.durations import amount, spoken

_OWN = "logtrigger"  # what notices of bans name as their rule
_NAMED = 5  # rules that nothing can be said of


@click.command(short_help="why an address is banned, or is not")
@click.argument("network", metavar="IP|PREFIX", shell_complete=complete.banned)
@ask.options
@click.pass_context
def why(context: click.Context, network: str, path: Path | None, socket: Path | None, as_json: bool) -> None:
    """All that is known of an address.

    \b
    logtrigger why 192.0.2.7

    The bans that hold and the last earlier ones: the lines that led to each, the rule and where it is written, how its counter
    filled, what was done and how that ended. Of an address that is not banned: what was seen of it, how full its counters are,
    and what keeps it from being banned.

    The exit status is 1 where nothing is known of it.
    """
    with ask.daemon(context, path, socket) as daemon:
        rows = daemon.ask("why", network=network)
        if as_json:
            ask.write_json_list(rows)
            return
        room, now = tables.width(), time.time()  # noqa: TID251 - the outer shell
        for row in rows:
            for indent, text in told(row, now):
                click.echo(tables.paragraph("", text, indent, room) if text else "")


Told = Iterator[tuple[int, str]]  # how far a text is indented, and the text


def told(row: Facts, now: float) -> Told:
    """What a row of the answer says, paragraph by paragraph."""
    return _KINDS[row["about"]](row, now)


def _address(row: Facts, now: float) -> Told:
    network, banned = row["network"], row["banned"]
    if banned == [network]:
        yield 0, f"{network} is banned; to undo it: logtrigger unban {network}"
    elif banned:
        names = " and ".join(banned)
        yield 0, f"{network} is banned, by way of {names}; to undo it: logtrigger unban {' '.join(banned)}"
    else:
        yield 0, f"{network} is not banned"
    if number := row["within"]["number"]:
        named = row["within"]["networks"]
        more = f" and {number - len(named):,} more" if number > len(named) else ""
        yield 2, f"{amount(number, 'ban')} within: {', '.join(named)}{more}; to undo all of them: logtrigger unban {network}"
    if row["ignore"]:
        yield 2, f"no rule bans it: '{row['ignore']}' is on the ignore list{_origin(row['ignore_from'])}"
    elif row["never"]:
        yield 2, f"no rule bans it: it {row['never']}"
    for one in row["ignored_by"]:
        yield 2, f"rule {one['rule']} ({one['place']}) does not count it: its 'ignore' has '{one['entry']}'"
    for one in row["earlier"]:
        scope = f" by rule {one['scope']}" if one["scope"] else ""
        yield 2, f"{amount(one['bans'], 'ban')}{scope} of {one['network']} counted against it: the next one lasts longer"
    if row["trusted"]:
        users = shlex.join(row["trusted"])
        if row["tried"] is None:
            yield 2, f"a login from there excuses the next failure of {users}, once a day"
        else:
            again = moment(row["tried"])
            yield 2, f"a login from there excuses failures of {users} once a day, which it has: again from {again} on"
    elif row["tried"] is not None:
        again = moment(row["tried"])
        yield 2, f"somebody was logged in from there, so one ban was short: the next such one is from {again} on"
    if row["place"]:
        yield 2, ", ".join(f"{name} {value}" for name, value in row["place"].items())


def _origin(origin: Facts) -> str:
    """Where an entry of the ignore list comes from."""
    name = f", as the address of {origin['name']}" if origin["name"] else ""
    return f"{name} ({origin['place']})" if origin["place"] else name


def _ban(row: Facts, now: float) -> Told:
    nth = f", ban number {row['nth']}" if row["nth"] > 1 else ""
    times = f", {row['times']} times" if row["times"] > 1 else ""
    by = f"rule {_rule(row)}" if row["rule"] else row["by"]
    yield 0, ""
    yield 0, f"{row['network']}: banned by {by} on {moment(row['since'])}{nth}{times}; {_end(row, now)}"
    if row["trigger"] is not None:
        yield 2, f"{_counter_text(row['trigger'])}, from {row['trigger']['source']}"
    yield from _lines(row)
    yield from _actions(row["trigger"])


def _end(row: Facts, now: float) -> str:
    if row["ended"] is not None:
        return f"over since {moment(row['ended'])}{_how(row['how'])}"
    if row["until"] is None:
        return "for ever"
    return f"until {moment(row['until'])}, for {roughly(max(0.0, row['until'] - now))} more"


def _how(how: str) -> str:
    """How a ban ended: by itself, or by what or whom."""
    if how in ("expired", "over"):
        return ""
    return f", lifted by {how}" if how == "root" or how.startswith("user ") else f", {how}"


def _trigger(row: Facts, now: float) -> Told:
    yield 0, ""
    if row["rule"] == _OWN and row["state"]:
        yield 0, f"told of on {moment(row['time'])} (on_{row['state']}): {row['lines'][0]['line']}"
        yield from _actions(row)
        return
    ignored = ", which is on the ignore list" if row["ignored"] else ""
    yield 0, f"rule {_rule(row)} triggered on {moment(row['time'])}{ignored}: {_counter_text(row)}, from {row['source']}"
    yield from _lines(row)
    yield from _actions(row)


def _counter(row: Facts, now: float) -> Told:
    yield 0, ""
    if row["suppressed"] is not None:
        left = roughly(max(0.0, row["suppressed"] - now))
        yield 0, f"rule {_rule(row)} does not count {shlex.join(row['key'])} for {left} more, as it has triggered (suppress)"
        return
    last = f"; the last {roughly(max(0.0, now - row['times'][-1]))} ago" if row["times"] else ""
    yield 0, f"rule {_rule(row)} has counted {row['count']} of {row['maxfail']}: {_counter_text(row)}{last}"


def _doubt(row: Facts, now: float) -> Told:
    rules = ", ".join(f"{_rule(one)} by {' and '.join(one['key']) or 'nothing'}" for one in row["rules"][:_NAMED])
    more = f" and {len(row['rules']) - _NAMED} more" if len(row["rules"]) > _NAMED else ""
    yield 0, ""
    yield 0, f"what else has been counted of it cannot be told, as these do not count by address: {rules}{more}"


def _counter_text(row: Facts) -> str:
    noun = "different value" if row["distinct"] else "event"
    counted = amount(row["count"], noun) + (f" of {row['distinct']}" if row["distinct"] else "")
    key = f" of {shlex.join(row['key'])}" if row["key"] and not row["distinct"] else ""
    whose = f" for {shlex.join(row['key'])}" if row["key"] and row["distinct"] else ""
    limit = f" (maxfail {row['maxfail']})" if row["maxfail"] and row["maxfail"] > 1 else ""
    span = f" within {spoken(row['within'])}" if row["within"] and limit else ""
    return f"{counted}{key}{whose}{span}{limit}"


def _lines(row: Facts) -> Told:
    for one in row["lines"]:
        yield 4, one["line"]


def _actions(trigger: Facts | None) -> Told:
    for one in trigger["actions"] if trigger is not None else ():
        ended = f"{one['result']}, after {_took(one['seconds'])}" if one["state"] == "done" else "not done yet"
        yield 2, f"{one['action']}: {ended}"
        for line in one["output"]:
            yield 4, f"| {line}"


def _took(seconds: float | None) -> str:
    return "no time" if seconds is None else f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _rule(row: Facts) -> str:
    return f"{row['rule']} ({row['place'] or 'which is gone'})"


_KINDS: dict[str, Callable[[Facts, float], Told]] = {
    "address": _address,
    "ban": _ban,
    "trigger": _trigger,
    "counter": _counter,
    "doubt": _doubt,
}
