"""The reading of a line: what each conversion takes, the same by both ways and by brute force; and linear in what it costs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logtrigger import patterns as syntaxes
from logtrigger.patterns import scanf
from logtrigger.patterns.form import Conversion, Form, Literal
from logtrigger.patterns.format import CODES
from logtrigger.patterns.types import CONVERSIONS, FIELD_TYPES, FieldType
from tests.patterns.plain import Part, read

TOKENS = ["d", "u", "i", "o", "x", "b", "f", "c"]
TYPED = ["ip", "net", "host", "port"]  # carried by %s
GAPS = ["text", "text", "text", "word"]
LITERALS = [b"a", b"b ", b" ", b":", b" from ", b"1", b".", b"-", b"aba", b"0x", b"a:"]
PIECES = [b"a", b"b", b" ", b":", b"1", b"20", b"0", b"8", b".", b"-", b"x", b"e", b" from ", b"aba", b"[", b"]", b"%"]
ADDRESSES = [
    b"1.2.3.4",
    b"9.9.9.9",
    b"::1",
    b"fe80::1%a",
    b"[::1]",
    b"2001:db8::1",
    b"::ffff:1.2.3.4",
    b"1.2.3.4/8",
    b"[1.2.3.4]",
]


def compiled(parts: Sequence[Part], *, nocase: bool = False) -> Form:
    """The pattern, every conversion kept."""
    text, fields = "", list[str]()
    for part in parts:
        if part.kind == "literal":
            text += part.text.decode().replace("%", "%%")
            continue
        text += f"%{part.kind}" if part.kind in TOKENS else "%s"
        name = f"f{len(fields)}"
        fields.append(name if part.kind in [*TOKENS, "text"] else f"{name}:{part.kind}")
    return scanf.compile(text, fields, nocase=nocase)


@st.composite
def patterns(draw: st.DrawFn, literals: Sequence[bytes] = LITERALS, typed: Sequence[str] = TYPED) -> list[Part]:
    """One to seven parts, no two %s side by side, no blank at the end, something in it."""
    kinds = draw(st.lists(st.sampled_from(["literal", "gap", "literal", "token", "typed"]), min_size=1, max_size=7))
    parts: list[Part] = []
    for kind in kinds:
        choices = {"gap": GAPS, "token": TOKENS, "typed": typed, "literal": ["literal"]}[kind]
        part = Part(draw(st.sampled_from(choices)))
        if part.kind == "literal" or (parts and parts[-1].kind in [*GAPS, *TYPED] and part.kind in [*GAPS, *TYPED]):
            text = draw(st.sampled_from(literals))
            if parts and parts[-1].kind == "literal":
                parts[-1] = Part("literal", parts[-1].text + text)
            else:
                parts.append(Part("literal", text))
        if part.kind != "literal":
            parts.append(part)
    if parts[-1].kind == "literal":
        parts[-1] = Part("literal", parts[-1].text.rstrip() + b"a")
    return parts


@st.composite
def readings(draw: st.DrawFn) -> tuple[list[Part], bytes]:
    """A pattern, and a line that is likely to have something to do with it."""
    parts = draw(patterns())
    samples = {
        "ip": ADDRESSES,
        "net": ADDRESSES,
        "host": [*ADDRESSES, b"a.b"],
        "port": [b"22", b"65535"],
        "x": [b"0x1f", b"ab"],
    }
    any_pieces = st.lists(st.sampled_from(PIECES + ADDRESSES[:3]), max_size=4).map(b"".join)
    line = draw(any_pieces) if draw(st.booleans()) else b""
    for part in parts:
        text = (
            st.just(part.text)
            if part.kind == "literal"
            else st.sampled_from(samples.get(part.kind, [b"1", b"a", b"0b1", b"1.5"]))
        )
        if part.is_gap:
            text = any_pieces
        line += draw(st.one_of(text, text, text, any_pieces))
    return parts, line


def normal(part: Part, value: bytes) -> bytes:
    """The one form of an address; other values as they are."""
    bare = value.strip(b"[]").partition(b"%")[0].decode()
    if part.kind == "net":
        return str(ipaddress.ip_network(bare, strict=False)).encode()
    if part.kind not in ("ip", "host"):
        return value
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return value.lower()
    return str(getattr(address, "ipv4_mapped", None) or address).encode()


def as_list(found: Sequence[bytes] | None) -> list[bytes] | None:
    return None if found is None else list(found)


@settings(max_examples=700)
@given(readings(), st.lists(st.lists(st.sampled_from(PIECES + ADDRESSES), max_size=6).map(b"".join), max_size=3), st.data())
def test_body_reads_no_line_otherwise(reading: tuple[list[Part], bytes], others: list[bytes], draw: st.DataObject) -> None:
    """Among other lines; where it finds nothing, or what it took for an address is none, nothing is said."""
    parts, line = reading
    form = Form("", compiled(parts).elements, anchor="tag")  # tried where the line begins
    kept = sorted(draw.draw(st.sets(st.sampled_from(range(len(form.fields))), min_size=1))) if form.fields else []
    body = form.body(kept)
    lines = [one.replace(b"\n", b"") + tail for one, tail in zip([line, *others], [b" \r", b"", b"\t", b""], strict=False)]
    if body is None or not all(one.strip() for one in lines):
        return
    whole_line = rb"^()" + body.expression + rb"(?<![ \t\r\f\x0b])[ \t\r\f\x0b]*+$"
    found = re.findall(b"(?:" + whole_line + b"|^.*())", b"\n".join(lines), re.MULTILINE)
    assert len(found) == len(lines)
    for one, groups in zip(lines, found, strict=True):
        captures = groups[1 : len(kept) + 1]
        whole = re.fullmatch(whole_line, one, re.MULTILINE)
        values = form.captures(one, 0, len(one.rstrip()))
        if whole is None:
            assert values is None
        elif all(check is None or check.fullmatch(c) for check, c in zip(body.checks, captures, strict=True)):
            assert values is not None
            assert [values[index] for index in kept] == list(captures)


@given(st.sampled_from([*CODES.values(), *FIELD_TYPES.values(), *CONVERSIONS.values()]), st.data())
def test_no_type_of_a_body_takes_a_line_feed(kind: FieldType, draw: st.DataObject) -> None:
    if Form("", [Literal(b"a"), Conversion(kind, "x")], anchor="tag").body([0]):
        text = f"[^{kind.excludes}]" if kind.excludes else kind.expression or "."
        assert b"\n" not in draw.draw(st.from_regex(text.encode("latin-1"), fullmatch=True))


@settings(max_examples=700)
@given(readings(), st.booleans())
@example(([Part("literal", b"a"), Part("i"), Part("text")], b"a0x1f"), False)
@example(([Part("ip"), Part("literal", b":"), Part("text")], b"2001:db8::1:22:"), False)
@example(([Part("word"), Part("literal", b" a")], b"b b a"), False)
@example(([Part("text"), Part("literal", b":"), Part("ip"), Part("literal", b".")], b"x 2001:db8::1."), False)
@example(
    ([Part("literal", b"a"), Part("text"), Part("literal", b"b"), Part("word"), Part("literal", b"c")], b"abbbbb c"), False
)
def test_both_ways_read_as_by_brute_force(reading: tuple[list[Part], bytes], nocase: bool) -> None:
    """Leftmost start; gaps as short as they can be, as long where an address follows; numbers whole; the end reached."""
    parts, line = reading
    line = line.upper() if nocase and b"%" not in line else line
    form = compiled(parts, nocase=nocase)
    plain = read(parts, line, nocase=nocase)
    assert as_list(form.match_linear(line, 0, len(line.rstrip()))) == plain
    kept = [part for part in parts if part.kind != "literal"]
    wanted = None if plain is None else [normal(part, value) for part, value in zip(kept, plain, strict=True)]
    assert as_list(form.match(line, 0, len(line))) == wanted


@settings(max_examples=300)
@given(patterns(literals=[b"a", b"b", b" "], typed=["port"]), st.text("ab1 ", max_size=14))
def test_tiny_alphabet_reads_as_by_brute_force(parts: list[Part], text: str) -> None:
    """The same where everything collides with everything."""
    line = text.encode()
    form = compiled(parts)
    plain = read(parts, line)
    assert as_list(form.match(line, 0, len(line))) == plain
    assert as_list(form.match_linear(line, 0, len(line.rstrip()))) == plain


@settings(max_examples=200)
@given(readings(), st.sampled_from([b"", b"1.2.3.4 ", b"a\n", b"9\n"]), st.sampled_from([b"\n", b"\r\n", b" \t\n", b"\nab1"]))
def test_neighbouring_lines_change_nothing(reading: tuple[list[Part], bytes], before: bytes, behind: bytes) -> None:
    """A line is read alike wherever in a chunk it stands, and whatever white space ends it."""
    parts, line = reading
    form = compiled(parts)
    before = before + b"\n" if before else before
    data, end = before + line + behind, len(before) + len(line) + len(behind.partition(b"\n")[0])
    assert form.match(data, len(before), end) == form.match(line, 0, len(line))


@settings(max_examples=300)
@given(readings(), st.booleans())
def test_every_match_holds_the_literals(reading: tuple[list[Part], bytes], nocase: bool) -> None:
    """`literal` stands in every matching line: that is what lines are looked for by."""
    parts, line = reading
    form = compiled(parts, nocase=nocase)
    line = line.swapcase() if nocase else line
    if form.match(line, 0, len(line)) is not None:
        for literal in (form.literal, *form.literals):
            assert (literal.lower() in line.lower()) if nocase else literal in line


@pytest.mark.parametrize(
    ("pattern", "fields", "line", "values"),
    [
        ("a %s b", "x", "a 1 b", ["1"]),
        ("a %s b", "x", "a 1 b 2 b", ["1 b 2"]),  # the end must be reached
        ("a %s b", "x", "a a 1 b", ["a 1"]),  # the leftmost place counts
        ("a %s b", "x", "xa 1 b", ["1"]),  # which may be anywhere
        ("a %s b", "x", "a 1 b c", None),
        ("a %s b", "x", "a  b", None),  # one character or more
        ("a %s", "x", "a 1 2  \t\r", ["1 2"]),
        ("%s: %s", "x y", "a: b: c", ["a", "b: c"]),  # the shortest text
        ("%s from %s", "x ip", "a from 1.1.1.1 from 2.2.2.2", ["a from 1.1.1.1", "2.2.2.2"]),  # the longest before an address
        ("%s from %s", "x y:host", "a from b from c", ["a from b", "c"]),
        ("%s from %s", "x y:net", "a from 10.0.0.0/8 from 10.1.0.0/8", ["a from 10.0.0.0/8", "10.0.0.0/8"]),
        ("%s from %s %s", "x ip y", "a from 1.1.1.1 from 2.2.2.2 b c", ["a from 1.1.1.1", "2.2.2.2", "b c"]),
        ("%s x", "y:word", "a b x", ["b"]),  # a word holds no blank, and may begin anywhere
        ("%s x %s", "y:word z", "a b x c", ["b", "c"]),
        ("a%db", "x", "a12b", ["12"]),
        ("a%s%d", "x y", "ab123", ["b", "123"]),  # a number takes all its digits
        ("%d", "x", "12 345", ["345"]),
        ("a %d", "x", "a  1", None),  # nothing is skipped
        ("a%f%s", "x y", "a1.5b", ["1.5", "b"]),
        ("a%f.%d", "x y", "a1.5", None),  # the number is 1.5
        ("%s:%d", "ip port", "2001:db8::1:22", ["2001:db8::1", "22"]),
        ("%s:%s", "x ip", "u:2001:db8::1", ["u", "2001:db8::1"]),
        ("%s:%s", "x ip", "2001:db8::1", None),  # no part of an address is an address
        ("from %s.", "ip", "from fe80::1%eth0.", ["fe80::1"]),
        ("x%s%c", "a b", "x\u00e9\u00e9", ["\u00e9", "\u00e9"]),  # no character is cut in two
        ("x%s%c", "a b", "x\u00e9", None),
        ("100%% %s", "x", "100% a", ["a"]),
    ],
)
def test_reading(pattern: str, fields: str, line: str, values: list[str] | None) -> None:
    form, raw = scanf.compile(pattern, fields.split()), line.encode()
    assert as_list(form.match(raw, 0, len(raw))) == (None if values is None else [value.encode() for value in values])


def test_tagged_pattern_matches_where_it_is_told() -> None:
    """It is given the place of the header's tag, and looks nowhere else."""
    form = scanf.compile("sshd[%d]: bye", ["pid"])
    line = b"host sshd[7]: bye"
    assert form.anchor == "tag"
    assert form.match(line, 0, len(line)) is None
    assert as_list(form.match(line, 5, len(line))) == [b"7"]


