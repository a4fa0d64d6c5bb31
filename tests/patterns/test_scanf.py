"""The scanf syntax: what each conversion takes, the types of fields, and what is said of mistakes."""

from __future__ import annotations

import pytest

from logtrigger.errors import PatternError
from logtrigger.patterns import scanf


def match(pattern: str, fields: str, line: str, *, nocase: bool = False) -> dict[str, str] | None:
    form, raw = scanf.compile(pattern, fields.split(), nocase=nocase), line.encode()
    values = form.match(raw, 0, len(raw))
    return None if values is None else {n: v.decode() for n, v in zip(form.fields, values, strict=True)}


HOMEWORK = "The %s ate my homework and, I know this is the %d th time this has happened."
EVENT_1 = "The dog ate my homework and, I know this is the 10 th time this has happened."
EVENT_2 = EVENT_1 + " Sorry, won't happen again (heh heh)."

# Pattern, fields, line, what the fields hold (None: no match): the examples of the original's manual, then what users log.
SAMPLES = [
    (HOMEWORK, "what times", EVENT_1, {"what": "dog", "times": "10"}),
    (HOMEWORK, "what times", EVENT_2, None),
    (HOMEWORK, "what times", "Nov 29 17:20:00 h root: " + EVENT_1, {"what": "dog", "times": "10"}),
    ("The %s ate my homework and, I know this is the %d th time %s", "what", EVENT_1, {"what": "dog"}),
    ("The %s ate my homework and, I know this is the %d th time %s", "what", EVENT_2, {"what": "dog"}),
    (
        "Freeswitch: SIP registration failed User:%s IP:%s",
        "user ip",
        "Nov 29 17:20:00 pbx Freeswitch: SIP registration failed User:100 IP:203.0.113.9",
        {"user": "100", "ip": "203.0.113.9"},
    ),
    (
        "Freeswitch: SIP registration failed User:%s IP:%s",
        "user ip",
        "Freeswitch: SIP registration failed User:x IP:9.9.9.9 IP:203.0.113.9",
        {"user": "x IP:9.9.9.9", "ip": "203.0.113.9"},
    ),
    (
        "dnsmasq-dhcp[%d]: DHCPACK(%s) %s",
        "- interface lease",
        "dnsmasq-dhcp[4273]: DHCPACK(br-lan) 192.168.2.153 'mac address' 'computer name'",
        {"interface": "br-lan", "lease": "192.168.2.153 'mac address' 'computer name'"},
    ),
    (
        "DHCPACK(%s) %s %s %s",
        "interface ip mac:mac name",
        "daemon.info dnsmasq-dhcp[4273]: DHCPACK(br-lan) 192.168.2.153 AA-BB-CC-DD-EE-FF my phone",
        {"interface": "br-lan", "ip": "192.168.2.153", "mac": "aa:bb:cc:dd:ee:ff", "name": "my phone"},
    ),
    (
        "[UFW BLOCK] IN=%s OUT=%s SRC=%s DST=%s LEN=%d",
        "in out ip to:ip len",
        "[UFW BLOCK] IN=eth0 OUT=x SRC=::ffff:192.0.2.1 DST=fe80::1%eth0 LEN=40",
        {"in": "eth0", "out": "x", "ip": "192.0.2.1", "to": "fe80::1", "len": "40"},
    ),
    ("100%% of %s", "what", "100% of it", {"what": "it"}),
    ("%d%%", "n", "5%", {"n": "5"}),
    ("ends in a blank ", "", "ends in a blank", {}),
    ("%s ", "x", "a b ", {"x": "a b"}),
    ("Grüße %s", "an", "viele Grüße Jörg", {"an": "Jörg"}),
]


@pytest.mark.parametrize(("pattern", "fields", "line", "values"), SAMPLES)
def test_sample(pattern: str, fields: str, line: str, values: dict[str, str] | None) -> None:
    assert match(pattern, fields, line) == values


@pytest.mark.parametrize(
    ("conversion", "good", "bad"),
    [
        (
            "d",
            ["0", "12", "-12", "+12", "007", "9" * 400],
            ["", "x", "1.5", "0x1f", "1 2", "--1", "-", "9" * 401, "\u0661", "\u00b2"],
        ),
        ("u", ["0", "12"], ["-12", "+12"]),
        ("i", ["0", "12", "-12", "0x1F", "0X1f", "017", "0b101", "+0x1"], ["08", "0x", "0b2", "0xg", "1f"]),
        ("o", ["0", "17"], ["8", "18", "-7", "0o7"]),
        ("x", ["0", "1f", "1F", "0x1f", "0XFF"], ["0x", "g", "-1"]),
        ("X", ["0", "1f", "0x1f"], ["0x", "g"]),
        ("b", ["0", "101", "0b101", "0B1"], ["2", "0b", "12"]),
        (
            "f",
            ["0", "1.5", "-1.5", ".5", "1e5", "1.5e-10", "+2E+3", "9" * 200],
            ["1.", "e5", "1e", "nan", "inf", "0x1p3", "1e999"],
        ),
        ("c", ["a", "\u00e9", "\u20ac", "\U0001f600", "%"], ["", "ab", "e\u0301"]),
        ("s", ["a", "a b", " x"], [""]),
    ],
)
def test_conversion(conversion: str, good: list[str], bad: list[str]) -> None:
    """What a conversion takes between two blanks, as it is written, and what it does not."""
    taken = {text: match(f"< %{conversion} >", "v", f"< {text} >") for text in good + bad}
    assert taken == {**{text: {"v": text} for text in good}, **dict.fromkeys(bad)}


