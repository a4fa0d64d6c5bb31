"""No expression that is let through can take long, whatever a line says; and what people really write is let through.

Nothing here looks at a clock: an expression that should have been refused runs into the time limit that every test has.
"""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logtrigger.errors import PatternError
from logtrigger.patterns.backtracking import LENGTHS, judge


def longest(text: str, flags: int = 0) -> int:
    return judge(text.encode(), text, flags).longest


# The column is that of the repeat which is to blame.
EVIL = {
    "(a+)+$": 5,
    "^(a+)+$": 6,
    "(a*)*b": 5,
    "(?:a|a)*b": 8,
    "(a|aa)+$": 7,
    "(.*a){20}": 6,
    "(.*a)+b": 6,
    r"^(\w+\s?)*$": 10,
    r"^(\w+\s*)*:": 10,
    "(x+x+)+y": 7,
    "(?:a+b?)+c": 9,
    "(.*)(.*)(.*)(.*)z": 15,
    ".*.*.*.*=.*": 8,
    "a*a*a*a*a*b": 8,
    "^(([a-z])+.)+[A-Z]([a-z])+$": 13,
    r"(\d+)*\d+x": 6,
    "([a-zA-Z]+)*x": 12,
    "(?=(a+)+$)a": 8,
    "(?!(a+)+$)a": 8,
    "(?P<x>(?:a+)+)b$": 13,
    r"\s+\s+\s+\s+x": 9,
    "(?:.*,){8}y": 8,
    r"(\S+\s*)+:": 9,
    "(a?){40}a{40}": 5,
    "(?i)(a|ab)*b": 11,
    r"(a+)(?:\1)*(a+)*b": 16,
    r"[(+*](?#(+)\(+(a{2,})+?b": 22,
}
SMALL = ["a", "aa", "b", "ab", "x", "1", "1 ", " ", "\t", "a ", "a,", "=", ".", " from ", " for ", '"', "[", "]", ": ", "user="]


@pytest.mark.parametrize(("text", "column"), EVIL.items())
def test_evil_expression_is_refused(text: str, column: int) -> None:
    with pytest.raises(PatternError, match="this repeat can share text with another one in too many ways") as error:
        longest(text)
    assert error.value.column == column
    assert text[column - 1] in "*+?{"