MEGABYTE = 1_000_000

# Patterns with lines made to let a matcher try again and again.
COSTLY = [
    ("a%sb%sc", "x y", b"ab"),
    ("a%sb%sc", "x y:word", b"b"),
    ("a%sb%sc", "x:word y:word", b"ab"),
    ("%s a", "x:word", b"a"),
    ("%s a %s b", "x:word y:word", b"a "),
    ("%s from %s port %d ssh2", "user ip port", b" from 1.2.3.4 port 22"),
    ("%s from %s by %s to %s!", "a b:ip c d:ip", b" from 1.2.3.4 by 1.2.3.4 to 1.2.3.4"),
    ("%s:%s", "user ip", b"1:"),
    ("%s:%s", "user ip", b"a:1.2.3.4"),
    ("%s %s!", "a ip", b":1"),
    ("%s %d!", "a b", b"1"),
    ("%s1%d!", "a b", b"1"),
    ("%s %f!", "a b", b"1.1e1"),
    ("%i%s%i%s%i!", "a b c d e", b"0x1"),
    ("%s.%s.%s.%s.%s!", "a b c d e", b"."),
    ("%s a", "h:host", b"a."),
    ("a %s b %s", "x:word y:net", b"a 1.2.3.4/8 b "),
    ("%s%c!", "a b", "\u00e9".encode()),
]


