"""Networks within a wider one: as a plain search finds them."""

from __future__ import annotations

import ipaddress
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.addresses import Network, canonical
from logtrigger.within import Prefixes, Within

SMALL4 = st.builds(
    lambda n, p: ipaddress.ip_network((0xC0000200 + n, p), strict=False), st.integers(0, 1023), st.integers(20, 32)
)
SMALL6 = st.builds(
    lambda n, p: ipaddress.ip_network(((0x20010DB8 << 96) + (n << 60), p), strict=False),
    st.integers(0, 255),
    st.integers(48, 128),
)


@given(st.lists(st.tuples(st.booleans(), SMALL4 | SMALL6), max_size=40), SMALL4 | SMALL6)
def test_as_a_plain_search(steps: list[tuple[bool, Network]], wanted: Network) -> None:
    known, plain = Within(), set[Network]()
    for is_added, network in steps:
        if is_added and network not in plain:
            known.add(canonical(network))
            plain.add(network)
        elif not is_added:
            known.discard(canonical(network))
            plain.discard(network)
    inner = {canonical(n) for n in plain if n.version == wanted.version and n != wanted and n.subnet_of(wanted)}  # type: ignore[arg-type]
    assert set(known.find(wanted)) == inner
    assert known.holds_any(wanted) == bool(inner or wanted in plain)
    assert set(Within(map(canonical, plain)).find(wanted)) == inner


def test_memory() -> None:
    known = Within(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(100_000))
    assert sum(map(sys.getsizeof, known._numbers.values())) < 1_000_000


@pytest.mark.parametrize("network", ["192.0.2.0/24", "2001:db8::/56"])
def test_nothing_known(network: str) -> None:
    assert Within().find(ipaddress.ip_network(network)) == []


ANY4 = st.builds(
    lambda n, p: ipaddress.ip_network((n, p), strict=False), st.sampled_from([0, 0x0A010203, 0xC0000207]), st.integers(1, 32)
)


@given(st.lists(SMALL4 | SMALL6 | ANY4, max_size=12), SMALL4 | SMALL6 | ANY4)
def test_prefixes_hold_what_ipaddress_says(prefixes: list[Network], asked: Network) -> None:
    wanted = any(one.version == asked.version and asked.subnet_of(one) for one in prefixes)  # type: ignore[arg-type]
    assert Prefixes(prefixes).hold(canonical(asked)) is wanted
