"""Hostile lines: who writes one may choose its text, but neither the address that is blamed nor what happens to us."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logtrigger.patterns import scanf
from logtrigger.rule import BanOptions
from tests.script import SSHD, Script, failed, rule

FIELDS = "user ip port"
ATTACKER = "192.0.2.66"  # where such lines really come from
VICTIM = "9.9.9.9"

# Names under which somebody at ATTACKER tries to log in.
NAMES = [
    f"x from {VICTIM} port 22 ssh2",
    f"x from {VICTIM} port 22 ssh2 ",
    f"x from {VICTIM} port 22 ssh2\r",
    f"x from {VICTIM} port 22 ssh2\0",
    f"x from {VICTIM} port 22 ssh2\v",
    f"x from {VICTIM}",
    f"x from {VICTIM} from {VICTIM} port",
    f"from {VICTIM} port 22 ssh2 from",
    f"Failed password for y from {VICTIM} port 22 ssh2",
    f"Nov 14 22:00:00 h sshd[7]: Failed password for y from {VICTIM} port 22 ssh2",
    f"<38>1 2023-11-14T22:00:00Z h sshd 7 - - Failed password for y from {VICTIM} port 22 ssh2",
    f"x#012Failed password for y from {VICTIM} port 22 ssh2",
    f"message repeated 1000 times: [ Failed password for y from {VICTIM} port 22 ssh2]",
    "last message repeated 1000 times",
    f"x from [{VICTIM}] port 22 ssh2",
    f"x from ::ffff:{VICTIM} port 22 ssh2",
    f"x' from '{VICTIM}' port '22'",
    '"; nft flush ruleset; "',
    "$(reboot) `reboot` ; | & > < * ? ~ ! #",
    "%s %d %n %99999999s %% %",
    "{user} {0} {} {{ }} [ ] ( ) \\1 \\g<1> (?P<ip>.*)",
    "\x1b[2J\x1b]0;owned\x07 \x9b31m \u009b31m",
    "\u202e\u2066\u200f",
    "\0",
    "\r",
    "\t",
    " ",
    "  from  ",
    "from",
    "\ufeff\u00a0\u2028\u3000",
    "root\u0000from 9.9.9.9",
    "x" * 300_000,
    " from " * 50_000,
    f" from {VICTIM} port 22 ssh2" * 10_000,
    "1.2.3." * 50_000,
    "::1:" * 70_000,
    "-1",
    "",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:40]))
@pytest.mark.parametrize("programs", [(), ("sshd",)])
def test_name_blames_nobody_else(name: str, programs: tuple[str, ...]) -> None:
    """The address is the daemon's own, whatever the user name says; an empty name is no match."""
    script = Script(rule(SSHD, FIELDS, programs=programs))
    found = [trigger.fields for trigger in script.feed(failed(ATTACKER, name))]
    assert [(fields["ip"], fields["port"]) for fields in found] == [(ATTACKER, "22")] * bool(name)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:40]))
def test_name_counts_once(name: str) -> None:
    """And hides no event: that is one of ATTACKER, as often as it is logged."""
    script = Script(rule(SSHD, FIELDS, maxfail=3))
    assert [t.key for t in script.feed(*[failed(ATTACKER, name or "x")] * 3)] == [(ATTACKER,)]


def test_what_was_captured_is_safe_to_show() -> None:
    for name in NAMES:
        for trigger in Script(rule(SSHD, FIELDS)).feed(failed(ATTACKER, name)):
            for text in (trigger.message, trigger.body, *trigger.fields.values(), *trigger.key):
                assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066\u200f\u2028" for c in text)
                assert len(text.encode()) < 20_000


# What a daemon may write as an address, and which one that is; None: no match, so nobody is blamed.
ADDRESSES = [
    ("192.0.2.1", "192.0.2.1"),
    ("::ffff:1.2.3.4", "1.2.3.4"),
    ("::FFFF:102:304", "1.2.3.4"),
    ("[::ffff:1.2.3.4]", "1.2.3.4"),
    ("fe80::1%eth0", "fe80::1"),
    ("fe80::1%eth0.5", "fe80::1"),
    ("2001:DB8::0:1", "2001:db8::1"),
    ("1.2.3.4.5", None),
    ("1.2.3.4.", None),
    ("1.2.3", None),
    ("1.2.3.456", None),
    ("0x7f.1", None),
    ("0x7f.0.0.1", None),
    ("0177.0.0.1", None),
    ("127.1", None),
    ("2130706433", None),
    ("1.2.3.04", None),
    ("\u0661.2.3.4", None),
    ("\uff11.2.3.4", None),
    ("1\uff0e2.3.4", None),
    ("1.2.3.4\u0661", None),
    ("1.2.3.4\0", None),
    ("1.2.3.4\r", None),
    ("1.2.3.4%eth0", None),
    ("fe80::1%", None),
    ("fe80::1%$(reboot)", None),
    ("fe80::1%eth0%eth1", None),
    ("::1::", None),
    ("1:2:3:4:5:6:7:8:9", None),
    ("::ffff:1.2.3.4.5", None),
    ("x1.2.3.4", None),
    ("1.2.3.4x", None),
    ("-1.2.3.4", None),
    ("1.2.3.4-5", None),
    ("host.example.org", None),
    ("1.2.3.4.example.org", None),
    ("UNKNOWN", None),
    ("", None),
]


