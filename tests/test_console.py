"""What a person reads: exact blocks, each level, and nothing that a log line says raw on a terminal."""

from __future__ import annotations

import io
import os
import pty
import struct
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl

import pytest

from logtrigger.actions.base import Result
from logtrigger.actions.environment import environment
from logtrigger.console import Console
from logtrigger.errors import Place
from logtrigger.model import Chunk, Event, Trigger
from logtrigger.rule import Rule

NOON = time.mktime((2026, 7, 14, 12, 0, 0, 0, 0, -1))
HOSTILE = "\x1b]0;gone\x07\x1b[2J\u202e12:00:00 ready\r\n\x9b1m\x00"


def a_rule(**changes: object) -> Rule:
    values: dict[str, object] = {"name": "Homework", "place": Place("rules", 1), "patterns": ()}
    return Rule(**(values | changes))  # type: ignore[arg-type]


def a_trigger(**changes: object) -> Trigger:
    body = "The dog ate my homework and, I know this is the 10 th time this has happened."
    values: dict[str, object] = {
        "id": "Homework@2b01afa1a998:425",
        "rule": "Homework",
        "time": 1_784_030_400.25,
        "count": 1,
        "key": (),
        "fields": {"what": "dog", "times": "10"},
        "message": f"Jul 14 12:00:00 gate root: {body}",
        "body": body,
        "source": "/var/log/syslog",
        "host": "gate",
        "program": "root",
    }
    return Trigger(**(values | changes))  # type: ignore[arg-type]


def variables(trigger: Trigger) -> dict[str, str]:
    return {name: value for name, value in environment(trigger).items() if name != "PATH"}


class Paper:
    """A console that writes into a string, as on a terminal of so many columns."""

    def __init__(self, level: int, columns: int | None = None, colour: bool = False) -> None:
        self.stream = io.StringIO()
        width = None if columns is None else lambda: columns
        self.console = Console(self.stream, level, lambda: NOON, width=width, colour=colour)

    def trigger(self, note: str = "running /etc/show.sh", rule: Rule | None = None, **changes: object) -> Trigger:
        trigger = a_trigger(**changes)
        shown = variables(trigger) if self.console.level >= 2 else {}
        self.console.trigger(trigger, rule or a_rule(), shown, note)
        return trigger

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


BLOCK = """\
12:00:00 trigger Homework: 1 event, from /var/log/syslog; running
         /root/logtrigger/examples/quickstart/show.sh
  LT_name    Homework
  LT_what    dog
  LT_times   10
  LT_key     (empty)
  LT_count   1
  LT_message Jul 14 12:00:00 gate root: The dog ate my homework and, I know this
             is the 10 th time this has happened.
  LT_body    The dog ate my homework and, I know this is the 10 th time this has
             happened.
  LT_host    gate
  LT_program root
  LT_pid     (empty)
  LT_source  /var/log/syslog
  LT_time    1784030400
  LT_late    0
  LT_id      Homework@2b01afa1a998:425
  | Hello from the script of rule Homework.
  /root/logtrigger/examples/quickstart/show.sh: exit 0 after 9.5 ms
"""


def test_block_is_exactly_this_and_fits_a_screen() -> None:
    script = "/root/logtrigger/examples/quickstart/show.sh"
    paper = Paper(2, columns=80)
    trigger = paper.trigger(f"running {script}")
    paper.console.result(trigger, script, Result(True, "exit 0", 0.0095, ("Hello from the script of rule Homework.",)))
    assert paper.text == BLOCK
    assert len(paper.lines) <= 24
    assert max(map(len, paper.lines)) <= 80


def test_without_a_terminal_each_value_is_one_line() -> None:
    paper = Paper(2)
    trigger = paper.trigger()
    assert f"  LT_message {trigger.message}" in paper.lines
    assert paper.lines[0] == "12:00:00 trigger Homework: 1 event, from /var/log/syslog; running /etc/show.sh"


def test_trigger_says_whose_counter_filled_and_how() -> None:
    paper = Paper(1)
    rule = a_rule(maxfail=5, time=3600.0)
    paper.trigger(rule=rule, count=6, key=("192.0.2.7", "bob"), late=90)
    said = "trigger Homework: 6 events of 192.0.2.7 bob within 1h (maxfail 5), 1m30s late, from /var/log/syslog"
    assert paper.lines == [f"12:00:00 {said}; running /etc/show.sh"]


