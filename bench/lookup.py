"""How long it takes to tell where an address is: databases named on the command line, maxminddb's reader in C and in Python.

    python -m bench.lookup GeoLite2-City.mmdb GeoLite2-ASN.mmdb

Addresses are random ones of IPv4, each new to the cache. It needs nothing but the package geoip2 and a database.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from logtrigger.geoip import GeoIP

ROUNDS = 7
HOME = {"FI"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    arguments.add_argument("databases", nargs="+", type=Path)
    arguments.add_argument("--addresses", type=int, default=5_000)
    given = arguments.parse_args()
    chosen = random.Random(0)
    addresses = [str(IPv4Address(chosen.getrandbits(32))) for _ in range(given.addresses)]
    print(f"{len(given.databases)} databases together, {len(addresses)} addresses, median of {ROUNDS} rounds:")
    for name, mode in (("in C", 1), ("in Python", 2)):  # maxminddb.MODE_MMAP_EXT and MODE_MMAP
        try:
            measure(name, mode, given.databases, addresses)
        except ValueError as error:
            print(f"reader {name}: {error}", file=sys.stderr)


def measure(name: str, mode: int, databases: Sequence[Path], addresses: Sequence[str]) -> None:
    maxminddb: Any = import_module("maxminddb")
    opens = maxminddb.open_database
    maxminddb.open_database = partial(opens, mode=mode)
    try:
        fresh = [microseconds(opened(databases).look, addresses) for _ in range(ROUNDS)]
        known = opened(databases)
        cached = [microseconds(known.look, addresses) for _ in range(ROUNDS + 1)][1:]
    finally:
        maxminddb.open_database = opens
    print(f"reader {name}: {statistics.median(fresh):.1f} µs a lookup; once more: {statistics.median(cached):.2f} µs")


def opened(databases: Sequence[Path]) -> GeoIP:
    def report(_: int, text: str) -> None:
        raise ValueError(text)

    return GeoIP(databases, report, HOME)


def microseconds(look: Callable[[str], object], addresses: Sequence[str]) -> float:
    """A lookup's share, in processor time: what else the machine does hardly counts."""
    begin = time.process_time()
    for address in addresses:
        look(address)
    return (time.process_time() - begin) / len(addresses) * 1e6


if __name__ == "__main__":
    main()
