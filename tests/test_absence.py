"""What is seen last, missing and back: in the tables, in the engine, over restarts and reloads, in old logs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from logtrigger import parallel
from logtrigger.absence import LINES, LONGEST_LINE, Absences
from logtrigger.actions.environment import environment
from logtrigger.counters import Counters
from logtrigger.matcher import LiteralMatcher
from logtrigger.model import Chunk, Trigger
from logtrigger.replay import Log
from logtrigger.rule import Rule, Settings
from logtrigger.wallclock import Step
from logtrigger.windowrows import from_row, to_row
from tests.script import NOW, Script, engine, rule

HOUR = 3600.0
DAY = 24 * HOUR
PATTERN = "backup of %s done in %d s"


def keys(absences: Absences, now: float) -> list[str]:
    return [one.key for one in absences.missing(now)]


def backup(**options: Any) -> Rule:
    return rule(PATTERN, "machine seconds", name="Backup", **{"absent": 25 * HOUR, "key": ("machine",), **options})


def summary(triggers: list[Trigger]) -> list[tuple[str, str]]:
    return [(" ".join(trigger.key), trigger.state) for trigger in triggers]


# The table


def test_missing_once_and_back_once() -> None:
    absences = Absences(10.0, 100.0, 5)
    assert absences.next_due() is None
    assert not absences.see("a", b"first", 0.0)
    assert not absences.see("b", b"", 4.0)
    assert absences.next_due() == 10.0
    assert keys(absences, 10.0) == []  # both ends belong to the time that may pass
    assert keys(absences, 10.5) == ["a"]
    assert keys(absences, 11.0) == []
    assert absences.next_due() == 14.0
    assert absences.see("a", b"second", 20.0)
    assert not absences.see("a", b"third", 21.0)
    assert keys(absences, 25.0) == ["b"]
    assert [(one.key, one.line) for one in absences.missing(40.0)] == [("a", b"third")]


def test_missing_ones_are_forgotten_in_the_end() -> None:
    absences = Absences(10.0, 100.0, 5)
    absences.see("a", b"", 0.0)
    absences.expire(99.0)
    assert keys(absences, 200.0) == ["a"]  # it is told before it is forgotten, however late
    absences.expire(200.0)
    assert len(absences) == 0
    assert not absences.see("a", b"", 300.0)  # a new one


def test_nobody_is_missing_because_the_clock_was_set() -> None:
    """What was seen since the boot goes along; what is from before it was noted by a clock that was right."""
    absences = Absences(10.0, 100.0, 5)
    absences.restore("old", [(900.0, 1)], 0.0)
    absences.see("a", b"", 20.0)
    absences.see("b", b"", 25.0)
    absences.see("c", b"", 5.0)
    assert keys(absences, 16.0) == ["c"]
    absences.take_changed()
    absences.shift(Step(booted=0.0, until=26.0, by=1_000.0))
    assert keys(absences, 1_026.0) == ["old"]
    assert absences.next_due() == 1_030.0
    assert [key for key, _, _ in absences.take_changed()] == ["a", "b", "c", "old"]
    assert absences.state("c") == ([(1_005.0, 1)], 1_015.0)
    absences.shift(Step(booted=1_000.0, until=1_027.0, by=-500.0))
    assert absences.next_due() == 530.0
    assert absences.see("c", b"", 528.0)
    assert keys(absences, 531.0) == ["a"]


def test_who_was_seen_by_a_clock_that_nobody_had_set_is_waited_for_from_now_on() -> None:
    """As after a restart of the daemon, between whose two lives a router was told the time."""
    absences = Absences(10.0, 100.0, 5)
    absences.restore("a", [(30.0, 1)], 0.0)
    absences.restore("b", [(20.0, 1)], 31.0)
    absences.restore("c", [(NOW - 5.0, 1)], 0.0)
    absences.begin(NOW)
    assert keys(absences, NOW + 9.0) == ["c"]
    assert keys(absences, NOW + 11.0) == ["a", "b"]


def test_the_one_key_of_a_rule_is_never_forgotten() -> None:
    absences = Absences(10.0, 100.0, 5, alone=True)
    absences.begin(0.0)
    absences.begin(9.0)
    assert [(one.key, one.seen, one.ever) for one in absences.missing(11.0)] == [("", 0.0, False)]
    absences.expire(1e6)
    assert absences.see("", b"", 2e6)


def test_old_lines_tell_nothing_of_what_came_later() -> None:
    absences = Absences(10.0, 100.0, 5)
    absences.see("a", b"new", 50.0)
    absences.see("a", b"old", 30.0, old=True)
    assert absences.next_due() == 60.0
    absences.see("a", b"now", 40.0)  # the clock was set back
    assert absences.next_due() == 50.0


def test_old_line_counts_before_the_first_start() -> None:
    absences = Absences(10.0, 100.0, 5, alone=True)
    absences.begin(100.0)
    absences.see("", b"", 50.0, old=True)
    assert absences.next_due() == 60.0


def test_flood_of_keys_hides_no_absence() -> None:
    absences = Absences(10.0, 100.0, 3)
    absences.see("real", b"", 0.0)
    for number in range(1000):
        absences.see(f"made up {number}", b"", 1.0)
    assert len(absences) == 3
    assert absences.evicted == 998
    assert keys(absences, 20.0)[0] == "real"
    absences.see("newcomer", b"", 20.0)  # in the place of one that is known to be missing
    assert len(absences) == 3
    assert absences.next_due() == 30.0


def test_memory_is_bounded() -> None:
    absences = Absences(10.0, 100.0, 5000)
    for turn in range(20):
        for number in range(4000):
            absences.see(str(number), b"x" * (LONGEST_LINE + number % 2), turn - 2.0 * (turn % 3))
    assert len(absences._next) <= 2 * len(absences) + 1001
    assert len(absences._lines) <= LINES
    assert len(absences.missing(1000.0)) == 1000  # the rest when it is asked for again
    assert len(absences.missing(1000.0)) == 1000


def test_agrees_with_a_plain_account() -> None:
    chance = random.Random(7)
    absences, seen, missing = Absences(10.0, 1e9, 100), dict[str, float](), set[str]()
    now = 0.0
    for _ in range(5000):
        now += chance.choice((0.0, 0.5, 1.0, 3.0, 12.0))
        wanted = {key for key, at in seen.items() if at + 10.0 < now} - missing
        assert absences.next_due() == min((at + 10.0 for key, at in seen.items() if key not in missing), default=None)
        assert set(keys(absences, now)) == wanted
        missing |= wanted
        key = chance.choice("abcdefgh")
        assert absences.see(key, b"", now) == (key in missing)
        seen[key] = now
        missing.discard(key)


# The engine


def test_trigger_says_what_is_missing() -> None:
    script = Script(backup())
    assert script.feed("2023-11-14T22:13:20+00:00 vault app[7]: backup of db1 done in 12 s") == []
    assert script.engine.next_due() == NOW + 25 * HOUR
    assert script.engine.due(NOW + 25 * HOUR) == []
    [trigger] = script.engine.due(NOW + 25 * HOUR + 1)
    assert trigger.message.startswith("no event of db1 for 25h; last at 2023-11-1")
    assert trigger.body == "2023-11-14T22:13:20+00:00 vault app[7]: backup of db1 done in 12 s"
    assert (trigger.fields, trigger.host, trigger.program) == ({"machine": "db1", "seconds": "12"}, "vault", "app")
    assert (trigger.count, trigger.time, trigger.late, trigger.key) == (0, NOW + 25 * HOUR + 1, 0, ("db1",))
    assert environment(trigger)["LT_state"] == "absent"
    assert script.engine.due(NOW + 99 * HOUR) == []
    [back] = script.feed("backup of db1 done in 14 s", at=100 * HOUR)
    assert (back.state, back.message, back.count) == ("back", "backup of db1 done in 14 s", 1)
    assert script.feed("backup of db1 done in 14 s", at=101 * HOUR) == []


def test_rule_as_a_whole_waits_from_the_first_start() -> None:
    script = Script(backup(key=()))
    script.engine.begin(NOW)
    [trigger] = script.engine.due(NOW + 26 * HOUR)
    assert trigger.message.startswith("no event for 25h; none since 2023-11-1")
    assert (trigger.key, trigger.fields, trigger.body) == ((), {"machine": "", "seconds": ""}, trigger.message)


def test_other_triggers_have_no_state() -> None:
    [trigger] = Script(rule("hit %s")).feed("hit me")
    assert trigger.state == ""
    assert "LT_state" not in environment(trigger)


def test_one_id_for_one_absence() -> None:
    """An absence found again after a crash is the same; the next one of the same key is another."""
    ids = []
    for _ in range(2):
        script = Script(backup())
        script.feed("backup of db1 done in 1 s", "backup of db2 done in 1 s")
        ids.append([trigger.id for trigger in script.engine.due(NOW + 26 * HOUR)])
    script.feed("backup of db1 done in 1 s", at=30 * HOUR)
    ids.append([trigger.id for trigger in script.engine.due(NOW + 60 * HOUR)])
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2]}) == 3


@pytest.mark.parametrize("many", [1, 200])
def test_lines_in_bulk(many: int) -> None:
    script = Script(backup(), rule("Failed %s from %s", "what ip", name="Login", maxfail=10_000))
    lines = [f"backup of db{number} done in 1 s" for number in range(many)]
    script.feed(*lines, *["Failed password from 192.0.2.7"] * 300)
    assert len(script.engine.due(NOW + 26 * HOUR)) == many
    assert {trigger.state for trigger in script.feed(*lines, at=27 * HOUR)} == {"back"}


def test_over_a_restart() -> None:
    before = Script(backup())
    before.feed("backup of db1 done in 1 s", "backup of db2 done in 1 s")
    before.feed("backup of db2 done in 1 s", at=HOUR)
    before.engine.due(NOW + 25.5 * HOUR)
    after = Script(backup())
    states = [from_row(to_row(state)) for state in before.engine.counters.changes()]
    assert after.engine.counters.restore(states) == []
    after.engine.begin(NOW + 25.7 * HOUR)
    found = after.engine.due(NOW + 27 * HOUR)
    assert summary(found) == [("db2", "absent")]
    assert found[0].fields == {"machine": "db2", "seconds": ""}  # the last line is not known any more
    assert summary(after.feed("backup of db1 done in 1 s", at=28 * HOUR)) == [("db1", "back")]


def test_old_lines_bring_one_back() -> None:
    script = Script(backup())
    script.feed("backup of db1 done in 1 s")
    script.engine.due(NOW + 26 * HOUR)
    line = "2023-11-16T22:13:20+00:00 vault app[7]: backup of db1 done in 12 s"
    assert summary(script.feed(line, at=60 * HOUR, old=True)) == [("db1", "back")]
    assert script.engine.next_due() == NOW + 73 * HOUR


def test_over_a_reload() -> None:
    """However long is waited now: what was seen, was seen. What was counted otherwise begins anew."""
    before = Counters([backup()], 100)
    windows = before.of(backup())
    assert isinstance(windows, Absences)
    windows.see("db1", b"", NOW)
    longer = Counters([backup(absent=30 * HOUR)], 100)
    assert longer.adopt(before) == []
    again = longer.of(backup())
    assert isinstance(again, Absences)
    assert again.next_due() == NOW + 30 * HOUR
    counting = Counters([rule(PATTERN, "machine seconds", name="Backup", key=("machine",))], 100)
    assert len(counting.adopt(before)) == 1


# Old logs


def at(hours: float) -> str:
    day, hour = divmod(hours, 24)
    return f"2026-07-{1 + int(day):02}T{int(hour):02}:{round(hour % 1 * 60):02}:00+00:00 vault app[7]:"


LOG = [
    f"{at(0)} something else",
    f"{at(1)} backup of db1 done in 1 s",
    f"{at(2)} backup of db2 done in 1 s",
    f"{at(20)} something else",
    f"{at(26)} nothing much",  # 25 h after db1: within
    f"{at(26.5)} backup of db2 done in 1 s",  # before which db1 is missing
    f"{at(60)} backup of db1 done in 1 s",  # before which db2 is missing
    f"{at(100)} something else",  # by when both are
]


def replayed(lines: list[str], size: int, *rules: Rule) -> list[tuple[str, str, str, int]]:
    """Rule, key, state and line of each trigger, where so many lines are read at once."""
    one = engine(*rules, every_source=True)
    found, offset, begins = [], 0, [0]
    for line in lines:
        begins.append(begins[-1] + len(line) + 1)
    for number in range(0, len(lines), size):
        data = "".join(f"{line}\n" for line in lines[number : number + size]).encode()
        chunk = Chunk("", "log", "log", offset, offset + len(data), data, catching_up=True)
        offset += len(data)
        for fill in one.fills(chunk, NOW + 10_000 * DAY):
            trigger = fill.trigger()
            assert trigger.state == fill.state
            found.append((fill.rule, " ".join(fill.key), fill.state, begins.index(fill.offset) + 1))
    return found


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("bulk", [True, False])
def test_old_logs_in_their_own_time(size: int, bulk: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logtrigger.engine._BULK_FROM", 0 if bulk else 1 << 20)
    every = rule("backup of %s done in %s", name="Every", key=())
    assert replayed(LOG, size, backup(), every) == [
        ("Every", "", "", 2),
        ("Every", "", "", 3),
        ("Backup", "db1", "absent", 6),
        ("Every", "", "", 6),
        ("Backup", "db2", "absent", 7),
        ("Backup", "db1", "back", 7),
        ("Every", "", "", 7),
        ("Backup", "db1", "absent", 8),
    ]


def test_old_log_without_an_event() -> None:
    assert replayed(LOG[3:5] + LOG[7:], 1, backup(key=())) == [("Backup", "", "absent", 3)]


def test_time_of_an_absence_in_an_old_log() -> None:
    one = engine(backup(), every_source=True)
    data = "".join(f"{line}\n" for line in LOG[1:6]).encode()
    [fill] = one.fills(Chunk("", "a.log", "a.log", 0, len(data), data, catching_up=True), NOW + 10_000 * DAY)
    event = 1782867600.0  # 2026-07-01 01:00 UTC
    assert (fill.time, fill.late, fill.source, fill.count) == (event + 25 * HOUR, 0, "a.log", 0)


def test_any_number_of_processes_finds_the_same(tmp_path: Path) -> None:
    """Also what one rule finds twice at a line: an absence comes before the return."""
    path = tmp_path / "log"
    path.write_text("".join(f"{line}\n" for line in LOG))
    rules = (
        backup(),
        rule(PATTERN, "machine seconds", name="Other", absent=2 * HOUR, key=()),
        rule(PATTERN, name="Each", key=()),
    )
    settings = Settings(path=Path("rules"), rules=rules, state=Path("state"))
    found = []
    for jobs in (1, 3):
        told: list[str] = []
        logs = [Log("log", lambda: path.open("rb"))]
        parallel.replay(
            settings, logs, NOW + 10_000 * DAY, lambda t, n: f"{n} {t.rule} {t.state}\n", told.append, LiteralMatcher, jobs
        )
        found.append("".join(told).splitlines())
    assert found[0] == found[1]
    assert found[0][:5] == ["2 Each ", "3 Each ", "4 Other absent", "6 Backup absent", "6 Other back"]
