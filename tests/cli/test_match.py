"""`logtrigger match`: what it prints where, and its exit status."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from logtrigger.cli.match import match, typed

FAILED = "Failed password for %s from %s port %d ssh2"
GOOD = "Nov 29 17:20:00 gate sshd[7]: Failed password for root from 192.0.2.7 port 22 ssh2"
HOST = "Nov 29 17:20:01 gate sshd[7]: Failed password for root from gate.example port 22 ssh2"
OTHER = "Nov 29 17:20:02 gate CRON[1]: session opened"


def run(*arguments: str, lines: str | bytes = "") -> Result:
    return CliRunner().invoke(match, arguments, input=lines)


def found(*arguments: str, lines: str | bytes) -> list[dict[str, Any]]:
    done = run(*arguments, "--format", "json", lines=lines)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_json() -> None:
    """One object a matching line; numbers are numbers."""
    assert found(FAILED, "--fields", "user ip port", lines=f"{OTHER}\n{GOOD}\n") == [
        {"line": 2, "fields": {"user": "root", "ip": "192.0.2.7", "port": 22}, "message": GOOD}
    ]


def test_json_names_the_source_of_several() -> None:
    Path("a.log").write_text(f"{GOOD}\n")
    Path("b.log").write_text(f"{OTHER}\n{GOOD}\n")
    lines = found(FAILED, "a.log", "b.log", "-", lines=f"{GOOD}\n")
    assert [(one["source"], one["line"]) for one in lines] == [("a.log", 1), ("b.log", 2), ("stdin", 1)]


def test_conversions_without_a_name_go_by_their_number() -> None:
    assert found(FAILED, "--fields", "user -", lines=GOOD)[0]["fields"] == {"user": "root", "3": 22}
    done = run(FAILED, "--fields", "user -", lines=GOOD)
    assert "    user = root\n    %3   = 22\n" in done.stdout
    assert done.stderr == "1 of 1 lines match\nname %3 with --fields 'NAME NAME …' in order, - for what you do not need\n"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("-7", "int", -7),
        ("010", "int", 10),
        ("0x1F", "int", 31),
        ("-0x1f", "number", -31),
        ("010", "number", 8),
        ("+0b101", "number", 5),
        ("0", "number", 0),
        ("17", "octal", 15),
        ("ff", "hex", 255),
        ("0XfF", "hex", 255),
        ("0b11", "binary", 3),
        ("11", "binary", 3),
        (".5e1", "float", 5.0),
        ("00022", "port", 22),
        ("007", "text", "007"),
    ],
)
def test_typed(text: str, kind: str, value: object) -> None:
    """Numbers in the base of their conversion."""
    got = typed(text.encode(), kind)
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize("letter", "duioxXbf")
def test_every_number_that_is_taken_is_a_number(letter: str) -> None:
    for text in ("0", "1", "01", "+1", "-1", "0x1", "0b1", "1.5", "1e2", "0o1", "9" * 400):
        for one in found(f"n=%{letter}", "--fields", "n", lines=f"n={text}"):
            assert isinstance(one["fields"]["n"], int | float)


def test_text() -> None:
    """The line by its number, then what each conversion took; the count is no data."""
    done = run(FAILED, "--fields", "user ip port", lines=f"{OTHER}\n{GOOD}\n")
    assert (done.exit_code, done.stderr) == (0, "1 of 2 lines match\n")
    assert done.stdout == f"2: {GOOD}\n    user = root\n    ip   = 192.0.2.7\n    port = 22\n"


def test_near_miss() -> None:
    done = run(FAILED, "--fields", "user ip port", lines=f"{OTHER}\n{HOST}\n{HOST}\n")
    assert (done.exit_code, done.stderr) == (1, "0 of 3 lines match\n")
    assert done.stdout.splitlines() == [
        "2: nearly matches, and 1 more in the same way",
        "  …0:01 gate sshd[7]: Failed password for root from gate.example port 22 ssh2",
        "                                                    ^",
        "  fits    Failed password for <user> from",
        "  wanted  an IP address for ip",
        "  found   'gate.example'",
        "  advice  no IP address stands there: a field that takes host names too is",
        "          ip:host; then the line matches",
    ]


@pytest.mark.parametrize("column", [0, 3, 40, 100, 199])
def test_explanation_fits_a_terminal(column: int) -> None:
    """Long lines are shown around the place."""
    line = "é" * column + "count x" + "y" * (200 - column)
    shown = run("count %d", lines=line).stdout.splitlines()
    assert max(map(len, shown)) <= 80
    assert shown[1][shown[2].index("^")] == "x"


def test_near_misses_are_few() -> None:
    lines = "".join(f"{GOOD[:-5]}{'!' * number}{' x' * number}\n" for number in range(1, 20))
    done = run(FAILED, lines=lines)
    assert done.stdout.count("nearly matches") == 5
    assert done.stderr == "14 more lines have something of the pattern and do not match\n0 of 19 lines match\n"


def test_json_explains_nothing() -> None:
    done = run(FAILED, "--fields", "user ip", "--format", "json", lines=HOST)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "")


def test_exit_status() -> None:
    assert run(FAILED, lines=GOOD).exit_code == 0
    assert run(FAILED, lines=OTHER).exit_code == 1
    assert run(FAILED, lines="").exit_code == 1
    assert run().exit_code == 2


def test_unreadable_file_hides_no_other() -> None:
    """As with grep: the rest is read, the status tells."""
    Path("a.log").write_text(f"{GOOD}\n")
    done = run(FAILED, "none.log", ".", "a.log")
    assert done.exit_code == 2
    assert done.stdout.startswith(f"a.log:1: {GOOD}\n")
    assert "none.log: No such file or directory\n.: Is a directory\n" in done.stderr


def test_bad_pattern() -> None:
    done = run("port %5d is", lines=GOOD)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "PATTERN:6: error: '%5' has a width (write %d)\n  port %5d is\n       ^\n"


def test_bad_fields() -> None:
    done = run("port %d", "--fields", "port more", lines=GOOD)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("PATTERN: error: 2 fields but 1 conversion ('more' has none")


def test_pattern_that_is_no_utf8() -> None:
    done = run("port \udcff%d", lines=GOOD)
    assert (done.exit_code, done.stderr.split(" (")[0]) == (2, "PATTERN:6: error: the pattern is not UTF-8")


def test_nocase() -> None:
    assert run(FAILED.upper().replace("%S", "%s").replace("%D", "%d"), lines=GOOD).exit_code == 1
    assert run(FAILED.upper().replace("%S", "%s").replace("%D", "%d"), "--nocase", lines=GOOD).exit_code == 0


def test_format() -> None:
    assert found("for {user} from {ip} port {port:d}{}", "--syntax", "format", lines=GOOD)[0]["fields"] == {
        "user": "root",
        "ip": "192.0.2.7",
        "port": 22,
    }
    assert "with a final {} the line" in run("from {ip} port {port:d}", "--syntax", "format", lines=GOOD).stdout


def test_regex_is_not_explained() -> None:
    assert found(r"for (?P<user>\S+) from", "--syntax", "regex", lines=GOOD)[0]["fields"] == {"user": "root"}
    done = run(r"for (?P<user>\d+) from", "--syntax", "regex", lines=GOOD)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "0 of 1 lines match\n")


def test_program_tag() -> None:
    """A pattern that begins with a program's tag matches at the line's own tag only."""
    forged = GOOD.replace("gate sshd", "gate root: sshd")
    lines = found(f"sshd[%d]: {FAILED}", lines=f"{forged}\n{GOOD}\n")
    assert [one["line"] for one in lines] == [2]
    done = run(f"sshd[%d]: {FAILED}", lines=forged)
    assert "at the line's own\n          tag only" in done.stdout


def test_repeated_lines() -> None:
    """A line that stands for several is read as the rule would read it, and counts as one line."""
    repeated = GOOD.replace("Failed", "message repeated 3 times: [ Failed") + "]"
    lines = found(FAILED, "--fields", "user", lines=f"{repeated}\n{OTHER}\n{GOOD}\n")
    assert [(one["line"], one["message"]) for one in lines] == [(1, GOOD), (3, GOOD)]


def test_nothing_from_a_line_moves_the_cursor() -> None:
    line = b"Failed password for \x1b[2Jx\xff\r\n"
    done = run("password for %s", "--fields", "user", lines=line)
    assert "\x1b" not in done.stdout
    assert "user = ?[2Jx\ufffd\n" in done.stdout
    assert "\x1b" not in run("password for %d", lines=line).stdout


def test_last_line_without_its_end() -> None:
    assert [one["line"] for one in found("%s", lines=b"a\n\nb\0c")] == [1, 3]


def test_lines_that_match_nothing_cost_next_to_nothing() -> None:
    Path("big.log").write_text(f"{OTHER}\n" * 400_000)
    began = time.process_time()  # whatever else the machine does
    assert run(FAILED, "big.log").exit_code == 1
    assert time.process_time() - began < 2


@pytest.mark.parametrize("arguments", [(), ("--fields", "user ip"), ("--format", "json", "--syntax", "scanf")])
def test_jobs_change_nothing_but_the_time(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Neither the matches, nor which lines nearly match, nor what is said of a log that cannot be read."""
    lines = [
        "Failed password for root from 192.0.2.7 port 22 ssh2",
        "Failed password for root from gate port 22 ssh2",
        "message repeated 3 times: [ Failed password for a from 192.0.2.8 port 1 ssh2]",
        "Failed password for nobody at all",
        "nothing of the kind",
    ]
    for number in range(3):
        text = "".join(f"Nov 14 22:00:00 h sshd[{n}]: {lines[n * n % (3 + number)]}\n" for n in range(9000 * number))
        (tmp_path / f"log{number}").write_text(text)
    logs = [str(tmp_path / name) for name in ("log2", "none", "log0", "log1")]
    pattern = "Failed password for %s from %s port %d ssh2"
    done = [run(pattern, *arguments, "--jobs", jobs, *logs) for jobs in ("1", "2", "3")]
    assert {(one.exit_code, one.stdout, one.stderr) for one in done} == {(2, done[0].stdout, done[0].stderr)}
    assert len(done[0].stdout) > 100_000


def test_jobs_read_standard_input_too() -> None:
    text = "a 1\nb\na 2\n"
    assert run("a %d", "--jobs", "2", lines=text).stdout == run("a %d", lines=text).stdout != ""
