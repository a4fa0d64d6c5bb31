"""Sets of addresses: what they cover, whatever way an address is written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.addresses import AddressSet, parse_network


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
