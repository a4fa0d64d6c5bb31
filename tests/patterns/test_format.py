"""The format syntax: the type codes of `parse`, our own types, the reading of a line, and what is said of mistakes."""

from __future__ import annotations

from datetime import UTC, datetime

import parse
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logtrigger.errors import PatternError
from logtrigger.patterns import format, scanf
from logtrigger.patterns.form import Form
from tests.patterns.plain import Part
from tests.patterns.test_form import patterns, readings


def match(pattern: str, line: str, *, nocase: bool = False) -> dict[str, str] | None:
    form, raw = format.compile(pattern, nocase=nocase), line.encode()
    values = form.match(raw, 0, len(raw))
    return None if values is None else {n: v.decode() for n, v in zip(form.fields, values, strict=True)}


@pytest.mark.parametrize(
    ("pattern", "line", "values"),
    [
        (
            "Failed password for {user} from {ip} port {port:d}{}",
            "sshd[7]: Failed password for root from 9.9.9.9 from 192.0.2.7 port 22 ssh2",
            {"user": "root from 9.9.9.9", "ip": "192.0.2.7", "port": "22"},
        ),
        ("{} from {ip:ip}", "x from ::ffff:192.0.2.7", {"ip": "192.0.2.7"}),
        ("{} from {ip:text}", "x from gate", {"ip": "gate"}),
        ("by {a:word} {b}", "by one two three", {"a": "one", "b": "two three"}),
        ("{a:mac} {b:host} {c:net} {d:port}", "AA-BB-CC-DD-EE-FF A.b 10.1.2.3/8 22",
         {"a": "aa:bb:cc:dd:ee:ff", "b": "a.b", "c": "10.0.0.0/8", "d": "22"}),
        ("{a:int}", "-5", {"a": "-5"}),
        ("{a:port}", "65536", None),
        ("{} {} {x}", "a b c", {"x": "c"}),
        ("{:d} {x}", "1 b", {"x": "b"}),
        ("{a:}", "b c", {"a": "b c"}),
        ("{_a1}", "b", {"_a1": "b"}),
        ("{{{a}}}", "{b}", {"a": "b"}),
        ("{{a}} {b}", "{a} c", {"b": "c"}),
        ("{{}}", "{}", {}),
        ("100% of %s {a}", "100% of %s b", {"a": "b"}),  # a percent sign is text here
        ("Grüße {an}", "viele Grüße Jörg", {"an": "Jörg"}),
        ("ends in a blank ", "ends in a blank", {}),
        ("a {x} b", "A 1 b", None),
        ("a {x} c", "a 1 b", None),
    ],
)  # fmt: skip
def test_sample(pattern: str, line: str, values: dict[str, str] | None) -> None:
    assert match(pattern, line) == values


def test_nocase() -> None:
    assert match("at {t:ts} GATE", "AT nov 14 22:00:00 gate", nocase=True) == {"t": "nov 14 22:00:00"}


