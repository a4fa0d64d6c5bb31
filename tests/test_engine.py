"""The engine as a script: lines and times in, triggers out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logtrigger import conditions, places
from logtrigger.engine import Engine
from logtrigger.model import Chunk, Sender, Trigger
from logtrigger.rule import SYSTEM_LOG, BanOptions, Rule, SenderIs, Settings
from logtrigger.wallclock import Step
from tests.script import NOW, SSHD, Script, engine, failed, rule

FIELDS = "user ip port"

# Counting


def test_trigger_when_the_window_is_full() -> None:
    """maxfail events within time, both ends included; then the counter is empty."""
    script = Script(rule(SSHD, FIELDS, maxfail=3, time=10.0))
    assert script.feed(failed(), failed(), at=0) == []
    assert script.names(failed(), at=10) == ["r"]
    assert script.feed(failed(), failed(), at=10) == []
    assert script.feed(failed(), at=20.5) == []  # the two are too old


@pytest.mark.parametrize("by", [-1e8, 1e8])
def test_clock_that_is_set_changes_no_counter(by: float) -> None:
    script = Script(rule(SSHD, FIELDS, maxfail=3, time=60.0, suppress=100.0))
    assert script.feed(failed(), failed(), at=0) == []
    script.engine.shift(Step(NOW - 500.0, NOW + 10.0, by))
    assert script.names(failed(), at=20 + by) == ["r"]
    script.engine.shift(Step(NOW - 500.0 + by, NOW + by + 30.0, -1e9))
    assert script.names(*[failed()] * 3, at=119 + by - 1e9) == []
    assert script.names(*[failed()] * 3, at=120 + by - 1e9) == ["r"]


def test_trigger_tells_all() -> None:
    script = Script(rule(SSHD, FIELDS, maxfail=2, time=10.0), ignore=["192.0.2.7"])
    script.feed(failed())
    assert script.feed("some other line", failed(user="b\x1bob") + "  \r", at=1.5) == [
        Trigger(
            id="r@stream:96",
            rule="r",
            time=NOW + 1.5,
            count=2,
            key=("192.0.2.7",),
            fields={"user": "b?ob", "ip": "192.0.2.7", "port": "22"},
            message=failed(user="b?ob") + "  ",
            body=failed(user="b?ob", header="") + "  ",
            source="log",
            offset=96,
            host="h",
            program="sshd",
            pid="7",
            ignored=True,
        )
    ]


def test_key_is_the_first_address() -> None:
    script = Script(rule("%s to %s", "ip other:ip", maxfail=2))
    assert script.feed("1.1.1.1 to 2.2.2.2", "3.3.3.3 to 2.2.2.2") == []
    assert [trigger.key for trigger in script.feed("1.1.1.1 to 3.3.3.3")] == [("1.1.1.1",)]


def test_no_key_counts_all_together() -> None:
    assert Script(rule("a %s", "x", maxfail=2)).names("a 1", "a 2", "a 3") == ["r"]


def test_key_of_several_fields() -> None:
    script = Script(rule("%s on %s", "user:word host", maxfail=2, key=("host", "user")))
    assert script.feed("bob on a", "ann on a", "bob on b") == []
    assert [trigger.key for trigger in script.feed("bob on b")] == [("b", "bob")]


def test_field_that_an_alternative_lacks_is_empty() -> None:
    script = Script(rule("a %s|b %s %d", "x|y n", key=("x",), maxfail=2))
    assert script.feed("a 1", "b 1 2") == []
    [trigger] = script.feed("b 2 3")
    assert (trigger.key, trigger.fields) == (("",), {"x": "", "y": "2", "n": "3"})


def test_addresses_count_by_their_canonical_text() -> None:
    script = Script(rule("from %s", "ip", maxfail=3))
    assert script.names("from ::ffff:1.2.3.4", "from 1.2.3.4", "from [::FFFF:102:304]") == ["r"]


def test_long_keys_are_kept_apart_and_small() -> None:
    """Two long texts that begin alike are two keys, and neither is stored whole."""
    script = Script(rule("a %s", "x", key=("x",), maxfail=2))
    long = "x" * 300_000
    assert script.feed(f"a {long}1", f"a {long}2") == []
    assert [len(state.key) < 1000 for state in script.engine.counters.changes()] == [True, True]
    assert script.names(f"a {long}2") == ["r"]


def test_rules_of_a_group_share_counters() -> None:
    """The rule whose event fills the counter triggers."""
    script = Script(
        rule("a %s", "ip", name="a", group="g", maxfail=3),
        rule("b %s", "from:ip", name="b", group="g", maxfail=3),
        rule("c %s", "ip", name="c", maxfail=3),
    )
    assert script.names("a 1.1.1.1", "c 1.1.1.1", "a 1.1.1.1", "b 1.1.1.1", "c 1.1.1.1") == ["b"]


def test_reset_by_empties_the_counter_of_the_same_key() -> None:
    """Three in a row: another rule's event in between begins the count anew."""
    script = Script(
        rule("bad %s for %s", "ip user", name="bad", maxfail=3, reset_by=("good",)),
        rule("good %s for %s", "user ip", name="good", maxfail=9),
    )
    bad, good = "bad 1.1.1.1 for bob", "good bob for 1.1.1.1"
    assert script.names(bad, bad, good, bad, bad) == []
    assert script.names("good bob for 2.2.2.2", bad) == ["bad"]


