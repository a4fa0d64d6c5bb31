"""Keeps the firewall at what the bans say: where it fails, or is to be another one, all is brought about anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from logtrigger.bans import Bans
from logtrigger.durations import amount
from logtrigger.errors import FirewallError
from logtrigger.firewall.base import Entry, Firewall, Host
from logtrigger.loop import Timer
from logtrigger.rule import FirewallOptions

_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0  # seconds
_LAST_COMMANDS = 30.0  # seconds that commands have to lift the bans of a firewall that is left

MakeFirewall = Callable[[FirewallOptions, Host], Firewall]


class Upkeep:
    """The firewall in use, and what it is still to be told.

    Args:
        host: the firewall's host.
        bans: what is to be blocked. Whatever changes there is told here, too.
        options: which firewall, and how.
        now: epoch seconds.
        refresh: is called before all is brought about again, a while after it has failed.
        make: makes the firewall that the options ask for.
    """

    def __init__(
        self,
        host: Host,
        bans: Bans,
        options: FirewallOptions,
        now: Callable[[], float],
        refresh: Callable[[], None],
        make: MakeFirewall | None = None,
    ) -> None:
        self.fault = ""  # why the firewall does not do what it should; empty: it does
        self._host, self._bans, self._options, self._now, self._refresh = host, bans, options, now, refresh
        self._make = make or _make
        self._firewall: Firewall | None = None
        self._leaving: Firewall | None = None  # the one before, whose commands may run yet
        self._owed: set[str] = set()  # networks to let through as soon as the firewall works again
        self._owes_all = False  # everything is to be let through
        self._retry_in = _FIRST_RETRY
        self._retry: Timer | None = None

    @property
    def name(self) -> str:
        """The kind of firewall in use; empty: none yet, as nothing was to be blocked."""
        return self._firewall.name if self._firewall is not None else ""

    def take_up(self, options: FirewallOptions) -> None:
        """Use this firewall from now on, where one is in use."""
        older, self._options = self._options, options
        if self._firewall is None or _of_kernel(options) == _of_kernel(older):
            return
        firewall, self._firewall = self._firewall, None
        self._try(firewall.tear_down)
        if firewall.name == "script":  # its commands have only been started
            self._leaving = firewall
        else:
            firewall.close()
        self.fault, self._retry_in = "", _FIRST_RETRY
        self.rebuild()

    def close(self) -> None:
        """Release what the firewall holds open; what is blocked stays blocked."""
        if self._firewall is not None:
            self._firewall.close()

    def owe(self, networks: Iterable[str]) -> None:
        """Let these through with the next `rebuild`."""
        self._owed.update(networks)

    def add(self, entries: list[Entry]) -> None:
        """Block these, which are among the bans by now."""
        if self._firewall is None and not self.fault:
            self.rebuild()  # which adds all there are, these too
        elif not self.fault:
            firewall = self._firewall
            assert firewall is not None
            self._try(lambda: firewall.add(entries))

    def remove(self, networks: Sequence[str]) -> None:
        """Let these through, which are no bans any more."""
        firewall = self._firewall
        if firewall is None or self.fault or not self._try(lambda: firewall.remove(networks)):
            self.owe(networks)
            if firewall is None and not self.fault:
                self.rebuild()

    def clear(self) -> None:
        """Let everything through, whoever put it there."""
        self._owed.clear()
        self._owes_all = True
        self.rebuild()

    def rebuild(self) -> bool:
        """Open the firewall, anew perhaps, and bring it to what it should hold; whether that worked."""
        done = self._try(self._bring)
        if done:
            if self.fault:
                self.fault = ""
                self._host.report(0, f"the firewall works again: {amount(len(self._bans), 'ban')} restored")
            self._retry_in = _FIRST_RETRY
        return done

    def present(self, done: Callable[[frozenset[str] | None], None]) -> None:
        """Call `done` later with the networks that the kernel blocks; None: it cannot be told."""
        try:
            if self._firewall is not None:
                self._firewall.present(done)
                return
        except FirewallError:
            pass  # not open: it will be, in a moment
        self._host.loop.call_soon(lambda: done(None))

    def let_strays_through(self) -> None:
        """Let through what is blocked without being a ban: a run that was killed may have left it before it was stored."""
        self.present(self._let_through)

    def _let_through(self, found: frozenset[str] | None) -> None:
        if strays := [network for network in found or () if network not in self._bans]:
            self._host.report(1, f"{amount(len(strays), 'network')} blocked without a ban, left by an earlier run: let through")
            self.remove(strays)

    def _bring(self) -> None:
        if self._firewall is None:
            self._firewall = self._make(self._options, self._host)
        firewall = self._firewall
        if self._leaving is not None:
            leaving, self._leaving = self._leaving, None
            follow: Callable[[Firewall], bool] = getattr(firewall, "follow", lambda older: False)  # only script's has it
            if not follow(leaving):
                self._host.loop.call_later(_LAST_COMMANDS, leaving.close)
        if self._owes_all:
            firewall.tear_down()
        firewall.open()
        if owed := [network for network in self._owed if network not in self._bans] if not self._owes_all else []:
            firewall.remove(owed)
        if entries := [Entry(network, seconds) for network, seconds in self._bans.remaining(self._now())]:
            firewall.add(entries)
        self._owed.clear()
        self._owes_all = False

    def _try(self, work: Callable[[], None]) -> bool:
        """Do something with the firewall. Where that fails, it is said once, and all is brought about later."""
        try:
            work()
        except Exception as error:  # the edge to code that is not ours, and to a kernel: no line may end the daemon here
            is_known = isinstance(error, FirewallError | OSError)
            fault = str(error) if is_known else f"the firewall fails through a fault of logtrigger's own: {error!r}"
            if not self.fault:
                self._host.report(0, f"{fault}; rules, counters and scripts work on, and bans are tried again")
            self.fault = fault
            if self._retry is None:
                self._retry = self._host.loop.call_later(self._retry_in, self._try_again)
                self._retry_in = min(2 * self._retry_in, _LAST_RETRY)
            return False
        return True

    def _try_again(self) -> None:
        self._retry = None
        self._refresh()
        self.rebuild()


def _of_kernel(options: FirewallOptions) -> FirewallOptions:
    """What a firewall is made by; the rest is for those who decide. Only sets of the kernel's have a size."""
    has_sets = options.backend not in ("script", "null")
    return replace(options, restore=True, guard=True, trial=0.0, max_bans=options.max_bans if has_sets else 0)


def _make(options: FirewallOptions, host: Host) -> Firewall:
    from logtrigger import firewall  # only here: many a configuration bans nobody

    return firewall.make(options, host)
