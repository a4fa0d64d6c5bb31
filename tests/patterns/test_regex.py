"""Regular expressions: groups and their types, the same answers with RE2 and without it, and what is said of mistakes."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from logtrigger.errors import PatternError
from logtrigger.patterns import regex
from logtrigger.patterns.backtracking import LENGTHS
from logtrigger.patterns.regex import RegexPattern


def compiled(text: str, fields: str = "", *, nocase: bool = False, with_re2: bool = True) -> RegexPattern:
    with pytest.MonkeyPatch.context() as patch:
        if not with_re2:
            patch.setitem(sys.modules, "re2", None)
        return regex.compile(text, fields.split(), nocase=nocase)


def let_through(text: str, *, nocase: bool = False, with_re2: bool = True) -> RegexPattern:
    """As `compiled`, for a test that does not mind which expression it gets: one that could take for ever is none."""
    try:
        return compiled(text, nocase=nocase, with_re2=with_re2)
    except PatternError as error:
        assert "in too many ways" in error.fault
        reject()


def match(text: str, line: str, fields: str = "", *, nocase: bool = False) -> dict[str, str] | None:
    form, raw = compiled(text, fields, nocase=nocase), line.encode()
    values = form.match(raw, 0, len(raw))
    return None if values is None else {n: v.decode() for n, v in zip(form.fields, values, strict=True)}


@pytest.mark.parametrize(
    ("text", "fields", "line", "values"),
    [
        (r"Failed \w+ for (?P<user>.*) from (?P<ip>\S+)", "", "Failed password for a from b from 192.0.2.7 port 22 ssh2",
         {"user": "a from b", "ip": "192.0.2.7"}),
        (r"^Failed", "", "x Failed", None),
        (r"Failed$", "", "Failed x", None),
        (r"Failed$", "", "Failed \t\r", {}),  # white space at the line's end does not count
        (r"(?P<a>x)?(?P<b>y)", "", "y", {"a": "", "b": "y"}),
        (r"(?P<ip>x)?y", "", "y", {"ip": ""}),  # a group that took no part is of every type
        (r"(?P<b>\d)(?P<a>\d)", "", "12", {"b": "1", "a": "2"}),  # by their place in the expression
        (r"(\d)(?P<a>\d)", "", "12", {"a": "2"}),
        (r"(?P<p>\d+)", "p:port", "65536", None),
        (r"(?P<p>\d+)", "p:port", "22", {"p": "22"}),
        (r"<(?P<w>.*)>", "w:word", "<a b>", None),
        (r"<(?P<w>.*)>", "w:word", "<>", None),
        (r"(?P<h>\S+) (?P<m>\S+)", "m:mac h:host", "A.B AA-bb-CC-dd-EE-ff", {"h": "a.b", "m": "aa:bb:cc:dd:ee:ff"}),
        (r"(?P<n>\S+)", "n:net", "10.1.2.3/8", {"n": "10.0.0.0/8"}),
        (r"(?P<ip>\S+)", "ip:text", "gate", {"ip": "gate"}),
        (r"é{2} [^a]", "", "ééé b", {}),  # a character of several bytes is one
        (r"é?x$", "", "x", {}),
        (r"^(?P<a>é+)$", "", "éé", {"a": "éé"}),
        (r"^\é{2}$", "", "éé", {}),
        (r"a{,2}b$", "", "aab", {}),
        (r"^a{,2}b$", "", "a{,2}b", None),
        (r"(?#é)a", "", "a", {}),
        (r"(?x) a [é] + # é", "", "aé", {}),
        (r"a\sb", "", "a\vb", {}),
        (r"a[\s]b", "", "a\vb", {}),
        (r"a\Sb", "", "a\vb", None),
        (r"a[^\S]b", "", "a\vb", {}),
        (r"a[\s-]b", "", "a-b", {}),
    ],
)  # fmt: skip
def test_sample(text: str, fields: str, line: str, values: dict[str, str] | None) -> None:
    assert match(text, line, fields) == values


@pytest.mark.parametrize(
    ("before", "address", "behind", "ip"),
    [
        ("from ", "192.0.2.7", " x", "192.0.2.7"),
        ("from ", "::FFFF:192.0.2.7", "", "192.0.2.7"),
        ("from ", "fe80::1%eth0", ",", "fe80::1"),
        ("from ", "192.0.2.7", ".", "192.0.2.7"),
        ("from=", "192.0.2.7", ":22", "192.0.2.7"),
        ("[", "2001:DB8::1", "]:22", "2001:db8::1"),
        ("from ", "[2001:db8::1]", ":22", "2001:db8::1"),
        ("from ", "192.0.2.7", ".5", None),
        ("from 1", "192.0.2.7", "", None),
        ("from x", "192.0.2.7", "", None),
        ("from -", "192.0.2.7", "", None),
        ("from ", "192.0.2.7", "-x", None),
        ("from ", "192.0.2.7", "%eth0", None),
        ("from ", "2001:db8::1", ":22", None),
        ("from 2001:", "db8::1", "", None),
        ("from ", "gate", "", None),
        ("from ", "010.0.0.1", "", None),
        ("from ", "192.0.2.7 ", "x", None),
    ],
)
def test_nothing_that_could_extend_an_address_stands_beside_it(before: str, address: str, behind: str, ip: str | None) -> None:
    """However little of the line the group takes."""
    form, line = compiled(f".{{{len(before)}}}(?P<ip>.{{{len(address)}}})"), f"{before}{address}{behind}".encode()
    assert form.match(line, 0, len(line)) == (None if ip is None else [ip.encode()])


def test_nocase() -> None:
    assert match("(?P<a>failed) É", "x FAILED É", nocase=True) == {"a": "FAILED"}
    assert match("É", "é", nocase=True) is None  # letters of ASCII only
    assert match("(?i)failed", "FAILED") == {}
    assert match("a(?i:b)", "aB") == {}
    assert match("a(?i:b)", "AB") is None


@pytest.mark.parametrize(
    ("text", "nocase", "literal"),
    [
        ("Failed password for (?P<user>.*) from", False, b"Failed password for "),
        ("a+bcd|x", False, b""),
        ("ab(?:cd)ef", False, b"abcdef"),
        ("^ab\\.c$", False, b"ab.c"),
        ("ab(?:cd)?efg", False, b"efg"),
        ("abc?", False, b"ab"),
        ("ab(?i:cde)", False, b"ab"),
        ("(?i)abc", False, b""),
        ("abc", True, b"abc"),
        ("\\xe9é", False, b"\xe9\xc3\xa9"),
        ("[a]bc[b-d]", False, b"abc"),
        ("a\\0bc", False, b"bc"),
        ("(?=abc)ab", False, b"ab"),
        ("(?!abc)ab", False, b"ab"),
        (".*", False, b""),
    ],
)
def test_literal(text: str, nocase: bool, literal: bytes) -> None:
    assert compiled(text, nocase=nocase).literal == literal


ATOMS = ["a", "b", "ab", "é", " ", ".", "\\.", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "[ab]", "[^a]", "[\\s1]", "[^\\s1]", 
         "[\\S]", "[^\\S]", "[]a]", "[^]a-]", "\\xe9", "[\\xc0-\\xff]", "[A-b]", "\\x0b", "{", "a\\{,2}"]  # fmt: skip
REPEATS = ["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{,1}?", "{1,}"]
REFUSED = ["(?=a)", "(?!a)", "(?<=a)", "(?<!é)", "(?:a)++", "(?>a|ab)", "\\Z", "(?x: a b )"]


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    """An expression; nothing that may be empty is repeated, as the engines capture differently there."""
    text = ""
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["atom", "atom", "atom", "edge", "group", "choice", "refused"]))
        if kind == "atom":
            text += draw(st.sampled_from(ATOMS)) + draw(st.sampled_from(REPEATS))
        elif kind == "edge":
            text += draw(st.sampled_from(["^", "$", "\\b"]))
        elif kind == "choice":
            atoms = draw(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=3))
            text += f"(?:{'|'.join(atoms)})" + draw(st.sampled_from(REPEATS))
        elif kind == "refused":
            text += draw(st.sampled_from(["", "", "", *REFUSED]))
        elif depth:
            text += draw(st.sampled_from(["(", "(?:", "(?i:", "(?P<?>"])) + draw(expressions(depth - 1)) + ")"
    return text


@st.composite
def named(draw: st.DrawFn) -> str:
    text = draw(expressions())
    for number in range(text.count("(?P<?>")):
        text = text.replace("(?P<?>", f"(?P<g{number}>", 1)
    return draw(st.sampled_from(["", "", "(?i)"])) + text


PIECES = [b"a", b"b", b"A", b"B", b"ab", "é".encode(), b"\xc3", b"\xe3", b"\xe9", b"\xc9", b"\xff", b"\x00", b" ", b"\v", 
          b"\x1c", b"1", b".", b"-", b"]", b"{", b"a{,2}", b"_", b"\xb5"]  # fmt: skip
LINES = st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join)


@pytest.mark.package("re2")
@settings(max_examples=1000)
@given(named(), LINES, st.booleans())
@example("[\\xc0-\\xff]", b"\xc3", True)
@example("\\xe9", b"\xc9", True)
def test_same_answers_with_re2_and_without(text: str, line: bytes, nocase: bool) -> None:
    fast, slow = (let_through(text, nocase=nocase, with_re2=with_re2) for with_re2 in (True, False))
    assert slow.backtracks
    assert fast.match(line, 0, len(line)) == slow.match(line, 0, len(line))
    assert (fast.literal, fast.literals, fast.coarse, fast.fields, fast.types) == (
        slow.literal,
        slow.literals,
        slow.coarse,
        slow.fields,
        slow.types,
    )


@settings(max_examples=500)
@given(named(), LINES, st.booleans())
def test_every_match_holds_the_literals(text: str, line: bytes, nocase: bool) -> None:
    form = let_through(text, nocase=nocase)
    if form.match(line, 0, len(line)) is not None:
        for literal in (form.literal, *form.literals):
            assert literal.lower() in line.lower() if nocase else literal in line


@settings(max_examples=200)
@given(named(), LINES, st.sampled_from([b"", b"a\n", b"\xc3\n"]), st.sampled_from([b"\n", b" \t\r\n", b"\na"]))
def test_neighbouring_lines_change_nothing(text: str, line: bytes, before: bytes, behind: bytes) -> None:
    form = let_through(text)
    data, end = before + line + behind, len(before) + len(line) + len(behind.partition(b"\n")[0])
    assert form.match(data, len(before), end) == form.match(line, 0, len(line))


@pytest.mark.parametrize("with_re2", [pytest.param(True, marks=pytest.mark.package("re2")), False])
@pytest.mark.parametrize(
    ("text", "fields", "line", "values"),
    [
        (r"from (?P<ip>\S+)", "", "from gate from 192.0.2.7", [b"192.0.2.7"]),
        (r"from (?P<ip>\S+)", "", "from " * 20 + "192.0.2.7", [b"192.0.2.7"]),
        (r"(?P<p>\d+)", "p:port", "99999 x 22", [b"22"]),  # and not 9999
        (r"^from (?P<ip>\S+)", "", "from gate from 192.0.2.7", None),
        (r"(?:^|x)from (?P<ip>\S+)", "", "from gate from 192.0.2.7 xfrom 192.0.2.8", [b"192.0.2.8"]),
        (r".*from (?P<ip>\S+)", "", "from 192.0.2.7 from gate", None),
        (r"from (?P<ip>\S+)", "", "from x " * 100_000 + "from 192.0.2.7", None),  # so far and no further
    ],
)
def test_where_a_type_does_not_fit_the_next_place_is_tried(
    text: str, fields: str, line: str, values: list[bytes] | None, with_re2: bool
) -> None:
    raw = line.encode()
    assert compiled(text, fields, with_re2=with_re2).match(raw, 0, len(raw)) == values


@pytest.mark.package("re2")
def test_expression_that_could_take_for_ever_is_refused_unless_re2_runs_it() -> None:
    """With the way out that there is."""
    assert compiled("(a+)+$").backtracks == ""
    with pytest.raises(PatternError, match="in too many ways") as error:
        compiled("(a+)+$", with_re2=False)
    assert error.value.remedy.endswith("; or pip install google-re2")
    with pytest.raises(PatternError, match="in too many ways") as error:
        compiled("(x+x+)+y(?=z)")
    assert error.value.remedy.endswith("; or write it for RE2: RE2 cannot run it: invalid perl operator: (?=")
    assert error.value.column == 7


@pytest.mark.package("re2")
@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a(?=b)", "ab", "RE2 cannot run it: invalid perl operator: (?="),
        ("a(?!b)", "ac", "RE2 cannot run it: invalid perl operator: (?!"),
        (r"(?P<x>a)(?P=x)", "aa", "RE2 cannot run it: "),
        (r"(a)\1", "aa", r"RE2 cannot run it: invalid escape sequence: \1"),
        (r"a{2000}", "a" * 2000, "RE2 cannot run it: "),
    ],
)
def test_what_re2_refuses_works_all_the_same(text: str, line: str, why: str) -> None:
    form, raw = compiled(text), line.encode()
    assert form.backtracks.startswith(why)
    assert form.match(raw, 0, len(raw)) is not None


@pytest.mark.package("re2")
def test_re2_is_linear_and_sees_the_whole_line() -> None:
    form = compiled(r"(?P<x>(?:a+)+)b$")
    line = b"a" * 200_000
    assert form.backtracks == ""
    assert form.match(line, 0, len(line)) is None
    assert form.match(line + b"b", 0, len(line) + 1) == [line]


def test_without_re2_it_says_so_and_sees_the_beginning_of_a_line() -> None:
    form = compiled("(?P<x>b)", with_re2=False)
    assert form.backtracks == "google-re2 is not installed: pip install google-re2"
    for place, found in ((LENGTHS[0] - 2, [b"b"]), (LENGTHS[0], None)):
        line = b"a" * place + b"b" + b"c" * LENGTHS[0]
        assert form.match(line, 0, len(line)) == found


def test_backtracking_is_bounded_by_what_is_shown() -> None:
    form, line = compiled("a.*b(?!c)"), b"a" * 1_000_000
    began = time.perf_counter()
    assert form.match(line, 0, len(line)) is None
    assert time.perf_counter() - began < 10


def test_address_that_the_cap_cuts_is_none() -> None:
    form = compiled("(?P<ip>[0-9.]+)", with_re2=False)
    line = b"a" * (LENGTHS[0] - 7) + b" 1.2.3.45"
    assert form.match(line, 0, len(line)) is None


def test_what_the_cap_cuts_is_not_the_line_s_end() -> None:
    form = compiled("user=(?P<user>[^>]*)>$", with_re2=False)
    assert form.longest is not None
    line = b"user=" + b"a" * (form.longest - 6) + b"> ip=192.0.2.7"
    assert form.match(line, 0, form.longest) is not None
    assert form.match(line, 0, len(line)) is None


def test_expressions_are_no_tagged_patterns() -> None:
    form = compiled(r"sshd\[\d+\]: x")
    assert form.anchor == ""


def test_bytes_that_are_no_text_are_taken_as_they_are() -> None:
    line = b"\xff\xff 1"
    assert compiled("^\udcff{2} [\udcff1]$").match(line, 0, len(line)) == []


NO_NAME = "letters, digits and _, not beginning with a digit"
SYNTAX = "see Python's re for the syntax"
ALTERNATIVES = "write alternatives, such as (?:é|ö)"


@pytest.mark.parametrize(
    ("text", "fields", "fault", "remedy", "column"),
    [
        ("a(b", "", "the regular expression: missing ), unterminated subpattern", SYNTAX, 2),
        ("é)", "", "the regular expression: unbalanced parenthesis", SYNTAX, 2),
        ("éé*+?", "", "the regular expression: multiple repeat", SYNTAX, 5),
        ("a[b", "", "the regular expression: unterminated character set", SYNTAX, 2),
        ("\\q", "", "the regular expression: bad escape \\q", SYNTAX, 1),
        ("(?P<a>x)(?P<a>y)", "", "the regular expression: redefinition of group name 'a' as group 2; was group 1", SYNTAX, 13),
        ("a(?u)", "", "the regular expression: bad inline flags: cannot use 'u' flag with a bytes pattern", SYNTAX, 5),
        ("\\u00e9", "", "the regular expression: bad escape \\u", SYNTAX, 1),
        ("é[[a]", "", "the regular expression: Possible nested set", "put a \\ before the character that is meant", 3),
        ("[a&&b]", "", "the regular expression: Possible set intersection", "put a \\ before the character that is meant", 3),
        ("x[aé]", "", "the regular expression: 'é' between [ and ] is more than one byte", ALTERNATIVES, 4),
        ("(?P<1a>x)", "", "'1a' is no field name", NO_NAME, 5),
        ("(?P<é>x)", "", "'é' is no field name", NO_NAME, 5),
        ("(?P<a-b>x)", "", "'a-b' is no field name", NO_NAME, 5),
        ("(?P<a>x)(?P<b>y)", "c", "the regular expression has no group 'c'", "its groups are a, b", None),
        ("x", "c", "the regular expression has no group 'c'", "name a group with (?P<name>…)", None),
        ("(?P<a>x)", "a:prot", "unknown type 'prot' of field 'a'", "did you mean 'port'?", None),
        ("(?P<a>x)", "a:", "unknown type '' of field 'a'", "types are text, word, ip, net, host, port, int, mac", None),
        ("(?P<a>x)", "a a:word", "the field 'a' is named twice", "name each once", None),
    ],
)  # fmt: skip
def test_mistake(text: str, fields: str, fault: str, remedy: str, column: int | None) -> None:
    with pytest.raises(PatternError) as error:
        compiled(text, fields)
    assert (error.value.fault, error.value.remedy, error.value.column) == (fault, remedy, column)


@given(st.text("a1é()[]{}?*+|\\^$.<>P=!:#-,&~ixsSdZ ", max_size=12))
def test_any_text_is_an_expression_or_a_mistake(text: str) -> None:
    try:
        compiled(text)
    except PatternError as error:
        assert error.column is None or 1 <= error.column <= len(text) + 1
