"""`logtrigger status`, and what all commands do where no daemon answers."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from logtrigger import __version__
from logtrigger.cli import status
from logtrigger.cli.commands import main
from tests.cli.asking import ask, asked, command, on_terminal
from tests.live import Live, live

COMMANDS = ["status", "rules", "bans", "ban 192.0.2.7", "unban --all", "events", "reload"]


def test_all_there_is(tmp_path: Path) -> None:
    rules = Live(tmp_path)
    bad = rules.rule("Bad", "bad %s").replace("\toption fields", "\tlist expect 'good me'\n\toption fields")
    off = rules.rule("Off", "off %s", enabled=0)
    with asked(tmp_path, rules.rule(maxfail=2, time=600), bad, off) as one:
        one.write("hit me", "hit me")
        one.wait_runs(1)
        said = ask(one, "status")
        assert (said.exit_code, said.stderr) == (0, "")
        texts = {line[:15].strip() or str(number): line[15:] for number, line in enumerate(said.stdout.splitlines())}
        assert one.process is not None
        assert texts["logtrigger"].startswith(f"{__version__}, process {one.process.pid}, since 20")
        assert texts["configuration"] == str(tmp_path / "rules")
        assert texts["reads"].startswith(f"{one.log}; last line 0s ago")
        assert texts["rules"] == "1 running, 2 off"
        assert "Bad is off: a sample failed: " in said.stdout
        assert "Off is off: not enabled, " in said.stdout
        assert texts["events"] == "2; 1 trigger"
        assert texts["scripts"] == "0 running, 0 waiting"
        assert texts["bans"].startswith("0")
        assert texts["store"].startswith(f"{one.state}, ")
        facts = json.loads(ask(one, "status", "--json").stdout)
        assert (facts["pid"], facts["events"], facts["triggers"], facts["scripts"]["waiting"]) == (one.process.pid, 2, 1, 0)
        assert facts["sources"][0]["files"] == [{"path": str(one.log), "offset": 14, "lag": 0}]
        assert max(map(len, on_terminal(one, "status", columns=40).splitlines())) <= 40


def test_how_far_ends_do(tmp_path: Path) -> None:
    """A dead one is seen at a glance: what waits for it, and its last word."""
    rules = Live(tmp_path)
    log = f"config action 'log'\n\toption type 'log'\n\toption path '{tmp_path}/events.log'\n"
    dead = "config action 'dead'\n\toption type 'webhook'\n\toption url 'http://127.0.0.1:1/'\n"
    with asked(tmp_path, rules.rule() + "\tlist action 'log dead'\n", log, dead) as one:
        one.write("hit me")
        one.wait_runs(1)
        one.until(lambda: (tmp_path / "events.log").exists(), "a line in the log")
        one.until(lambda: "Connection refused" in ask(one, "status").stdout, "the dead one's word")
        facts = {action["action"]: action for action in json.loads(ask(one, "status", "--json").stdout)["actions"]}
        assert (facts["log"]["sent"], facts["log"]["waiting"], facts["log"]["last_error"]) == (1, 0, "")
        assert (facts["dead"]["sent"], facts["dead"]["waiting"], facts["dead"]["last_success"]) == (0, 1, None)
        said = ask(one, "status").stdout
        assert "actions        log: 1 sent, 0 waiting; last sent " in said
        one.until(lambda: "dead: 0 sent, 1 waiting, next in 2s; failed " in ask(one, "status").stdout, "the next try")


def test_scripts_that_fail(tmp_path: Path) -> None:
    """A rule's own, and one of an action; each says how it ended last."""
    rules = Live(tmp_path)
    bad = rules.script("bad.sh", "exit 7")
    run = f"config action 'run'\n\toption type 'script'\n\toption script '{bad}'\n"
    with asked(tmp_path, rules.rule(action="run"), rules.rule("Second", "hit me twice", fields=None, script=bad), run) as one:
        one.write("hit me", "hit me twice")
        one.until(lambda: json.loads(ask(one, "status", "--json").stdout)["scripts"]["failed"] == 3, "three faults")
        facts = json.loads(ask(one, "status", "--json").stdout)["scripts"]
        assert (facts["done"], facts["running"], facts["waiting"]) == (2, 0, 0)
        (of_action,) = facts["actions"]
        assert (of_action["done"], of_action["failed"], of_action["last_error"]) == (0, 2, "run: exit 7")
        said = ask(one, "status").stdout
        assert re.search(r"scripts +0 running, 0 waiting, 3 failed; failed \ds ago: \S+: exit 7\n", said), said
        assert re.search(r" of these run: 0 running, 0 waiting, 2 failed; failed \ds ago: run: exit 7\n", said), said