ORDINARY = [
    r"^Failed \w+ for (?P<user>.*) from (?P<ip>\S+)",
    r"Failed \w+ for (?P<user>.*) from (?P<ip>\S+)",
    r"Failed .* for .* from (?P<ip>\S+) port",
    r"Invalid user (?P<user>.*?) from (?P<ip>\S+)(?: port \d+)?$",
    r"^(?:\s*\S+ )?sshd(?:\[\d+\])?: Failed \S+ for (?P<c>invalid user )?(?P<u>\S+) from (?P<ip>\S+)(?: port \d+)?( ssh2)?$",
    r'^(?P<ip>\S+) -.*"(GET|POST).*HTTP.*$',
    r'^(?P<ip>\S+) - \S+ \[[^\]]+\] "(?:GET|POST|HEAD) [^"]*" 40[13] \d+',
    r"^.*authentication failure;.* rhost=(?P<ip>\S+)(?:\s+user=.*)?\s*$",
    r".*authentication failure;.* rhost=(?P<ip>\S+)",
    r"warning: [-._\w]+\[(?P<ip>[^\]]+)\]: SASL (?i:LOGIN|(?:CRAM|DIGEST)-MD5) authentication failed(: [A-Za-z0-9+/:]*)?$",
    r"(?P<ip>[0-9.]+) port",
    r"(?:\d{1,3}\.){3}\d{1,3}",
    r"^(?:[a-z0-9-]+\.)+[a-z]{2,} blocked",
    r"(?:\s+\w+=\S+)* rhost=(?P<ip>\S+)",
    r"^\[client (?P<ip>\S+?)(?::\d+)?\] (?:AH\d+: )?client denied by server configuration: (?P<path>.*)$",
    r"(?P<ip>x)?y",
    r"a.*b(?!c)",
    r"^(?!root).*failed for (?P<user>\w+)",
    r"(a)\1",
    r"lost connection after (?:AUTH|RCPT) from [^[]*\[(?P<ip>[^\]]+)\]",
    r"query(?: \(cache\))? '.*' denied",
    r"^(?>\w+\s?)*+:",
    r"^(\w++\s?+)*:",
    r"(?i)(a|A)*b",
    r"(?:(?:error|info): )+x",
    r"^([^:]+:)* (?P<rest>.+)$",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_expression_is_let_through_and_done_with_any_line(text: str) -> None:
    shown, from_beginning = judge(text.encode(), text, 0)
    assert shown in LENGTHS
    expression = re.compile(text.encode(), re.DOTALL)
    find = expression.match if from_beginning else expression.search  # as it is run
    literals = [found.strip() for found in re.split(r"[^A-Za-z=:;' ]+", text) if len(found) > 3]
    pieces = [piece.encode() for piece in (*SMALL, *literals)]
    for lead, piece in product([b"", *(literal.encode() + b" " for literal in literals[:2])], pieces):
        find((lead + piece * shown)[: shown - 1] + b"\x01")


def test_whole_lines_where_that_is_cheap_and_less_where_it_is_not() -> None:
    assert longest("^a[^ ]+ b") == LENGTHS[0]
    assert LENGTHS[0] > longest("a.*b(?!c)") > longest("Failed .* for .* from (?P<ip>[^ ]+) port") == LENGTHS[-1]


@pytest.mark.parametrize(
    ("text", "answer"), [(".*a", True), ("(.*?)a", True), ("(?P<x>(?:.*))a", True), (".+a", False), ("a.*", False), ("", False)]
)
def test_leading_free_text_needs_one_try(text: str, answer: bool) -> None:
    assert judge(text.encode(), text, 0).from_beginning is answer


ATOMS = ["a", "b", "[ab]", "[^a]", ".", r"\s", r"\S", " ", "ab", "(?=a)", "$"]
REPEATS = ["", "", "*", "+", "?", "*?", "+?", "{2,5}", "{3}", "{,4}", "++", "*+"]


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    text = ""
    for _ in range(draw(st.integers(1, 3))):
        if depth and draw(st.booleans()):
            inside = "|".join(draw(st.lists(expressions(depth - 1), min_size=1, max_size=2)))
            text += f"{draw(st.sampled_from(['(', '(?:', '(?>']))}{inside}){draw(st.sampled_from(REPEATS))}"
        else:
            atom = draw(st.sampled_from(ATOMS))
            text += atom if atom in ("(?=a)", "$") else atom + draw(st.sampled_from(REPEATS))
    return text


@settings(max_examples=300)
@example("[ab]*b+(?=a)", [b"b"])
@example(r"\s+.+(?=a)$", [b" ", b"a"])
@example(r"[^a]{2,5}\s*?\s*?(?=a)", [b"ab", b" "])
@given(expressions(), st.lists(st.sampled_from([b"a", b"b", b"ab", b" ", b"a ", b"ba"]), min_size=1, max_size=3))
def test_any_expression_is_refused_or_done(text: str, pieces: list[bytes]) -> None:
    """Over lines made of its own stuff that end in something else."""
    try:
        shown = longest(text)
    except PatternError as error:
        assert error.column is None or text[error.column - 1] in "*+?{"
        return
    share = shown // len(pieces)
    line = b"".join(piece * (share // len(piece)) for piece in pieces) + b"\x01"
    re.compile(text.encode(), re.DOTALL).search(line)


def test_column_is_left_out_where_it_cannot_be_told() -> None:
    with pytest.raises(PatternError) as error:
        longest("(?x) (a+)+$  # or ++?")
    assert error.value.column is None
