"""`logtrigger replay`: what goes where, in which form, and its exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

RULES = """
config rule
 option name 'Login'
 option pattern 'Failed password for %s from %s port %d'
 option fields 'user ip port'
 option maxfail 2
 option time 600
 option script '/bin/true'

config rule
 option name 'Reboot'
 option pattern 'going down'
 option script '/bin/true'
"""
LOG = """\
2026-07-14T12:00:00+00:00 gate sshd[7]: Failed password for root from 192.0.2.7 port 1
2026-07-14T12:00:01+00:00 gate sshd[7]: Failed password for root from 192.0.2.8 port 2
2026-07-14T12:00:02+00:00 gate sshd[7]: Failed password for admin from 192.0.2.7 port 3
2026-07-14T12:00:03+00:00 gate init: going down
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules").write_text(RULES)
    Path("rules").chmod(0o600)
    Path("log").write_text(LOG)


def run(*arguments: str, text: str = "", env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "logtrigger", *arguments]
    environ = {**os.environ, "TZ": "UTC", **(env or {})}
    return subprocess.run(command, input=text, capture_output=True, encoding="utf-8", errors="surrogateescape", env=environ)


TEXT = """\
2026-07-14 12:00:02 Login 192.0.2.7 (2) log:3: {}
2026-07-14 12:00:03 Reboot (1) log:4: {}
""".format(*LOG.splitlines()[2:])


@pytest.mark.parametrize("arguments", [("replay", "-c", "rules", "log"), ("-c", "rules", "replay", "log")])
def test_text(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (0, TEXT)
    said = done.stderr.splitlines()
    assert re.fullmatch(r"4 lines in [0-9.]+ s, [0-9,]+ lines/s", said[0])
    assert [" ".join(line.split()) for line in said[1:]] == ["rule events triggers", "Login 3 1", "Reboot 1 1"]


def test_json() -> None:
    done = run("replay", "-c", "rules", "--format", "json", "log")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == {
        "rule": "Login",
        "time": 1_784_030_402,
        "count": 2,
        "key": ["192.0.2.7"],
        "fields": {"user": "admin", "ip": "192.0.2.7", "port": "3"},
        "message": LOG.splitlines()[2],
        "source": "log",
        "line": 3,
    }
    assert list(first) == ["rule", "time", "count", "key", "fields", "message", "source", "line"]
    assert (second["key"], second["fields"]) == ([], {})


@pytest.mark.parametrize("names", [(), ("-",)])
def test_standard_input(names: tuple[str, ...]) -> None:
    done = run("replay", "-c", "rules", *names, text=LOG)
    assert (done.returncode, done.stdout) == (0, TEXT.replace(" log:", " stdin:"))


def test_logs_and_standard_input_in_the_order_given() -> None:
    first, rest = LOG.split("\n", 1)
    Path("log").write_text(first)
    done = run("replay", "-c", "rules", "log", "-", text=rest)
    assert (done.returncode, [line.split()[-1] for line in done.stdout.splitlines()]) == (0, ["3", "down"])
    assert "stdin:2:" in done.stdout


def test_nothing_found_is_no_error() -> None:
    done = run("replay", "-c", "rules", text="nothing\n")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("name", "why"), [("none", "No such file or directory"), (".", "Is a directory")])
def test_log_that_cannot_be_read(name: str, why: str) -> None:
    done = run("replay", "-c", "rules", "log", name)
    assert (done.returncode, done.stderr) == (2, f"{name}: {why}\n")
    assert done.stdout == TEXT


@pytest.mark.parametrize("names", [("log", "log"), ("-",), ("log", "-"), ("fifo", "log"), ("log", "none"), ("log", ".")])
def test_jobs_change_nothing_but_the_time(names: tuple[str, ...]) -> None:
    os.mkfifo("fifo")
    done = []
    for jobs in ("1", "2", "3"):
        with subprocess.Popen(["sh", "-c", "exec cat log >fifo" if "fifo" in names else ":"]):
            done.append(run("replay", "-c", "rules", "--jobs", jobs, *names, text=LOG))
    told = [(one.returncode, one.stdout, one.stderr.partition("\n" if "lines/s" in one.stderr else "\0")[2]) for one in done]
    assert told[0] == told[1] == told[2]
    assert told[0][0] == (2 if names[-1] in ("none", ".") else 0)


def test_mistakes_in_the_configuration() -> None:
    Path("rules").write_text(RULES + " option maxfial 5\n option tiem 5\n")
    done = run("replay", "-c", "rules", "log")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(":")[:2] for line in done.stderr.splitlines()] == [["rules", "14"], ["rules", "15"]]


def test_missing_configuration() -> None:
    done = run("replay", "-c", "none", "log")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("none:1: error: cannot be read")


@pytest.mark.parametrize("arguments", [("--format", "xml"), ("--frmat", "json"), ("--jobs", "0"), ("--jobs", "all")])
def test_usage(arguments: tuple[str, ...]) -> None:
    assert run("replay", "-c", "rules", *arguments, "log").returncode == 2


def test_no_script_runs_and_no_state_is_left() -> None:
    Path("mark.sh").write_text(f"#!/bin/sh\n: >{Path.cwd()}/ran\n")
    Path("mark.sh").chmod(0o700)
    state = f"config logtrigger\n option state '{Path.cwd()}/state.db'\n"
    Path("rules").write_text(state + RULES.replace("/bin/true", f"{Path.cwd()}/mark.sh"))
    assert run("replay", "-c", "rules", "log").stdout == TEXT
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["log", "mark.sh", "rules"]


def test_reader_that_has_seen_enough() -> None:
    """As of `replay … | head -1`: quiet, whether the pipe breaks on the way or at the very end."""
    Path("log").write_text("going down\n" * 20_000)
    command = [sys.executable, "-m", "logtrigger", "replay", "-c", "rules", "log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stderr is not None
        assert b"Reboot" in running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_output_that_cannot_be_written() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "logtrigger", "replay", "-c", "rules", "log"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_hostile_lines_in_any_locale(form: str, encoding: str) -> None:
    """No control, no bidi, and no failure over a character that the terminal does not have."""
    log = os.fsencode("l\x1b[2Jg\udcff")
    hostile = b"going down".join([b"\x1b[2J\xe2\x80\xae\x00\xff \xe6\x96\x87 ", b"\r\n"])
    Path(os.fsdecode(log)).write_bytes(hostile)
    done = run("replay", "-c", "rules", "--format", form, os.fsdecode(log), env={"PYTHONIOENCODING": encoding})
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert all(c.isprintable() or "\udc80" <= c <= "\udcff" for c in line)
    assert "\x1b" not in line and "\u202e" not in line
    if form == "json":
        assert json.loads(line)["message"].endswith("文 going down")


def test_time_of_day_is_local() -> None:
    done = run("replay", "-c", "rules", "log", env={"TZ": "EET-2"})
    assert done.stdout.startswith("2026-07-14 14:00:02 ")