# Code; what both `parse` and we take between two brackets; what neither takes; what only `parse` takes.
CODES = [
    ("l", ["a", "abcXYZ"], ["a1", "a_", "a b", ""], []),
    ("w", ["a", "a_1"], ["a b", "a-b", "."], ["\u00e9"]),  # other alphabets' letters
    ("W", [" ", "-.- ;"], ["a", "-1", "_"], []),
    ("s", [" ", " \t "], ["a", "-"], []),
    ("S", ["a.b:c-\u00e9"], ["a b", "\t"], []),
    ("D", ["a b", "-"], ["1", "a1"], []),
    ("d", ["0", "12", "-12", "+12", "007", "0x1F", "0b101", "0o17", "-0x1f"], ["x", "1.5", "0x", "0b2", "0o8", "1f", "1,000"],
     [" 1", "--1"]),
    ("n", ["1", "12", "1,234", "1.234.567", "-1,234"], ["1,23", "1234", ",123", "1,2345"], [" 1"]),
    ("%", ["5%", "5.5%", "-5%"], ["5", "%", ".5%", "5.%"], [" 5%"]),
    ("f", ["1.5", ".5", "-1.5", "+0.0"], ["1", "1.", "1e5", "1.5e5"], ["nan", "inf"]),  # no number that JSON lacks
    ("F", ["1.5", "-.5"], ["1"], ["nan"]),
    ("e", ["1.5e5", "1.5E-10", "-.5e+3"], ["1.5", "1e5", "e5"], ["nan", "inf", "1.5e999"]),
    ("E", ["1.5e5"], ["1.5"], []),
    ("g", ["1", "1.5", "1e5", "-1.5e-10"], ["1.", "x"], ["nan", "1e999"]),
    ("G", ["1", "1.5"], ["x"], []),
    ("b", ["0", "101", "0b101", "0B1", "-101"], ["2", "0b", "12"], [" 1"]),
    ("o", ["17", "0o17", "0O7", "-17"], ["8", "0o", "18"], []),
    ("x", ["1f", "1F", "0x1f", "0XFF", "-1f"], ["0x", "g", "1g"], []),
    ("X", ["1f", "0x1F"], ["g"], []),
    ("ti", ["1972-01-20", "1972-01-20T10:21:36Z", "1972-01-20 10:21:36.5+01:00", "1972-01-20 10:21:36 -0100"],
     ["20.1.1972", "72-01-20", "1972-1-20", "1972-01-20T"], []),
    ("te", ["Mon, 20 Jan 1972 10:21:36 +1000", "20 Jan 1972 10:21:36 +1000"], ["Mon, 20 Jan 1972 10:21:36"], []),
    ("tg", ["20/1/1972", "20/1/1972 10:21:36 AM +1:00", "20-Jan-1972", "1/January/2011 11:00 PM"],
     ["20.1.1972", "20/1/72"], []),
    ("ta", ["1/20/1972", "1/20/1972 10:21:36 PM +10:30", "Jan-20-1972", "January/20/1972"], ["1/20/72"], []),
    ("tc", ["Sun Sep 16 01:03:52 1973", "Sun Sep  6 01:03 1973"], ["Sep 16 01:03:52 1973", "Sun Sep 16 1973"], []),
    ("th", ["21/Nov/2011:00:07:11 +0000"], ["21/Nov/2011:00:07:11", "21/11/2011:00:07:11 +0000"], []),
    ("ts", ["Nov  9 03:37:44", "Nov 19 03:37:44"], ["Nov 9", "9 Nov 03:37:44"], ["Nov 9 "]),  # a day without a time
    ("tt", ["10:21", "10:21:36", "10:21:36 PM -5:30", "10:21:36.123 AM"], ["10", "10:21:"], []),
]  # fmt: skip


@pytest.mark.parametrize(("code", "both", "neither", "only_parse"), CODES)
def test_type_code(code: str, both: list[str], neither: list[str], only_parse: list[str]) -> None:
    """A code takes what `parse` takes, the text as it is written; but ASCII digits, finite numbers and no blank for a sign."""
    texts = both + neither + only_parse
    theirs = {text: parse.parse(f"<{{v:{code}}}>", f"<{text}>", case_sensitive=True) is not None for text in texts}
    ours = {text: match(f"<{{v:{code}}}>", f"<{text}>") for text in texts}
    assert theirs == {**dict.fromkeys(both, True), **dict.fromkeys(neither, False), **dict.fromkeys(only_parse, True)}
    assert ours == {**{text: {"v": text} for text in both}, **dict.fromkeys([*neither, *only_parse])}


def test_every_code_of_parse_is_in_the_table() -> None:
    assert {code for code, *_ in CODES} == parse.ALLOWED_TYPES | {"%"} == set(format.CODES)