def test_counts_go_on_over_a_reload(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.write("hit me")
        one.wait_runs(1)
        assert ask(one, "reload").exit_code == 0
        facts = json.loads(ask(one, "status", "--json").stdout)
        assert (facts["events"], facts["triggers"]) == (1, 1)


@pytest.mark.parametrize("words", COMMANDS)
def test_no_daemon(words: str, tmp_path: Path) -> None:
    said = CliRunner().invoke(main, [*words.split(), "--socket", str(tmp_path / "none")])
    assert (said.exit_code, said.stdout) == (3, "")
    assert said.stderr == (
        f"no daemon answers: there is no socket {tmp_path}/none (start logtrigger, or name the configuration of the one "
        "that runs with -c FILE, or its socket with --socket)\n"
    )


def test_daemon_that_is_dead(tmp_path: Path) -> None:
    with live(tmp_path) as one:
        one.configure()
        one.start()
        one.wait_ready()
        one.kill()
        said = ask(one, "status")
        socket_ = tmp_path / "state.db.control"
        assert (said.exit_code, said.stdout) == (3, "")
        assert said.stderr == f"no daemon answers: {socket_} was left behind by one that has ended (start logtrigger)\n"
        with one.running():
            assert ask(one, "status").exit_code == 0
        assert not socket_.exists()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "the daemon ended before it had answered"),
        (b'{"half', "the daemon ended before it had answered"),
        (b"220 mail.example ESMTP\n", "what answers there is no logtrigger"),
        (b"[1]\n", "what answers there is no logtrigger"),
    ],
)
def test_something_else_answers(tmp_path: Path, answer: bytes, error: str) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        def serve() -> None:
            client, _ = other.accept()
            with client:
                client.recv(1000)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        said = CliRunner().invoke(main, ["status", "--socket", str(path)])
        thread.join()
    assert (said.exit_code, said.stdout) == (3, "")
    assert said.stderr.startswith(f"{path}: {error}")


