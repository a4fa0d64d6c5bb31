"""What fields become on their way into a document."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.ecs.transforms import TRANSFORMS, dn_domain, dn_name


@pytest.mark.parametrize(
    ("dn", "name", "domain"),
    [
        ("CN=DOE john,OU=users,DC=example,DC=org", "DOE john", "example.org"),
        ("uid=bob , ou=People, dc=example , dc=org", "bob", "example.org"),
        (r"CN=Doe\, John,DC=example", "Doe, John", "example"),
        ('CN="Doe, John",DC=example', "Doe, John", "example"),
        (r"CN=J\C3\BCrgen,DC=b\C3\BCro", "Jürgen", "büro"),
        (r"CN=bob\ ,DC=x", "bob ", "x"),
        ("CN=a+SN=b,DC=x", "a", "x"),
        ("cn=bob", "bob", ""),
        ("0.9.2342.19200300.100.1.25=org", "org", "org"),
        ("bob", "bob", ""),
        ("bob, the builder", "bob, the builder", ""),
        ("CN=bob,nonsense", "CN=bob,nonsense", ""),
        ("CN=", "", ""),
        ("", "", ""),
    ],
)
def test_distinguished_names(dn: str, name: str, domain: str) -> None:
    assert (dn_name(dn), dn_domain(dn)) == (name, domain)


@pytest.mark.parametrize("name", ["dn_name", "dn_domain"])
def test_long_names_are_not_kept(name: str) -> None:
    """A client's certificate says what he likes, and a line may have a megabyte."""
    transform = TRANSFORMS[name]
    tracemalloc.start()
    try:
        for number in range(100):
            transform(f"CN={number}{'x' * 50_000},DC=org")
        assert tracemalloc.get_traced_memory()[0] < 1 << 20
    finally:
        tracemalloc.stop()
    assert transform("CN=bob,DC=org") == transform("CN=bob,DC=org") == {"dn_name": "bob", "dn_domain": "org"}[name]


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    for transform in TRANSFORMS.values():
        assert isinstance(transform(text), str)


def test_the_others() -> None:
    found = {name: TRANSFORMS[name](text) for name, text in [("base", "/usr/bin/x"), ("lower", "ÄB"), ("upper", "äb")]}
    assert found == {"base": "x", "lower": "äb", "upper": "ÄB"}
    assert (TRANSFORMS["ip_version"]("::1"), TRANSFORMS["ip_version"]("10.0.0.1")) == ("ipv6", "ipv4")
