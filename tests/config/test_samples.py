"""Sample lines that a rule is to recognise or not: what is compared, what is said, and what becomes of the rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.config import samples
from logtrigger.rule import Rule

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

HEADER = "Nov 14 22:00:00 h sshd[7]: "
LINE = HEADER + "Failed password for bob from 192.0.2.7 port 22 ssh2"
PATTERN = "option pattern 'Failed password for %s from %s port %d ssh2'"
NAMED = PATTERN + "\noption fields 'user ip port'"


def rule(options: str, samples: str, name: str = "a") -> str:
    return f"config rule\noption name {name}\noption script /bin/sh\n{options}\n{samples}\n"


@pytest.mark.parametrize(
    ("options", "samples"),
    [
        (NAMED, f"list expect '{LINE}'"),
        (NAMED, f"list expect '{LINE} -> ip=192.0.2.7'"),
        (NAMED, f"list expect '{LINE} -> port=22 user=bob'"),  # in any order
        (NAMED, f"list expect '{LINE} ->ip=192.0.2.7'"),
        (NAMED, f"list expect '{LINE.replace('bob', 'a b  c')} -> user=a b  c ip=192.0.2.7'"),
        (NAMED, f"list expect '{LINE.replace('bob', 'a -> b')} -> user=a -> b ip=192.0.2.7'"),
        (NAMED, f"list expect '{LINE.replace('bob', 'a -> user=b')} -> ip=192.0.2.7'"),
        (NAMED, f"list expect '{LINE.replace('bob', 'a -> b')}'"),
        (NAMED, f"list expect '{LINE.replace('192.0.2.7', '::FFFF:192.0.2.7')} -> ip=192.0.2.7'"),  # normalised
        (NAMED, f"list reject '{LINE}x'\nlist reject 'x -> user=b'"),
        ("option pattern 'a %s b'\noption fields 'x'", "list expect 'a é b -> x=é'"),
        ("option pattern 'a%s b%s'\noption fields 'user user_id'", "list expect 'a1 b2 -> user=1 user_id=2'"),
        ("list pattern 'a %s'\nlist pattern 'b %s'\nlist fields x\nlist fields y", "list expect 'b 1 -> x= y=1'"),
        (NAMED + "\noption program sshd", f"list expect '{LINE}'\nlist reject '{LINE.replace('sshd', 'login')}'"),
        (NAMED + "\nlist except '%s for root %s'", f"list reject '{LINE.replace('bob', 'root')}'\nlist expect '{LINE}'"),
        (NAMED + "\nlist when 'port < 1024'", f"list expect '{LINE}'\nlist reject '{LINE.replace('22', '1024')}'"),
        (NAMED + "\noption maxfail 5\noption time 600\noption group g\noption weight 0", f"list expect '{LINE}'"),
        (NAMED + "\nlist ignore 192.0.2.0/24", f"list expect '{LINE}'"),  # what is ignored is recognised first
        ("option pattern 'sshd[%d]: Failed %s'", f"list expect '{LINE}'\nlist reject 'x {LINE}'"),
        ("option regex '(?P<ip>[0-9.]+) port'", f"list expect '{LINE} -> ip=192.0.2.7'"),
        ("option format 'from {ip} port {p:port}{}'", f"list expect '{LINE} -> p=22'"),
        ("option pattern x\noption maxfail 2\noption time 600\noption suppress 60", "list expect x"),
    ],
)
def test_good_samples(complaints: Complaints, options: str, samples: str) -> None:
    assert complaints(rule(options, samples)) == []


EXPECT = "'expect' of rule 'a': "
NO_EVENT = EXPECT + "the line is no event"
MEND = "mend the rule or the sample"


@pytest.mark.parametrize(
    ("options", "samples", "fault", "remedy"),
    [
        (NAMED, f"list reject '{LINE}'",
         "'reject' of rule 'a': the line is an event: 'Nov 14 22:00:00 h sshd[7]: Failed password for bob from 192.…'",
         "make the pattern narrower, or add option except"),
        (NAMED, "list expect 'Accepted password'", NO_EVENT, MEND),
        (NAMED, f"list expect '{LINE} -> usr=bob'", EXPECT + "the rule has no field 'usr'", "did you mean 'user'?"),
        (PATTERN, f"list expect '{LINE} -> user=bob ip=1'", EXPECT + "the rule has no field 'user' or 'ip'",
         "name the conversions with option fields"),
        (NAMED, f"list expect '{LINE} -> q=1'", EXPECT + "the rule has no field 'q'", "the fields are user, ip and port"),
        (NAMED, f"list expect '{LINE} -> user=rob port=22'", EXPECT + "user is 'bob', not 'rob'", MEND),
        (NAMED, f"list expect '{LINE} -> user=rob port=23'", EXPECT + "user is 'bob', not 'rob' and port is '22', not '23'",
         MEND),
        # Names go by order.
        ("option pattern 'sshd[%d]: Failed password for %s from %s port %d ssh2'\noption fields 'user ip'",
         f"list expect '{LINE}'", NO_EVENT,
         "the address stands in conversion 3: name that one ip (- skips one); then the line matches"),
        ("option pattern 'sshd[%d]: Failed password for %s from %s'\noption fields 'user from'",
         f"list expect '{LINE} -> user=bob'", EXPECT + "user is '7', not 'bob'",
         "2 fields for 3 conversions; '-' passes over one"),
        ("option pattern 'sshd[%d]: Failed %s for %s from %s'\noption fields 'user'", "list expect 'nothing like it'",
         NO_EVENT, "1 field for 4 conversions; '-' passes over one"),
        # A field that swallows what follows.
        ("option pattern 'Failed password for %s'\noption fields user", f"list expect '{LINE} -> user=bob'",
         EXPECT + "user is 'bob from 192.0.2.7 port 22 ssh2', not 'bob'",
         "write more of the line's text into the pattern, or give 'user' a type such as word"),
        # What `match` would say.
        ("option pattern 'Failed password for %s from %s port %d'\noption fields 'user ip port'", f"list expect '{LINE}'",
         NO_EVENT, "a pattern must reach the line's end: with a final %s the line matches"),
        ("option format 'Failed password for {u} from {ip} port {p:d}'", f"list expect '{LINE}'",
         NO_EVENT, "a pattern must reach the line's end: with a final {} the line matches"),
        (NAMED + "\nlist except '%s'", f"list expect '{LINE}'", NO_EVENT, MEND),
        (NAMED + "\noption program login", f"list expect '{LINE}'", NO_EVENT,
         "its header names 'sshd', which is not in option program"),
        (NAMED + "\noption program sshd", f"list expect '{LINE.removeprefix(HEADER)}'", NO_EVENT,
         "write it with its header"),
        ("option regex 'x(?P<a>y)'", "list expect 'y -> a=y'", NO_EVENT, MEND),
    ],
)  # fmt: skip
def test_failed_sample(complaints: Complaints, options: str, samples: str, fault: str, remedy: str) -> None:
    """At the sample's own line, with what to do."""
    text = rule(options, samples)
    line = text.count("\n", 0, text.index(samples)) + 1
    [found] = complaints(text)
    assert found == f"rules.conf:{line}: error: {fault} ({remedy})"


