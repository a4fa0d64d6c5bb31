"""How far a pattern gets in a line that it does not match."""

from __future__ import annotations

import time

import pytest

from logtrigger.errors import Place
from logtrigger.explain import LONGEST, LOOKED_INTO, Explainer, Misses, Stop, words
from logtrigger.patterns import scanf
from logtrigger.patterns.form import Form

SSHD = "sshd[%d]: Failed password for %s from %s port %d ssh2"
LINE = b"sshd[7]: Failed password for root from 192.0.2.7 port 22 ssh2"


def compiled(text: str, fields: str = "", *, nocase: bool = False) -> Form:
    return scanf.compile(text, fields.split(), nocase=nocase)


def stop_in(form: Form, line: bytes) -> Stop:
    stop = Explainer(form).explain(line, 0, len(line))
    assert stop is not None
    return stop


# Pattern, fields, line with | where the pattern stops, what was wanted, what stands there.
STOPS = [
    ("from %s port %d", "ip", "from |gate port 22", "an IP address for ip", "'gate'"),
    ("from %s port %d", "ip", "from 192.0.2.7 |22", "' port '", "' 22'"),
    ("for %s from %s", "", "for |root by bob", "' from ', here or further on", "'root by bob'"),
    ("port %d", "", "port |x", "a number", "'x'"),
    ("port %d", "", "port 22| ssh2", "the line's end", "' ssh2'"),
    ("user %s gone", "user:word", "user john |doe gone", "' gone'", "' doe '"),
    ("Failed pasword for %s", "", "gate: Failed pas|sword for root", "'Failed pasword for '", "'Failed password for'"),
    ("failed login of %s", "", "|Failed login of root", "'failed login of '", "'Failed login of '"),
    ("at %x", "", "at |zero", "a hexadecimal number", "'zero'"),
    ("mac %s", "m:mac", "mac |00:16", "a MAC address for m", "'00:16'"),
    ("user %s port %d", "", "user root port| ", "' port '", "' port'"),
    ("%d of %s", "", "|none of them", "a number", "'none'"),
]


@pytest.mark.parametrize(("text", "fields", "line", "wanted", "found"), STOPS)
def test_stop(text: str, fields: str, line: str, wanted: str, found: str) -> None:
    """The pattern stops at the first of its parts that has no place, and says what stands there."""
    at, raw = line.index("|"), line.replace("|", "").encode()
    explainer = Explainer(compiled(text, fields))
    stop = explainer.explain(raw, 0, len(raw))
    assert stop is not None
    assert (stop.at, explainer.wanted(stop), explainer.standing(stop, raw)) == (at, wanted, found)


def test_case_counts_unless_told() -> None:
    line = b"FAILED for root by gate"
    assert stop_in(compiled("failed for %s from %s"), line).element == 0
    assert stop_in(compiled("failed for %s from %s", nocase=True), line).element == 2


def test_part_is_looked_for_in_every_place() -> None:
    """A later ' from ' may be the one that goes on."""
    line = b"for root from gate from 192.0.2.7 and more"
    explainer = Explainer(compiled("for %s from %s port %d", "user ip"))
    stop = explainer.explain(line, 0, len(line))
    assert stop is not None
    assert explainer.reached(stop) == "for <user> from <ip>"


def test_tagged_pattern_stops_at_the_tag() -> None:
    line = b"root: sshd[7]: Failed password for root from 192.0.2.7 port 22 ssh2"
    assert (stop_in(compiled(SSHD), line).element, stop_in(compiled(SSHD), line).at) == (0, 0)


def test_parts_behind_the_stop_count() -> None:
    """A slip in one place leaves the line near."""
    stop = stop_in(compiled("Failed pasword for %s from %s port %d ssh2"), LINE)
    assert (stop.found, stop.parts, stop.is_near) == (4, 5, True)


def test_numbers_anywhere_make_no_line_near() -> None:
    assert not stop_in(compiled("lost %d of %d packets"), b"took 3 of 4 parcels").is_near


def test_long_lines_are_not_explained() -> None:
    line = b"x" * (LONGEST + 1)
    assert Explainer(compiled("y")).explain(line, 0, len(line)) is None


@pytest.mark.parametrize("line", [b"a" * LONGEST, b" a" * (LONGEST // 2), b"a from " * (LONGEST // 7)])
@pytest.mark.parametrize(("text", "fields"), [("a%sa%sa%sb", "x:word y:word z:word"), (" from %s from %s!", "a b"), (SSHD, "")])
def test_no_line_takes_long(text: str, fields: str, line: bytes) -> None:
    began = time.process_time()  # whatever else the machine does
    stop_in(compiled(text, fields), line)
    assert time.process_time() - began < 1


def test_words() -> None:
    assert words(compiled("Failed of Failed %s at port %d")) == [b"failed", b"port", b"of", b"at"]


def collected(form: Form, *lines: bytes) -> Misses:
    misses = Misses(form)
    for number, line in enumerate(lines, 1):
        misses.add(Place("log", number), line)
    return misses


def test_one_example_for_each_way_to_miss() -> None:
    """Lines that differ in digits and letters only are missed in the same way."""
    form = compiled("from %s port %d", "ip")
    misses = collected(
        form, b"from gate port 1", b"from 192.0.2.7:1 port 1", b"from host port 2", b"from 192.0.2.7:9 port 1", b"from x port 1"
    )
    assert [(miss.place.line, miss.count) for miss in misses.ranked(strict=True)] == [(2, 2), (1, 3)]


def test_lines_that_go_on_are_nearer() -> None:
    """What stands there is a word in both lines, but one of them is a slip only."""
    lines = b"sshd[7]: reverse mapping failed", LINE
    ranked = collected(compiled("sshd[%d]: Failed pasword for %s from %s"), *lines).ranked(strict=False)
    assert [miss.line for miss in ranked] == [LINE, lines[0]]


def test_far_misses_are_given_where_nothing_is_near() -> None:
    form = compiled("got %d of %d packets in %d ms")
    far = b"got 7 letters"
    assert [miss.line for miss in collected(form, far).ranked(strict=False)] == [far]
    assert collected(form, far).ranked(strict=True) == []
    assert [miss.line for miss in collected(form, far, b"got 1 of 2 packets in x ms").ranked(strict=False)] != [far]


def test_only_so_many_lines_are_looked_into() -> None:
    misses = Misses(compiled("from %s port %d", "ip"))
    for number in range(LOOKED_INTO + 5):
        misses.add(Place("log", number), b"from gate port 1")
    assert (misses.ranked(strict=True)[0].count, misses.overlooked) == (LOOKED_INTO, 5)


def test_likely_lines() -> None:
    """A line is likely that has a long word of the pattern and half of all, in whatever case."""
    data = b"accepted for x\nFAILED password from x\nfailed\nfailed login for x from y\n"
    found = [data[begin:end] for begin, end in Misses(compiled("Failed pasword for %s from %s")).likely(data)]
    assert found == [b"FAILED password from x", b"failed login for x from y"]