def test_rule_that_bans_counts_by_prefix_and_is_reset_so() -> None:
    """Whoever changes his address within a /64 is counted as one; another rule's success there empties the counter."""
    bans = BanOptions(field="ip", seconds=60.0)
    script = Script(
        rule("bad %s", "ip", name="bad", maxfail=3, ban=bans, reset_by=("good", "odd")),
        rule("good %s for %s", "user ip", name="good", maxfail=9),
        rule("odd %s", "ip:text", name="odd", maxfail=9, key=()),
    )
    [trigger] = script.feed("bad 2001:db8::1", "bad 2001:db8::2", "bad 2001:db8:0:1::1", "bad 2001:db8::3")
    assert (trigger.key, trigger.fields["ip"]) == (("2001:db8::/64",), "2001:db8::3")
    assert script.names("bad 2001:db8::1", "bad 2001:db8::2", "good bob for 2001:db8::9", "bad 2001:db8::3") == []
    assert script.names("odd one", "bad 2001:db8::1", "good bob for 192.0.2.7", "bad 2001:db8::2") == ["bad"]


def test_suppressed_events_neither_count_nor_trigger() -> None:
    script = Script(rule("a %s", "ip", maxfail=2, suppress=60.0))
    assert script.names("a 1.1.1.1", "a 1.1.1.1") == ["r"]
    assert script.names("a 1.1.1.1", "a 1.1.1.1", "a 1.1.1.1", at=59.9) == []
    assert script.names("a 2.2.2.2", "a 2.2.2.2", at=59.9) == ["r"]
    assert script.names("a 1.1.1.1", "a 1.1.1.1", at=60) == ["r"]


def test_weights() -> None:
    """A heavier event counts for several; one of weight 0 for none, and never triggers."""
    script = Script(
        rule("heavy %s", "ip", name="heavy", group="g", maxfail=4, weight=3),
        rule("light %s", "ip", name="light", group="g", maxfail=4),
        rule("none %s", "ip", name="none", group="g", maxfail=4, weight=0),
    )
    assert script.names("light 1.1.1.1", "none 1.1.1.1", "none 1.1.1.1", "none 1.1.1.1") == []
    assert [(t.rule, t.count) for t in script.feed("heavy 1.1.1.1")] == [("heavy", 4)]


def test_every_rule_gets_every_line_in_order() -> None:
    script = Script(rule("a", name="2"), rule("%s", name="3"), rule("a", name="1"))
    assert script.names("x a", "b") == ["2", "3", "1", "3"]


def test_alternatives_are_tried_in_order() -> None:
    """One line is one event of a rule, read by the first alternative that matches."""
    script = Script(rule("a %s|%s b", "x|y"))
    assert [t.fields for t in script.feed("a b")] == [{"x": "b", "y": ""}]
    assert [t.fields for t in script.feed("c b")] == [{"x": "", "y": "c"}]


# What is no event