def test_limit_without_time() -> None:
    paper = Paper(1)
    paper.trigger("nothing to run", a_rule(maxfail=5), count=5)
    assert paper.lines == ["12:00:00 trigger Homework: 5 events (maxfail 5), from /var/log/syslog; nothing to run"]


def test_key_cannot_pass_for_our_own_words() -> None:
    paper = Paper(1)
    paper.trigger(key=("", "x within 1h, from /dev/null; nothing to run", "y" * 1000))
    said = f"1 event of '' 'x within 1h, from /dev/null; nothing to run' '{'y' * 60}…', from /var/log/syslog"
    assert paper.lines == [f"12:00:00 trigger Homework: {said}; running /etc/show.sh"]


def everything(console: Console) -> None:
    """One of all that can be said."""
    console.report(0, "an error")
    console.report(1, "ready")
    trigger = a_trigger()
    console.chunk(Chunk("system log", "/var/log/syslog", "s", 0, 8, b"one\ntwo\n"))
    console.event(Event("Homework", NOON, ("192.0.2.7",), 3, b"two"), a_rule(maxfail=5, time=600.0))
    console.trigger(trigger, a_rule(), variables(trigger) if console.level >= 2 else {}, "running /etc/show.sh")
    console.result(trigger, "/etc/show.sh", Result(True, "exit 0", 0.001, ("hello",)))


FIRST_LEVEL = {
    "an error": 0,
    "ready": 1,
    "trigger Homework": 1,
    "LT_name": 2,
    "| hello": 2,
    "exit 0 after 1.0 ms": 2,
    "event Homework: 3/5 in 10m of 192.0.2.7: two": 3,
    "line /var/log/syslog: one": 4,
    "line /var/log/syslog: two": 4,
}


@pytest.mark.parametrize("level", range(6))
def test_levels(level: int) -> None:
    paper = Paper(level)
    everything(paper.console)
    assert [what for what in FIRST_LEVEL if what in paper.text] == [what for what, of in FIRST_LEVEL.items() if of <= level]


@pytest.mark.parametrize("level", [0, 1])
def test_failure_is_an_error_at_every_level(level: int) -> None:
    paper = Paper(level)
    trigger = a_trigger()
    paper.console.result(trigger, "/etc/show.sh", Result(False, "exit 3", 0.5, ("no such table",)))
    assert paper.lines == ["12:00:00 Homework: /etc/show.sh: exit 3", "12:00:00 Homework: | no such table"]


def test_long_run_is_told_in_seconds() -> None:
    paper = Paper(2)
    paper.console.result(paper.trigger(), "/etc/show.sh", Result(False, "took too long, ended by signal 15", 60.04))
    assert paper.lines[-1] == "  /etc/show.sh: took too long, ended by signal 15 after 60.0 s"


def test_result_below_another_block_says_whose_it_is() -> None:
    paper = Paper(2)
    first, second = paper.trigger(), paper.trigger(id="Homework@2b01afa1a998:900")
    done = Result(True, "exit 0", 0.001)
    paper.console.result(first, "/etc/show.sh", done)
    paper.console.result(second, "/etc/show.sh", done)
    assert paper.lines[-4:] == [
        f"12:00:00 what {first.id} caused has ended:",
        "  /etc/show.sh: exit 0 after 1.0 ms",
        f"12:00:00 what {second.id} caused has ended:",
        "  /etc/show.sh: exit 0 after 1.0 ms",
    ]


def test_result_behind_another_line_says_whose_it_is() -> None:
    paper = Paper(2)
    trigger = paper.trigger()
    paper.console.report(0, "something else")
    paper.console.result(trigger, "/etc/show.sh", Result(True, "exit 0", 0.001))
    assert paper.lines[-2] == f"12:00:00 what {trigger.id} caused has ended:"


