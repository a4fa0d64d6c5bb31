"""Conditions: what each operator says of a field, and what is said of mistakes."""

from __future__ import annotations

import pytest

from logtrigger import conditions, places
from logtrigger.errors import PatternError

TYPES = {
    "user": "text", "ip": "ip", "net": "net", "port": "port", "n": "int",
    "i": "number", "o": "octal", "x": "hex", "b": "binary", "f": "float",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("user == root", {"user": "root"}, True),
        ("user == root", {"user": "Root"}, False),
        ("user == a b", {"user": "a b"}, True),
        ("user==root", {"user": "root"}, True),
        ("user != root", {"user": "bob"}, True),
        ("user != root", {"user": "root"}, False),
        ("user == 5", {"user": "05"}, False),  # texts are compared as texts
        ("user in root admin", {"user": "admin"}, True),
        ("user in root admin", {"user": "root admin"}, False),
        ("user not in root admin", {"user": "bob"}, True),
        ("user not  in root admin", {"user": "root"}, False),
        ("user ~ ^adm", {"user": "admin"}, True),
        ("user ~ ^adm", {"user": "xadm"}, False),
        ("user ~ a b|c", {"user": "xc"}, True),
        ("user ~ b$", {"user": "a" * 4096 + "b"}, False),  # only so much is looked at
        ("port < 1024", {"port": "22"}, True),
        ("port < 1024", {"port": "1024"}, False),
        ("port <= 1024", {"port": "1024"}, True),
        ("port > 1024", {"port": "1024"}, False),
        ("port >= 1024", {"port": "1024"}, True),
        ("port>=1024", {"port": "1023"}, False),
        ("port == 22", {"port": "0022"}, True),
        ("port in 22 2222", {"port": "2222"}, True),
        ("port != 22", {"port": "23"}, True),
        ("n < -1", {"n": "-2"}, True),
        ("n == 7", {"n": "+7"}, True),
        ("n == 10", {"n": "010"}, True),  # decimal, as %d took it
        ("n == 0x10", {"n": "16"}, True),
        ("n > 9007199254740992", {"n": "9007199254740993"}, True),  # whole numbers are exact
        ("n > 1", {"n": "9" * 400}, True),
        ("i == 8", {"i": "010"}, True),
        ("i == 31", {"i": "0x1F"}, True),
        ("i == -5", {"i": "-0b101"}, True),
        ("i == 0", {"i": "0"}, True),
        ("o == 8", {"o": "10"}, True),
        ("x > 15", {"x": "10"}, True),
        ("x == 0x1f", {"x": "1F"}, True),
        ("x == 31", {"x": "0x1f"}, True),
        ("x == 0xb1", {"x": "0b1"}, True),
        ("b == 5", {"b": "0b101"}, True),
        ("b == 5", {"b": "101"}, True),
        ("f > 1.5", {"f": "1.6e0"}, True),
        ("f == 2", {"f": "2.0"}, True),
        ("user > 5", {"user": "6"}, True),
        ("user > 5", {"user": "6_0"}, False),  # no number
        ("user > 5", {"user": "\u0667"}, False),
        ("user > 5", {"user": "inf"}, False),
        ("user > 5", {"user": "nan"}, False),
        ("ip == 192.0.2.7", {"ip": "192.0.2.7"}, True),
        ("ip == ::ffff:192.0.2.7", {"ip": "192.0.2.7"}, True),
        ("ip == 2001:DB8:0::1", {"ip": "2001:db8::1"}, True),
        ("ip in 10.0.0.0/8 2001:db8::/32", {"ip": "2001:db8::5"}, True),
        ("ip not in 10.0.0.0/8", {"ip": "10.1.2.3"}, False),
        ("ip not in 10.0.0.0/8", {"ip": "11.1.2.3"}, True),
        ("ip != 10.0.0.0/8", {"ip": "10.1.2.3"}, False),
        ("net in 10.0.0.0/8", {"net": "10.1.0.0/16"}, True),
        ("known user", {"user": "x"}, True),
        ("known user", {"user": ""}, False),
        ("unknown user", {}, True),
        (" unknown  user ", {"user": "x"}, False),
        ("program == sshd", {"program": "sshd"}, True),  # what the header says is known of every event
        ("host != h", {"host": "g"}, True),
        ("pid > 100", {"pid": "101"}, True),
    ],
)
def test_condition(text: str, values: dict[str, str], holds: bool) -> None:
    assert conditions.compile(text, TYPES).holds(values) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("user == x", False),
        ("user != x", True),
        ("user in x y", False),
        ("user not in x y", True),
        ("port < 5", False),
        ("port >= 0", False),
        ("port == 0", False),
        ("port != 0", True),
        ("ip in 0.0.0.0/0 ::/0", False),
        ("ip not in 0.0.0.0/0", True),
        ("user ~ .", False),
    ],
)
@pytest.mark.parametrize("values", [{}, {"user": "", "port": "", "ip": ""}])
def test_missing_field_is_an_empty_text(text: str, holds: bool, values: dict[str, str]) -> None:
    """Not equal to anything, in nothing, neither above nor below."""
    assert conditions.compile(text, TYPES).holds(values) is holds


