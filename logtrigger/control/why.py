"""Why an address is banned, was banned, or is not: all that is known of it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from logtrigger.addresses import Network, canonical, parse_network, unmapped, widened
from logtrigger.control import evidence
from logtrigger.control.protocol import No, Refused, Row, Rows, Wait
from logtrigger.distinct import DistinctWindows
from logtrigger.errors import StoreError
from logtrigger.model import Ban, Unban
from logtrigger.recognise import KEY_JOINT
from logtrigger.rule import Rule
from logtrigger.store import About, Recorded
from logtrigger.trusts import ON_TRIAL
from logtrigger.watch import OWN_PROGRAM
from logtrigger.within import Within

if TYPE_CHECKING:
    from logtrigger.daemon import Daemon

_KEYS = 5_000  # of a rule's counters that are looked through at once
_BANS = 20_000  # of all bans
_NAMED = 10  # bans within a prefix
_ADDRESSES = frozenset(("ip", "net", "host"))  # types of fields

Unstored = Mapping[str, Sequence[Ban | Unban]]


def why(daemon: Daemon, user: int, *, network: str) -> Rows:
    """Rows of several kinds, as their `about` says: the address, its bans, other triggers, counters that are not full."""
    try:
        asked = unmapped(parse_network(network.strip()))
    except ValueError as error:
        fault, _, remedy = str(error).partition("; ")
        raise Refused(fault, remedy) from None
    text = canonical(asked)
    inner = yield from _inner(daemon, asked)
    yield {**_address(daemon, asked), "within": {"number": len(inner), "networks": inner[:_NAMED]}}
    names = _names(daemon, asked)
    unstored = {name: daemon.commits.unstored_bans(name) for name in names}
    about = yield evidence.about(daemon, names, text)
    if isinstance(about, StoreError):
        raise Refused(str(about))
    seen = len(inner)
    told = set[str]()
    for ban, end, cause in _bans(daemon, asked, about, unstored):
        seen += 1
        told.add(ban.trigger)
        yield {"about": "ban", **_ban(daemon, ban, end, cause), "lines": (yield from evidence.lines(daemon, ban, cause))}
    for one in [*evidence.waiting(daemon, text), *about.triggers]:
        if one.trigger.id not in told:
            seen += 1
            told.add(one.trigger.id)
            yield {"about": "trigger", **_trigger(daemon, one), "lines": [{"line": one.trigger.message, "time": None}]}
    doubtful = []
    for rule in daemon.settings.rules:
        keys = yield from _keys(daemon, rule, asked)
        if _counts_otherwise(rule) and len(daemon.engine.counters.of(rule)):
            keys = [KEY_JOINT.join(key) for key in (yield from evidence.keys(daemon, rule, text))]
            doubtful += [] if keys else [rule]
        for key in keys:
            if (row := _counter(daemon, rule, key)) is not None:
                seen += 1
                yield row
    if doubtful:
        rules = [{"rule": rule.name, "place": str(rule.place), "key": list(rule.key)} for rule in doubtful]
        yield {"about": "doubt", "rules": rules}
    if not seen:
        counting = "no rule that counts by address" if doubtful else "no rule"
        raise No(f"nothing is known of {text}: no ban, now or earlier, no trigger, and {counting} has counted it lately")


def _inner(daemon: Daemon, asked: Network) -> Generator[Wait, Any, list[str]]:
    """The bans within a prefix, itself left out."""
    if asked.num_addresses == 1:
        return []
    found, held = list[str](), list(daemon.banning.bans)
    for begin in range(0, len(held), _BANS):
        if begin:
            yield evidence.breath(daemon)
        found += Within(held[begin : begin + _BANS]).find(asked)
    return [name for name in found if name in daemon.banning.bans]


def _address(daemon: Daemon, asked: Network) -> Row:
    """What holds of an address whatever it did."""
    banning, now = daemon.banning, daemon.clock()
    entry = banning.ignoring.addresses.entry(asked)
    address = str(asked.network_address) if asked.num_addresses == 1 else ""
    names = _names(daemon, asked)
    on_trial = max(banning.guard.trusts.until(name, ON_TRIAL) for name in names)
    return {
        "about": "address",
        "network": canonical(asked),
        "banned": [ban.network for ban in banning.bans.covering(asked)],
        "never": banning.sparing.against(asked),
        "ignore": entry,
        "ignore_from": _ignored_from(daemon, entry) if entry else None,
        "ignored_by": [
            {"rule": rule.name, "place": str(rule.place), "entry": rule.ignore.entry(asked)}
            for rule in daemon.settings.rules
            if rule.ignore and rule.ignore.entry(asked)
        ],
        "earlier": [
            {"network": name, "scope": scope, "bans": count}
            for name in names
            for scope, count in banning.offenders.counts(name, now)
        ],
        "trusted": sorted(banning.guard.trusts.users(canonical(asked), now)),
        "tried": on_trial if on_trial > now else None,
        "place": dict(daemon.look(address)) if address else {},
    }


def _ignored_from(daemon: Daemon, entry: str) -> Row:
    """Where an entry of the ignore list stands, and how it came to be one."""
    kind, found = daemon.banning.ignoring.origin(entry)
    place = found if kind == "file" else str(daemon.configuration.ignored.get(found, "")) or None
    return {"kind": kind, "name": found if kind == "name" else None, "place": place}


def _names(daemon: Daemon, asked: Network) -> list[str]:
    """The networks that a ban of this address may have been one of."""
    found = [ban.network for ban in daemon.banning.bans.covering(asked)]
    if asked.num_addresses == 1:
        address = str(asked.network_address)
        widths = {(32, 64), *((rule.ban.prefix4, rule.ban.prefix6) for rule in daemon.settings.rules if rule.ban)}
        found += [widened(address, *width) for width in sorted(widths)]
    return list(dict.fromkeys([canonical(asked), *found]))


def _bans(
    daemon: Daemon, asked: Network, about: About, unstored: Unstored
) -> Iterator[tuple[Ban, Unban | None, Recorded | None]]:
    """The bans that hold, then the earlier ones. What the store did not know when it was asked is known here."""
    causes = {cause.trigger.id: cause for _, _, cause in about.bans if cause is not None}
    causes |= {one.trigger.id: one for one in evidence.waiting(daemon)}
    holding = [daemon.banning.detailed(ban) for ban in daemon.banning.bans.covering(asked)]
    for ban in holding:
        yield ban, None, causes.get(ban.trigger)
    known = {ban.network for ban in holding}
    fresh = {name: [*unstored.get(name, ()), *daemon.commits.unstored_bans(name)] for name in _names(daemon, asked)}
    told = set[tuple[str, float]]()
    for changes in fresh.values():
        for ban, ended in _pairs(changes):
            told.add((ban.network, ban.since))
            yield ban, ended, causes.get(ban.trigger)
    for ban, end, cause in about.bans:
        if end is not None:
            yield ban, end, cause
        elif ban.network not in known and (ban.network, ban.since) not in told:  # over, and about to be told to the store
            over = min(ban.until or daemon.clock(), daemon.clock())
            last = next((one for one in fresh.get(ban.network, ()) if isinstance(one, Unban)), None)
            yield ban, last or Unban(ban.network, over, "over"), cause


def _pairs(changes: Sequence[Ban | Unban]) -> Iterator[tuple[Ban, Unban]]:
    """Bans that have begun and ended meanwhile, the newest first."""
    pairs = list[tuple[Ban, Unban]]()
    for before, after in zip(changes, changes[1:], strict=False):
        if isinstance(before, Ban) and isinstance(after, Unban) and (before, after) not in pairs:
            pairs.append((before, after))
    return reversed(pairs)


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
        "state": trigger.state,
        "actions": [
            {"action": name, "state": state, "result": result, "seconds": seconds, "output": list(one.outputs.get(name, ()))}
            for name, state, result, seconds in one.actions
        ],
    }


def _counts_otherwise(rule: Rule) -> bool:
    """Whether addresses are in a rule's events, but in none of its keys."""
    return not any(rule.types.get(name) in _ADDRESSES for name in rule.key) and not _ADDRESSES.isdisjoint(rule.types.values())


def _keys(daemon: Daemon, rule: Rule, asked: Network) -> Generator[Wait, Any, list[str]]:
    """The keys of a rule's counters that hold an address."""
    if not any(rule.types.get(name) in _ADDRESSES for name in rule.key):
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
            yield evidence.breath(daemon)
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
        "key": key.split(KEY_JOINT) if rule.key else [],
        "count": len(living) if is_distinct else sum(weight for _, weight in living),
        "distinct": rule.distinct.field if rule.distinct is not None else None,
        "maxfail": rule.maxfail,
        "within": rule.time,
        "times": [at for at, _ in living][-evidence.LINES :],
        "suppressed": suppressed if suppressed > now else None,
    }


def _place(daemon: Daemon, rule: str) -> str | None:
    """Where a rule is written; None: there is none of that name any more."""
    if rule == OWN_PROGRAM and rule not in daemon.dispatch.rules:
        return str(daemon.settings.path)  # where notices are asked for
    made = daemon.dispatch.rules.get(rule)
    return str(made.place) if made is not None else None