@pytest.mark.parametrize(
    ("options", "line", "is_event"),
    [
        ({"excepts": ["for root from %s"]}, failed(), False),
        ({"excepts": ["for root from %s"]}, failed(user="bob"), True),
        ({"ignore": ["192.0.2.0/24"]}, failed(), False),
        ({"ignore": ["192.0.2.0/24"]}, failed("::ffff:192.0.2.7"), False),
        ({"ignore": ["192.0.2.0/24"]}, failed("198.51.100.1"), True),
        ({"programs": ["sshd", "x"]}, failed(), True),
        ({"programs": ["sshd"]}, failed(header="<38>Nov 14 22:00:00 h sshd: "), True),
        ({"programs": ["sshd"]}, failed(header="<38>1 2023-11-14T22:00:00Z h sshd 7 - - "), True),
        ({"programs": ["sshd"]}, failed(header="Tue Nov 14 22:00:00 2023 auth.info sshd[7]: "), True),
        ({"programs": ["sshd"]}, failed(header="Nov 14 22:00:00 h auth.info sshd[7]: "), True),
        ({"programs": ["sshd"]}, failed(header="2023-11-14T22:00:00.5+01:00 h sshd[7]: "), True),
        ({"programs": ["sshd"]}, failed(header="sshd[7]: "), True),
        ({"programs": ["sshd"]}, failed(header=""), False),
        ({"programs": ["sshd"]}, failed(header="Nov 14 22:00:00 h root: "), False),
        ({"programs": ["sshd"]}, failed(header="Nov 14 22:00:00 h root: sshd[7]: "), False),
        ({"programs": ["sshd"]}, failed(header="Nov 14 22:00:00 h root: Nov 14 22:00:00 h sshd[7]: "), False),
        ({"programs": ["sshd"]}, failed(header="Nov 14 22:00:00 h some text sshd[7]: "), False),
        ({"programs": ["sshd"]}, failed(header="Nov 14 22:00:00 h xsshd[7]: "), False),
        ({"programs": ["sshd"]}, failed(header="Nov 14 22:00:00 h sshdx[7]: "), False),
        ({"when": ["user == root", "port < 1024"]}, failed(), True),
        ({"when": ["user == root", "port < 22"]}, failed(), False),
        ({"when": ["user in root admin"]}, failed(), True),
        ({"when": ["user not in root admin"]}, failed(), False),
        ({"when": ["ip not in 192.0.2.0/24"]}, failed(), False),
        ({"when": ["ip in 192.0.2.0/24 ::/0"]}, failed(), True),
        ({"when": ["user ~ ^ro"]}, failed(), True),
        ({"when": ["user ~ ^oo"]}, failed(), False),
        ({"when": ["user != root"]}, failed(), False),
        ({"when": ["program == sshd", "host == h", "pid == 7"]}, failed(), True),
        ({"when": ["known pid"]}, failed(header=""), False),
        ({"when": ["unknown pid"]}, failed(header=""), True),
    ],
)
def test_what_is_an_event(options: dict[str, Any], line: str, is_event: bool) -> None:
    assert Script(rule(SSHD, FIELDS, **options)).names(line) == ["r"] * is_event


@pytest.mark.parametrize(
    ("line", "is_event"),
    [
        ("Nov 14 22:00:00 h sshd[7]: bye", True),
        ("<38>Nov 14 22:00:00 sshd[7]: bye", True),
        ("auth.info sshd[7]: bye", True),
        ("sshd[7]: bye", True),
        ("Nov 14 22:00:00 h root: sshd[7]: bye", False),  # what `logger` writes
        ("Nov 14 22:00:00 h user[9]: sshd[7]: bye", False),
        ("Nov 14 22:00:00 h xsshd[7]: bye", False),
        ("words sshd[7]: bye", False),
    ],
)
@pytest.mark.parametrize("programs", [(), ("sshd",)])
def test_pattern_with_a_tag_matches_at_the_header_only(line: str, is_event: bool, programs: tuple[str, ...]) -> None:
    assert Script(rule("sshd[%d]: bye", programs=programs)).names(line) == ["r"] * is_event