OPERATORS = "== != < <= > >= in, not in, ~"


@pytest.mark.parametrize(
    ("text", "fault", "remedy", "column"),
    [
        ("", "'' is no condition", f"write FIELD OPERATOR VALUE; operators are {OPERATORS}", 1),
        ("user", "'user' is no condition", f"write FIELD OPERATOR VALUE; operators are {OPERATORS}", 1),
        ("user is root", "'user is root' is no condition", f"write FIELD OPERATOR VALUE; operators are {OPERATORS}", 1),
        ("user = root", "'=' is no operator", "write ==", 6),
        ("user ==", "nothing stands behind '=='", "write a value, or 'known FIELD'", 8),
        ("user in(a)", "'user in(a)' is no condition", f"operators are {OPERATORS}", 6),
        ("usr == root", "unknown field 'usr'", "did you mean 'user'?", 1),
        ("  zzz == root", "unknown field 'zzz'", f"fields are host, program, pid, {', '.join(TYPES)}", 3),
        ("known usr", "unknown field 'usr'", "did you mean 'user'?", 7),
        ("known user x", "'x' behind 'known user'", "write 'known user'", 12),
        ("port < many", "'many' is no number", "write one such as 1024", 8),
        ("port < inf", "'inf' is no number", "write one such as 1024", 8),
        ("port < 1_000", "'1_000' is no number", "write one such as 1024", 8),
        ("port in 22 ssh", "'ssh' is no number", "the field holds one", 9),
        ("user ~ a(b", "the regular expression is wrong: missing ), unterminated subpattern", "", 9),
        ("user ~ a{99999999999}", "the regular expression is too big: the repetition number is too large", "", 8),
        ("ip in 10.0.0.1/8", "'10.0.0.1/8' has bits set behind its prefix; write 10.0.0.0/8", "", 7),
        (
            "ip == localhost",
            "'localhost' is no address or prefix; write one such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32",
            "",
            7,
        ),
    ],
)
def test_mistake_says_what_to_write(text: str, fault: str, remedy: str, column: int) -> None:
    with pytest.raises(PatternError) as error:
        conditions.compile(text, TYPES)
    assert (error.value.fault, error.value.remedy, error.value.column) == (fault, remedy, column)


@pytest.mark.parametrize(
    ("text", "held", "not_held"),
    [
        ("country == fi", "FI", "SE"),
        ("country != Fi", "SE", "FI"),
        ("country in fi se", "SE", "NO"),
        ("continent not in eu", "AS", "EU"),
    ],
)
def test_codes_in_any_case(text: str, held: str, not_held: str) -> None:
    field = text.split()[0]
    condition = conditions.compile(text, places.types({"ip": "ip"}))
    assert condition.holds({field: held}) and not condition.holds({field: not_held})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("country in FI,SE", "'FI,SE' is no country at column 12: put blanks between them: FI SE"),
        ("ip_country == Finland", "'Finland' is no country at column 15: write countries as two letters of ISO 3166"),
        ("country != UK", "'UK' is no country at column 12: the code of the United Kingdom is GB"),
        ("country == XX", "'XX' is no country at column 12: write countries as two letters of ISO 3166"),
        ("country == FI SE", "'FI SE' is no country at column 12: write 'in FI SE', or 'not in FI SE'"),
        ("continent == Europe", "'Europe' is no continent at column 14: write one of AF AN"),
    ],
)
def test_what_is_no_country(text: str, said: str) -> None:
    with pytest.raises(PatternError) as raised:
        conditions.compile(text, places.types({"ip": "ip"}))
    assert f"{raised.value}: {raised.value.remedy}".startswith(said)


def test_a_field_of_one_s_own_may_be_called_country() -> None:
    assert conditions.compile("country == Finland", {"country": "text"}).holds({"country": "Finland"})
