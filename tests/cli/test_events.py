"""`logtrigger events`: the history, and following what triggers."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path

from tests.cli.asking import ask, asked, command, on_terminal
from tests.live import BOUND, Live


def test_newest_last(tmp_path: Path) -> None:
    rules = Live(tmp_path)
    with asked(tmp_path, rules.rule(), rules.rule("Other", "other %s")) as one:
        one.write(*(f"hit {number}" for number in range(250)), "other one")
        one.wait_runs(251)
        rows = [json.loads(line) for line in ask(one, "events", "--json", "-n", "300").stdout.splitlines()]
        assert [row["fields"]["who"] for row in rows] == [*map(str, range(250)), "one"]
        assert [row["seq"] for row in rows] == list(range(1, 252))
        assert [json.loads(line)["message"] for line in ask(one, "events", "--json", "-n", "2").stdout.splitlines()] == [
            "hit 249",
            "other one",
        ]
        assert len(ask(one, "events").stdout.splitlines()) == 20
        assert ask(one, "events", "-n", "0").stdout == ""
        [line] = ask(one, "events", "--rule", "Other").stdout.splitlines()
        assert line[20:].startswith(f"Other (1) {one.log}: other one")
        said = ask(one, "events", "--rule", "othre")
        assert (said.exit_code, said.stderr) == (2, "no rule is called 'othre' (did you mean 'Other'?)\n")
    with one.running():  # after a restart the store still knows, and how the scripts ended
        [row] = [json.loads(line) for line in ask(one, "events", "--json", "-n", "1").stdout.splitlines()]
        assert (row["rule"], row["actions"][0]["state"], row["actions"][0]["result"]) == ("Other", "done", "exit 0")
        assert ask(one, "events", "-n", "1").stdout.endswith(": other one [script: exit 0]\n")


def test_hostile_text_moves_no_cursor(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.write(b"hit \x1b[31m\xff\x9b2J\xc2\x9b\xe2\x80\xae" + b"x" * 200)
        one.wait_runs(1)
        shown = on_terminal(one, "events", columns=60)
        assert max(map(len, shown.splitlines())) <= 60
        for text in (shown, ask(one, "events").stdout, ask(one, "events", "--json").stdout):
            assert all(character.isprintable() or character == "\n" for character in text)


def test_following(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.write("hit 0")
        one.wait_runs(1)
        process = subprocess.Popen(command(one, "events", "-f", "--json"), stdout=subprocess.PIPE, text=True)
        timer = threading.Timer(BOUND, process.kill)
        timer.start()
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["message"] == "hit 0"
        for number in range(1, 4):
            one.write(f"hit {number}")
            assert json.loads(process.stdout.readline())["message"] == f"hit {number}"
        process.send_signal(signal.SIGINT)
        assert (process.wait(BOUND), process.stdout.read()) == (0, "")
        process.stdout.close()
        timer.cancel()


def test_the_daemon_ends_meanwhile(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.write("hit 0")
        one.wait_runs(1)
        process = subprocess.Popen(command(one, "events", "-f"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        assert one.stop() == 0
        _, said = process.communicate(timeout=BOUND)
        assert (process.returncode, "the daemon ended before it had answered" in said) == (3, True)
        one.start()
        one.wait_ready()
