"""Field types: what each takes of a line, and the one form its value is given."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logtrigger.patterns import scanf
from logtrigger.patterns.types import CONVERSIONS, FIELD_TYPES, IPV4, IPV6


def taken(kind: str, text: str, *, before: str = "from ", behind: str = " port") -> str | None:
    """What a field of this type holds, free text before it."""
    form, line = scanf.compile(f"%s{before}%s{behind}", ["-", f"v:{kind}"]), f"x{before}{text}{behind}".encode()
    values = form.match(line, 0, len(line))
    return None if values is None else values[0].decode()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("ip", "192.0.2.7", "192.0.2.7"),
        ("ip", "[192.0.2.7]", "192.0.2.7"),
        ("ip", "2001:DB8:0:0::1", "2001:db8::1"),
        ("ip", "[2001:db8::1]", "2001:db8::1"),
        ("ip", "fe80::1%eth0.100", "fe80::1"),
        ("ip", "[fe80::1%en0]", "fe80::1"),
        ("ip", "::ffff:192.0.2.7", "192.0.2.7"),
        ("ip", "::ffff:c000:207", "192.0.2.7"),
        ("ip", "[::FFFF:192.0.2.7]", "192.0.2.7"),
        ("ip", "::192.0.2.7", "::c000:207"),
        ("ip", "::", "::"),
        ("ip", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("ip", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("net", "10.0.0.0/8", "10.0.0.0/8"),
        ("net", "10.1.2.3/8", "10.0.0.0/8"),
        ("net", "10.1.2.3", "10.1.2.3/32"),
        ("net", "2001:DB8::1/32", "2001:db8::/32"),
        ("net", "10.0.0.0/33", None),
        ("net", "2001:db8::/129", None),
        ("host", "WWW.Example.org", "www.example.org"),
        ("host", "my_host-1", "my_host-1"),
        ("host", "192.0.2.7", "192.0.2.7"),
        ("host", "[::FFFF:192.0.2.7]", "192.0.2.7"),
        ("host", "2001:DB8::1", "2001:db8::1"),
        ("host", "-a", None),
        ("host", "a b", None),
        ("host", "a" * 255, "a" * 255),
        ("host", "a" * 256, None),
        ("mac", "AA:bb:CC:dd:EE:ff", "aa:bb:cc:dd:ee:ff"),
        ("mac", "aa-bb-cc-dd-ee-ff", "aa:bb:cc:dd:ee:ff"),
        ("mac", "aa:bb:cc:dd:ee", None),
        ("mac", "aa:bb:cc:dd:ee:ff:00", None),
        ("mac", "aabb.ccdd.eeff", None),
    ],
)
def test_value_has_one_form(kind: str, text: str, value: str | None) -> None:
    assert taken(kind, text) == value


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3", "1.2.3.4.5", "1.2.3.4.", "1.2.3.256", "01.2.3.4", "1.2.3.04", "0x7f.1", "0x7f.0.0.1", "127.1", "2130706433",
        "1.2.3.4x", "1.2.3.4-5", "1.2.3.4%eth0", "1.2.3.4/8", "-1.2.3.4", "a1.2.3.4", "1.2.3.4:22", "[1.2.3.4", "1.2.3.4]",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":::", "12345::1", "::g", "fe80::1%", "fe80::1%\u00e9", "::ffff:1.2.3",
        "\u0661.2.3.4", "\u2460.2.3.4", "1\u3002" + "2.3.4", "\uff11.2.3.4",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    """No octal, no short forms, no other scripts' digits; and nothing that could extend an address may stand beside it.

    A full stop that ends a sentence extends nothing, but here a blank has to follow.
    """
    assert taken("ip", text) is None


@pytest.mark.parametrize("behind", [".", ",", ")", ":", "]", "'", " - x", "...", "\u00e9"])
def test_punctuation_may_follow_an_address(behind: str) -> None:
    assert taken("ip", "192.0.2.7", behind=behind + "!") == "192.0.2.7"
    assert taken("ip", "2001:db8::1", behind=behind + "!") == "2001:db8::1"


@pytest.mark.parametrize("before", ["(", "[", "'", "=", ",", "/", "\u00e9 "])
def test_punctuation_may_precede_an_address(before: str) -> None:
    assert taken("ip", "192.0.2.7", before=before) == "192.0.2.7"


@settings(max_examples=400)
@given(st.text("0123456789abF.:x%", max_size=24) | st.ip_addresses().map(str) | st.ip_addresses(v=6).map(lambda a: a.exploded))
def test_expressions_take_what_the_standard_library_takes(text: str) -> None:
    """`ipaddress` knows what an address is (zones apart)."""
    matched = re.fullmatch(f"(?:{IPV4}|{IPV6})", text) is not None
    try:
        ipaddress.ip_address(text)
    except ValueError:
        assert not matched
    else:
        assert matched or "%" in text


@given(st.ip_addresses())
def test_every_address_is_taken_and_canonical(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    plain = getattr(address, "ipv4_mapped", None) or address
    assert taken("ip", address.exploded) == str(plain)
    assert taken("ip", f"[{address}]") == str(plain)


@pytest.mark.parametrize("name", [*FIELD_TYPES, *CONVERSIONS])
def test_expressions_capture_nothing_themselves(name: str) -> None:
    """A group inside would shift the fields."""
    kind = {**CONVERSIONS, **FIELD_TYPES}[name]
    for expression in (kind.expression, kind.before, kind.colon):
        assert re.compile(expression.encode("latin-1")).groups == 0