@pytest.mark.parametrize(
    ("kind", "conversion", "good", "bad"),
    [
        ("int", "s", ["1", "-1", "+1"], ["a", "1.5"]),
        ("int", "u", ["1"], ["-1"]),
        ("int", "i", ["1", "0x1f"], ["1f"]),
        ("int", "x", ["1f"], ["g"]),
        ("text", "d", ["1"], ["a"]),
        ("text", "s", ["a b"], []),
        ("port", "d", ["0", "22", "65535"], ["65536", "-1", "123456"]),
        ("word", "s", ["a", "a.b:c"], ["a b", "a\tb"]),
    ],
)
def test_type_narrows_what_a_conversion_takes(kind: str, conversion: str, good: list[str], bad: list[str]) -> None:
    taken = {text: match(f"< %{conversion} >", f"v:{kind}", f"< {text} >") for text in good + bad}
    assert taken == {**{text: {"v": text} for text in good}, **dict.fromkeys(bad)}


def test_field_called_ip_is_an_address_unless_said_otherwise() -> None:
    assert scanf.compile("%s %s", ["ip", "other"]).types == ("ip", "text")
    assert scanf.compile("%s %s", ["ip:text", "other:ip"]).types == ("text", "ip")
    assert scanf.compile("%d", ["ip"]).types == ("int",)


def test_conversions_without_a_name_are_not_kept() -> None:
    assert scanf.compile("%s %d %s", ["-", "n"]).fields == ("n",)
    assert match("%s %d %s", "- n", "a 1 b") == {"n": "1"}
    assert match("%s %d %s", "", "a 1 b") == {}


def test_nocase_is_for_letters_of_ascii() -> None:
    assert match("Failed FOR %s", "x", "fAILED for Bob", nocase=True) == {"x": "Bob"}
    assert match("é %s", "x", "É a", nocase=True) is None
    assert match("Failed", "", "failed") is None


@pytest.mark.parametrize(
    ("pattern", "is_tagged"),
    [
        ("sshd[%d]: x", True),
        ("postfix/smtpd[%d]: %s", True),
        ("sshd: x", False),
        ("sshd[%d] x", False),
        ("sshd[%s]: x", False),
        (" sshd[%d]: x", False),
        ("x sshd[%d]: x", False),
    ],
)
def test_pattern_that_begins_with_a_tag(pattern: str, is_tagged: bool) -> None:
    assert scanf.compile(pattern).anchor == ("tag" if is_tagged else "")


KNOWN = "conversions are %s %d %u %i %o %x %X %b %f %c; %% is a percent sign"


@pytest.mark.parametrize(
    ("pattern", "fields", "fault", "remedy", "column"),
    [
        ("", "", "the pattern is empty", "write the text to look for", None),
        ("  \t", "", "the pattern is empty", "write the text to look for", None),
        ("a %5d", "", "'%5' has a width", "write %d", 3),
        ("a %10s", "", "'%10' has a width", "write %s", 3),
        ("a %3", "", "'%3' has a width", "write %s", 3),
        ("%*s", "", "'%*' is not known", "write the conversion without '*' and name its field '-'", 1),
        ("%*5d", "", "'%*' is not known", "write the conversion without '*' and name its field '-'", 1),
        ("a %[a-z]", "", "'%[' is not known", "write %s, and give its field a type such as word", 3),
        ("50% of", "", "a lone '%'", "write %% for a percent sign", 3),
        ("50%", "", "a lone '%'", "write %% for a percent sign", 3),
        ("%ld", "", "'%l' is not known", "a number of any size is %d", 1),
        ("%n", "", "'%n' is not known", KNOWN, 1),
        ("%p", "", "'%p' is not known", KNOWN, 1),
        ("%e", "", "'%e' is not known", KNOWN, 1),
        ("%\u00e9", "", "'%\u00e9' is not known", KNOWN, 1),
        ("a %s%s", "", "two %s with nothing between them", "where would the first one end? write one %s", 5),
        ("%s", "a b", "2 fields but 1 conversion", "'b' has none; drop it or add a conversion", None),
        ("a", "a", "1 field but 0 conversions", "'a' has none; drop it or add a conversion", None),
        ("%s", "1a", "'1a' is no field name", "letters, digits and _, not beginning with a digit", None),
        ("%s", "a-b", "'a-b' is no field name", "letters, digits and _, not beginning with a digit", None),
        ("%s", "\u00e9", "'\u00e9' is no field name", "letters, digits and _, not beginning with a digit", None),
        ("%s", ":ip", "'' is no field name", "letters, digits and _, not beginning with a digit", None),
        ("%s %s", "a a", "the field 'a' is named twice", "give each conversion a name of its own, or '-'", None),
        ("%s", "a:ipp", "unknown type 'ipp' of field 'a'", "did you mean 'ip'?", None),
        ("%s", "a:", "unknown type '' of field 'a'", "types are text, word, ip, net, host, port, int, mac", None),
        ("%d", "a:ip", "%d cannot hold the type 'ip' of field 'a'", "write %s in the pattern", None),
        ("%c", "a:word", "%c cannot hold the type 'word' of field 'a'", "write %s in the pattern", None),
        ("%f", "a:int", "%f cannot hold the type 'int' of field 'a'", "write %s in the pattern", None),
    ],
)
def test_mistake_says_what_to_write(pattern: str, fields: str, fault: str, remedy: str, column: int | None) -> None:
    with pytest.raises(PatternError) as error:
        scanf.compile(pattern, fields.split())
    assert (error.value.fault, error.value.remedy, error.value.column) == (fault, remedy, column)