def test_failed_sample_turns_its_rule_off_and_no_other(write: Write) -> None:
    """A mistake for `check`; the daemon runs on with the rest."""
    text = rule(NAMED, f"list expect '{LINE} -> user=rob'\nlist expect x\nlist reject '{LINE}'") + rule(
        "option pattern x", "", "b"
    )
    settings, complaints = config.load(write("rules.conf", text))
    assert [rule.name for rule in settings.rules] == ["b"]
    assert [(complaint.place.line, complaint.severity) for complaint in complaints] == [
        (6, "error"),
        (7, "error"),
        (8, "error"),
    ]


def test_rule_that_is_off_is_not_tried(complaints: Complaints) -> None:
    assert complaints(rule(NAMED + "\noption enabled 0", "list expect x")) == []


def test_samples_are_each_tried_alone(complaints: Complaints) -> None:
    """No sample counts towards another."""
    samples = "\n".join([f"list expect '{LINE}'"] * 3)
    assert complaints(rule(NAMED + "\noption maxfail 2\noption time 60", samples)) == []


# What is known of samples from an earlier start


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rules whose samples were really tried."""
    names: list[str] = []
    recognised = samples.recognised

    def spy(rule: Rule, line: str) -> Mapping[str, str] | None:
        names.append(rule.name)
        return recognised(rule, line)

    monkeypatch.setattr(samples, "recognised", spy)
    return names


def with_state(rules: str) -> str:
    return f"config logtrigger\noption state state/db\n{rules}"


TWO = rule(NAMED, f"list expect '{LINE}'", "a") + rule("option pattern x", "list expect x", "b")


def test_samples_that_passed_are_not_tried_at_the_next_start(write: Write, tried: list[str]) -> None:
    path = write("rules.conf", with_state(TWO))
    for _ in range(3):
        config.load(path, keep=True)
    assert tried == ["a", "b"]
    write("rules.conf", with_state(TWO.replace("pattern x", "pattern 'x'").replace("22 ssh2'", "22 ssh2 -> user=bob'")))
    config.load(path, keep=True)
    assert tried == ["a", "b", "a"]


def test_check_tries_them_whatever_is_known(write: Write, tried: list[str]) -> None:
    path = write("rules.conf", with_state(TWO))
    config.load(path, keep=True)
    config.read(path)
    assert tried == ["a", "b", "a", "b"]


def test_samples_that_failed_are_tried_again(write: Write, tried: list[str]) -> None:
    path = write("rules.conf", with_state(rule("option pattern x", "list expect y") + rule("option pattern x", "", "b")))
    found = [config.load(path, keep=True)[1] for _ in range(2)]
    assert tried == ["a", "a"]
    assert found[0] == found[1] != ()


def test_without_keep_nothing_is_written(write: Write, tried: list[str]) -> None:
    path = write("rules.conf", with_state(TWO))
    config.load(path)
    assert not (path.parent / "state").exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"logtrigger samples 1\n" + bytes(range(48))])
def test_damaged_knowledge_counts_for_nothing(write: Write, tried: list[str], content: bytes) -> None:
    path = write("rules.conf", with_state(TWO))
    config.load(path, keep=True)
    (path.parent / "state/db.samples").write_bytes(content)
    config.load(path, keep=True)
    assert tried == ["a", "b", "a", "b"]


def test_knowledge_of_another_version_counts_for_nothing(
    write: Write, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("rules.conf", with_state(TWO))
    config.load(path, keep=True)
    monkeypatch.setattr(samples, "__version__", "0.0")
    config.load(path, keep=True)
    assert tried == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("override", "count"),
    [("", 0), ("option maxfail 7\noption ban 2h\noption file /x", 0), ("list program ssh", 1), ("option nocase 1", 1)],
)
def test_what_comes_with_the_program_has_been_tried(write: Write, tried: list[str], override: str, count: int) -> None:
    """Until somebody changes what it recognises; `check` tries it in any case."""
    text = "config logtrigger\nlist use sshd\noption state /nowhere/db\n"
    text += f"config override\noption rule sshd_pam\n{override}\n" if override else ""
    main = write("rules.conf", text)
    config.load(main)
    assert set(tried) == ({"sshd_pam"} if count else set())
    config.read(main)
    assert {"sshd_pam", "sshd_login"} <= set(tried)
