"""Sets of addresses: what they cover, whatever way an address is written."""

from __future__ import annotations

import ipaddress
import random
import timeit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from logtrigger.addresses import AddressSet, canonical, parse_network, widened


@pytest.mark.parametrize(
    ("members", "address", "is_in"),
    [
        (["10.0.0.0/8"], "10.255.255.255", True),
        (["10.0.0.0/8"], "11.0.0.0", False),
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.8", False),
        (["0.0.0.0/0"], "::1", False),
        (["::/0"], "1.2.3.4", False),
        (["2001:db8::/32", "10.0.0.0/8"], "2001:DB8:0::1", True),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
        (["::ffff:10.0.0.0/104"], "10.1.2.3", True),
        (["::ffff:10.0.0.1"], "10.0.0.1", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["10.0.0.0/8"], "", False),
        (["10.0.0.0/8"], "localhost", False),
        (["10.0.0.0/8"], "010.0.0.1", False),
        ([], "10.0.0.1", False),
    ],
)
def test_membership(members: list[str], address: str, is_in: bool) -> None:
    assert (address in AddressSet(members)) is is_in


@given(
    st.lists(st.builds(lambda a, n: str(ipaddress.ip_network((a, n), strict=False)), st.ip_addresses(v=4), st.integers(0, 32))),
    st.ip_addresses(v=4),
)
def test_set_is_any_of_its_networks(networks: list[str], address: ipaddress.IPv4Address) -> None:
    assert (str(address) in AddressSet(networks)) is any(address in ipaddress.ip_network(text) for text in networks)


def test_equal_sets_are_interchangeable() -> None:
    """Order and spelling make no difference; a frozen rule holds such sets, and may be hashed."""
    one, other = AddressSet(["10.0.0.1", "10.0.0.2/32"]), AddressSet(["10.0.0.2", "10.0.0.1"])
    assert one == other
    assert hash(one) == hash(other)
    assert one != AddressSet(["10.0.0.1"])
    assert one != ["10.0.0.1", "10.0.0.2"]


def test_empty_set_is_false() -> None:
    assert not AddressSet()
    assert AddressSet(["::1"])
    assert repr(AddressSet(["::1"])) == "AddressSet(['::1'])"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.1/8", "'10.0.0.1/8' has bits set behind its prefix; write 10.0.0.0/8"),
        ("10.0.0.0/33", "'10.0.0.0/33' is no address or prefix; write one such as"),
        ("home", "'home' is no address or prefix; write one such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"),
        ("", "'' is no address or prefix"),
    ],
)
def test_mistake_says_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_network(text)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("prefixes", "network", "overlap"),
    [
        ([], "10.0.0.0/8", False),
        (["10.0.0.0/8"], "10.1.0.0/16", True),
        (["10.0.0.0/8"], "10.0.0.0/7", True),
        (["10.1.2.3"], "10.1.0.0/16", True),
        (["10.1.2.3"], "10.1.2.3/32", True),
        (["10.1.2.3"], "10.2.0.0/16", False),
        (["10.1.2.3", "10.1.0.0/24"], "10.1.1.0/24", False),
        (["10.1.2.3"], "2001:db8::/32", False),
        (["2001:db8::7"], "2001:db8::/64", True),
        (["2001:db8::7"], "2001:db8:0:1::/64", False),
        (["255.255.255.255"], "255.0.0.0/8", True),
        (["::ffff:10.1.2.3"], "10.1.0.0/16", True),
    ],
)
def test_overlap(prefixes: list[str], network: str, overlap: bool) -> None:
    assert AddressSet(prefixes).overlaps(parse_network(network)) is overlap


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=8), st.integers(0, 255), st.integers(24, 32))
def test_overlap_is_what_ipaddress_says(prefixes: list[tuple[int, int]], last: int, length: int) -> None:
    def network(last: int, length: int) -> ipaddress.IPv4Network:
        return ipaddress.ip_network((f"192.0.2.{last}", length), strict=False)  # type: ignore[return-value]

    known, asked = [network(*prefix) for prefix in prefixes], network(last, length)
    found = AddressSet(map(str, known))
    assert found.overlaps(asked) == any(one.overlaps(asked) for one in known)


@given(st.ip_addresses(), st.integers(1, 32), st.integers(1, 128))
def test_widened_is_what_ipaddress_says(address: ipaddress.IPv4Address | ipaddress.IPv6Address, four: int, six: int) -> None:
    assume(address not in ipaddress.ip_network("64:ff9b::/96"))
    network = ipaddress.ip_network((str(address), four if address.version == 4 else six), strict=False)
    assert widened(str(address), four, six) == canonical(network)


@pytest.mark.parametrize(
    ("address", "four", "six", "network"),
    [
        ("64:ff9b::c000:207", 32, 64, "64:ff9b::c000:207"),
        ("64:ff9b::c000:207", 24, 64, "64:ff9b::c000:200/120"),
        ("64:ff9b::c000:207", 24, 128, "64:ff9b::c000:207"),
        ("64:ff9b::", 32, 56, "64:ff9b::"),
        ("64:ff9b::1:c000:207", 32, 64, "64:ff9b::/64"),
        ("64:ff9b:1::7", 32, 64, "64:ff9b:1::/64"),
        ("64:ff9b::ffff:ffff", 16, 64, "64:ff9b::ffff:0/112"),
    ],
)
def test_translated_address_is_one_of_ipv4(address: str, four: int, six: int, network: str) -> None:
    """Whoever fails through NAT64 must not get everybody banned who comes that way."""
    assert widened(address, four, six) == network


def test_large_set_is_asked_as_quickly_as_a_small_one() -> None:
    """A hundred thousand prefixes cost at most twice what a hundred do: the best of several, as other work disturbs."""

    def seconds(count: int) -> float:
        chance = random.Random(7)
        lengths = [(24, 8), (20, 12), (28, 4), (32, 0)]
        found = AddressSet(
            str(ipaddress.IPv4Network((chance.getrandbits(32) >> free << free, length)))
            for length, free in (lengths[number % 4] for number in range(count))
        )
        asked = [str(ipaddress.IPv4Address(chance.getrandbits(32))) for _ in range(2_000)]
        return min(timeit.repeat(lambda: sum(address in found for address in asked), number=1, repeat=7))

    assert seconds(100_000) < 2 * seconds(100)
