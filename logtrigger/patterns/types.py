"""Field types: what text a conversion may take, and the one form its value is given.

A *token* is text whose length is settled by where it begins (a number, an address); a *gap* is free text whose length the rest
of the pattern settles. Expressions are `re` source for bytes. Every token is bounded in length, so that trying one costs
constant time wherever it is tried.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"


_GROUP = "[0-9A-Fa-f]{1,4}"
_COLON_AHEAD = "(?=[0-9A-Fa-f]{0,4}:)"


def _ipv6_before_colon() -> str:
    """All text forms of RFC 4291, section 2.2, longest first where one begins another, whatever follows."""
    h = _GROUP
    forms = [f"(?:{h}:){{6}}{IPV4}", f"(?:{h}:){{7}}{h}"]
    for left in range(8):  # groups before the "::", which stands for at least one
        head = f"{h}(?::{h}){{{left - 1}}}" if left else ""
        room = 7 - left
        if room >= 2:
            forms.append(f"{head}::(?:{h}:){{0,{room - 2}}}{IPV4}")
        forms.append(f"{head}::(?:{h}(?::{h}){{0,{room - 1}}})?" if room else f"{head}::")
    return f"{_COLON_AHEAD}(?:{'|'.join(forms)})"


def _ipv6() -> str:
    """The same for an address with no colon or digit behind it, quicker to compile: its groups can be counted ahead."""
    h = _GROUP
    mixed = f"(?!(?::*{h}:+){{6,9}}[0-9]{{1,3}}\\.)(?:{h}(?::{h}){{0,4}})?::(?:{h}:){{0,5}}{IPV4}"
    short = f"(?!(?::*{h}:+){{7}}{h})(?:{h}(?::{h}){{0,6}})?::(?:{h}(?::{h}){{0,6}})?"
    return f"{_COLON_AHEAD}(?:(?:{h}:){{6}}{IPV4}|(?:{h}:){{7}}{h}|{mixed}|{short})"


IPV6 = _ipv6()
_IPV6_BEFORE_COLON = _ipv6_before_colon()
_ZONE = r"(?:%[0-9A-Za-z_](?:[0-9A-Za-z_.-]{0,30}[0-9A-Za-z_])?)?"  # RFC 4007, section 11
_NAME = r"[0-9A-Za-z_](?:[0-9A-Za-z_.-]{0,253}[0-9A-Za-z_])?"  # a host name as logged: RFC 1123 and the underscore
# What must not stand before or behind an address or name, because it would be a part of a longer one.
_BEFORE = r"(?<![0-9A-Za-z_.:%-])"
_BEHIND = r"(?![0-9A-Za-z_%])(?![.-][0-9A-Za-z_])"
_DIGITS = 400  # digits a number may have; int() itself refuses more than 4,300
WIDEST_TOKEN = 2 * _DIGITS + 16  # bytes


def _number(sign: str, digits: str) -> str:
    return rf"{sign}{digits}{{1,{_DIGITS}}}+(?!{digits})"


def _settled(expression: str) -> str:
    """A number takes all it can, whatever the rest of the pattern would like."""
    return f"(?>{expression})"


@dataclass(frozen=True, slots=True)
class FieldType:
    """What a field of this type may hold.

    `before` stands in front of the expression where free text precedes it; `colon` is the expression to use where the pattern
    itself goes on with a colon. A gap has no expression but may exclude characters.
    """

    name: str
    expression: str = ""
    before: str = ""
    colon: str = ""
    excludes: str = ""  # for gaps: a character class that the text must not contain; \x0b, as \v is more than that elsewhere
    normalise: Callable[[bytes], bytes] | None = None
    uneven: bool = False  # begun further right it may end further left
    address: bool = False  # free text before it is the attacker's: read it as long as possible
    conversions: str = "s"  # the scanf letters that may carry it
    loose: str = ""  # for addresses: text that may be one, and may not be extended; quicker to try
    loose_colon: str = ""  # the same where the pattern goes on with a colon
    coarse: str = r"[^\n]+"  # takes all that the expression takes, and needs no lookaround: for engines that only scan

    @property
    def is_gap(self) -> bool:
        return not self.expression


def canonical_ip(raw: bytes) -> bytes:
    """An address that the `ip` expression took, in its one form.

    >>> canonical_ip(b"[::FFFF:192.0.2.1]"), canonical_ip(b"FE80::0:1%eth0")
    (b'192.0.2.1', b'fe80::1')
    """
    if b":" not in raw:
        return raw.strip(b"[]")
    address = ipaddress.IPv6Address(raw.strip(b"[]").partition(b"%")[0].decode("ascii"))
    return str(address.ipv4_mapped or address).encode("ascii")


def _canonical_net(raw: bytes) -> bytes:
    address, _, length = raw.decode("ascii").partition("/")
    return str(ipaddress.ip_network(f"{address}/{length}" if length else address, strict=False)).encode("ascii")


def _canonical_host(raw: bytes) -> bytes:
    return canonical_ip(raw) if b":" in raw else raw.strip(b"[]").lower()


def _canonical_mac(raw: bytes) -> bytes:
    return raw.lower().replace(b"-", b":")


def _address(v6: str) -> str:
    return rf"(?:{IPV4}{_BEHIND}|{v6}|{_BRACKETED})"


def _host(v6: str) -> str:
    return rf"(?:{v6}|{_NAME}(?![0-9A-Za-z_])(?![.-][0-9A-Za-z_])|{_BRACKETED})"


_BRACKETED = rf"\[(?:{IPV6}{_ZONE}|{IPV4})\]"
_LONE6 = rf"{IPV6}{_ZONE}{_BEHIND}(?!:)"
_BEFORE_COLON6 = rf"{_IPV6_BEFORE_COLON}{_ZONE}{_BEHIND}"


_LENGTH4 = "(?:/(?:3[0-2]|[12]?[0-9])(?![0-9]))?"
_LENGTH6 = "(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])(?![0-9]))?"
_NET = rf"(?:{IPV4}{_LENGTH4}{_BEHIND}|{IPV6}{_LENGTH6}{_BEHIND}(?!:))"
_PORT = r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})(?![0-9])"
_NO_DIGIT = "(?<![0-9])"
# All that an address or a name may consist of.
ADDRESS_LETTER = re.compile(rb"[0-9A-Za-z_.:%-]")
_LOOSE = r"(?:[0-9A-Za-z_.:%-]++|\[[0-9A-Za-z_.:%-]++\])"
_LOOSE4 = r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}+(?=:)"  # begins no address of IPv6, nor is more than one of IPv4
_DIGITS_ONLY, _NO_BLANK = "[0-9+-]+", r"[^ \t\r\n\f\x0b]+"

FIELD_TYPES = {
    kind.name: kind
    for kind in (
        FieldType("text"),
        FieldType("word", excludes=r" \t\r\n\f\x0b"),
        FieldType(
            "ip",
            _address(_LONE6),
            _BEFORE,
            colon=_address(_BEFORE_COLON6),
            normalise=canonical_ip,
            address=True,
            loose=_LOOSE,
            loose_colon=f"(?:{_LOOSE4}|{_address(_BEFORE_COLON6)})",
            coarse=_NO_BLANK,
        ),
        FieldType("net", _NET, _BEFORE, normalise=_canonical_net, address=True, coarse=_NO_BLANK),
        FieldType(
            "host",
            _host(_LONE6),
            _BEFORE,
            colon=_host(_BEFORE_COLON6),
            normalise=_canonical_host,
            address=True,
            loose=_LOOSE,
            coarse=_NO_BLANK,
        ),
        FieldType("port", _PORT, _NO_DIGIT, conversions="sdui", coarse=_DIGITS_ONLY),
        FieldType("int", _number("[+-]?", "[0-9]"), _NO_DIGIT, conversions="sduioxXb", coarse=_DIGITS_ONLY),
        FieldType(
            "mac",
            r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![0-9A-Fa-f])(?![:-][0-9A-Fa-f])",
            r"(?<![0-9A-Fa-f:-])",
            normalise=_canonical_mac,
        ),
    )
}

# One character: UTF-8 (RFC 3629), or a byte that is none.
_CHARACTER = r"(?>[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\xff])"
# Free text before it ends with a whole one.
_WHOLE = r"(?:(?![\x80-\xbf])|(?<![\xc2-\xf4])(?<![\xe0-\xf4][\x80-\xbf])(?<![\xf0-\xf4][\x80-\xbf]{2}))"
_INTEGER = _settled(
    rf"[+-]?(?:0[xX]{_number('', '[0-9A-Fa-f]')}|0[bB][01]{{1,{_DIGITS}}}+(?![0-9])"
    rf"|0[0-7]{{0,{_DIGITS}}}+(?![0-9])|[1-9][0-9]{{0,{_DIGITS}}}+(?![0-9]))"
)
# Decimal fractions that are finite whatever they say: a short number may have an exponent up to 299, a long one up to 99.
_FRACTION = rf"(?:\.[0-9]{{1,{_DIGITS}}}+)?+"
_SHORT = rf"(?:[0-9]{{1,8}}+(?![0-9]){_FRACTION}|\.[0-9]{{1,{_DIGITS}}}+)"
_DECIMAL = _settled(
    rf"[+-]?(?:{_SHORT}(?:[eE](?:-[0-9]{{1,9}}|\+?[12]?[0-9]{{1,2}})(?![0-9]))?+"
    rf"|[0-9]{{9,200}}+{_FRACTION}(?:[eE](?:-[0-9]{{1,9}}|\+?[0-9]{{1,2}})(?![0-9]))?+)(?![0-9])"
)

_HEX = _settled(rf"(?:0[xX])?{_number('', '[0-9A-Fa-f]')}")

# The conversions of scanf(3) by letter; the letters and bases are scanf's, the rest is ours.
CONVERSIONS = {
    "s": FIELD_TYPES["text"],
    "d": FieldType("int", _number("[+-]?", "[0-9]"), _NO_DIGIT, coarse=_DIGITS_ONLY),
    "u": FieldType("int", _number("", "[0-9]"), _NO_DIGIT, coarse=_DIGITS_ONLY),
    "i": FieldType("number", _INTEGER, "(?<![0-9A-Za-z])", uneven=True),
    "o": FieldType("octal", rf"[0-7]{{1,{_DIGITS}}}+(?![0-9])", _NO_DIGIT),
    "x": FieldType("hex", _HEX, "(?<![0-9A-Fa-f])"),
    "X": FieldType("hex", _HEX, "(?<![0-9A-Fa-f])"),
    "b": FieldType("binary", _settled(rf"(?:0[bB])?[01]{{1,{_DIGITS}}}+(?![0-9])"), _NO_DIGIT),
    "f": FieldType("float", _DECIMAL, _NO_DIGIT),
    "c": FieldType("text", _CHARACTER, _WHOLE),
}