def test_a_daemon_of_an_earlier_version(tmp_path: Path) -> None:
    """So it is after each update, until it is restarted: it lacks what has been added since."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        def serve() -> None:
            client, _ = other.accept()
            with client:
                client.recv(1000)
                client.sendall(b'{"version":"0.0.9","pid":7,"started":1,"loaded":1,"configuration":"/x"}\n{"end":"done"}\n')

        thread = threading.Thread(target=serve)
        thread.start()
        said = CliRunner().invoke(main, ["status", "--socket", str(path)])
        thread.join()
    assert said.exit_code == 2 and isinstance(said.exception, SystemExit)
    assert said.stderr == "the daemon does not tell 'stopping' (restart it: it is of another version than this command)\n"


@pytest.mark.root
def test_another_user_learns_what_to_become(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    path = tmp_path / "open" / "socket"
    as_user = ["setpriv", "--reuid=65534", "--regid=65533", "--clear-groups"]
    with asked(tmp_path, control=path) as one:
        done = subprocess.run(
            [*as_user, *command(one, "status", "--socket", str(path))[:3], "status", "--socket", path],
            capture_output=True,
            text=True,
            cwd="/",
        )
        if "No module named" in done.stderr or "Permission denied" in done.stderr:
            pytest.skip("this Python cannot be run by other users")
        assert (done.returncode, done.stdout) == (3, ""), done.stderr
        assert (
            done.stderr
            == f"{path}: you may not ask this daemon (try it as root, or let a group in with 'option control_group')\n"
        )


def test_two_daemons(tmp_path: Path) -> None:
    """The second one says so, and takes nothing from the first: with one store, and with two that share a socket."""
    path = tmp_path / "socket"
    with asked(tmp_path, control=path) as one:
        for state in (one.state, tmp_path / "other.db"):
            one.configure(one.rule(), state=state, control=path)
            second = subprocess.run(command(one), capture_output=True, text=True, timeout=30)
            assert second.returncode == 2
            assert "Traceback" not in second.stderr
            wanted = "in use, probably by another logtrigger" if state == one.state else "answers there already: stop it"
            assert wanted in second.stderr
        one.write("hit me")
        one.wait_runs(1)
        assert ask(one, "status").exit_code == 0


def test_dry_run_serves_none(tmp_path: Path) -> None:
    with live(tmp_path) as one:
        one.configure()
        with one.running("--dry-run"):
            assert ask(one, "status").exit_code == 3


def test_configuration_that_broke_meanwhile(tmp_path: Path) -> None:
    """The socket is found in it all the same."""
    with asked(tmp_path) as one:
        (tmp_path / "rules").write_text((tmp_path / "rules").read_text() + "\nconfig zebra\n\toption x '1")
        assert ask(one, "status").exit_code == 0


def test_configuration_that_is_not_there(tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["status", "-c", str(tmp_path / "none")])
    assert (said.exit_code, "cannot be read" in said.stderr) == (2, True)


@pytest.mark.parametrize("words", [["statsu"], ["baans"]])
def test_misspelt(words: list[str]) -> None:
    said = CliRunner().invoke(main, words)
    assert (said.exit_code, "did you mean '" in said.stderr) == (2, True)


def test_hostile_clients_hold_nothing_up(tmp_path: Path) -> None:
    """Lines are read and commands answered while others send noise, read nothing, and fill all places."""
    with asked(tmp_path) as one:
        path = str(tmp_path / "state.db.control")
        others = []
        for number in range(63):
            other = socket.socket(socket.AF_UNIX)
            other.setblocking(False)
            other.connect(path)
            text = [b"\0\xff" * 500, b'{"version":1,"command":"events","follow":true}\n', b"half a line", b"rules" * 50_000]
            try:
                other.send(text[number % 4])
            except BlockingIOError:
                pass
            others.append(other)
        before = time.monotonic()
        one.write("hit me")
        one.wait_runs(1)
        assert ask(one, "status").exit_code == 0
        assert time.monotonic() - before < 5
        for other in others:
            other.close()
        assert len(os.listdir(f"/proc/{one.process.pid if one.process else 0}/fd")) < 100


@pytest.mark.parametrize(
    ("ahead", "said"), [(None, ""), (1.9, ""), (-7.2, ", its clock is 7s behind"), (300, ", its clock is 5m ahead")]
)
def test_a_clock_that_differs_is_told(ahead: float | None, said: str) -> None:
    source: dict[str, Any] = {
        "source": "a",
        "reads": "a",
        "last": None,
        "lag": 0,
        "ahead": ahead,
        "paused": False,
        "fault": "",
        "unreadable": [],
    }
    assert status._source(source, 0.0) == f"a; no line yet{said}"
    source["unreadable"] = ["/b cannot be read: Permission denied"]
    assert status._source(source, 0.0) == f"a; no line yet{said}; /b cannot be read: Permission denied"


def test_bans_that_nothing_carries_out_are_said_to_be_so(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        ask(one, "ban", "203.0.113.9", "1h")
        [said] = [line for line in ask(one, "status").stdout.splitlines() if line.startswith("bans")]
        assert said.split(maxsplit=1)[1] == "1, by null, which blocks nothing"
