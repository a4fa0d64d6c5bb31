"""Many lines at once: what is found of each is what is found of it alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.bulk import Bulk, Bulks
from logtrigger.headers import KnownStamps
from logtrigger.recognise import Line, Recogniser
from logtrigger.rule import Rule
from tests.script import NOW, SSHD, failed, rule

FIELDS = "user ip port"
RULES = [
    rule("sshd[%d]: " + SSHD, "pid user ip", maxfail=2),
    rule("sshd[%d]: " + SSHD, "pid user ip", programs=["sshd", "h"], key=("ip", "user")),
    rule("sshd[%d]: " + SSHD, "pid user ip", key=("pid",)),
    rule("sshd[%d]: Failed password for %s from %s: %d", "- user ip n"),
    rule("sshd[%d]: " + SSHD, "pid user ip:host", key=("ip",)),
    rule("sshd[%d]: " + SSHD, "pid user ip", key=()),
    rule("sshd[%d]: Failed password for %s", "pid user", key=("user",)),
    rule("Failed password for %s port %d %s", "who port rest", programs=["sshd"], key=("rest", "who")),
    rule("sshd[%d]: " + SSHD, "- user net:net", key=("net",)),
    rule(SSHD, "user ip", programs=["sshd", "a"], anchor="message"),
    rule("Failed password for %s from %s: %d", "user ip n", programs=["sshd"], anchor="message", key=("user", "ip")),
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
]
HEADERS += [f"Nov 14 22:00:00 h sshd[{'7' * digits}]: " for digits in (31, 32, 33)]
IPS = ["192.0.2.7", "192.0.2.8", "1.2.3.400", "::FFFF:1.2.3.4", "[1.2.3.4]", "fe80::1%eth0", "a.example", "9.9.9.9 x", "[x]"]
USERS = ["root", "x from 9.9.9.9 port 22 ssh2", "sshd[9]: Failed password for y", "x" * 300, "\u00e4\x1b"]
LINES = st.lists(
    st.builds(
        lambda header, ip, user, end: failed(ip, user, header) + end,
        st.sampled_from(HEADERS),
        st.sampled_from(IPS),
        st.sampled_from(USERS),
        st.sampled_from(["", " ", "\r", " x", " from 9.9.9.9: 7", " from ::1: 7", " from 1.2.3.400: 7", " from [::1]: 7 "]),
    ),
    min_size=1,
    max_size=6,
)


def bulk_of(made: Rule) -> Bulk | None:
    return Bulks().of(made, Recogniser(made).first, "logtrigger")


@given(st.sampled_from(RULES), LINES)
def test_events_are_those_of_the_lines(made: Rule, lines: list[str]) -> None:
    recogniser, bulk, stamps = Recogniser(made), bulk_of(made), KnownStamps()
    assert bulk is not None
    stamps.now = NOW
    data, asked = "".join(line + "\n" for line in lines).encode(), list[int]()
    ends = [at for at, byte in enumerate(data) if byte == 10]
    begins = [0, *(end + 1 for end in ends[:-1])]

    def look(begin: int, end: int) -> tuple[float | None, str | None]:
        asked.append(begin)
        line = Line(data, begin, end)
        found = recogniser.recognise(line)
        return line.header.time(NOW), found.reading.key(found.values) if found else None

    wanted = [(begin, end, *look(begin, end)) for begin, end in zip(begins, ends, strict=True)]
    asked.clear()
    found = bulk.events(data, begins, ends, stamps, look)
    events = list(zip(found.begins, found.ends, found.written, found.keys, strict=True))
    assert events == [event for event in wanted if event[3] is not None]
    usual = [
        line.startswith(HEADERS[0]) and "192.0.2" in line and one[3] is not None
        for line, one in zip(lines, wanted, strict=True)
    ]
    assert not {begin for begin, is_usual in zip(begins, usual, strict=True) if is_usual} & set(asked)


def test_other_lines_of_the_program_need_no_look() -> None:
    """The expression tells all of a header that it knows."""
    bulk, stamps = bulk_of(RULES[0]), KnownStamps()
    assert bulk is not None
    stamps.now = NOW
    data = "".join(header + "Failed\n" for header in ("Nov 14 22:00:00 h sshd[7]: ", "2023-11-14T22:00:10.5Z h a: ")).encode()
    ends = [at for at, byte in enumerate(data) if byte == 10]
    events = bulk.events(data, [0, ends[0] + 1], ends, stamps, lambda begin, end: pytest.fail("looked at"))
    assert events.keys == []


@pytest.mark.parametrize(
    "made",
    [
        rule(SSHD, FIELDS),  # of any program, in any header
        rule("sshd[%d]: a|b", programs=["sshd"]),
        rule("sshd[%d]: a", programs=["b"]),
        rule("sshd[%d]: a", excepts=["b"]),
        rule("sshd[%d]: a %s", "- x", when=["x == b"]),
        rule("logtrigger[%d]: a"),  # lines of our own, for which it does not ask
        rule(SSHD, FIELDS, anchor="time"),  # with any header, or none
        rule("a %c b", programs=["sshd"]),  # a character may be a line feed
    ],
    ids=lambda made: f"{made.patterns[0].text}, {sorted(made.programs)}",
)
def test_rules_whose_lines_are_looked_at_one_by_one(made: Rule) -> None:
    assert bulk_of(made) is None


def test_own_lines_are_found_for_rules_that_ask_for_them() -> None:
    assert bulk_of(rule("logtrigger[%d]: a", programs=["logtrigger"])) is not None


def test_keys_of_one_kind_are_remembered_together() -> None:
    bulks = Bulks()
    for made in (rule("sshd[%d]: a %s", "- ip"), rule("su[%d]: b %s from %s", "- x ip")):
        assert bulks.of(made, Recogniser(made).first, "") is not None
    assert len(bulks._keys) == 1
