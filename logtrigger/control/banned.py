"""Bans: listed, looked up, made and lifted on request."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from logtrigger.addresses import Network, parse_network, unmapped
from logtrigger.config.words import suggestion
from logtrigger.control import evidence
from logtrigger.control.protocol import No, Refused, Rows, Wait
from logtrigger.errors import StoreError
from logtrigger.model import Ban
from logtrigger.within import Within

if TYPE_CHECKING:
    from logtrigger.daemon import Daemon

_BREATH = 500  # bans of others that are passed over at once


def named(user: int) -> str:
    """A user, for logs. Names are not looked up: that may take its time over a network.

    >>> named(0), named(1000)
    ('root', 'user 1000')
    """
    return "root" if user == 0 else f"user {user}"


def bans(daemon: Daemon, user: int, *, networks: Sequence[str] = (), rule: str | None = None, most: int | None = None) -> Rows:
    """A row for each ban, the newest first; with networks those that cover one of these, with what led to them."""
    held = daemon.banning.bans
    if networks:
        found = {one.network: one for network in map(_network, networks) for one in held.covering(network)}
        known = yield evidence.about(daemon, list(found), "")
        recorded = [] if isinstance(known, StoreError) else [cause for _, _, cause in known.bans if cause is not None]
        causes = {one.trigger.id: one for one in [*recorded, *evidence.waiting(daemon)]}
        for one in map(daemon.banning.detailed, found.values()):
            lines = yield from evidence.lines(daemon, one, causes.get(one.trigger))
            yield {**_row(one), "trigger": one.trigger, "lines": [line["line"] for line in lines]}
        if not found:
            raise No(f"{' and '.join(networks)} {'is' if len(networks) == 1 else 'are'} not banned")
        return {"number": len(found)}
    if rule is not None:
        _check_rule(daemon, rule)
    chosen = list(held)[::-1]  # names only: the list may change while it is sent
    number = held.by_rule().get(rule, 0) if rule is not None else len(chosen)
    given = 0
    for looked, network in enumerate(chosen):
        if given == most:
            break
        if rule is not None and looked % _BREATH == _BREATH - 1:
            yield evidence.breath(daemon)
        now = held.get(network)
        if now is not None and rule in (None, now.rule):
            given += 1
            yield {**_row(now), "country": daemon.look(network.partition("/")[0]).get("country", "")}
    return {"number": number}


def ban(daemon: Daemon, user: int, *, network: str, seconds: int | None = None, force: bool = False) -> Rows:
    """Ban a network; 0 seconds, or none said, is for ever. Its row tells what holds now."""
    try:
        held = daemon.banning.ban(network, seconds or None, by=named(user), force=force)
    except ValueError as error:
        raise _refused(error) from None
    unstored = yield from _stored(daemon)
    yield _row(held)
    if unstored is not None:
        raise No(f"{held.network} is banned, but that could not be stored, and is forgotten in a crash: {unstored}")
    if daemon.banning.fault:
        raise No(f"{held.network} is on the list, but the firewall does not block it yet: {daemon.banning.fault}")


def unban(daemon: Daemon, user: int, *, networks: Sequence[str] = (), rule: str | None = None, all: bool = False) -> Rows:
    """Lift bans; a row for each that is lifted."""
    if not networks and rule is None and not all:
        raise Refused("nothing to lift is named", "name addresses or prefixes, a rule, or all")
    if rule is not None:
        _check_rule(daemon, rule)
    held, wanted = daemon.banning.bans, {text: _network(text) for text in networks}
    around = [one.network for network in wanted.values() for one in held.covering(network)]
    try:
        lifted = daemon.banning.unban(networks, rule=rule, all=all, by=named(user))
    except ValueError as error:
        raise _refused(error) from None
    unstored = yield from _stored(daemon)
    for network in lifted:
        yield {"network": network}
    faults = list[str]()
    if wider := [network for network in dict.fromkeys(around) if network in held]:
        faults.append(f"still banned is {' and '.join(wider)}, which lies around: lift that, to let all of it through")
    if unstored is not None:
        faults.append(f"lifted, but that could not be stored, and is forgotten in a crash: {unstored}")
    if daemon.banning.fault:
        faults.append(f"lifted, but the firewall cannot be told yet: {daemon.banning.fault}")
    if faults or not lifted:
        raise No("; ".join(faults) or "nothing of that is banned")
    known = Within(lifted if networks else ())
    return {"not_banned": [text for text, network in wanted.items() if not known.holds_any(network)]}


def _stored(daemon: Daemon) -> Generator[Wait, Any, StoreError | None]:
    """Wait until what was decided is stored, so that no crash undoes what an operator was told; or tell why it is not."""
    while daemon.banning.is_recording:
        yield evidence.breath(daemon)
    found: StoreError | None = yield Wait(daemon.commits.at_once)
    return found


def _network(text: str) -> Network:
    try:
        return unmapped(parse_network(text.strip()))
    except ValueError as error:
        raise _refused(error) from None


def _check_rule(daemon: Daemon, rule: str) -> None:
    known = {*daemon.configuration.origins, *daemon.banning.bans.by_rule()}
    if rule not in known:
        raise Refused(f"no rule is called '{rule[:100]}'", suggestion(rule, known) or "'logtrigger rules' lists them")


def _refused(error: ValueError) -> Refused:
    """What the text says is wrong, and behind the last semicolon or colon what to do."""
    text = str(error)
    for joint in ("; ", ": "):
        fault, found, remedy = text.rpartition(joint)
        if found:
            return Refused(fault, remedy)
    return Refused(text)


def _row(ban: Ban) -> dict[str, object]:
    return {
        "network": ban.network,
        "since": ban.since,
        "until": ban.until,
        "rule": ban.rule,
        "by": ban.by,
        "times": ban.times,
        "nth": ban.nth,
    }