@pytest.mark.parametrize("columns", [None, 80])
def test_nothing_hostile_is_raw(columns: int | None) -> None:
    """Whatever place it comes from: not even a path or a script can move the cursor or begin a line."""
    paper = Paper(5, columns)
    console = paper.console
    console.report(0, HOSTILE)
    console.chunk(Chunk("f", HOSTILE, "s", 0, 8, HOSTILE.encode().replace(b"\n", b"") + b"\xff\n"))
    console.event(Event("Homework", NOON, (HOSTILE,), 1, HOSTILE.encode()), a_rule())
    trigger = a_trigger(key=(HOSTILE,), fields={"user": HOSTILE}, message=HOSTILE, source=HOSTILE + "\udcff")
    console.trigger(trigger, a_rule(), {"LT_user": HOSTILE}, HOSTILE)
    console.result(trigger, HOSTILE, Result(True, HOSTILE, 0.0, (HOSTILE,)))
    assert not [c for c in paper.text if not c.isprintable() and c != "\n"]
    assert all(line.startswith(("12:00:00 ", "  ")) for line in paper.lines)
    assert not [line for line in paper.lines if line == "12:00:00 ready"]


@pytest.mark.parametrize("filler", ["x", "x ", "文"])
def test_long_text_never_reaches_the_first_column(filler: str) -> None:
    """Wrapped by the terminal, a value could put a line of its own below ours."""
    paper = Paper(4, columns=80)
    text = filler * 90 + "12:00:00 ready"
    paper.console.report(0, text)
    paper.console.event(Event("Homework", NOON, (), 1, text.encode()), a_rule())
    paper.console.result(paper.trigger(fields={"user": text}), "/etc/show.sh", Result(True, "exit 0", 0.0, (text,)))
    wide = 2 if filler == "文" else 1
    assert max(len(line) + (wide - 1) * line.count("文") for line in paper.lines) <= 80
    assert all(line.startswith(("12:00:00 ", "  ")) for line in paper.lines)
    assert "12:00:00 ready" not in paper.lines


def test_long_value_is_cut_where_a_person_reads() -> None:
    paper = Paper(2)
    paper.trigger(fields={"user": "u" * 16_384})
    assert f"  LT_user    {'u' * 800}… (16384 characters)" in paper.lines


def test_everything_is_everything() -> None:
    paper = Paper(999)
    paper.trigger(fields={"user": "u" * 16_384})
    assert f"  LT_user    {'u' * 16_384}" in paper.lines


def test_narrow_terminal() -> None:
    paper = Paper(2, columns=5)
    paper.trigger()
    assert "  LT_count   1" in paper.lines


@pytest.fixture
def terminal() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """A terminal of 100 columns: what is shown on it, and where to write."""
    shown, ours = pty.openpty()
    ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with open(ours, "w", encoding="utf-8") as stream:
        yield shown, stream
    os.close(shown)


def test_terminal_gets_colours_and_its_own_width(terminal: tuple[int, io.TextIOWrapper]) -> None:
    shown, stream = terminal
    console = Console.on(stream, None, lambda: NOON)
    assert console.level == 1
    console.report(0, "word " * 30)
    lines = os.read(shown, 4096).decode().split("\r\n")
    assert all(line.startswith("\x1b[31m") and line.endswith("\x1b[0m") for line in lines[:-1])
    assert len(lines[0]) - len("\x1b[31m\x1b[0m") == 98  # the last word that fits


def test_width_follows_the_terminal(terminal: tuple[int, io.TextIOWrapper]) -> None:
    shown, stream = terminal
    console = Console.on(stream, 1, lambda: NOON)
    ioctl(stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    console.report(1, "word " * 30)
    assert max(map(len, os.read(shown, 4096).decode().split("\r\n"))) <= 40


def test_terminal_that_does_not_know_its_size(terminal: tuple[int, io.TextIOWrapper]) -> None:
    shown, stream = terminal
    ioctl(stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    Console.on(stream, 1, lambda: NOON).report(1, "word " * 30)
    assert max(map(len, os.read(shown, 4096).decode().split("\r\n"))) == 78


def test_file_gets_neither() -> None:
    stream = io.StringIO()
    console = Console.on(stream, None, lambda: NOON)
    assert console.level == 0
    console.report(0, "word " * 30)
    assert stream.getvalue() == f"12:00:00 {'word ' * 30}\n"


def test_nobody_reads_any_more() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = open(writer, "w", buffering=1)
    Console.on(stream, 1, lambda: NOON).report(0, "an error")
    os.dup2(os.open(os.devnull, os.O_WRONLY), writer)  # so that closing has nothing to complain of
    stream.close()