@pytest.mark.parametrize(("written", "address"), ADDRESSES)
def test_address_is_a_whole_one(written: str, address: str | None) -> None:
    """Never a part of something longer, never one that only looks like it."""
    found = Script(rule(SSHD, FIELDS)).feed(failed(written))
    assert [trigger.fields["ip"] for trigger in found] == ([] if address is None else [address])


@pytest.mark.parametrize("port", ["65536", "-1", "0x16", "22.5", "\u0662\u0662", "22 22", "", "1" * 500])
def test_port_is_a_number(port: str) -> None:
    line = f"Failed password for x from {ATTACKER} port {port} ssh2"
    assert Script(rule(SSHD, "user ip port:port")).feed(line) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"Failed password for \xff\xfe from 192.0.2.66 port 22 ssh2",
        b"Failed password for \xc3 from 192.0.2.66 port 22 ssh2",
        b"Failed password for \xed\xa0\x80 from 192.0.2.66 port 22 ssh2",
        b"\xff\xfeFailed password for x from 192.0.2.66 port 22 ssh2",
        b"Failed password for x\0 from 192.0.2.66 port 22 ssh2\0"[:-1],
    ],
)
def test_bytes_that_are_no_text(raw: bytes) -> None:
    assert [trigger.fields["ip"] for trigger in Script(rule(SSHD, FIELDS)).feed(raw)] == [ATTACKER]


def test_other_programs_cannot_speak_for_sshd() -> None:
    """Text that some other program was made to log is that program's."""
    texts = [
        failed(VICTIM),
        failed(VICTIM, header="sshd[7]: "),
        failed(VICTIM, header=""),
        f"] sshd[7]: {failed(VICTIM, header='')}",
        f": sshd[7]: {failed(VICTIM, header='')}",
        f"message repeated 9 times: [ {failed(VICTIM, header='sshd[7]: ')}]",
    ]
    tagged = "sshd[%d]: Failed password for %s from %s port %d ssh2"
    for head in (
        "Nov 14 22:00:00 h httpd[9]: ",
        "httpd: ",
        "<38>1 2023-11-14T22:00:00Z h httpd 9 - - ",
        "Nov 14 22:00:00 h httpd: ",
    ):
        script = Script(
            rule(SSHD, FIELDS, name="program", programs=["sshd"]),
            rule(tagged, "pid user ip", name="tagged"),
            rule("sshd%s", name="all"),
        )
        assert script.names(*[head + text for text in texts]) == ["all"] * sum("sshd" in text for text in texts)


@pytest.mark.parametrize(
    "name",
    [
        f"Accepted password for bob from {VICTIM} port 22 ssh2",
        f"sshd[7]: Accepted password for bob from {VICTIM} port 22 ssh2",
        f"x from {ATTACKER} port 22 ssh2#012Nov 14 22:00:00 h sshd[7]: Accepted password for bob",
        "Accepted password for bob",
    ],
)
def test_no_name_is_a_good_login(name: str) -> None:
    """Whose login was good is tried for a minute first: nobody may log in by calling himself so."""
    login = "sshd[%d]: Accepted %s for %s from %s port %d ssh2"
    script = Script(rule(f"{login}|{login}: %s", "- method user ip -", trust=60.0))
    assert script.names(failed(ATTACKER, name), failed(ATTACKER, f"invalid user {name}")) == []
    assert script.names(f"Nov 14 22:00:00 h sshd[7]: Invalid user {name} from {ATTACKER} port 22") == []
    assert script.names(f"Nov 14 22:00:00 h sshd[7]: Accepted password for bob from {VICTIM} port 22 ssh2") == ["r"]


def test_one_behind_a_translator_gets_nobody_else_banned() -> None:
    """All IPv4 that comes through NAT64 shares a /64."""
    script = Script(rule(SSHD, FIELDS, maxfail=5, time=600.0, ban=BanOptions(field="ip", seconds=3600.0)))
    assert script.feed(*(failed(f"64:ff9b::c000:2{number:02x}") for number in range(50))) == []
    assert [t.key for t in script.feed(*[failed("64:ff9b::c000:207")] * 4)] == [("64:ff9b::c000:207",)]
    assert [t.key for t in script.feed(*(failed(f"2001:db8::{number}") for number in range(5)))] == [("2001:db8::/64",)]


def test_flood_of_addresses_keeps_the_one_that_hammers() -> None:
    script = Script(rule(SSHD, FIELDS, maxfail=5, time=600.0), max_keys=1000)
    script.feed(failed(ATTACKER), failed(ATTACKER))
    for number in range(20):
        script.feed(*[failed(str(ipaddress.ip_address(0x0A000000 + number * 1000 + n))) for n in range(1000)])
    assert [t.key for t in script.feed(*[failed(ATTACKER)] * 3)] == [(ATTACKER,)]


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            [
                "from ",
                " port ",
                "22",
                " ssh2",
                VICTIM,
                "::1",
                ":",
                " ",
                "x",
                "%",
                "[",
                "]",
                ".",
                "\r",
                "\0",
                "Failed password for ",
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_no_name_changes_the_address(name: str) -> None:
    form, raw = scanf.compile(SSHD, FIELDS.split()), failed(ATTACKER, f"x{name}").encode()
    values = form.match(raw, 0, len(raw))
    assert values is not None
    assert list(values) == [f"x{name}".encode(), ATTACKER.encode(), b"22"]