def test_global_ignore_list_only_marks() -> None:
    script = Script(rule("a %s", "ip"), ignore=["10.0.0.0/8"])
    assert [t.ignored for t in script.feed("a 10.1.2.3", "a 11.1.2.3", "a ::ffff:10.1.2.3")] == [True, False, True]


def test_own_lines_are_for_rules_that_ask_for_them() -> None:
    script = Script(rule("hello", name="a"), rule("hello", name="b", programs=["logtrigger"]))
    assert script.names("Nov 14 22:00:00 h logtrigger[7]: hello") == ["b"]
    assert script.names("logtrigger: hello") == ["b"]
    assert script.names("Nov 14 22:00:00 h root: logtrigger: hello") == ["a"]  # says so, and is not


def test_rules_see_their_source_only() -> None:
    script = Script(rule("a", name="system"), rule("a", name="file", source="/var/log/x"))
    assert script.names("a") == ["system"]
    script.source = "/var/log/x"
    assert script.names("a") == ["file"]
    script.source = "/var/log/y"
    assert script.names("a") == []
    assert script.engine.sources == (SYSTEM_LOG, "/var/log/x")


@pytest.mark.parametrize(
    ("sender", "seen"),
    [
        (None, ["all"]),  # the source does not tell: no word of the kernel, no event
        (Sender(0, "sshd"), ["all", "root", "sshd"]),
        (Sender(0, "logger"), ["all", "root"]),
        (Sender(1000, "sshd"), ["all"]),
    ],
)
def test_rules_see_lines_of_their_senders_only(sender: Sender | None, seen: list[str]) -> None:
    by_root = rule("a", name="root", senders=(SenderIs(0),))
    by_sshd = rule("a", name="sshd", senders=(SenderIs(7), SenderIs(0, "sshd")))
    script = Script(rule("a", name="all"), by_root, by_sshd)
    chunk = Chunk(SYSTEM_LOG, "socket", "s", 0, 2, b"a\n", sender=sender)
    assert [trigger.rule for trigger in script.engine.feed(chunk, NOW)] == seen


def test_lines_that_we_wrote_ourselves_are_for_rules_that_ask_for_them() -> None:
    script = Script(rule("a", name="any"), rule("a", name="own", programs=["logtrigger"]))
    chunk = Chunk(SYSTEM_LOG, "journal", "s", 0, 30, b"Nov 14 22:00:00 h logtrigger: a\n", own=True)
    assert [trigger.rule for trigger in script.engine.feed(chunk, NOW)] == ["own"]


# Lines that stand for several

REPEATED = "Nov 14 22:00:00 h sshd[7]: message repeated {} times: [ " + failed(header="") + "]"


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (REPEATED.format(3), 4),
        (REPEATED.format(999_999_999), 1001),
        (REPEATED.format(0), None),
        ("Nov 14 22:00:00 h last message repeated 2 times", 3),
        ("Nov 14 22:00:00 h syslogd: last message repeated 2 times\r", 3),
        ("Nov 14 22:00:00 h root: x message repeated 3 times: [ " + failed(header="") + "]", None),
        ("message repeated 3 times: [ " + failed(header="") + "]", None),  # directly behind a header only
        ("last message repeated 3 times", None),
    ],
)
def test_repeated_line_counts_as_often(line: str, count: int | None) -> None:
    """One trigger at most, however often the line happened."""
    script = Script(rule(SSHD, FIELDS, maxfail=3))
    assert [t.count for t in script.feed(failed(), line)] == ([] if count is None else [count])


def test_user_name_cannot_repeat() -> None:
    script = Script(rule(SSHD, FIELDS, maxfail=3))
    assert script.feed(failed(user="message repeated 9 times: [ x"), failed(user="last message repeated 9 times")) == []


def test_repeated_line_is_what_it_stands_for() -> None:
    script = Script(rule(SSHD, FIELDS, programs=["sshd"]))
    [trigger] = script.feed(REPEATED.format(5))
    assert (trigger.message, trigger.fields["ip"], trigger.count) == (failed(), "192.0.2.7", 5)


# Time


def test_live_events_happen_on_arrival() -> None:
    script = Script(rule(SSHD, FIELDS))
    assert [(t.time, t.late) for t in script.feed(failed(header="Jan  1 00:00:00 h sshd[7]: "), at=5)] == [(NOW + 5, 0)]


