"""Old logs through the rules: every rule sees every line, in the time of the logs, and each trigger knows its line."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.errors import Place
from logtrigger.fill import Fill
from logtrigger.patterns import scanf
from logtrigger.replay import Log, Summary, replay
from logtrigger.rule import Rule, Settings

NOW = 1_800_000_000.0


def a_rule(pattern: str = "hit %s", fields: Sequence[str] = ("who",), **options: object) -> Rule:
    values = {"name": "r", "place": Place("rules", 1), "patterns": (scanf.compile(pattern, fields),)} | options
    return Rule(**values)  # type: ignore[arg-type]


def _open(text: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(text))


def run(rules: Sequence[Rule], *texts: bytes, max_line: int = 1 << 20) -> tuple[Summary, list[tuple[Fill, int]]]:
    """Replay logs named a, b, …; the summary, and each trigger with its line."""
    settings = Settings(path=Path("rules"), rules=tuple(rules), state=Path("state"), max_line=max_line)
    logs = [Log(chr(ord("a") + index), partial(_open, text)) for index, text in enumerate(texts)]
    told: list[tuple[Fill, int]] = []
    summary = replay(settings, logs, NOW, lambda trigger, line: told.append((trigger, line)))
    return summary, told


def places(told: list[tuple[Fill, int]]) -> list[str]:
    return [f"{trigger.source}:{line} {' '.join(trigger.fields.values())}" for trigger, line in told]


def test_each_trigger_knows_its_line() -> None:
    summary, told = run([a_rule()], b"hit 1\nno\nhit 3\n\nhit 5", b"no\nhit 2\n")
    assert places(told) == ["a:1 1", "a:3 3", "a:5 5", "b:2 2"]
    assert summary == Summary(7, {"r": 4}, {"r": 4})


def test_counters_run_on_from_log_to_log() -> None:
    summary, told = run([a_rule(maxfail=3)], b"hit 1\nhit 2\n", b"hit 3\nhit 4\n")
    assert places(told) == ["b:1 3"]
    assert (summary.events, summary.triggers) == ({"r": 4}, {"r": 1})


def test_every_rule_sees_every_log() -> None:
    _, told = run([a_rule(source="/var/log/other"), a_rule(name="s")], b"hit 1\n")
    assert [trigger.rule for trigger, _ in told] == ["r", "s"]


def test_time_is_that_of_the_log() -> None:
    """Three within a minute are three within a minute, however fast they are read; and nothing is late."""
    lines = b"2026-07-14T12:00:%02d+00:00 gate app: hit x\n"
    rule = a_rule(maxfail=3, time=60.0)
    _, fast = run([rule], lines % 0 + lines % 30 + lines % 59)
    assert [(trigger.time, trigger.late) for trigger, _ in fast] == [(1_784_030_459.0, 0)]
    slow = b"".join(b"2026-07-14T12:%02d:00+00:00 gate app: hit x\n" % minute for minute in (0, 1, 2, 3))
    assert run([rule], slow)[1] == []


def test_line_without_a_trigger_is_counted_too() -> None:
    summary, _ = run([a_rule("never %s")], b"\n\n\nlast without its end")
    assert summary == Summary(4, {"r": 0}, {"r": 0})


def test_line_numbers_hold_where_a_long_line_was_cut() -> None:
    _, told = run([a_rule()], b"hit 1\n" + b"x" * 500 + b"\nhit 3\n", max_line=100)
    assert places(told) == ["a:1 1", "a:3 3"]


LINES = st.lists(st.sampled_from([b"hit me", b"no", b"", b"x" * 60]), max_size=30)


@given(LINES, LINES)
def test_line_numbers_are_those_of_plain_counting(first: list[bytes], second: list[bytes]) -> None:
    texts = [b"".join(line + b"\n" for line in lines) for lines in (first, second)]
    _, told = run([a_rule()], *texts, max_line=50)
    wanted = [
        f"{name}:{number} me"
        for name, lines in (("a", first), ("b", second))
        for number, line in enumerate(lines, 1)
        if line == b"hit me"
    ]
    assert places(told) == wanted


def test_log_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def readinto(self, buffer: object) -> int:
            raise OSError(5, "Input/output error")

    settings = Settings(path=Path("rules"), rules=(a_rule(),), state=Path("state"))
    log = Log("broken.log", lambda: io.BufferedReader(Broken()))
    with pytest.raises(OSError, match="Input/output error") as raised:
        replay(settings, [log], NOW, lambda *_: None)
    assert raised.value.filename == "broken.log"