@pytest.mark.parametrize(("pattern", "fields", "piece"), COSTLY)
@pytest.mark.parametrize("tail", [b"", b" ", b"c", b" c", b"!", b" !", b" b", b" a", b" to 1.2.3.4!"])
def test_megabyte_is_read_in_linear_time(pattern: str, fields: str, piece: bytes, tail: bytes) -> None:
    """No line makes matching quadratic: with these, that would take hours, not seconds."""
    form = scanf.compile(pattern, fields.split())
    line = b"a" + piece * (MEGABYTE // len(piece)) + tail
    form.match(line, 0, len(line))


def test_expressions_are_compiled_when_needed() -> None:
    """Most rules never see a line; compiling would cost each of them milliseconds."""
    form = scanf.compile("a %s", ["ip"])
    assert not any(isinstance(value, re.Pattern) for value in vars(form).values())


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("sshd[%d]: Failed password for %s", r"\]:\ Failed\ password\ for\ [^\n]"),
        ("sshd[%d]: bye", ""),  # too little text
        ("sshd: Failed password for %s", ""),
        ("Failed password for %s", ""),
    ],
)
def test_coarse_form_without_the_tag(text: str, body: str) -> None:
    assert scanf.compile(text).coarse_body == body
    assert scanf.compile(text).coarse.endswith(body)