@pytest.mark.parametrize(
    ("header", "late"),
    [
        ("2023-11-14T22:00:00Z h sshd[7]: ", 800),  # NOW is 22:13:20
        ("<38>1 2023-11-14T22:13:19.5Z h sshd 7 - - ", 0),
        ("1699999900 h sshd[7]: ", 100),
        ("2033-11-14T22:00:00Z h sshd[7]: ", 0),  # never later than now
        ("sshd[7]: ", 0),  # arrival, where the line does not say
    ],
)
def test_old_lines_happen_when_they_say(header: str, late: int) -> None:
    [trigger] = Script(rule(SSHD, FIELDS)).feed(failed(header=header), old=True)
    assert trigger.late == late
    assert int(NOW - trigger.time) == late


def iso(second: int) -> str:
    return failed(header=f"2023-11-14T22:00:{second:02}Z h sshd[7]: ")


def test_old_lines_count_in_their_own_time() -> None:
    script = Script(rule(SSHD, FIELDS, maxfail=2, time=10.0))
    assert script.feed(iso(0), iso(11), old=True) == []
    script.engine.expire(NOW)  # now is long after, and does not matter yet
    assert script.names(iso(21), old=True) == ["r"]


def test_expiry_forgets_when_nothing_old_is_read_any_more() -> None:
    script = Script(rule(SSHD, FIELDS, maxfail=2, time=10.0))
    script.feed(iso(0), old=True)
    assert len(script.engine.counters.changes()) == 1
    script.engine.expire(NOW)
    script.engine.expire(NOW)
    assert [(s.key, s.events) for s in script.engine.counters.changes()] == [("192.0.2.7", [])]


def test_time_never_runs_backwards_in_replay() -> None:
    """A line with an earlier time counts at the latest time seen; one without a time as well."""
    script = Script(rule(SSHD, FIELDS), every_source=True, source="any")
    lines = [iso(5), iso(3), failed(header="sshd[7]: "), iso(9), failed(header="2033-01-01T00:00:00Z h sshd[7]: ")]
    times = [t.time for t in script.feed(*lines, old=True)]
    assert [time - times[0] for time in times] == [0, 0, 0, 4, NOW - times[0]]
    assert script.feed(iso(0), old=True)[0].late == 0


@pytest.mark.parametrize(
    ("first", "second", "late"), [({}, {}, 2), ({"group": "g"}, {"group": "g"}, 0), ({}, {"reset_by": ("r",)}, 0)]
)
def test_time_in_replay_is_that_of_rules_that_count_together(first: Any, second: Any, late: int) -> None:
    """What a rule finds does not depend on which others there are."""
    rules = rule(SSHD, FIELDS, key=(), **first), rule("Accepted for %s", name="o", **second)
    times = [t.time for t in Script(*rules, every_source=True).feed(iso(5), iso(3).replace("Failed", "Accepted for"), old=True)]
    assert times[0] - times[1] == late


def test_untimed_line_does_not_put_a_replay_into_the_present() -> None:
    script = Script(rule(SSHD, FIELDS, maxfail=2, time=10.0), every_source=True)
    assert script.feed(failed("1.1.1.1", header="sshd[7]: "), iso(0), iso(20), old=True) == []


# Going on: ids, restarts, reloads


def history() -> list[str]:
    return [failed(f"192.0.2.{number % 3}") for number in range(20)]


def test_same_stream_gives_same_ids() -> None:
    """What is read again after a crash arrives at the same triggers with the same ids."""
    rules = [rule(SSHD, FIELDS, maxfail=2), rule("ssh2", name="any")]
    first = Script(*rules).feed(*history())
    assert Script(*rules).feed(*history()) == first
    assert len({trigger.id for trigger in first}) == len(first) > 20


def test_counters_go_on_after_a_restart() -> None:
    rules = [rule(SSHD, FIELDS, maxfail=3, time=60.0, suppress=5.0), rule("ssh2", name="any", maxfail=4)]
    for cut in range(20):
        whole, old = Script(*rules), Script(*rules)
        for script in (whole, old):
            script.feed(*history()[:cut])
        new = Script(*rules)
        new.offset = old.offset
        assert new.engine.counters.restore(old.engine.counters.changes()) == []
        assert new.feed(*history()[cut:], at=6) == whole.feed(*history()[cut:], at=6)


