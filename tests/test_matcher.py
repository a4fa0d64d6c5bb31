"""The literal matcher: every true match is among its hits, in order, each once."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logtrigger import matcher as module
from logtrigger.matcher import LiteralMatcher, Owner
from logtrigger.patterns import scanf
from logtrigger.recognise import Line, Recogniser
from tests.script import rule

PATTERNS = st.tuples(
    st.sampled_from(["a", "ab", "ba", "a%sb", "%s", "%d", "%s a", "%d b", "AB", "b%db", " ", "a b%s"]).filter(str.strip),
    st.booleans(),
)


@settings(max_examples=300)
@given(st.lists(st.lists(PATTERNS, min_size=1, max_size=3), max_size=4), st.lists(st.text("abAB1 \r", max_size=8), max_size=6))
@example([[("a", False), ("a", True)]], ["aa", "", "A"])
def test_every_true_match_is_a_hit(owners: list[list[tuple[str, bool]]], lines: list[str]) -> None:
    """By line, then by owner; and what is hit is a whole line."""
    forms = [[scanf.compile(text, nocase=nocase) for text, nocase in patterns] for patterns in owners]
    data = "".join(line + "\n" for line in lines).encode()
    matcher = LiteralMatcher([Owner(some) for some in forms])
    hits = list(matcher.scan(data))
    assert hits == sorted(set(hits))
    ends: dict[int, list[int]] = {}
    for _, end, owner in hits:
        ends.setdefault(owner, []).append(end)
    assert matcher.lines(data) == ends
    begin, spans, matches = 0, [], set()
    for line in lines:
        end = begin + len(line)
        spans.append((begin, end))
        matches |= {
            (begin, end, owner)
            for owner, patterns in enumerate(forms)
            if any(pattern.match(data, begin, end) is not None for pattern in patterns)
        }
        begin = end + 1
    assert matches <= set(hits)
    assert {hit[:2] for hit in hits} <= set(spans)


def test_lines_that_nobody_wants_are_no_hits() -> None:
    """That is what makes it quick."""
    matcher = LiteralMatcher(
        [Owner([scanf.compile("Failed password for %s")]), Owner([scanf.compile("accepted", nocase=True)])]
    )
    data = b"one\nFailed password for x\nACCEPTED\nFailed login\n"
    assert list(matcher.scan(data)) == [(4, 25, 0), (26, 34, 1)]


HEADERS = [
    "Nov 14 22:00:00 h a[7]: ",
    "2023-11-14T22:00:10Z h b: ",
    "<38>1 2023-11-14T22:00:00Z h a 7 - - ",
    "a[7]: ",
    "x ",
    "",
]
RULES = [
    rule("a[%d]: one %s|a[%d]: two %s"),
    rule("b: two %s"),
    rule("one %s|two", programs=["a", "c"], anchor="message"),
    rule("one %s", programs=["b"]),
    rule('%s two "%s" %s', programs=["a"], anchor="message"),
    rule('one "%s" %s'),
    rule('%s one "%s" two', anchor="time"),
    rule("two #%d", programs=["d"]),
    rule("two #%d|one #%d"),
]


@settings(max_examples=300)
@given(
    st.lists(
        st.builds(
            "".join,
            st.tuples(
                st.sampled_from(HEADERS),
                st.sampled_from(["", "x "]),
                st.sampled_from(["one ", "two "]),
                st.sampled_from(["", "x", "two", '"x" y', '"x" two', "#7"]),
            ),  # fmt: skip
        ),
        max_size=5,
    )
)
def test_what_cannot_be_there_is_not_looked_for(lines: list[str]) -> None:
    """And everything else is: every event is found."""
    data = "".join(line + "\n" for line in lines).encode()
    owners = [Owner(made.patterns, made.programs) for made in RULES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MANY", 0)
        patch.setattr(module, "_GATED_FROM", 0)
        gated = LiteralMatcher(owners)
        hits, by_owner = list(gated.scan(data)), gated.lines(data)
    assert set(hits) <= set(LiteralMatcher(owners).scan(data))
    ends: dict[int, list[int]] = {}
    for _, end, owner in hits:
        ends.setdefault(owner, []).append(end)
    assert by_owner == ends
    begin = 0
    for line in lines:
        end = begin + len(line)
        for number, made in enumerate(RULES):
            if Recogniser(made).recognise(Line(data, begin, end)):
                assert (begin, end, number) in hits
        begin = end + 1
