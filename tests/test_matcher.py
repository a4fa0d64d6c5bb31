"""The literal matcher: every true match is among its hits, in order, each once."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from logtrigger.matcher import LiteralMatcher
from logtrigger.patterns import scanf

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
    matcher = LiteralMatcher(forms)
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
    matcher = LiteralMatcher([[scanf.compile("Failed password for %s")], [scanf.compile("accepted", nocase=True)]])
    data = b"one\nFailed password for x\nACCEPTED\nFailed login\n"
    assert list(matcher.scan(data)) == [(4, 25, 0), (26, 34, 1)]