CHANGES = [
    ({"maxfail": 4}, True),
    ({"weight": 2}, True),
    ({"suppress": 9.0}, True),
    ({"programs": ["sshd"]}, True),
    ({"time": 61.0}, False),
    ({"key": ("user",)}, False),
    ({"group": "g"}, False),
    ({"name": "other"}, False),
    ({"pattern": SSHD.replace("Failed", "%s")}, False),
    ({"fields": "name ip port"}, False),
]


@pytest.mark.parametrize(("change", "is_kept"), CHANGES)
def test_reload_keeps_counters_of_unchanged_rules(change: dict[str, Any], is_kept: bool) -> None:
    """Pattern, fields, key, group and time make a rule; other rules' counters start empty and are to be forgotten."""
    options: dict[str, Any] = {"pattern": SSHD, "fields": FIELDS, "maxfail": 5, "time": 60.0}
    old, new = Script(rule(**options)), Script(rule(**{**options, **change}))
    old.feed(failed(), failed())
    strangers = new.engine.counters.adopt(old.engine.counters)
    assert [state.key for state in strangers] == ([] if is_kept else ["192.0.2.7"])
    [count] = [len(state.events) for state in new.engine.counters.changes()] or [0]
    assert count == (2 if is_kept else 0)


def test_reload_loses_no_change_that_is_not_stored_yet() -> None:
    """A counter that was emptied since the last commit is still to be forgotten by the store, one that grew to be written."""
    rules = [rule(SSHD, FIELDS, maxfail=2)]
    old, new = Script(*rules), Script(*rules)
    old.feed(failed("1.1.1.1"))
    old.engine.counters.changes()
    old.feed(failed("1.1.1.1"), failed("2.2.2.2"))
    new.engine.counters.adopt(old.engine.counters)
    assert {s.key: len(s.events) for s in new.engine.counters.changes()} == {"1.1.1.1": 0, "2.2.2.2": 1}


def test_evictions_are_told() -> None:
    script = Script(rule("a %s", "ip", maxfail=2), max_keys=2)
    script.feed("a 1.1.1.1", "a 2.2.2.2", "a 3.3.3.3")
    assert script.engine.counters.evictions() == {"rule r": 1}


# However it is done

