"""Bans carried out: what triggers and operators want goes to the kernel at once, and to the store with the next commit.

Bans are the truth, the firewall follows: where it fails or somebody empties it, everything that holds is put there again.
"""

from __future__ import annotations

import ipaddress
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from math import inf

from logtrigger.addresses import Network, canonical, parse_network, unmapped, widened
from logtrigger.bans import LINE, WIDEST, Bans, Decision, Outcome
from logtrigger.commits import Commits
from logtrigger.durations import amount, spoken
from logtrigger.errors import StoreError
from logtrigger.escalation import Offenders, lasting
from logtrigger.firewall.base import Entry
from logtrigger.guard import Guard
from logtrigger.ignoring import Ignoring
from logtrigger.loop import Loop, Timer
from logtrigger.model import Ban, Trigger, Unban
from logtrigger.rule import BanOptions, Escalation, FirewallOptions, Rule, Settings
from logtrigger.sparing import Sparing
from logtrigger.store import Store
from logtrigger.text import cut
from logtrigger.upkeep import MakeFirewall, Upkeep

_SETTLE = 0.2  # seconds between a flush and the restoring: whoever flushes may not be done yet
_FORGIVE = 3600.0  # seconds between two looks for earlier bans that do not count any more
_SET = 2.0  # seconds by which a clock is off that somebody has set
_STRAYS = 10.0  # seconds after the start: what is read again by then is banned again
_ROOM = 0.9  # of max_bans: below it there is room again
_NAMED = 10  # networks that are named one by one
_QUIET = 60.0  # seconds after which a flush is the first of a row again
_PATIENT = 5  # flushes of a row that are made good quickly; after them each time is twice as long in coming
_LONGEST = 30.0  # seconds between a flush and the restoring
_AT_ONCE = 1_000  # ends of bans that are recorded in one go
_AGAIN = 2.0  # seconds after which lines of a banned address mean that the firewall may have lost it

Report = Callable[[int, str], None]