@settings(max_examples=300)
@given(readings(), st.booleans())
def test_coarse_form_takes_what_the_pattern_takes(reading: tuple[list[Part], bytes], nocase: bool) -> None:
    """Or more: a matcher that looks for it shows every matching line to the pattern."""
    parts, line = reading
    form = compiled(parts, nocase=nocase)
    if form.coarse and form.match(line, 0, len(line)) is not None:
        coarse = re.compile(form.coarse.encode("latin-1"), re.MULTILINE | (re.IGNORECASE if nocase else 0))
        assert coarse.search(b"before\n" + line + b"\nbehind\n")


@pytest.mark.parametrize(
    ("text", "fields", "is_quick"),
    [
        ("Failed %s for %s from %s port %d ssh2", "method:word user ip port", True),
        ("Failed %s, for %s from %s port %d ssh2", "method:word user ip port", False),  # a word may hold the comma
        ("Failed %s for %s from %s port %d ssh2", "method user ip port", False),
    ],
)
def test_a_word_before_a_blank_leaves_nothing_to_choose(text: str, fields: str, is_quick: bool) -> None:
    """There is but one place in which it ends, and so one quick expression for the whole."""
    pattern = syntaxes.compile(text, fields.split(), "scanf", anchor="message")
    assert (pattern.quick(b"") is not None) is is_quick
    line = b"Failed password for invalid user x from 10.0.0.9 port 1 ssh2 from 192.0.2.7 port 22 ssh2"
    if "," not in text:
        wanted = [b"password", b"invalid user x from 10.0.0.9 port 1 ssh2", b"192.0.2.7", b"22"]
        assert pattern.match(line, 0, len(line)) == wanted