RULES = [
    rule(SSHD, FIELDS, name="plain", maxfail=2, time=30.0),
    rule(SSHD, FIELDS, name="sshd", maxfail=2, programs=["sshd"]),
    rule("sshd[%d]: Failed password for %s from %s port %d ssh2", "pid user ip", name="tagged", maxfail=2),
    rule("sshd[%d]: Failed password for %s from %s port %d ssh2", "pid user ip", name="both", programs=["sshd", "h"]),
    rule("sshd: Failed password for %s", "user", name="in the header", programs=["sshd"], key=("user",), maxfail=2),
    rule(" Failed password for %s", "user", name="blank", programs=["sshd"], key=("user",), maxfail=2),
    rule("password for root from %s port %d ssh2|for %s from %s", "ip|user ip", name="alternatives", maxfail=3),
    rule("from %s port", "ip", name="never"),
    rule("%s port %d ssh2", "ip", name="address", maxfail=2, excepts=["port 23 %s"]),
    rule("Accepted %s", "how", name="good", programs=["sshd"]),
    rule("%s", "all", name="all", programs=["root"], suppress=2.0, reset_by=("good",)),
    rule("h", name="own", programs=["logtrigger"]),
    rule(
        "Failed password for x from %s port %d ssh2|Failed password for %s from %s port %d ssh2|Accepted %s",
        "ip|user ip|how",
        name="several",
        anchor="message",
        programs=["sshd", "root"],
        maxfail=2,
        when=["user != x"],
        ignore=["9.0.0.0/8"],
    ),
    rule(SSHD, FIELDS, name="with exceptions", anchor="message", programs=["sshd"], excepts=["%s port 23 %s"], maxfail=2),
    rule("h sshd[%d]: %s|%s for root", "- all|all", name="behind the time", anchor="time", key=("all",), maxfail=2),
    rule("Failed %s|Accepted %s", "how", name="group 1", anchor="message", programs=["sshd"], group="g", maxfail=3, key=()),
    rule("other|%s for root", name="group 2", anchor="message", programs=["sshd"], group="g", maxfail=3, key=()),
]
HEADERS = [
    "Nov 14 22:00:00 h sshd[7]: ",
    "Nov 14 22:00:00 h sshd: ",
    "Nov 14 22:00:07 h sshd[7]: ",
    "Nov  1 22:00:00 h root: ",
    "2023-11-14T22:00:10Z h sshd[7]: ",
    "2023-11-14T22:00:40Z h logtrigger[7]: ",
    "<38>1 2023-11-14T22:01:00Z h sshd 7 - - ",
    "Nov 14 22:00:00 2023 auth.info sshd[7]: ",
    "Nov 14 22:00:00 daemon.info sshd[7]: ",
    "Nov 14 22:00:00 sshd: sshd[7]: ",
    "Nov 14 22:00:00 h root: sshd[7]: ",
    "sshd[7]: ",
    "",
]
BODIES = [
    "Failed password for root from 1.1.1.1 port 22 ssh2",
    "Failed password for root from 1.1.1.1 port 23 ssh2",
    "Failed password for x sshd: Failed password for y from 2.2.2.2 port 22 ssh2 ",
    "Failed password for x from 9.9.9.9 port 22 ssh2 from ::ffff:1.1.1.1 port 22 ssh2\r",
    "message repeated 3 times: [ Failed password for root from 1.1.1.1 port 22 ssh2]",
    "message repeated 1 times: [ Accepted x]",
    "message repeated 0 times: [ Failed password for root from 1.1.1.1 port 22 ssh2]",
    "last message repeated 2 times",
    "message repeated 2 times: [ h",
    "Accepted key for root",
    "other",
]
LINES = st.lists(st.tuples(st.sampled_from(HEADERS), st.sampled_from(BODIES)).map("".join), max_size=12)


def run(engine: Engine, data: bytes, cuts: list[int], *, old: bool) -> list[Trigger]:
    """The triggers of some lines that arrive in chunks: the numbers of the lines where one ends and the next begins."""
    lines = data.splitlines(keepends=True) if b"\r" not in data else [line + b"\n" for line in data.split(b"\n")[:-1]]
    triggers, offset = [], 0
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(lines)], strict=True):
        piece = b"".join(lines[begin:end])
        triggers += engine.feed(Chunk(SYSTEM_LOG, "log", "stream", offset, offset + len(piece), piece, catching_up=old), NOW)
        offset += len(piece)
    return triggers


@settings(max_examples=250)
@given(LINES, st.lists(st.integers(0, 12), max_size=5), st.booleans(), st.booleans())
@example([HEADERS[0] + BODIES[0], HEADERS[0] + BODIES[4], HEADERS[0] + BODIES[6]], [], False, False)
def test_cuts_between_chunks_change_nothing(lines: list[str], cuts: list[int], old: bool, every: bool) -> None:
    data = "".join(line + "\n" for line in lines).encode()
    cuts = [min(cut, len(lines)) for cut in cuts]
    whole = run(engine(*RULES, every_source=every), data, [], old=old)
    assert run(engine(*RULES, every_source=every), data, cuts, old=old) == whole
    assert run(engine(*RULES, every_source=every), data, list(range(len(lines))), old=old) == whole


@settings(max_examples=250)
@given(LINES, st.booleans(), st.booleans())
@example([HEADERS[1] + BODIES[2]], False, False)  # the leftmost place is in the header
def test_ways_find_what_a_thorough_look_finds(lines: list[str], old: bool, every: bool) -> None:
    """With an observer every line is looked at in full; without one the engine takes short cuts, to the same end."""
    data = "".join(line + "\n" for line in lines).encode()
    quick, bulk, thorough = (engine(*RULES, every_source=every) for _ in range(3))
    thorough.observer = lambda event: None
    bulk.bulk_from = 0
    triggers, changes = run(thorough, data, [], old=old), sorted(thorough.counters.changes(), key=str)
    for one in (quick, bulk):
        assert run(one, data, [], old=old) == triggers
        assert one.events() == thorough.events()
        assert sorted(one.counters.changes(), key=str) == changes