class Banning:
    """All bans, and the firewall that carries them out.

    Args:
        store: knows the bans of earlier runs.
        commits: takes every change.
        report: tells the operator.
        clock, monotonic: epoch seconds; seconds that nobody sets.
        dry_run: touch no firewall.
        make: makes the firewall that the options ask for.
    """

    def __init__(
        self,
        loop: Loop,
        settings: Settings,
        store: Store,
        commits: Commits,
        report: Report,
        clock: Callable[[], float],
        *,
        dry_run: bool,
        monotonic: Callable[[], float] = time.monotonic,
        make: MakeFirewall | None = None,
    ) -> None:
        self.loop, self.report = loop, report
        self.bans = Bans(settings.firewall.max_bans)
        self.offenders = Offenders()
        self.guard = Guard(settings.firewall, commits.trusts, report, monotonic)
        self.ignoring = Ignoring(loop, settings, report, self._ignore_changed, self._spared)
        self.sparing = Sparing(loop, self.ignoring)
        self.on_ignore: Callable[[], None] = lambda: None  # hears that the ignore list has changed
        self.on_change: Callable[[Ban | Unban], None] = lambda change: None  # is told of bans that begin and end
        # ... and of a rule's: the ban, whom it is about, the trigger
        self.on_begin: Callable[[Ban, str, Trigger], None] = lambda ban, whom, trigger: None
        self.on_extended: Callable[[Ban], None] = lambda ban: None  # is told of bans that end later than was said
        self.flushes, self.last_flush = 0, 0.0  # by others, since the start; when the last one was
        self._in_a_row, self._row_until = 0, 0.0  # flushes with less than _QUIET between them, in seconds that nobody sets
        self._settings, self._store, self._commits, self._clock = settings, store, commits, clock
        self._dry_run, self._monotonic = dry_run, monotonic
        self._upkeep = Upkeep(self, self.bans, self._options(settings), self._now, self._expire, make)
        self._chance = random.random  # nothing to guard a secret with, but nobody outside can foresee it
        self._offset = clock() - monotonic()
        self._folded: list[str] = []  # part of wider ones, still to be let through by themselves
        self._displaced: list[str] = []  # given up for others, still to be let through
        self._expiry: Timer | None = None
        self._expires_at: float | None = None
        self._restoring = self._crowded = False
        self._unrecorded: deque[tuple[Iterator[str], float, str]] = deque()  # networks that were lifted, when and how

    def start(self) -> None:
        """Put the bans of earlier runs back. Raises StoreError."""
        self.sparing.start()
        self.ignoring.start()
        now = self._now()
        bans, over = self._store.load_bans(now)
        self.bans.restore(bans)
        del bans  # of 100,000 this is some memory, which what follows can use
        self._prepare()
        self.offenders.restore(self._store.load_offenders())
        self.guard.restore(self._store.load_trusts(), now)
        self._check_clock(now)
        self._forgive()
        self._give_up(self.bans.make_room(now))  # there may be fewer than there were in an earlier run
        self._upkeep.owe(self._displaced)
        self._displaced = []
        self._upkeep.owe(over)  # ended while nobody was there, perhaps, to tell a firewall without a clock
        self.loop.call_soon(lambda: self._tell_ended(over))
        self.loop.call_soon(self._lift_ignored)  # the configuration may have changed meanwhile
        if len(self.bans):
            self.report(1, f"restoring {amount(len(self.bans), 'ban')}")
        if len(self.bans) or over or self._settings.bans:
            self._upkeep.rebuild()
            self.loop.call_later(_STRAYS, self._upkeep.let_strays_through)
        self._await_expiry()

    def _tell_ended(self, networks: Iterable[str]) -> None:
        """Of what ended while nobody was there."""
        for network in networks:
            self.on_change(Unban(network, self._now(), "expired"))

    def take_up(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self._settings = settings
        self.bans.most = settings.firewall.max_bans
        self._give_up(self.bans.make_room(self._now()))
        self._make_room()
        self.guard.options = settings.firewall
        self._prepare()
        self.ignoring.take_up(settings)
        self._upkeep.take_up(self._options(settings))
        if settings.bans and not self.backend:
            self._upkeep.rebuild()

    def _options(self, settings: Settings) -> FirewallOptions:
        return FirewallOptions(backend="null") if self._dry_run else settings.firewall

    def _ignore_changed(self) -> None:
        self._lift_ignored()
        self.on_ignore()

    def _lift_ignored(self) -> None:
        wanted = (unmapped(parse_network(text)) for text in self.ignoring.addresses.texts)
        ignored = self.bans.touching(wanted) if len(self.bans) else []
        self._pardon(ignored, "ignored now")
        for network in ignored[:_NAMED]:
            self.report(1, f"{network} is on the ignore list now: no longer banned")
        if more := len(ignored[_NAMED:]):
            self.report(1, f"{amount(more, 'ban')} more of what is on the ignore list now: lifted")

    def _spared(self, address: str) -> None:
        """The command wants this address not to be banned: lift what rules have banned of it."""
        held = [ban.network for ban in self.bans.covering(ipaddress.ip_network(address)) if not ban.by]
        self._pardon(held, "spared by ignore_command")
        for network in held:
            self.report(1, f"{network} is spared by ignore_command: no longer banned")

    def _pardon(self, networks: Sequence[str], how: str) -> None:
        """Lift bans that were wrong: they count for no later one."""
        if networks:
            self._lift(self.bans.lift(networks), how)
            self.offenders.forget(networks)
            self._record_offenders()

    def _prepare(self) -> None:
        if any(rule.ban is not None and rule.ban.widened for rule in self._settings.rules):
            self.bans.prepare_to_fold()

    @property
    def backend(self) -> str:
        """The firewall in use; empty: none yet, as nothing was to be banned."""
        return self._upkeep.name

    @property
    def fault(self) -> str:
        """Why the firewall does not do what it should; empty: it does."""
        return self._upkeep.fault

    @property
    def _in_vain(self) -> str:
        """What to add where somebody is banned, and nobody blocked."""
        if self._dry_run:
            return " (dry run)"
        return " (backend null blocks nothing)" if self._settings.firewall.backend == "null" else ""

    def close(self) -> None:
        """Release what the firewall holds open; what is blocked stays blocked."""
        self.ignoring.close()
        self.sparing.close()
        self._upkeep.close()

    # What rules want

    def meet(self, triggers: Iterable[tuple[Trigger, Rule]]) -> dict[str, str]:
        """Ban what these triggers ban, all at once; gives what is done, in words, by the trigger's id."""
        notes: dict[str, str] = {}
        entries: dict[str, Entry] = {}
        now = 0.0
        for trigger, rule in triggers:
            if rule.trust:
                notes[trigger.id] = self.guard.trust(trigger, rule, self._now())
            if rule.ban is not None:
                now = now or self._now()
                notes[trigger.id] = self._meet(trigger, rule, rule.ban, now, entries)
        self._make_room()
        if entries := {network: entry for network, entry in entries.items() if network in self.bans}:
            self._upkeep.add(list(entries.values()))
        if self._folded:
            folded, self._folded = self._folded, []
            self._upkeep.remove([network for network in folded if network not in self.bans])
        return notes

    def _meet(self, trigger: Trigger, rule: Rule, options: BanOptions, now: float, entries: dict[str, Entry]) -> str:
        address = trigger.fields.get(options.field, "")
        if not address:
            return "not banned: the line has no address"
        age = now - trigger.time
        if age > self._settings.late:
            return f"too late to ban {address}"
        network, why = self._admitted(address, options, now)
        if why:
            self.report(3, f"{trigger.rule}: {network} is not banned: {why}")
            return f"not banned: {network} {why}"
        name = rule.of or trigger.rule
        seconds, nth = self._lasting(network, trigger, name, options)
        held = self.bans.get(network)
        is_banned = held is not None and (held.until is None or held.until > now)
        whole, seconds = seconds, self.guard.shortened(network, trigger, seconds, now, is_banned=is_banned)
        until = None if seconds is None else trigger.time + seconds
        if until is not None and until <= now:
            return f"not banned: {spoken(round(seconds or 0))} for {address} would be over by now"
        line = cut(trigger.message, LINE)
        wish = Ban(network, trigger.time, until, name, trigger=trigger.id, lines=(line,), nth=nth)
        decision = self._decide(wish, now)
        ban = decision.ban
        if options.escalation is not None and seconds == whole:
            self._note_offender(decision, name, options.escalation)
        if decision.outcome is Outcome.NEW and seconds == whole:
            self.on_begin(ban, network if options.widened else address, trigger)
        left = None if ban.until is None else max(ban.until - now, 0.0)
        if decision.outcome is Outcome.FULL:
            return f"not banned: {self._all_asked_for}"
        if decision.outcome is not Outcome.COVERED or now - ban.since > _AGAIN:
            entries[ban.network] = Entry(ban.network, left)
        if not self._dry_run:
            self.ignoring.ask(address)
        if decision.outcome is Outcome.COVERED:
            return f"{ban.network} is banned already, {_for(left)}{' more' * (left is not None)}"
        again = f" (ban number {ban.nth})" if ban.nth > 1 else ""
        folded = self._fold(network, now) if options.widened else ""
        return f"banning {network} {_for(left)}{again}{folded}{self._in_vain}"

    def _fold(self, network: str, now: float) -> str:
        """A prefix is banned: the bans within it that end no later are a part of it now."""
        folded = self.bans.fold(network)
        for one in folded:
            self._ended(Unban(one, now, f"part of {network}"))
        self._folded += folded
        return f" in place of {amount(len(folded), 'ban')} within" if folded else ""

    def _lasting(self, network: str, trigger: Trigger, rule: str, options: BanOptions) -> tuple[float | None, int]:
        """How long a ban is to last (None: for ever), and which one of the network it is."""
        escalation = options.escalation
        if escalation is None:
            return options.seconds, 1
        before = self.offenders.count(network, _scope(escalation, rule), trigger.time)
        held = self.bans.get(network)
        if held is not None and (held.until is None or held.until > trigger.time):
            before = max(0, before - 1)  # the one that holds is no earlier one
        seconds = options.seconds
        return None if seconds is None else lasting(seconds, escalation, before, self._chance()), before + 1

    def _note_offender(self, decision: Decision, rule: str, escalation: Escalation) -> None:
        ban, scope = decision.ban, _scope(escalation, rule)
        until = inf if ban.until is None else ban.until
        if decision.outcome is Outcome.NEW:
            self.offenders.note(ban.network, scope, ban.nth, until, escalation.decay)
        elif decision.outcome is Outcome.EXTENDED:
            self.offenders.until(ban.network, scope, until)
        self._record_offenders()

    def _forgive(self) -> None:
        """Now and then: earlier bans that do not count any more need not be remembered."""
        self.loop.call_later(_FORGIVE, self._forgive)
        self.offenders.expire(self._now())
        self.guard.expire(self._now())
        self._record_offenders()

    def _record_offenders(self) -> None:
        if self.offenders.changed:
            changed, self.offenders.changed = self.offenders.changed, []
            self._commits.offenders(changed)

    def _admitted(self, address: str, options: BanOptions, now: float) -> tuple[str, str]:
        """The network to ban for an address, and what speaks against it.

        Where only others in the same prefix must not be banned, it is the address alone.
        """
        if why := self.sparing.against_address(ipaddress.ip_address(address)):
            return address, why
        network = widened(address, options.prefix4, options.prefix6)
        if network == address:
            return network, ""
        why = self.sparing.against(ipaddress.ip_network(network))
        if not options.widened:
            return (address if why else network), ""
        if not why and self.guard.holds_somebody(network, now):
            why = "holds an address from which somebody has logged in"
        return network, why

    def _decide(self, wish: Ban, now: float) -> Decision:
        if (end := self.bans.next_end()) is not None and end <= now:
            self._expire()  # nobody has woken up for that yet
        decision = self.bans.ban(wish, now)
        self._give_up(decision.displaced)
        if decision.outcome is Outcome.FULL:
            self._say_crowded(f"{self._all_asked_for}: rules ban nobody more (max_bans)")
        else:
            self._commits.ban(decision.ban)
            self._await_expiry()
            if decision.outcome is Outcome.NEW:
                self.on_change(decision.ban)
            elif decision.outcome is Outcome.EXTENDED:
                self.on_extended(decision.ban)
        return decision

    def _give_up(self, unbans: Iterable[Unban]) -> None:
        """These had to go, for others or as there may be fewer now; the firewall is told by `_make_room`."""
        for unban in unbans:
            self._say_crowded(f"more than {amount(self.bans.most, 'ban')}: those that end first are given up (max_bans)")
            self._ended(unban)
            self._displaced.append(unban.network)

    def _say_crowded(self, text: str) -> None:
        """Once, until there is some room again."""
        if not self._crowded:
            self._crowded = True
            self.report(0, text)

    @property
    def _all_asked_for(self) -> str:
        return f"somebody has asked for {amount(len(self.bans), 'ban')}, which is all that max_bans allows"

    def _make_room(self) -> None:
        if self._displaced:
            displaced, self._displaced = self._displaced, []
            self._upkeep.remove(displaced)

    # What operators want

    def ban(self, network: str, seconds: float | None, *, by: str, force: bool = False) -> Ban:
        """Ban an address or prefix; seconds None: for ever. Gives the ban that holds now, for as long or longer.

        Raises:
            ValueError: it is no address, or must not be banned; the text says why. With `force` only the ignore list,
                and what is no address, stand in the way.
        """
        wanted = unmapped(parse_network(network.strip()))
        text = canonical(wanted)
        self._check(wanted, text, force)
        now = self._now()
        until = None if seconds is None else now + seconds
        decision = self._decide(Ban(text, now, until, by=by), now)
        if decision.outcome is Outcome.FULL:
            raise ValueError(f"{self._all_asked_for}: lift some, or raise it")
        ban = decision.ban
        left = None if ban.until is None else max(ban.until - now, 0.0)
        self._make_room()
        self._upkeep.add([Entry(ban.network, left)])
        self.report(1, f"{by}: banning {ban.network} {_for(left)}{self._in_vain}")
        return ban

    def _check(self, network: Network, text: str, force: bool) -> None:
        if network.prefixlen == 0:
            raise ValueError(f"{text} is every address there is")
        if self.ignoring.addresses.overlaps(network):
            raise ValueError(f"{text} {self.sparing.against(network)}: take it from there first")
        if force:
            return
        if network.prefixlen < WIDEST[network.version]:
            raise ValueError(f"{text} is wider than /{WIDEST[network.version]}: say that it is to be forced if you mean it")
        if why := self.sparing.against(network):
            raise ValueError(f"{text} {why}: say that it is to be forced if you mean it")

    def unban(
        self, networks: Sequence[str] = (), *, rule: str | None = None, all: bool = False, by: str = "unbanned"
    ) -> list[str]:
        """Lift bans: of these addresses and of all within these prefixes, of a rule, or all; gives what was lifted.

        What is named is let through by the firewall even where no ban of it is known. An address within a banned prefix
        stays blocked: the prefix is what is to be lifted, see `Bans.covering`.

        Raises:
            ValueError: something is no address or prefix; then nothing is lifted.
        """
        wanted = [unmapped(parse_network(text.strip())) for text in networks]
        if all:
            lifted = self.bans.unban_all()
            self._record(lifted, by)
            if lifted or self.backend:
                self._upkeep.clear()
        else:
            lifted = self.bans.unban(*wanted)
            self.offenders.forget([*lifted, *map(canonical, wanted)], [one for one in wanted if one.num_addresses > 1])
            self._record_offenders()
            lifted += self.bans.unban_rule(rule) if rule is not None else []
            self._record(lifted, by)
            gone = dict.fromkeys([*lifted, *(canonical(network) for network in wanted if network.prefixlen)])
            if gone and (lifted or self.backend):
                self._upkeep.remove(list(gone))
        if lifted:
            self.report(1, f"{by}: {lifted[0] if len(lifted) == 1 else amount(len(lifted), 'ban')} lifted")
        return lifted

    def detailed(self, ban: Ban) -> Ban:
        """The same ban with what led to it: of all but the newest ones only the store knows."""
        if ban.lines or ban.by:
            return ban
        try:
            stored = next((found for found, end in self._store.ban_history(ban.network, 1) if end is None), ban)
        except StoreError:
            return ban
        return replace(ban, trigger=stored.trigger, lines=stored.lines)

    def history(self, network: str, limit: int = 20) -> list[tuple[Ban, Unban | None]]:
        """The bans of this very network, now and earlier, with what led to them; the newest first.

        Raises:
            StoreError: they cannot be read.
        """
        return self._store.ban_history(network, limit)

    # As the firewall's host

    def flushed(self) -> None:
        """Somebody else has emptied the firewall, or a part of it."""
        if not self._restoring:
            self._restoring = True
            self.flushes += 1
            self.last_flush = self._clock()
            now = self._monotonic()
            self._in_a_row = self._in_a_row + 1 if now < self._row_until else 1
            doublings = min(max(0, self._in_a_row - _PATIENT), 16)
            wait = min(_SETTLE * 2**doublings, _LONGEST)  # two who flush each other come to rest
            self._row_until = now + wait + _QUIET
            self.loop.call_later(wait, self._after_flush)

    def _after_flush(self) -> None:
        self._restoring = False
        said = "somebody has removed our bans from the firewall"
        if self._in_a_row > _PATIENT:
            said += f", {self._in_a_row} times in a row (logtrigger doctor may know who)"
        if self._settings.firewall.restore:
            self._expire()
            if self._upkeep.rebuild():
                self.report(0, f"{said}: {amount(len(self.bans), 'ban')} restored")
            return
        lifted = self.bans.unban_all()
        self._record(lifted, "firewall flushed")
        self._upkeep.clear()
        self.report(0, f"{said}: {amount(len(lifted), 'ban')} dropped (on_flush forget)")

    def present(self, done: Callable[[frozenset[str] | None], None]) -> None:
        """Call `done` later with the networks that the kernel blocks; None: it cannot be told."""
        self._upkeep.present(done)

    # Time

    def clock_was_set(self) -> None:
        """Bans move along at once, before anybody asks for them."""
        self._now()

    def _now(self) -> float:
        """Epoch seconds. Where the clock was set, bans last as long as they were to: so do those in the kernel."""
        now = self._clock()
        drift = now - self._monotonic() - self._offset
        if abs(drift) > _SET:
            self._offset += drift
            self._shift(drift)
            if len(self.bans):
                why = "it was set, or the machine has slept"
                self.report(1, f"the clock jumped by {drift:+.0f} s ({why}): {amount(len(self.bans), 'ban')} moved along")
        return now

    def _shift(self, seconds: float) -> None:
        """What remains of everything stays the same."""
        self.bans.shift(seconds)
        if self._expires_at is not None:
            self._expires_at += seconds
        self.guard.shift(seconds)
        self.offenders.shift(seconds)
        self._record_offenders()
        for network in self.bans:
            if ban := self.bans.get(network):
                self._commits.ban(ban)

    def _check_clock(self, now: float) -> None:
        """Bans that begin in the future say that the clock is behind: a router's is, until somebody tells it the time.

        Without this, bans would last longer by that much, and by as much again once the clock is set.
        """
        newest = self.bans.newest()
        if newest is not None and newest > now + _SET:
            self._shift(now - newest)
            self.report(1, f"the clock is behind by {spoken(round(newest - now))} or more: bans keep what was left of them")

    def _await_expiry(self) -> None:
        """Wake up when the next ban is over, a little later perhaps: several end together then."""
        end = self.bans.next_end()
        if end is None or (self._expiry is not None and self._expires_at is not None and self._expires_at <= end):
            return
        if self._expiry is not None:
            self._expiry.cancel()
        self._expires_at = end
        self._expiry = self.loop.call_later(max(0.5, end - self._clock() + 0.1), self._on_expiry)

    def _on_expiry(self) -> None:
        self._expiry = self._expires_at = None
        self._expire()
        self._await_expiry()

    def _expire(self) -> None:
        for unban in self.bans.expire(self._now()):
            self._ended(unban)
        if len(self.bans) < _ROOM * self.bans.most:
            self._crowded = False

    @property
    def is_recording(self) -> bool:
        """Whether ends of bans are still to be handed to the store."""
        return bool(self._unrecorded)

    def record_all(self) -> None:
        """Hand them to the store now: there is no later."""
        while self._unrecorded:
            self._record_some()

    def _record(self, lifted: Iterable[str], how: str) -> None:
        """Tell everybody of what was lifted; of very many at once a part at a time, so that others get their turn."""
        now, is_recording = self._now(), self.is_recording
        self._unrecorded.append((iter(lifted), now, how))
        if not is_recording:
            self._record_some()

    def _record_some(self) -> None:
        left = _AT_ONCE
        while left and self._unrecorded:
            networks, ended, how = self._unrecorded[0]
            some = list(islice(networks, left))
            if len(some) < left:
                self._unrecorded.popleft()
            left -= len(some)
            for network in some:
                if network not in self.bans:  # else it is banned anew meanwhile
                    self._ended(Unban(network, ended, how))
        if self._unrecorded:
            self.loop.call_soon(self._record_some)

    def _ended(self, unban: Unban) -> None:
        self._commits.ban(unban)
        self.on_change(unban)

    def _lift(self, lifted: Sequence[str], how: str) -> None:
        self._record(lifted, how)
        if lifted:
            self._upkeep.remove(lifted)


def _scope(escalation: Escalation, rule: str) -> str:
    return rule if escalation.per_rule else ""


def _for(seconds: float | None) -> str:
    return "for ever" if seconds is None else f"for {spoken(max(1, round(seconds)))}"
