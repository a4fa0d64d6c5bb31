"""`logtrigger` alone: what it needs to start, what it says, and its exit status."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.config import DEFAULT_PATH
from tests.live import Live, live, open_files


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as one:
        one.configure()
        yield one


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_and_stopped(one: Live, number: int) -> None:
    one.start(level=1)
    one.wait_ready()
    assert one.stop(number) == 0
    assert [line[9:] for line in one.output.splitlines()] == ["ready", "stopped"]


def test_nothing_to_say_at_level_0(one: Live) -> None:
    with one.running(level=1):
        one.write("hit me")
        one.wait_runs(1)
    with one.running(level=1):
        pass
    one.start(level=0)
    one.write("hit me again")
    one.wait_runs(2)
    assert one.stop() == 0
    assert one.newest == ""


def test_mistakes(one: Live) -> None:
    one.configure(one.rule(maxfial=5))
    one.start()
    assert one.wait() == 2
    fault = "unknown option 'maxfial' (did you mean 'maxfail'?)"
    assert one.output == f"{one.folder}/rules:9: error: {fault}\n"
    assert not one.state.exists()


def test_missing_configuration(one: Live) -> None:
    (one.folder / "rules").unlink()
    one.start()
    assert one.wait() == 2
    assert one.output.startswith(f"{one.folder}/rules:1: error: cannot be read: No such file or directory")


@pytest.mark.skipif(DEFAULT_PATH.exists(), reason=f"there is a {DEFAULT_PATH} here")
def test_no_configuration_at_all() -> None:
    done = subprocess.run([sys.executable, "-m", "logtrigger"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.endswith("give a configuration with -c FILE\n")


def test_state_in_use(one: Live) -> None:
    with one.running():
        second = subprocess.run(
            [sys.executable, "-m", "logtrigger", "-c", "rules"], cwd=one.folder, capture_output=True, text=True
        )
        assert second.returncode == 2
        way_out = "in use, probably by another logtrigger: stop it, set another 'option state', or add --dry-run to look on"
        assert second.stderr == f"{one.state}: {way_out}\n"
        third = subprocess.Popen(
            [sys.executable, "-m", "logtrigger", "-c", "rules", "--dry-run", "-D", "1"],
            cwd=one.folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert third.stderr is not None
        assert third.stderr.readline().endswith(" ready\n")
        one.write("hit me")
        one.wait_runs(1)
        assert third.stderr.readline().endswith(f"dry run: {one.note} is not run\n")
        third.terminate()
        assert third.communicate(timeout=30)[1].endswith(" stopped\n")
    assert len(one.runs()) == 1


def test_state_that_cannot_be(one: Live) -> None:
    one.configure(state=one.log / "state.db")
    one.start()
    assert one.wait() == 2
    assert one.output.startswith(f"{one.log}/state.db: ")
    assert "Traceback" not in one.output


def test_rule_whose_sample_fails_is_off(one: Live) -> None:
    """It starts without that rule and says so, however little it is to say."""
    one.configure(one.rule("Bad", expect="no such line"), one.rule("Good"))
    one.start(level=0)
    one.wait_for("; the rule is off")
    one.write_until_runs()
    assert one.stop() == 0
    assert {run.partition("@")[0] for run in one.runs()} == {"Good"}


def test_relative_paths_are_those_of_the_start(one: Live) -> None:
    """Of the configuration where it was started, of a script where the configuration is; the daemon itself works in /."""
    one.configure(one.rule(script="./note.sh"), state="state.db")
    with one.running():
        assert one.process is not None
        assert os.readlink(f"/proc/{one.process.pid}/cwd") == "/"
        one.write("hit me")
        one.wait_runs(1)
        one.signal(signal.SIGHUP)
        one.wait_for("reloaded; 1 rule")
    assert one.state.exists()


def test_terminal_shows_triggers_by_itself(one: Live) -> None:
    shown, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "logtrigger", "-c", "rules"], cwd=one.folder, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while b"ready" not in text:
            text += os.read(shown, 4096)
        one.write("hit me")
        while b"running" not in text:
            text += os.read(shown, 4096)
    finally:
        process.terminate()
        process.wait(30)
        os.close(shown)
    assert b"\x1b[1m" in text  # bold: the trigger
    assert b"LT_name" not in text


def test_closed_descriptors_are_no_place_for_our_files(one: Live) -> None:
    """Started without standard input, output and error, the state must not be where a message would go."""
    one.start("-D", "0", before=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
    one.write_until_runs()
    assert one.process is not None
    assert open_files(one.process.pid).count("/dev/null") >= 3
    assert one.stop() == 0


def test_reader_of_standard_error_that_goes_away(one: Live) -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "logtrigger", "-c", "rules", "-D", "4"], cwd=one.folder, stderr=writer, stdin=subprocess.DEVNULL
    )
    os.close(writer)
    try:
        while b"ready" not in os.read(reader, 4096):
            pass
        os.close(reader)
        one.write("hit me")
        one.wait_runs(1)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(30)


def test_scripts_inherit_no_descriptor_of_ours_or_our_parents(one: Live) -> None:
    listing = one.script("fds.sh", f"ls /proc/self/fd >{one.folder}/fds; echo done >>{one.ran}")
    one.configure(one.rule(script=listing))
    one.start(before=["sh", "-c", f'exec 7<{one.log}; exec "$@"', "sh"])
    one.wait_ready()
    one.write("hit me")
    one.wait_runs(1)
    assert one.stop() == 0
    assert set((one.folder / "fds").read_text().split()) <= {"0", "1", "2", "3"}  # 3 is ls's own