@settings(max_examples=600)
@given(
    st.sampled_from("lwWSDn%fFboxX"), st.sampled_from(["", "+", "-"]), st.text("0123489abfgoxzBO_.,%- ", min_size=1, max_size=8)
)
def test_agrees_with_parse_on_any_text(code: str, sign: str, text: str) -> None:
    """For these two readers of one text between brackets, there is nothing to choose."""
    text = sign + text.lstrip(" -") if code in "n%fFboxX" else text
    theirs = parse.parse(f"<{{v:{code}}}>", f"<{text}>", case_sensitive=True) is not None
    assert (match(f"<{{v:{code}}}>", f"<{text}>") == {"v": text}) is theirs


TIMES = {
    "ti": ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"],
    "te": ["%a, %d %b %Y %H:%M:%S %z"],
    "tg": ["%d/%m/%Y %I:%M:%S %p", "%d-%b-%Y", "%d/%B/%Y %H:%M"],
    "ta": ["%m/%d/%Y %I:%M:%S %p %z", "%b-%d-%Y"],
    "tc": ["%a %b %d %H:%M:%S %Y"],
    "th": ["%d/%b/%Y:%H:%M:%S %z"],
    "ts": ["%b %d %H:%M:%S"],
    "tt": ["%H:%M:%S", "%I:%M %p", "%H:%M:%S %z"],
}


@given(st.sampled_from([(code, form) for code, forms in TIMES.items() for form in forms]), st.datetimes(datetime(1000, 1, 1)))
def test_times_are_taken_whole(code_and_form: tuple[str, str], moment: datetime) -> None:
    """Between free text, where it would be easy to leave out digits."""
    code, form = code_and_form
    text = moment.replace(tzinfo=UTC).strftime(form)
    assert match(f"at{{a}}{{t:{code}}};{{b}}", f"at  {text};x") == {"a": "  ", "t": text, "b": "x"}


@pytest.mark.parametrize(
    ("pattern", "line", "values"),
    [
        ("a{x}{n:d}", "ab0x1f", {"x": "b", "n": "0x1f"}),
        ("a{x}{n:d}", "ab123", {"x": "b", "n": "123"}),
        ("{n:d}{x}", "123b", {"n": "123", "x": "b"}),
        ("{n:d}{x}", "123", None),  # a number takes all its digits
        ("{n:n},{m:d}", "1,234", None),
        ("{n:f}{x}", "1.55", None),
        ("{n:e}{x}", "1.5e55", None),
        ("{n:o}{m:d}", "0o17", None),
        ("{d:ti} {t:tt}", "2024-01-02 10:20:30", {"d": "2024-01-02", "t": "10:20:30"}),  # a date may end before a time
        ("{t:ti}{x}", "2024-01-02 10:20", None),  # but not before free text
        ("{a:w}{b:d}", "ab12", {"a": "ab", "b": "12"}),
        ("{a:w}a{b}", "banana", {"a": "b", "b": "nana"}),  # the shortest text
        ("{a:S} {b:D}", "x y z", {"a": "x", "b": "y z"}),
    ],
)  # fmt: skip
def test_reading(pattern: str, line: str, values: dict[str, str] | None) -> None:
    assert match(pattern, line) == values


def as_format(parts: list[Part]) -> tuple[str, str, list[str]]:
    """The parts in both syntaxes, with the fields for scanf."""
    ours, theirs, fields = "", "", list[str]()
    for part in parts:
        if part.kind == "literal":
            text = part.text.decode()
            ours, theirs = ours + text.replace("{", "{{").replace("}", "}}"), theirs + text.replace("%", "%%")
            continue
        kind = part.kind if part.is_gap or part.kind in ("ip", "net", "host", "port", "f") else "int"
        name = f"f{len(fields)}"
        ours += f"{{{name}:{'g' if kind == 'f' else kind}}}"
        theirs += {"f": "%f", "int": "%d"}.get(kind, "%s")
        fields.append(name if kind == "f" else f"{name}:{kind}")
    return ours, theirs, fields


