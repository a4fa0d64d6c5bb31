"""The user's own commands block and unblock: for a firewall that we do not know.

They get canonical addresses only, as whole words or parts of words, and no shell sees them. A command that is not told the
time cannot end a ban, so that is done here.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Sequence

from logtrigger.errors import FirewallError
from logtrigger.firewall.base import Entry, Firewall, Host
from logtrigger.firewall.children import Children, Ended, find_program
from logtrigger.firewall.networks import Network, whole_seconds
from logtrigger.loop import Timer
from logtrigger.rule import FirewallOptions

NAME = "script"
_TIME = "{seconds}"
_SAME = 1.0  # seconds by which two ends differ that are one for a command, which is told whole seconds
_SPARE = 1_000


class Script:
    """Runs a command for each ban and each end of one, in their order, without waiting for them.

    A network that is banned already is not banned again, unless the command is told the seconds, and its end has been put off.
    When a ban's time is over, the command of its end is run, if there is one. What another process has banned nobody knows.
    """

    name = NAME

    def __init__(self, options: FirewallOptions, host: Host) -> None:
        self._ban, self._unban, self._flush = options.ban, options.unban, options.flush
        self._host = host
        self._children = Children(host.loop)
        self._ends: dict[str, float] = {}  # on the monotonic clock
        self._due: list[tuple[float, str]] = []  # a heap of the above; what does not agree with them is of no interest
        self._timer: Timer | None = None

    def open(self) -> None:
        """Raises FirewallError where a command is missing."""
        if not self._ban:
            raise FirewallError("option backend 'script' needs a command: option ban '/path/of/a/program {ip}'")
        for command in filter(None, (self._ban, self._unban, self._flush)):
            try:
                find_program(command[0])
            except FileNotFoundError:
                raise FirewallError(f"{command[0]} is not there, or is no program (chmod +x)") from None

    def add(self, entries: Sequence[Entry]) -> None:
        now = time.monotonic()
        timed = any(_TIME in word for word in self._ban)
        for entry in entries:
            before = self._ends.get(entry.network, -math.inf)
            known = before > now
            end = math.inf if entry.seconds is None else now + entry.seconds
            command = filled(self._ban, entry)  # first, since it refuses what is no network
            if known and (end == before or abs(end - before) < _SAME):
                continue  # it was told so: lines of one that goes on all the same shall not make others wait
            self._ends[entry.network] = end
            if end < math.inf:
                self._due_at(end, entry.network)
            if timed or not known:
                self._run(command, entry, f"cannot ban {entry.network}")
        self._wait()

    def remove(self, networks: Sequence[str]) -> None:
        for network in networks:
            self._ends.pop(network, None)
            if self._unban:
                entry = Entry(network, None)
                self._run(filled(self._unban, entry), entry, f"cannot unban {network}")

    def present(self, done: Callable[[frozenset[str] | None], None]) -> None:
        self._host.loop.call_soon(lambda: done(None))

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._children.close()

    def tear_down(self) -> None:
        """Only starts the commands: they end later."""
        if self._flush:
            self._children.run(self._flush, lambda ended: self._told(ended, "cannot flush"))
        else:
            self.remove(list(self._ends))
        self._ends.clear()
        self._due.clear()

    def follow(self, older: Firewall) -> bool:
        """Run our commands after those that another of our kind has still to run; whether it is of our kind."""
        if isinstance(older, Script):
            self._children = older._children
            return True
        return False

    def _run(self, command: Sequence[str], entry: Entry, fault: str) -> None:
        self._children.run(command, lambda ended: self._told(ended, fault), variables(entry))

    def _told(self, ended: Ended, fault: str) -> None:
        if ended.code:
            self._host.report(0, f"{fault}: {ended}")

    def _due_at(self, end: float, network: str) -> None:
        heapq.heappush(self._due, (end, network))
        if len(self._due) > 2 * len(self._ends) + _SPARE:  # mostly ends that have been put off since
            self._due = [(at, name) for name, at in self._ends.items() if at < math.inf]
            heapq.heapify(self._due)

    def _wait(self) -> None:
        if self._due and (self._timer is None or self._due[0][0] < self._timer.due):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._host.loop.call_later(max(0.0, self._due[0][0] - time.monotonic()), self._end)

    def _end(self) -> None:
        """Unban those whose time is over."""
        self._timer = None
        now = time.monotonic()
        over = []
        while self._due and self._due[0][0] <= now:
            end, network = heapq.heappop(self._due)
            if self._ends.get(network) == end:
                over.append(network)
        self.remove(over)
        self._wait()


def filled(command: Sequence[str], entry: Entry) -> list[str]:
    """The command for one network. Raises FirewallError where it is none.

    >>> filled(["/bin/ban", "{ip}", "--for={seconds}"], Entry("192.0.2.7", 60.0))
    ['/bin/ban', '192.0.2.7', '--for=60']
    """
    words = {name.removeprefix("LT_"): value for name, value in variables(entry).items()}
    return [_filled(word, words) for word in command]


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():  # no value holds a brace
        word = word.replace("{" + name + "}", value)
    return word


def variables(entry: Entry) -> dict[str, str]:
    """What is known of a ban; 0 seconds: for ever, or its end.

    >>> variables(Entry("2001:db8::/64", None))
    {'LT_ip': '2001:db8::', 'LT_prefix': '64', 'LT_network': '2001:db8::/64', 'LT_version': '6', 'LT_seconds': '0'}
    """
    network = Network.of(entry.network)
    return {
        "LT_ip": network.address,
        "LT_prefix": str(network.prefix),
        "LT_network": f"{network.address}/{network.prefix}",
        "LT_version": str(network.version),
        "LT_seconds": "0" if entry.seconds is None else str(whole_seconds(entry.seconds)),
    }


def make(options: FirewallOptions, host: Host) -> Script:
    return Script(options, host)
