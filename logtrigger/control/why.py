"""Why an address is banned, was banned, or is not: all that is known of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from logtrigger.addresses import Network, canonical, parse_network, unmapped, widened
from logtrigger.control import lookback
from logtrigger.control.protocol import No, Refused, Row, Rows, Wait
from logtrigger.distinct import DistinctWindows
from logtrigger.errors import StoreError
from logtrigger.model import Ban, Trigger, Unban
from logtrigger.recognise import KEY_JOINT
from logtrigger.rule import Rule
from logtrigger.store import About, Recorded

if TYPE_CHECKING:
    from logtrigger.daemon import Daemon

_MOST = 5  # bans, and triggers that banned nobody
_LINES = 50  # of one counter
_KEYS = 5_000  # of a rule's counters that are looked through at once


def why(daemon: Daemon, user: int, *, network: str) -> Rows:
    """Rows of several kinds, as their `about` says: the address, its bans, other triggers, counters that are not full."""
    try:
        asked = unmapped(parse_network(network.strip()))
    except ValueError as error:
        fault, _, remedy = str(error).partition("; ")
        raise Refused(fault, remedy) from None
    text = canonical(asked)
    yield _address(daemon, asked)
    names = _names(daemon, asked)
    about = yield _ask(daemon, names, text)
    if isinstance(about, StoreError):
        raise Refused(str(about))
    seen = 0
    told = set[str]()
    for ban, end, cause in _bans(daemon, asked, about):
        seen += 1
        told.add(ban.trigger)
        yield {"about": "ban", **_ban(daemon, ban, end, cause), "lines": (yield from _lines(daemon, ban, cause))}
    for one in [*_waiting(daemon, text), *about.triggers]:
        if one.trigger.id not in told:
            seen += 1
            told.add(one.trigger.id)
            yield {"about": "trigger", **_trigger(daemon, one), "lines": [{"line": one.trigger.message, "time": None}]}
    for rule in daemon.settings.rules:
        for key in (yield from _keys(daemon, rule, asked)):
            if (row := _counter(daemon, rule, key)) is not None:
                seen += 1
                yield row
    if not seen:
        raise No(f"nothing is known of {text}: no ban, now or earlier, no trigger, and no rule has counted it lately")


def _address(daemon: Daemon, asked: Network) -> Row:
    """What holds of an address whatever it did."""
    banning, now = daemon.banning, daemon.clock()
    entry = banning.ignoring.addresses.entry(asked)
    address = str(asked.network_address) if asked.num_addresses == 1 else ""
    return {
        "about": "address",
        "network": canonical(asked),
        "banned": [ban.network for ban in banning.bans.covering(asked)],
        "never": banning.why_never(asked),
        "ignore": entry,
        "ignore_from": banning.ignoring.why(entry) if entry else "",
        "ignored_by": [
            {"rule": rule.name, "place": str(rule.place), "entry": rule.ignore.entry(asked)}
            for rule in daemon.settings.rules
            if rule.ignore and rule.ignore.entry(asked)
        ],
        "earlier": [
            {"network": name, "scope": scope, "bans": count}
            for name in _names(daemon, asked)
            for scope, count in banning.offenders.counts(name, now)
        ],
        "trusted": sorted(banning.trusts.users(canonical(asked), now)),
        "place": dict(daemon.look(address)) if address else {},
    }


def _names(daemon: Daemon, asked: Network) -> list[str]:
    """The networks that a ban of this address may have been one of."""
    found = [ban.network for ban in daemon.banning.bans.covering(asked)]
    if asked.num_addresses == 1:
        address = str(asked.network_address)
        widths = {(32, 64), *((rule.ban.prefix4, rule.ban.prefix6) for rule in daemon.settings.rules if rule.ban)}
        found += [widened(address, *width) for width in sorted(widths)]
    return list(dict.fromkeys([canonical(asked), *found]))


def _ask(daemon: Daemon, names: Sequence[str], text: str) -> Wait:
    def ask(bring: Callable[[Any], None]) -> None:
        def done(about: About | StoreError) -> None:
            daemon.loop.call_threadsafe(lambda: bring(about))

        daemon.store.about(names, text, _MOST, done)

    return Wait(ask)


def _bans(daemon: Daemon, asked: Network, about: About) -> Iterator[tuple[Ban, Unban | None, Recorded | None]]:
    """The bans that hold, then the earlier ones. What the store does not know yet is known here."""
    causes = {cause.trigger.id: cause for _, _, cause in about.bans if cause is not None}
    causes |= {one.trigger.id: one for one in _waiting(daemon)}
    holding = [daemon.banning.detailed(ban) for ban in daemon.banning.bans.covering(asked)]
    for ban in holding:
        yield ban, None, causes.get(ban.trigger)
    known = {ban.network for ban in holding}
    for ban, end, cause in about.bans:
        if end is not None:
            yield ban, end, cause
        elif ban.network not in known:  # over, and about to be told to the store
            yield ban, Unban(ban.network, ban.until or daemon.clock(), "over"), cause


def _waiting(daemon: Daemon, text: str = "") -> list[Recorded]:
    """The newest triggers, which the store has not been given yet; with a text those that name it."""
    found = [
        Recorded(seq, trigger, [(name, "undone", None, None) for name in names])
        for seq, trigger, names in daemon.commits.waiting
    ]
    return [one for one in reversed(found) if not text or text in (*one.trigger.key, *one.trigger.fields.values())]


def _ban(daemon: Daemon, ban: Ban, end: Unban | None, cause: Recorded | None) -> Row:
    return {
        "network": ban.network,
        "since": ban.since,
        "until": ban.until,
        "ended": end.ended if end is not None else None,
        "how": end.how if end is not None else None,
        "by": ban.by,
        "times": ban.times,
        "nth": ban.nth,
        "rule": ban.rule,
        "place": _place(daemon, ban.rule),
        "trigger": _trigger(daemon, cause) if cause is not None else None,
    }


def _trigger(daemon: Daemon, one: Recorded) -> Row:
    trigger, rule = one.trigger, daemon.dispatch.rules.get(one.trigger.rule)
    return {
        "rule": trigger.rule,
        "place": _place(daemon, trigger.rule),
        "id": trigger.id,
        "time": trigger.time,
        "late": trigger.late,
        "count": trigger.count,
        "distinct": rule.distinct.field if rule is not None and rule.distinct is not None else None,
        "maxfail": rule.maxfail if rule is not None else None,
        "within": rule.time if rule is not None else None,
        "key": list(trigger.key),
        "fields": dict(trigger.fields),
        "source": trigger.source,
        "ignored": trigger.ignored,
        "actions": [
            {"action": name, "state": state, "result": result, "seconds": seconds, "output": list(one.outputs.get(name, ()))}
            for name, state, result, seconds in one.actions
        ],
    }


def _lines(daemon: Daemon, ban: Ban, cause: Recorded | None) -> Generator[Wait, Any, list[Row]]:
    """The lines that a ban was for, oldest first: of the last trigger those that the log still has, else what was kept."""
    found = list[lookback.Counted]()
    position = _position(daemon, cause.trigger) if cause is not None else None
    if cause is not None and position is not None:
        rule = daemon.dispatch.rules.get(cause.trigger.rule)
        names = [one.name for one in daemon.settings.rules if rule is one or (rule and rule.group and rule.group == one.group)]
        recognisers = [made for name in names if (made := daemon.engine.recogniser(name)) is not None]
        try:
            for line in lookback.counted(cause.trigger, position, recognisers, daemon.clock()):
                if line is None:
                    yield Wait(lambda bring: daemon.loop.call_soon(lambda: bring(None)))
                elif len(found) < _LINES:
                    found.append(line)
        except OSError:
            pass  # the file is gone: what was kept has to do
    last = cause.trigger.message if cause is not None else ""
    kept: list[Row] = [] if found else [{"line": line, "time": None} for line in ban.lines]
    if found or not kept:
        kept = [{"line": one.text, "time": one.time} for one in reversed(found)]
        kept += [{"line": last, "time": cause.trigger.time}] if cause is not None else []
    return kept


def _position(daemon: Daemon, trigger: Trigger) -> Any:
    """Where the file of a trigger's line stands; None: it was no file, or it is gone."""
    name = lookback.stream(trigger)
    for standing in daemon.feeds.standings():
        for position in standing.positions:
            if position.stream == name and position.path:
                return position
    return None


