"""The ways of a rule: what they tell of a line is what a thorough look tells, one by one and many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logtrigger import conditions
from logtrigger.headers import KnownStamps
from logtrigger.patterns import format, regex
from logtrigger.patterns.pattern import Pattern
from logtrigger.recognise import Line, Recogniser
from logtrigger.rule import BanOptions, Rule
from logtrigger.ways import Headed, Way, Ways
from tests.script import NOW, SSHD, failed, rule

FIELDS = "user ip port"
TAGGED = "sshd[%d]: " + SSHD
INVALID = "Failed password for invalid user %s from %s port %d ssh2"


def of(made: Rule, *patterns: Pattern) -> Rule:
    """The rule with these patterns."""
    return replace(made, patterns=patterns)


# Of these all is told of a line that is an event and has a usual header.
TOLD = [
    rule(TAGGED, "pid user ip", maxfail=2),
    rule(TAGGED, "pid user ip", programs=["sshd", "h"], key=("ip", "user")),
    rule(TAGGED, "pid user ip", key=("pid",)),
    rule("sshd[%d]: Failed password for %s from %s: %d", "- user ip n"),
    rule(TAGGED, "pid user ip:host", key=("ip",)),
    rule(TAGGED, "pid user ip", key=()),
    rule("sshd[%d]: Failed password for %s", "pid user", key=("user",)),
    rule("Failed password for %s port %d %s", "who port rest", programs=["sshd"], key=("rest", "who")),
    rule(TAGGED, "- user net:net", key=("net",)),
    rule(SSHD, "user ip", programs=["sshd", "a"], anchor="message"),
    rule("Failed password for %s from %s: %d", "user ip n", programs=["sshd"], anchor="message", key=("user", "ip")),
    # Several patterns
    rule(f"{INVALID}|{SSHD}|Failed password for %s", "user ip|user ip|user", programs=["sshd", "a"], anchor="message"),
    rule(f"{TAGGED}|sshd[%d]: Failed password for %s from %s: %d", "- user ip|- user ip n", key=("ip", "user")),
    rule(f"{TAGGED}|a[%d]: {SSHD}|sshd[%d]: Failed password for %s", "- - ip|- user ip|- user", key=("ip",)),
    rule(f"{SSHD}|Failed password for %s from %s: %d", "- ip|ip rest n", programs=["sshd"], anchor="message", key=()),
    rule(f"{SSHD}|Failed password for %s", "- ip|-", programs=["sshd"], anchor="message", key=("ip",)),
    rule("Failed %s for %s from %s port %d ssh2", "how:word user ip", programs=["sshd"], anchor="message"),
    # Conditions
    rule(f"{INVALID}|{SSHD}", "user ip", programs=["sshd"], anchor="message", when=["user ~ ^(root|sshd)", "ip != 9.9.9.9"]),
    rule(f"{SSHD}|Failed password for %s", "user ip|user", programs=["sshd"], anchor="message", when=["ip in 192.0.2.0/29"]),
    rule(f"{SSHD}|Failed password for %s", "user ip|user", programs=["sshd"], anchor="message", when=["unknown ip"]),
    rule(TAGGED, "- user ip port:port", key=("user",), when=["port > 22"]),
    rule(f"{SSHD}|Failed password for %s from %s: %d", "user ip", programs=["sshd"], anchor="message", ignore=["192.0.2.7"]),
    rule(SSHD, "user ip", programs=["sshd"], anchor="message", ban=BanOptions(field="ip", seconds=1.0, prefix4=24)),
    of(
        rule(SSHD, "user ip", programs=["sshd"], anchor="message", key=("ip", "user")),
        format.compile("Failed password for {user} from {ip:ip}: {n:d}", anchor="message"),
        format.compile("Failed password for {user} from {ip:ip} port {n:d} ssh2", anchor="message"),
    ),
]
# Of these it is told only what other programs' lines are not, or what is no event.
PARTLY = [
    rule(SSHD, "user ip", programs=["sshd"], anchor="message", excepts=["Failed password for root%s"]),
    replace(
        rule(SSHD, "user ip", programs=["sshd"], anchor="message"),
        when=(conditions.compile("country != FI", {"country": "country"}),),
    ),
    rule(SSHD, "user ip", programs=["sshd"], anchor="message", when=["pid > 7"]),
    rule(f"{SSHD}|Failed password for %s", "user ip|user:word", programs=["a", "sshd"], anchor="message", key=("user",)),
    rule(f"{SSHD}|Failed password for %s from %s: %d", "user ip|ip:text user:ip", programs=["sshd"], anchor="message"),
    rule(SSHD, FIELDS, programs=["sshd", "a"], when=["user == root"]),
    rule(f"{SSHD}|password for %s from %s: %d", "user ip", programs=["sshd"]),
    of(
        rule(SSHD, "user ip", programs=["sshd"], anchor="message"),
        regex.compile(r"Failed \w+ for (?P<user>.*) from (?P<ip>\S+) port", anchor="message"),
        *rule(SSHD, "user ip", anchor="message").patterns,
    ),
    of(
        rule(SSHD, "user ip", programs=["sshd"], anchor="message"),
        *rule(SSHD, "user ip", anchor="message").patterns,
        regex.compile(r"Failed \w+ for (?P<user>.*) from (?P<ip>\S+):", anchor="message"),
    ),
]
# Of these headers do not matter, but for the time.
OTHERS = [
    rule(SSHD, FIELDS),
    rule(f"{INVALID}|{SSHD}|password for %s", "user ip port|port:text ip|who", key=("ip", "user")),
    rule(SSHD, FIELDS, excepts=["from 9.%s"]),
    rule(SSHD, FIELDS, when=["user == root"], ignore=["192.0.2.8"]),
    rule("%s", "all", key=("all",)),
    rule("a", key=()),
    rule("h sshd[7]: " + SSHD, FIELDS, anchor="time"),
    rule(f"{SSHD}|a %s", "user ip port|user", anchor="time"),
    rule("%s", anchor="time", key=()),
    rule(f"h %s Failed %s for root%s|h sshd[7]: {SSHD}|%s", "tag rest|user ip|all", anchor="time", key=("tag", "user")),
    of(
        rule(SSHD, key=("ip", "user")),
        regex.compile(r"for (?P<user>root)? *from (?P<ip>[^ ]+)"),
        regex.compile(r"(?i)FAILED (?:password|(?P<user>.+))"),
    ),
]
HEADERS = [
    "Nov 14 22:00:00 h sshd[7]: ",
    "Nov 14 22:00:01 h sshd[+8]: ",
    "Nov 14 22:00:00 h sshd: ",
    "Nov 14 22:00:00 h a[7]: ",
]
HEADERS += [
    "Nov 14 22:00:00 2023 sshd[7]: ",
    "Nov 31 22:00:00 h sshd[7]: ",
    "2023-11-14T22:00:10Z h sshd[7]: ",
    "",
    "<38>Nov 14 22:00:03 h sshd[7]: ",
    "<38>1 2023-11-14T22:00:00Z h sshd 7 - - ",
    "2023-11-14 22:00:00 h sshd[7]: ",
    "Nov 14 22:00:00 h -[7]: ",
    "Nov 14 22:00:00 ",
]
HEADERS += [f"Nov 14 22:00:00 h sshd[{'7' * digits}]: " for digits in (31, 32, 33)]
IPS = ["192.0.2.7", "192.0.2.8", "1.2.3.400", "::FFFF:1.2.3.4", "[1.2.3.4]", "fe80::1%eth0", "a.example", "9.9.9.9 x", "[x]"]
USERS = [
    "root",
    "x from 9.9.9.9 port 22 ssh2",
    "sshd[9]: Failed password for y",
    "x" * 300,
    "\u00e4\x1b",
    "invalid user b",
    "x" * 90,
]
BARE_LINES = [
    "",
    " ",
    "\r",
    "x",
    "Nov 14 22:00:00",
    "Nov 14 22:00:00 ",
    "Nov 14 22:00:00 \r",
    "Nov 14 22:00:00 h sshd[7]:",
    "a b",
]
FAILED = st.builds(
    lambda header, ip, user, end: failed(ip, user, header) + end,
    st.sampled_from(HEADERS),
    st.sampled_from(IPS),
    st.sampled_from(USERS),
    st.sampled_from(["", " ", "\r", " x", " from 9.9.9.9: 7", " from ::1: 7", " from 1.2.3.400: 7", " from [::1]: 7 "]),
)
LINES = st.lists(st.one_of(FAILED, FAILED, FAILED, st.sampled_from(BARE_LINES)), min_size=1, max_size=6)


def way_of(made: Rule) -> Way | None:
    return Ways("logtrigger").of(made)


def looked_at(made: Rule, data: bytes, begin: int, end: int) -> tuple[float | None, str | None]:
    """When a line was written, and its key if it is an event."""
    line = Line(data, begin, end)
    found = Recogniser(made).recognise(line)
    return line.header.time(NOW), found.reading.key(found.values) if found else None


def stamps() -> KnownStamps:
    known = KnownStamps()
    known.now = NOW
    return known


def spans(lines: Sequence[str]) -> tuple[bytes, list[int], list[int]]:
    """The lines as data, and where each begins and ends."""
    data = "".join(line + "\n" for line in lines).encode()
    ends = [at for at, byte in enumerate(data) if byte == 10]
    return data, [0, *(end + 1 for end in ends[:-1])], ends


def is_usual(line: str) -> bool:
    """Whether a line has a header, an address and a length that all is told of; and nothing that only looks like an address."""
    return line.startswith(HEADERS[0]) and "192.0.2" in line and "1.2.3.400" not in line and len(line) < 200


@settings(max_examples=400)
@given(st.sampled_from(TOLD + PARTLY + OTHERS), LINES)
def test_answer_is_that_of_a_thorough_look(made: Rule, lines: list[str]) -> None:
    way, known = way_of(made), stamps()
    assert way is not None
    data, begins, ends = spans(lines)
    for line, begin, end in zip(lines, begins, ends, strict=True):
        for answer in (way.one(data, begin, end, known), way.one(data, begin, end, known)):  # also what is remembered
            _, key = looked_at(made, data, begin, end)
            if answer is None:
                assert made not in TOLD or not is_usual(line)
            else:
                assert answer == (False if key is None else key)


@settings(max_examples=400)
@given(st.sampled_from(TOLD + PARTLY), LINES)
def test_events_are_those_of_the_lines(made: Rule, lines: list[str]) -> None:
    way, asked = way_of(made), list[int]()
    assert isinstance(way, Headed) and way.tells_time
    data, begins, ends = spans(lines)

    def look(begin: int, end: int) -> tuple[float | None, str | None]:
        asked.append(begin)
        return looked_at(made, data, begin, end)

    found = way.many(data, begins, ends, stamps(), look)
    events = list(zip(found.begins, found.ends, found.written, found.keys, strict=True))
    wanted = [(begin, end, *looked_at(made, data, begin, end)) for begin, end in zip(begins, ends, strict=True)]
    assert events == [event for event in wanted if event[3] is not None]
    if made in TOLD:
        assert not {begin for begin, line in zip(begins, lines, strict=True) if is_usual(line)} & set(asked)


@pytest.mark.parametrize("made", [*TOLD, *PARTLY], ids=lambda made: f"{made.patterns[0].text} {made.key}")
def test_other_programs_lines_need_no_look(made: Rule) -> None:
    data, begins, ends = spans([failed(header=f"{time} h b[7]: ") for time in ("Nov 14 22:00:00", "2023-11-14T22:00:10.5Z")])
    way, known = way_of(made), stamps()
    assert isinstance(way, Headed)
    assert way.many(data, begins, ends, known, lambda begin, end: pytest.fail("looked at")).keys == []
    assert [way.one(data, begin, end, known) for begin, end in zip(begins, ends, strict=True)] == [False, False]


@pytest.mark.parametrize("made", TOLD, ids=lambda made: f"{made.patterns[0].text} {made.key}")
def test_other_lines_of_the_program_need_no_look(made: Rule) -> None:
    """The expression tells all of a header that it knows, where the pattern must begin behind it."""
    data, begins, ends = spans(["Nov 14 22:00:00 h sshd[7]: Failed"])
    asked = list[int]()

    def look(begin: int, end: int) -> tuple[None, None]:
        asked.append(begin)
        return None, None

    way = way_of(made)
    assert isinstance(way, Headed)
    assert way.many(data, begins, ends, stamps(), look).keys == []
    assert bool(asked) is not bool(made.patterns[0].anchor)


@pytest.mark.parametrize(
    "made",
    [
        rule("sshd[%d]: a|b", programs=["sshd"]),
        rule("sshd[%d]: a", programs=["b"]),
        rule("logtrigger[%d]: a"),  # lines of our own, for which it does not ask
        rule("sshd[%d]: a|logtrigger[%d]: a"),
        rule(SSHD, FIELDS, anchor="message"),
        of(rule("a", anchor="time"), regex.compile("a", anchor="time")),
    ],
    ids=lambda made: f"{made.patterns[0].text}, {sorted(made.programs)}",
)
def test_rules_whose_lines_are_all_looked_at(made: Rule) -> None:
    assert way_of(made) is None


@pytest.mark.parametrize(
    "made",
    [
        rule("a %c b", programs=["sshd"]),  # a character may be a line feed
        rule("a %s b %s c %s d %s", "x y z ip", programs=["sshd"], anchor="message"),  # backtracking could take long
        rule("a %s:%s", "- ip", programs=["sshd"], anchor="message"),
    ],
    ids=lambda made: made.patterns[0].text,
)
def test_patterns_that_no_line_is_told_by(made: Rule) -> None:
    """But that it is of another program."""
    data, begins, ends = spans(["Nov 14 22:00:00 h sshd[7]: a x b", "Nov 14 22:00:00 h b[7]: a x b"])
    way, known = way_of(made), stamps()
    assert way is not None
    assert [way.one(data, begin, end, known) for begin, end in zip(begins, ends, strict=True)] == [None, False]


def test_own_lines_are_found_for_rules_that_ask_for_them() -> None:
    assert way_of(rule("logtrigger[%d]: a", programs=["logtrigger"])) is not None