@settings(max_examples=300)
@given(readings(), st.booleans())
def test_line_is_read_as_by_scanf(reading: tuple[list[Part], bytes], nocase: bool) -> None:
    parts, line = reading
    ours, theirs, fields = as_format(parts)
    wanted = scanf.compile(theirs, fields, nocase=nocase).match(line, 0, len(line))
    assert format.compile(ours, nocase=nocase).match(line, 0, len(line)) == wanted


TEXTS = ["1", "0x1f", "0b12", "1,234", "5.5%", "1.5", "1.5e5", "a", " ", "_", "-", "x", "2024-01-02", " 10:20", ":30", " PM",
         " +0100", "20/1/1972", "Jan", " 20", "Sun ", "20 Jan 1972", "1.2.3.4", "T", "Z", "/", "000"]  # fmt: skip


@st.composite
def coded(draw: st.DrawFn) -> Form:
    """A pattern of the codes of `parse`, with an address sometimes."""
    kinds = st.sampled_from([*format.CODES, "ip", "text"])
    literals = st.sampled_from(["a", " ", ":", "1", ".", "-", "%", "0x", ",", " a ", ""])
    text, after_gap = draw(st.sampled_from(["", "a", " "])), False
    for index, kind in enumerate(draw(st.lists(kinds, min_size=1, max_size=4))):
        gap = kind == "text" or (kind in format.CODES and format.CODES[kind].is_gap)
        text += ("a" if gap and after_gap else "") + f"{{f{index}:{kind}}}"
        literal = draw(literals)
        text, after_gap = text + literal, gap and not literal
    return format.compile(text)


@settings(max_examples=1000)
@given(coded(), st.lists(st.sampled_from(TEXTS), max_size=8).map("".join))
def test_both_ways_read_alike(form: Form, text: str) -> None:
    """Every code's text is settled by where it begins, or its block is: the quick way and the linear way agree."""
    line = text.rstrip().encode()
    found, linear = form.captures(line, 0, len(line)), form.match_linear(line, 0, len(line))
    assert (found and list(found)) == (linear and list(linear))