def plain_triggers(rules: list[Rule], lines: list[str]) -> list[tuple[str, int]]:
    """Rules without keys, times or headers, counted by hand: (rule, number of the line)."""
    counts = dict.fromkeys((r.name for r in rules), 0)
    triggers = []
    for number, line in enumerate(lines):
        for r in rules:
            if any(p.match(line.encode(), 0, len(line.encode())) is not None for p in r.patterns):
                counts[r.name] += 1
                if counts[r.name] == r.maxfail:
                    triggers.append((r.name, number))
                    counts[r.name] = 0
    return triggers


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b%s", "%d", "a%sb", "ab|b a", "%s"]), st.integers(1, 3)), min_size=1, max_size=4),
    st.lists(st.text("ab 1", max_size=6), max_size=8),
)
def test_engine_is_matching_and_counting(patterns: list[tuple[str, int]], lines: list[str]) -> None:
    rules = [replace(rule(text, name=str(i)), maxfail=maxfail) for i, (text, maxfail) in enumerate(patterns)]
    script = Script(*rules)
    triggers = [(name, number) for number, line in enumerate(lines) for name in script.names(line)]
    assert triggers == plain_triggers(rules, lines)


# Places of addresses

PLACES = {"192.0.2.7": {"country": "FI", "city": "Helsinki"}, "192.0.2.200": {"country": "SE"}}


def placed(*rules: Rule) -> Engine:
    made = Settings(path=Path("rules.conf"), rules=rules, state=Path("state.db"))
    return Engine(made, look=lambda address: PLACES.get(address, {}))


@pytest.mark.parametrize(
    ("condition", "triggered"),
    [
        ("country == FI", ["192.0.2.7"]),
        ("ip_country != FI", ["192.0.2.200", "198.51.100.1"]),  # what is not known is not Finland
        ("known country", ["192.0.2.7", "192.0.2.200"]),
        ("unknown city", ["192.0.2.200", "198.51.100.1"]),
    ],
)
def test_conditions_on_places(condition: str, triggered: list[str]) -> None:
    compiled = conditions.compile(condition, places.types({"user": "text", "ip": "ip"}))
    made = placed(replace(rule("%s from %s", "user ip"), when=(compiled,)))
    data = "".join(f"bob from {ip}\n" for ip in ("192.0.2.7", "192.0.2.200", "198.51.100.1")).encode()
    triggers = made.feed(Chunk(SYSTEM_LOG, "log", "s", 0, len(data), data), NOW)
    assert [trigger.fields["ip"] for trigger in triggers] == triggered


def test_triggers_tell_the_place_of_each_address() -> None:
    made = placed(rule("%s to %s", "ip peer:ip"))
    (trigger,) = made.feed(Chunk(SYSTEM_LOG, "log", "s", 0, 25, b"192.0.2.7 to 192.0.2.200\n"), NOW)
    assert trigger.extra == {"ip_country": "FI", "ip_city": "Helsinki", "peer_country": "SE"}


@pytest.mark.parametrize("bulk_from", [0, 1 << 20])
def test_a_meter_tells_what_each_rule_takes(bulk_from: int) -> None:
    """What it finds is the same; a rule none of whose lines came has taken nothing."""
    rules = [rule(SSHD, "user ip port", programs=["sshd"], name="a"), rule("nothing %s", "x", name="b")]
    data = "".join(failed(f"192.0.2.{number}") + "\n" for number in range(9)).encode()
    lines = Chunk(SYSTEM_LOG, "log", "s", 0, len(data), data)
    plain, metered, ticks = engine(*rules), engine(*rules), iter(range(1000))
    plain.bulk_from = metered.bulk_from = bulk_from
    metered.meter = lambda: float(next(ticks))
    assert metered.feed(lines, NOW) == plain.feed(lines, NOW)
    assert metered.seconds()["a"] > 0 == metered.seconds()["b"]
    assert plain.seconds() == {"a": 0, "b": 0}
    plain.take_over(metered)
    assert plain.seconds() == metered.seconds()
