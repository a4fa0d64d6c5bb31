"""Rules that have fallen silent are told from those that have nothing to find."""

from __future__ import annotations

import pytest

from logtrigger.model import Chunk
from logtrigger.patterns import scanf
from logtrigger.rule import SYSTEM_LOG, Rule
from logtrigger.silence import AGAIN, ENOUGH, EVERY, Samples, Vigil, programs_in, programs_of, silent
from tests.script import NOW, SSHD, failed, rule

FIELDS = "user ip port"
TAGGED = rule("sshd[%d]: " + SSHD, "- user ip", name="tagged")
NAMED = rule(SSHD, FIELDS, name="named", programs=["sshd"], anchor="message")
ANY = rule(SSHD, FIELDS, name="any")


def lines(*texts: str) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


OLD = failed(header="Nov 14 22:00:00 h sshd[7]: ")
NEW = failed(header="Nov 14 22:00:00 h sshd-session[7]: ")


@pytest.mark.parametrize("made", [TAGGED, NAMED])
def test_program_that_was_renamed(made: Rule) -> None:
    (found,) = silent([made], [made], lines(NEW, "Nov 14 22:00:01 h sshd[7]: Server listening", NEW))
    assert (found.rule, found.lines, found.program) == (made.name, 2, "sshd-session")
    assert found.example == NEW
    assert found.why == "sshd-session writes its lines now, and it is for sshd"
    assert "sshd-session" in found.remedy


def test_program_that_was_renamed_lately() -> None:
    """What stands in the log from before does not hide it; a program that has always written such lines is another one."""
    (found,) = silent([NAMED], [NAMED], lines(*3 * [OLD], *ENOUGH * [NEW]))
    assert (found.lines, found.program) == (ENOUGH, "sshd-session")
    assert list(silent([NAMED], [NAMED], lines(*3 * [OLD], *(ENOUGH - 1) * [NEW]))) == []
    assert list(silent([NAMED], [NAMED], lines(NEW, OLD, *9 * [NEW]))) == []


@pytest.mark.parametrize(
    ("made", "data"),
    [
        (TAGGED, lines(NEW, OLD)),  # it has an event
        (TAGGED, lines("Nov 14 22:00:01 h sshd[7]: Accepted password for root from 192.0.2.7 port 22 ssh2")),
        (TAGGED, b""),
        (ANY, lines(NEW)),
        (rule(SSHD, FIELDS, programs=["sshd"], when=["user == alice"]), lines(OLD)),  # its condition says no
        (rule(SSHD, FIELDS, programs=["sshd"], when=["user == alice"]), lines(NEW)),
        (rule(SSHD, FIELDS, programs=["sshd"], excepts=["for root"], anchor=""), lines(OLD)),
        (rule("x %s", "y", programs=["sshd"]), lines("Nov 14 22:00:00 h sshd[7]: x")),  # a text that says little
    ],
)
def test_rules_of_which_nothing_is_to_be_said(made: Rule, data: bytes) -> None:
    assert list(silent([made], [made], data)) == []


def test_new_wording() -> None:
    changed = OLD.replace("port 22", "on port 22")
    (found,) = silent([NAMED], [NAMED], lines(changed))
    assert (found.lines, found.program, found.why) == (1, "sshd", "lines with its text are no events of it")


def test_what_another_rule_knows_was_not_meant() -> None:
    newer = rule(SSHD, FIELDS, name="newer", programs=["sshd-session"])
    assert list(silent([NAMED], [NAMED, newer], lines(NEW))) == []


def test_programs() -> None:
    assert programs_of(TAGGED) == programs_of(NAMED) == {"sshd"}
    assert programs_of(ANY) == programs_of(rule("sshd[%d]: a|b")) == frozenset()
    assert programs_in(lines(NEW, OLD, OLD, "no header")) == {"sshd": 2, "sshd-session": 1}


def chunk(data: bytes, *, catching_up: bool = False, source: str = SYSTEM_LOG) -> Chunk:
    return Chunk(source, source, "s", 0, len(data), data, catching_up=catching_up)


def test_samples_are_bounded_and_spread_over_the_time() -> None:
    samples, one = Samples(), lines("x" * 99)
    for second in range(int(EVERY)):
        for _ in range(5):
            samples.take(chunk(one * 10), NOW + second)
    samples.take(chunk(one, catching_up=True, source="old"), NOW)
    assert list(samples.due(NOW + EVERY - 1)) == []
    ((source, data),) = samples.due(NOW + EVERY)
    assert source == SYSTEM_LOG
    assert (60 << 10) < len(data) <= (64 << 10)
    assert data.endswith(b"\n")
    assert list(samples.due(NOW + EVERY)) == []


def test_a_first_long_chunk_is_sampled_too() -> None:
    samples = Samples()
    samples.take(chunk(lines("x" * 99) * 10_000), NOW)
    ((_, data),) = samples.due(NOW + EVERY)
    assert 3000 < len(data) <= 4096


def test_the_daemon_is_told_once_a_day() -> None:
    vigil, told = Vigil(), []
    for hour in range(int(2 * AGAIN / EVERY)):
        now = NOW + hour * EVERY
        vigil.hear(chunk(lines(*[NEW] * ENOUGH)), now)
        told += [found.rule for found in vigil.judge([NAMED], {"named": 3}, now + EVERY)]
    assert told == ["named", "named"]


def test_a_rule_with_events_is_not_silent() -> None:
    vigil = Vigil()
    for hour in range(3):
        vigil.hear(chunk(lines(*[NEW] * ENOUGH)), NOW + hour * EVERY)
        assert list(vigil.judge([NAMED], {"named": hour + 1}, NOW + (hour + 1) * EVERY)) == []


def test_few_lines_say_little() -> None:
    vigil = Vigil()
    vigil.hear(chunk(lines(*[NEW] * (ENOUGH - 1))), NOW)
    assert list(vigil.judge([NAMED], {}, NOW + EVERY)) == []


def test_field_types_are_kept_behind_the_tag() -> None:
    made = rule("sshd[%d]: %s from %s", "pid who ip", name="gap")
    (found,) = silent([made], [made], lines("Nov 14 22:00:00 h sshd-session[7]: x from 192.0.2.7"))
    assert found.program == "sshd-session"
    assert scanf.compile("sshd[%d]: %s").tag == b"sshd"


def test_what_the_rule_s_own_samples_know_as_harmless() -> None:
    """A line of every day that shares its text with a pattern, as written and of other users and addresses."""
    head = "Nov 14 22:00:00 h sshd[7]: "
    made = rule(
        "sshd[%d]: Connection closed by %s port %d",
        "- ip -",
        name="probe",
        rejects=[f"{head}Connection closed by user al ::1 port 2"],
    )
    assert list(silent([made], [made], lines(f"{head}Connection closed by user bob 192.0.2.7 port 44490"))) == []
    for reworded in ("Connection closed by peer 192.0.2.7 at port 22", "Connection closed by the host 192.0.2.7 door 22"):
        (found,) = silent([made], [made], lines(head + reworded))
        assert found.why == "lines with its text are no events of it"
