"""How long a ban takes: one more with none, 1,000 and 100,000 present, many at once, and the list of all.

    python -m bench.firewall

As root. Each firewall is measured in a network namespace of its own, in a process of its own, so that nothing of this
machine's is touched. Prints a Markdown table; what is missing here goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from logtrigger.firewall.base import Entry, Firewall
from logtrigger.firewall.iptables import Iptables
from logtrigger.firewall.nftables import Nftables
from logtrigger.loop import Loop
from logtrigger.rule import FirewallOptions

PRESENT = (0, 1000, 100_000)  # bans before one more
ONES = 500  # measured one after the other
BATCHES = (1000, 10_000, 100_000)
FIREWALLS = ("nftables", "iptables-nft", "iptables-legacy")


class Host:
    """A daemon that only has a loop."""

    def __init__(self) -> None:
        self.loop = Loop()

    def report(self, level: int, text: str) -> None:
        print(text, file=sys.stderr)

    def flushed(self) -> None:
        raise AssertionError("nobody else is here")


def make(name: str, host: Host) -> Firewall:
    if name == "nftables":
        return Nftables(FirewallOptions(), host)
    return Iptables(FirewallOptions(), host, name.removeprefix("iptables"))


def addresses() -> Iterator[str]:
    """Ever another."""
    return (f"{10 + (i >> 24)}.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}" for i in range(1, 1 << 31))


def seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def resident() -> float:
    """Of this process, in MiB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def measure(name: str) -> dict[str, float]:
    """All figures of one firewall, in milliseconds (and MiB)."""
    host = Host()
    before = resident()
    firewall = make(name, host)
    fresh = addresses()
    figures = {"set up": seconds(firewall.open) * 1000, "memory, MiB": resident() - before}
    present = 0
    for wanted in PRESENT:
        firewall.add([Entry(next(fresh), 3600.0) for _ in range(wanted - present)])
        host.loop.turn(1)  # the kernel makes its tables larger in the background
        ones = [seconds(lambda: firewall.add([Entry(next(fresh), 3600.0)])) * 1000 for _ in range(ONES)]
        figures[f"one more than {wanted:,}, median"] = statistics.median(ones)
        figures[f"one more than {wanted:,}, 99 %"] = statistics.quantiles(ones, n=100)[98]
        present = max(wanted, present) + ONES
    for size in BATCHES:
        batch = [Entry(next(fresh), 3600.0) for _ in range(size)]
        figures[f"{size:,} at once"] = seconds(lambda batch=batch: firewall.add(batch)) * 1000  # type: ignore[misc]
    figures.update(listed(firewall, host))
    firewall.tear_down()
    firewall.close()
    return figures


def listed(firewall: Firewall, host: Host) -> dict[str, float]:
    """How long the list of all takes, and how long it holds up the loop."""
    host.loop.turn(1)
    answers: list[frozenset[str] | None] = []
    turns: list[float] = []
    begin = time.perf_counter()
    firewall.present(answers.append)
    while not answers:
        turns.append(seconds(lambda: host.loop.turn(1)))
    assert answers[0] is not None
    whole = time.perf_counter() - begin
    return {f"list of {round(len(answers[0]), -4):,}": whole * 1000, "longest hold-up meanwhile": max(turns) * 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--one", choices=FIREWALLS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    results = {}
    for name in FIREWALLS:
        command = ["unshare", "--net", sys.executable, "-m", "bench.firewall", "--one", name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{name}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        else:
            results[name] = json.loads(done.stdout)
    print(f"| milliseconds | {' | '.join(results)} |")
    print(f"|---|{'---:|' * len(results)}")
    for what in next(iter(results.values()), {}):
        values = (figures[what] for figures in results.values())
        print(f"| {what} | {' | '.join(f'{value:.0f}' if value >= 100 else f'{value:.2g}' for value in values)} |")


if __name__ == "__main__":
    main()