@pytest.mark.parametrize("code", format.CODES)
def test_megabyte_is_read_in_linear_time(code: str) -> None:
    form = format.compile(f"a{{x}};{{y:{code}}}!{{z}}b")
    for piece in (b"1", b"0x", b"1.1e1", b"1,111", b"2024-01-02 ", b"10:20", b"a", b" ", b"Jan "):
        line = b"a;" + piece * (300_000 // len(piece)) + b"!"
        assert form.match(line, 0, len(line)) is None


@pytest.mark.parametrize(
    ("pattern", "is_tagged"),
    [
        ("sshd[{:d}]: x", True),
        ("sshd[{pid:d}]: {x}", True),
        ("postfix/smtpd[{pid:int}]: x", True),
        ("sshd[{}]: x", False),
        ("sshd[%d]: x", False),  # that is text here
        (" sshd[{:d}]: x", False),
        ("sshd: x", False),
    ],
)
def test_pattern_that_begins_with_a_tag(pattern: str, is_tagged: bool) -> None:
    assert format.compile(pattern).anchor == ("tag" if is_tagged else "")


def test_types() -> None:
    """JSON and conditions know numbers by their type's name."""
    text = "{a:d} {b:x} {c:o} {d:b} {e:f} {f:g} {g:e} {ip} {h}"
    assert format.compile(text).types == ("int", "hex", "octal", "binary", "float", "float", "float", "ip", "text")


def test_bytes_that_are_no_text_are_taken_as_they_are() -> None:
    """A configuration may hold them."""
    line = b"a\xff 1"
    assert list(format.compile("a\udcff {x}").match(line, 0, len(line)) or []) == [b"1"]


KNOWN = "types are " + ", ".join([*format.CODES, "text", "word", "ip", "net", "host", "port", "int", "mac"])
NO_NAME = "letters, digits and _, not beginning with a digit"
BETWEEN = "where would the first one end? write one field"


@pytest.mark.parametrize(
    ("pattern", "fault", "remedy", "column"),
    [
        ("", "the format is empty", "write the text to look for", None),
        (" \t", "the format is empty", "write the text to look for", None),
        ("a {", "a lone '{'", "write {{ for the character itself", 3),
        ("a } b", "a lone '}'", "write }} for the character itself", 3),
        ("{{{", "a lone '{'", "write {{ for the character itself", 3),
        ("a {b", "a lone '{'", "write {{ for the character itself", 3),
        ("{a:{b}}", "a lone '{'", "write {{ for the character itself", 1),
        ("x {a!r}", "'!r' is not known", "write {a}", 5),
        ("{a!s:d}", "'!s' is not known", "write {a:d}", 3),
        ("x {a.b}", "'a.b' is no field name", NO_NAME, 4),
        ("{a[b]}", "'a[b]' is no field name", NO_NAME, 2),
        ("{0}", "'0' is no field name", NO_NAME, 2),
        ("{a-b}", "'a-b' is no field name", NO_NAME, 2),
        ("{ }", "' ' is no field name", NO_NAME, 2),
        ("{\u00e9}", "'\u00e9' is no field name", NO_NAME, 2),
        ("{a} {a}", "the field 'a' is named twice", "give each field a name of its own", 6),
        ("{a}{b}", "two fields of free text with nothing between them", BETWEEN, 4),
        ("{a:w}{b:W}", "two fields of free text with nothing between them", BETWEEN, 6),
        ("x {a:prot}", "unknown type 'prot'", "did you mean 'port'?", 6),
        ("x {a:q}", "unknown type 'q'", KNOWN, 6),
        ("{a: d}", "' d' has alignment, sign, width, grouping or precision", "write {a:d}", 4),
        ("{a:>}", "'>' has alignment, sign, width, grouping or precision", "write {a}", 4),
        ("{a:>10}", "'>10' has alignment, sign, width, grouping or precision", "write {a}", 4),
        ("{a:*^10d}", "'*^10d' has alignment, sign, width, grouping or precision", "write {a:d}", 4),
        ("{:05d}", "'05d' has alignment, sign, width, grouping or precision", "write {:d}", 3),
        ("{a:+d}", "'+d' has alignment, sign, width, grouping or precision", "write {a:d}", 4),
        ("{a:,d}", "',d' has alignment, sign, width, grouping or precision", "write {a:d}", 4),
        ("{a:.2f}", "'.2f' has alignment, sign, width, grouping or precision", "write {a:f}", 4),
        ("{a:.3}", "'.3' has alignment, sign, width, grouping or precision", "write {a}", 4),
        ("{a:.1%}", "'.1%' has alignment, sign, width, grouping or precision", "write {a:%}", 4),
        ("{a:15ip}", "'15ip' has alignment, sign, width, grouping or precision", "write {a:ip}", 4),
        ("at {t:%H:%M}", "'%H:%M' is a time format", "write a code such as ti (ISO 8601), ts (syslog) or th (HTTP log)", 7),
    ],
)
def test_mistake(pattern: str, fault: str, remedy: str, column: int | None) -> None:
    with pytest.raises(PatternError) as error:
        format.compile(pattern)
    assert (error.value.fault, error.value.remedy, error.value.column) == (fault, remedy, column)


def test_fields_stand_in_the_format() -> None:
    with pytest.raises(PatternError, match="a format names its fields itself"):
        format.compile("{a}", ["b"])


@given(patterns())
def test_escaped_text_is_text(parts: list[Part]) -> None:
    """Whatever the text, `{{` and `}}` make a pattern of it."""
    text = "".join(part.text.decode() or "{}" for part in parts).strip() + "x"
    form, line = format.compile(text.replace("{", "{{").replace("}", "}}")), text.encode()
    assert (form.fields, form.literal) == ((), line)
    assert form.match(line, 0, len(line)) is not None