def _keys(daemon: Daemon, rule: Rule, asked: Network) -> Generator[Wait, Any, list[str]]:
    """The keys of a rule's counters that hold an address."""
    addresses = [name for name in rule.key if rule.types.get(name) == "ip"]
    if not addresses:
        return []
    text = canonical(asked)
    if rule.ban is not None and rule.counts_networks and asked.num_addresses == 1:
        text = widened(text, rule.ban.prefix4, rule.ban.prefix6)
    windows = daemon.engine.counters.of(rule)
    if len(rule.key) == 1:
        return [text] if any(windows.state(text)) else []
    found = list[str]()
    for number, key in enumerate(list(windows.keys())):
        if text in key and text in key.split(KEY_JOINT):
            found.append(key)
        if number % _KEYS == _KEYS - 1:
            yield Wait(lambda bring: daemon.loop.call_soon(lambda: bring(None)))
    return found


def _counter(daemon: Daemon, rule: Rule, key: str) -> Row | None:
    """A counter that is not full; None where nothing of it counts any more."""
    windows, now = daemon.engine.counters.of(rule), daemon.clock()
    events, suppressed = windows.state(key)
    living = [(at, weight) for at, weight in events if rule.time is None or at >= now - rule.time]
    if not living and suppressed <= now:
        return None
    is_distinct = isinstance(windows, DistinctWindows)
    return {
        "about": "counter",
        "rule": rule.name,
        "place": str(rule.place),
        "key": key.split(KEY_JOINT),
        "count": len(living) if is_distinct else sum(weight for _, weight in living),
        "distinct": rule.distinct.field if rule.distinct is not None else None,
        "maxfail": rule.maxfail,
        "within": rule.time,
        "times": [at for at, _ in living][-_LINES:],
        "suppressed": suppressed if suppressed > now else None,
    }


def _place(daemon: Daemon, rule: str) -> str | None:
    """Where a rule is written; None: there is none of that name any more."""
    made = daemon.dispatch.rules.get(rule)
    return str(made.place) if made is not None else None
