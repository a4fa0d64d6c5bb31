"""The real daemon on real files with real scripts: what it does with lines, signals, crashes, full disks and restarts."""

from __future__ import annotations

import io
import os
import random
import resource
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from logtrigger import config, overdue
from logtrigger import daemon as daemon_module
from logtrigger.actions import outbox
from logtrigger.config import Configuration
from logtrigger.console import Console
from logtrigger.control import desk, standing
from logtrigger.control.protocol import Rows
from logtrigger.daemon import Daemon
from logtrigger.engine import Engine
from logtrigger.errors import StoreError
from logtrigger.model import Chunk, Trigger
from logtrigger.store import Batch, Store
from tests.live import BOUND, Live, live, open_files
from tests.ports import free_port


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as one:
        one.configure()
        yield one


clock = time.time  # noqa: TID251 - the daemon's own, which its times are compared with


def pid(one: Live) -> int:
    assert one.process is not None
    return one.process.pid


# Lines and scripts


def test_script_gets_what_was_captured(one: Live) -> None:
    dump = one.script("dump.sh", f"env -0 >{one.folder}/env; echo done >>{one.ran}")
    pattern = "Failed password for %s from %s port %d ssh2"
    one.configure(one.rule("Login", pattern, fields="user ip port", maxfail=2, time=600, script=dump))
    lines = [
        "2026-07-14T12:00:00+00:00 gate sshd[7]: Failed password for invalid user bob from 192.0.2.7 port 40022 ssh2",
        "2026-07-14T12:00:01+00:00 gate sshd[8]: Failed password for root from 192.0.2.7 port 40023 ssh2",
    ]
    with one.running():
        before = int(clock())
        one.write(lines[0])
        one.write(lines[1])
        one.wait_runs(1)
    env = dict(pair.split("=", 1) for pair in (one.folder / "env").read_text().split("\0") if pair)
    assert before <= int(env.pop("LT_time")) <= clock()
    assert env.pop("LT_id").startswith("Login@")
    assert {name: value for name, value in env.items() if name not in ("_", "PWD", "SHLVL", "OLDPWD")} == {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LT_name": "Login",
        "LT_user": "root",
        "LT_ip": "192.0.2.7",
        "LT_port": "40023",
        "LT_key": "192.0.2.7",
        "LT_count": "2",
        "LT_message": lines[1],
        "LT_body": "Failed password for root from 192.0.2.7 port 40023 ssh2",
        "LT_host": "gate",
        "LT_program": "sshd",
        "LT_pid": "8",
        "LT_source": str(one.log),
        "LT_late": "0",
    }


def test_glob_follows_what_appears(one: Live) -> None:
    one.configure(one.rule(file=f"{one.folder}/*.log"))
    with one.running():
        one.write("hit me")
        (one.folder / "new.log").write_text("hit two\nhit three\n")
        one.wait_runs(3)
    assert {source for (source,) in one.query("SELECT path FROM stream WHERE inode != '0'")} == {
        os.fsencode(one.folder / name) for name in ("app.log", "new.log")
    }


def test_missing_file_is_waited_for(one: Live) -> None:
    one.log.unlink()
    with one.running():
        one.wait_for("does not exist yet; waiting for it")
        one.write("hit me")
        one.wait_runs(1)


def test_unreadable_file_stops_nobody_else(one: Live) -> None:
    secret = one.folder / "secret.log"
    secret.touch(mode=0)
    powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    one.configure(one.rule("Secret", file=secret), one.rule())
    with one.running(before=powerless):
        one.wait_for(f"{secret}: cannot be read: Permission denied; it is tried again until that is mended")
        one.write("hit me")
        one.wait_runs(1)


HOSTILE = [
    b"NUL \0 and bell \a",
    b"invalid \xff\xfe\xc3( UTF-8 \xed\xa0\x80",
    b"$(touch pwned) `touch pwned` ; touch pwned & | > pwned \\ ' \" * ~ %s %n",
    b"\x1b]0;title\x07\x1b[2J\x1b[1;1H\x9b31m\xc2\x9b31m",
    "\u202e\u2066\u200fdesrever\u2028ready".encode(),
    b"tab\tcr\rend",
    b"u" * 130_000,
    b"LT_ip=6.6.6.6 PATH=/tmp LD_PRELOAD=/tmp/x.so",
    b"-rf --help",
    b"x" * 1_100_000,
]


def test_hostile_lines_are_but_text(one: Live) -> None:
    """Each runs its script; nothing of it is raw in a variable or on the terminal, or does anything."""
    dump = one.script("dump.sh", f'cd {one.folder}; env -0 >env.$LT_time.$$; echo "$LT_id" >>{one.ran}')
    one.configure(one.rule(pattern="user %s from %s", fields="user ip", script=dump))
    with one.running(level=999):
        one.write(*(b"Jul 14 12:00:00 gate app: user " + text + b" from 192.0.2.7" for text in HOSTILE))
        one.wait_runs(len(HOSTILE))
    assert not [path for path in one.folder.iterdir() if path.name == "pwned"]
    assert not [c for c in one.output if not c.isprintable() and c != "\n"]
    for path in one.folder.glob("env.*"):
        env = dict(pair.split("=", 1) for pair in path.read_text(encoding="utf-8", errors="strict").split("\0") if pair)
        assert env["LT_ip"] == env["LT_key"] == "192.0.2.7"
        assert env["PATH"] == "/usr/sbin:/usr/bin:/sbin:/bin"
        assert all(value.isprintable() and len(value.encode()) <= 16 << 10 for value in env.values())
        assert len(env["LT_user"]) < 10_000 or env["LT_truncated"] == "1"


def test_burst(one: Live) -> None:
    """A thousand scripts for ten thousand lines at once: each runs exactly once, and reading waits for none of them."""
    gate = one.folder / "gate"
    slow = one.script("slow.sh", f'while [ ! -e {gate} ]; do sleep 0.01; done; echo "$LT_id" >>{one.ran}')
    last = one.rule("Last", pattern="the last line", fields=None, script=one.note)
    one.configure(one.rule(maxfail=10, script=slow), one.rule("All", maxfail=10_000, script=None), last)
    with one.running(level=1):
        one.write(*(f"hit {number}" for number in range(10_000)), "the last line")
        one.wait_for("trigger Hit", 1000)
        one.wait_for("trigger All: 10000 events")
        one.wait_for("trigger Last")
        assert one.runs() == []  # all that may run at once do, and wait for the gate
        gate.touch()
        one.wait_runs(1001)
    assert len(one.runs()) == len(set(one.runs())) == 1001
    assert one.undone() == 0


def test_failing_scripts_are_told_and_done_with(one: Live) -> None:
    failing = one.script("failing.sh", f'echo "$LT_id" >>{one.ran}; echo it is broken; exit 3')
    gone = one.script("gone.sh", "")
    one.configure(one.rule(script=failing), one.rule("Gone", script=gone))
    with one.running(level=1):
        gone.unlink()
        one.write("hit me")
        one.wait_for("failing.sh: exit 3")
        one.wait_for("Hit: | it is broken")
        one.wait_for("gone.sh: cannot be started: No such file or directory")
    assert one.undone() == 0
    one.configure(one.rule(script=failing))
    with one.running():
        pass
    assert len(one.runs()) == 1


def test_script_that_takes_too_long_is_ended(one: Live) -> None:
    one.configure(one.rule(script=one.script("stuck.sh", "exec sleep 1000")), script_timeout="1s")
    with one.running():
        one.write("hit me")
        one.wait_for("stuck.sh: took too long, ended by signal 15 after ")


# Signals


def test_reload(one: Live) -> None:
    """Counters of unchanged rules go on, those of others are forgotten; files come and go."""
    other = one.folder / "other.log"
    other.touch()
    kept, gone = one.rule("Kept", maxfail=3), one.rule("Gone", maxfail=3)
    one.configure(kept, gone)
    with one.running(level=3):
        one.write("hit me", "hit me")
        one.wait_for("event Gone: 2/3")
        one.configure(kept, one.rule("New", maxfail=2), one.rule("Other", file=other))
        one.signal(signal.SIGHUP)
        one.wait_for("reloaded; 3 rules")
        one.write("hit me")
        one.wait_for("trigger Kept: 3 events")
        one.wait_for("event New: 1/2")
        other.write_text("hit other\n")
        one.wait_for("trigger Other")
        one.configure(one.rule("Gone", maxfail=3, file=other))
        one.signal(signal.SIGHUP)
        one.wait_for("reloaded; 1 rule")
        assert str(one.log) not in open_files(pid(one))
        with other.open("a") as file:
            file.write("hit other\n")
        one.wait_for("event Gone: 1/3", 2)  # the earlier two are forgotten
    assert one.query('SELECT namespace FROM "window"') == [("rule Gone",)]


def test_broken_reload_changes_nothing(one: Live) -> None:
    one.configure(one.rule(maxfail=2))
    with one.running(level=1):
        one.write("hit me")
        one.configure(one.rule(maxfial=2), one.rule("Other", patern="x"))
        one.signal(signal.SIGHUP)
        one.wait_for("not reloaded; the old configuration stays in force")
        assert one.newest.count("error: unknown option") == 2
        one.write("hit me")
        one.wait_for("trigger Hit: 2 events")
        (one.folder / "rules").unlink()
        one.signal(signal.SIGHUP)
        one.wait_for("cannot be read: No such file or directory")
        one.write("hit me", "hit me")
        one.wait_for("trigger Hit: 2 events", 2)


def test_file_whose_rule_comes_back_is_read_from_where_it_was_left(one: Live) -> None:
    """Nothing twice, nothing left out: also where the daemon was stopped in between."""
    other = one.folder / "other.log"
    other.touch()
    with one.running():
        one.write("hit 1")
        one.wait_runs(1)
        one.configure(one.rule(file=other))
        one.signal(signal.SIGHUP)
        one.wait_for("reloaded")
        one.write("hit 2")
    one.configure()
    with one.running():
        one.wait_runs(2)
        one.write("hit 3")
        one.wait_runs(3)
    assert [who for (who,) in one.query("SELECT json_extract(body, '$.fields.who') FROM \"trigger\"")] == ["1", "2", "3"]


def test_stop_waits_for_scripts(one: Live) -> None:
    """Those that run end by themselves; those that wait run at the next start; none runs twice."""
    gate, began = one.folder / "gate", one.folder / "began"
    slow = one.script("slow.sh", f'echo >>{began}; while [ ! -e {gate} ]; do sleep 0.01; done; echo "$LT_id" >>{one.ran}')
    one.configure(one.rule(script=slow), script_parallel=2)
    one.start(level=1)
    one.wait_ready()
    one.write(*(f"hit {number}" for number in range(5)))
    one.until(lambda: began.exists() and began.stat().st_size == 2, "two scripts run")
    one.signal(signal.SIGTERM)
    one.wait_for("stopping; waiting for 2 scripts (Ctrl-C")
    one.write("hit 5")
    gate.touch()
    assert one.wait() == 0
    assert (len(one.runs()), one.undone()) == (2, 3)
    with one.running(level=1):
        one.wait_for("running what the last run left undone")
        one.wait_runs(6)
    assert len(set(one.runs())) == 6
    assert one.undone() == 0


def test_what_waited_too_long_is_not_run(one: Live) -> None:
    """A script left undone by the last run is not started when its trigger is older than `late` by now."""
    gate, began = one.folder / "gate", one.folder / "began"
    slow = one.script("slow.sh", f'echo >>{began}; while [ ! -e {gate} ]; do sleep 0.01; done; echo "$LT_id" >>{one.ran}')
    one.configure(one.rule(script=slow), script_parallel=1, late="1h")
    one.start(level=1)
    one.wait_ready()
    one.write("hit 1", "hit 2")
    one.until(began.exists, "a script runs")
    one.signal(signal.SIGTERM)
    gate.touch()
    assert one.wait() == 0
    assert one.undone() == 1
    with closing(sqlite3.connect(one.state)) as db, db:
        db.execute("""UPDATE "trigger" SET body = json_set(body, '$.time', json_extract(body, '$.time') - 7200)""")
    with one.running():
        one.wait_for("not run: too late by now")
    assert (len(one.runs()), one.undone()) == (1, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_scripts(one: Live, number: int) -> None:
    began = one.folder / "began"
    one.configure(one.rule(script=one.script("stuck.sh", f"touch {began}; exec sleep 1000")))
    one.start(level=1)
    one.wait_ready()
    one.write("hit me")
    one.until(began.exists, "the script runs")
    one.signal(number)
    one.wait_for("stopping; waiting for 1 script (Ctrl-C")
    one.signal(number)
    one.wait_for("ended by signal 15")
    assert one.wait() == 0
    assert one.undone() == 0


def test_reload_while_stopping_is_too_late(one: Live) -> None:
    gate, began = one.folder / "gate", one.folder / "began"
    one.configure(one.rule(script=one.script("slow.sh", f"touch {began}; while [ ! -e {gate} ]; do sleep 0.01; done")))
    one.start(level=1)
    one.wait_ready()
    one.write("hit me")
    one.until(began.exists, "the script runs")
    one.signal(signal.SIGTERM)
    one.wait_for("stopping; waiting")
    one.signal(signal.SIGHUP)
    gate.touch()
    assert one.wait() == 0
    assert "reloaded" not in one.newest


def test_dry_run(one: Live) -> None:
    with one.running("--dry-run"):
        one.write("hit me")
        one.wait_for(f"dry run: {one.note} is not run")
        one.wait_for("LT_who     me")
    assert one.runs() == []
    assert not one.state.exists()


# Restarts and crashes


def test_restart_repeats_nothing_and_counters_go_on(one: Live) -> None:
    one.configure(one.rule(maxfail=5, time=3600), one.rule("Each"))
    with one.running(level=3):
        one.write("hit 1", "hit 2", "hit 3")
        one.wait_runs(3)
    with one.running(level=3):
        one.write("hit 4")
        one.wait_for("event Hit: 4/5")
        one.write("hit 5")
        one.wait_for("trigger Hit: 5 events")
        one.wait_runs(6)
    assert len(one.runs()) == len(set(one.runs())) == 6


def test_lines_written_meanwhile_count_at_their_time(one: Live) -> None:
    """Three within a minute are three within a minute, though they are read in one go; and so are three within an hour."""
    rules = one.rule("Minute", maxfail=3, time=60), one.rule("Hour", maxfail=3, time=3600)
    one.configure(*rules)
    with one.running():
        pass
    now = clock()
    for ago in (600, 300, 5):
        one.write(time.strftime("%Y-%m-%dT%H:%M:%S+00:00 gate app: hit me", time.gmtime(now - ago)))
    with one.running():
        one.wait_for("trigger Hour: 3 events within 1h (maxfail 3)")
        one.wait_runs(1)
    assert "trigger Minute" not in one.output


def test_absence_over_restarts(one: Live) -> None:
    """What ran for the last time before a stop is missing after the start, once; and what is read then is not missing."""
    tell = one.script("tell.sh", f'echo "$LT_state $LT_machine: $LT_message" >>{one.ran}')
    waits = one.rule("Backup", "backup of %s done", fields="machine", key="machine", absent="2s", script=tell)
    one.configure(waits)
    with one.running():
        one.write("backup of db1 done", "backup of db2 done")
        one.wait_runs(2)
        one.write("backup of db1 done")
        one.wait_runs(3)
    told = [line.split(";")[0] for line in one.runs()]
    assert sorted(told[:2]) == ["absent db1: no event of db1 for 2s", "absent db2: no event of db2 for 2s"]
    assert told[2:] == ["back db1: backup of db1 done"]
    one.write("backup of db2 done")  # while nobody reads: found back before anything is found missing
    one.ran.write_text("")
    with one.running():
        one.wait_runs(3)
    told = [line.split(";")[0] for line in one.runs()]
    assert told[0] == "back db2: backup of db2 done"
    assert sorted(told[1:]) == ["absent db1: no event of db1 for 2s", "absent db2: no event of db2 for 2s"]


def test_nothing_is_missing_that_a_backlog_holds(one: Live) -> None:
    """Down for two hours and two rotations: what came meanwhile is read before anything is found missing; what did not, is."""
    waits = [one.rule(name, f"{name} of %s done", fields="machine", absent="1h", script=None) for name in ("Backup", "Report")]
    one.configure(*waits)
    with one.running(level=3):
        one.write("Backup of db done", "Report of db done")
        one.wait_for("event Report")
    with closing(sqlite3.connect(one.state)) as db, db:
        earlier = "json_set(CAST(data AS TEXT), '$[0][0][0]', json_extract(CAST(data AS TEXT), '$[0][0][0]') - 7200)"
        assert db.execute(f"UPDATE window SET data = CAST({earlier} AS BLOB)").rowcount == 2
    written = time.strftime("%Y-%m-%dT%H:%M:%S+00:00 gate app: Backup of db done", time.gmtime(clock() - 1800))
    one.write(*("something else" for _ in range(1000)), written)
    one.log.rename(one.folder / "app.log.2")
    one.log.write_text("something else\n" * 1000)
    one.log.rename(one.folder / "app.log.1")
    one.log.write_text("something else\n" * 1000)
    with one.running(level=1):
        one.wait_for("trigger Report: ")
    assert "trigger Backup: " not in one.output


def test_too_late_is_recorded_not_run(one: Live) -> None:
    one.configure(late="1h")
    with one.running():
        pass
    now = clock()
    for ago in (7200, 1800):
        one.write(time.strftime("%Y-%m-%dT%H:%M:%S+00:00 gate app: hit me", time.gmtime(now - ago)))
    with one.running():
        one.wait_runs(1)
        one.wait_for(f"too late to run {one.note}")
    assert len(one.runs()) == 1
    (early,), (late,) = one.query("SELECT json_extract(body, '$.late') FROM \"trigger\" ORDER BY seq")
    assert isinstance(early, int) and isinstance(late, int)
    assert 7200 <= early < 7260 and 1800 <= late < 1860


def test_kill_at_any_moment(one: Live) -> None:
    """Lines go on being written while the daemon is killed again and again: none is missed, and no trigger is there twice."""
    chance = random.Random(7)
    one.configure(one.rule("Each"), one.rule("Tenth", maxfail=10))
    one.start(level=1)
    one.wait_ready()
    written = 0
    for _ in range(6):
        end = time.monotonic() + chance.uniform(0.05, 1.6)
        while time.monotonic() < end:
            count = chance.randrange(1, 30)
            one.write(*(f"hit {number}" for number in range(written, written + count)))
            written += count
            time.sleep(chance.uniform(0, 0.05))
        one.kill()
        one.start(level=1)
    one.write("hit last")
    written += 1
    one.until(lambda: len(set(one.runs())) >= written + written // 10, f"{written} lines and their scripts")
    assert one.stop() == 0
    rows = one.query("SELECT rule, json_extract(body, '$.offset'), json_extract(body, '$.fields.who'), id FROM \"trigger\"")
    found = Counter(str(rule) for rule, *_ in rows)
    assert found == {"Each": written, "Tenth": written // 10}
    assert len({offset for rule, offset, *_ in rows if rule == "Each"}) == written
    assert {who for rule, _, who, _ in rows if rule == "Each"} == {*map(str, range(written - 1)), "last"}
    assert {os.fsencode(run) for run in one.runs()} == {identity for *_, identity in rows}
    assert one.undone() == 0


def test_undone_scripts_run_after_a_crash_with_the_same_id(one: Live) -> None:
    gate, ids = one.folder / "gate", one.folder / "ids"
    slow = one.script(
        "slow.sh", f'echo "$LT_id" >>{ids}; while [ ! -e {gate} ]; do sleep 0.01; done; echo "$LT_id" >>{one.ran}'
    )
    one.configure(one.rule(script=slow), script_parallel=1)
    one.start(level=1)
    one.wait_ready()
    one.write("hit 1", "hit 2")
    one.until(lambda: ids.exists() and ids.read_text().endswith("\n"), "the first runs")
    wal = Path(f"{one.state}-wal")
    written = wal.stat().st_size
    one.until(lambda: wal.stat().st_size > written, "a commit")
    one.kill()
    gate.touch()
    with one.running(level=1):
        one.wait_runs(3)  # the first one's orphan ends too
    first, second = dict.fromkeys(ids.read_text().splitlines())
    assert sorted(one.runs()) == sorted([first, first, second])


# The store


def test_full_disk(one: Live) -> None:
    """Said once and loudly; scripts go on; once there is room everything is written, and nothing was lost."""
    one.configure(one.rule("Each"))
    long = "x" * 2000
    with one.running(level=1):
        resource.prlimit(pid(one), resource.RLIMIT_FSIZE, (65_536, resource.RLIM_INFINITY))
        one.write(*(f"hit {number} {long}" for number in range(100)))
        one.wait_for("see that the folder exists, can be written and has room; work goes on")
        one.wait_runs(100)
        one.write(*(f"hit {number} {long}" for number in range(100, 120)))
        one.wait_runs(120)
        resource.prlimit(pid(one), resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        one.wait_for("can be written again; nothing was lost")
        assert one.newest.count("work goes on") == 1
    assert len(one.runs()) == len(set(one.runs())) == 120
    assert one.query('SELECT count(*) FROM "trigger"') == [(120,)]
    assert one.undone() == 0


def test_full_disk_until_the_end(one: Live) -> None:
    """It stops all the same, and says what that means. What was not stored happens again."""
    one.configure(one.rule("Each"))
    one.start(level=0)
    one.write_until_runs()
    resource.prlimit(pid(one), resource.RLIMIT_FSIZE, (65_536, resource.RLIM_INFINITY))
    one.write(*(f"hit {number} {'x' * 2000}" for number in range(100)))
    one.wait_for("work goes on")
    assert one.stop() == 0
    assert one.newest.count(f"{one.state}: ") == 2


def test_state_whose_counters_make_no_sense(one: Live) -> None:
    with one.running():
        one.write("hit me")
        one.wait_runs(1)
    with closing(sqlite3.connect(one.state)) as db, db:
        db.execute("""INSERT INTO "window" VALUES ('rule Hit', 'x', '', '[')""")
    one.start()
    assert one.wait() == 2
    assert one.newest.startswith(f"{one.state}: damaged")
    assert "Traceback" not in one.newest


# In this process: what is about the inside


class Stage:
    """A daemon that runs in this process while a script of conditions comes true, one after the other."""

    def __init__(self, one: Live, **options: Any) -> None:
        self.said = io.StringIO()
        console = Console(self.said, 1, clock)
        self.daemon = Daemon(self._load(one), console, lambda: self._load(one), **options)

    @staticmethod
    def _load(one: Live) -> Configuration:
        return config.read(one.folder / "rules")

    def play(self, *steps: Callable[[], object]) -> None:
        """Each step is asked until it says yes; then the daemon stops."""
        waiting, end = list(steps), time.monotonic() + BOUND

        def look() -> None:
            if waiting and waiting[0]():
                del waiting[0]
            if waiting and time.monotonic() < end:
                self.daemon.loop.call_later(0.005, look)
            else:
                self.daemon.stop()

        self.daemon.loop.call_later(0, look)
        self.daemon.run()
        assert not waiting, f"in vain; {self.said.getvalue()}"

    def has_said(self, text: str) -> bool:
        return text in self.said.getvalue()


@pytest.fixture
def stage(one: Live, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    """Makes a stage; what a daemon changes of its process is put back."""
    monkeypatch.chdir(one.folder)
    umask = os.umask(0o077)
    yield lambda **options: Stage(one, **options)
    os.umask(umask)


def rows(answer: Rows) -> list[Mapping[str, Any]]:
    return [row for row in answer if isinstance(row, Mapping)]


def does(act: Callable[[], object]) -> Callable[[], bool]:
    """A step that only does something."""

    def step() -> bool:
        act()
        return True

    return step


def test_clock_that_is_set(one: Live, stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    """A router is started in 1970, and told the time later: nobody is missing for that, and nothing too old to be sent.

    Time that really passes counts, as ever.
    """
    monkeypatch.setattr(overdue, "SETTLED", 0.0)
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.01)
    port, up, by = free_port(), [20.0], [0.0]
    hook = f"config action 'hook'\n\toption type 'webhook'\n\toption url 'http://127.0.0.1:{port}/'\n"
    absent = one.rule("Missing", "alive %s", script=None, key="who", absent="1h")
    one.configure(one.rule(script=None, action="hook"), absent, hook)
    play = stage(wall=lambda: up[0] + by[0], uptime=lambda: up[0])
    events = play.daemon.engine.events

    def failed_at() -> float:
        return play.daemon.dispatch.actions.outboxes["hook"].health.last_error_at or 0.0

    def nothing_is_missing() -> None:
        said = play.said.getvalue()
        assert "the clock was set forward by 20833d8h; nothing is missing for that" in said
        assert "no event" not in said and "given up" not in said

    play.play(
        does(lambda: one.write("alive a", "hit me")),
        lambda: events()["Missing"] == 1 and failed_at() == 20.0,
        does(lambda: by.__setitem__(0, 1.8e9)),
        does(lambda: one.write("alive b")),
        lambda: events()["Missing"] == 2 and failed_at() > 1.8e9,
        does(nothing_is_missing),
        lambda: ("started", 1.8e9 + 20.0) in rows(standing.status(play.daemon, 0))[0].items(),
        does(lambda: up.__setitem__(0, 3_000.0)),
        does(lambda: one.write("alive b")),
        lambda: events()["Missing"] == 3,
        does(lambda: up.__setitem__(0, 3_630.0)),
        does(lambda: one.write("alive c")),
        lambda: play.has_said("Missing: no event of a for 1h"),
    )
    assert "no event of b" not in play.said.getvalue()


def test_bans_move_along_with_a_clock_that_is_set(one: Live, stage: Callable[..., Stage]) -> None:
    """Also for who asks right after it, before any ban has begun or ended."""
    by = [0.0]
    null = "config firewall\n\toption backend 'null'\n"
    one.configure(one.rule("Bad", "bad %s", fields="ip", script=None, ban="1h"), one.rule(script=None), null)
    play = stage(wall=lambda: time.monotonic() + by[0], uptime=time.monotonic)

    def left() -> float:
        ban = play.daemon.banning.bans.get("192.0.2.7")
        return ban.until - play.daemon.clock() if ban is not None and ban.until is not None else 0.0

    play.play(
        does(lambda: one.write("bad 192.0.2.7")),
        lambda: 3_500 < left() <= 3_600,
        does(lambda: play.daemon.dispatch.suspend("Bad", play.daemon.clock() + 3_600)),
        lambda: (by.__setitem__(0, 1.8e9), rows(desk.pause(play.daemon, 0, rule="Hit", seconds=3_600))),
        does(lambda: one.write("hit me")),
        lambda: play.has_said("the clock was set forward"),
        lambda: 3_500 < left() <= 3_600,
        lambda: all(3_500 < until - play.daemon.clock() <= 3_600 for until in play.daemon.dispatch.suspended.values()),
    )
    assert len(play.daemon.dispatch.suspended) == 2


def test_tidying_that_fails_is_done_again(one: Live, stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_module, "_TIDY_EVERY", 0.01)
    play, tried = stage(), list[float]()

    def expire(now: float) -> None:
        tried.append(now)
        if len(tried) == 2:
            raise ValueError("the second time")

    monkeypatch.setattr(play.daemon.engine, "expire", expire)
    play.play(lambda: play.has_said("the second time"), lambda: len(tried) > 2)


def test_many_bans_that_are_lifted_right_before_a_stop_are_lifted(one: Live, stage: Callable[..., Stage]) -> None:
    """Their ends are recorded a part at a time; the next start is not to ban again those whose turn had not come."""
    null = "config firewall\n\toption backend 'null'\n"
    one.configure(one.rule(script=None), null)
    play = stage()
    banning = play.daemon.banning
    some = [f"198.51.{number >> 8}.{number & 255}" for number in range(9_000)]
    play.play(
        does(lambda: [banning.ban(address, None, by="root") for address in some]),
        does(lambda: play.daemon.commits.last()),
        does(lambda: banning.unban(all=True)),
    )
    assert not Store(one.state).load_bans(clock())[0]


def test_store_that_lags_makes_sources_wait(one: Live, stage: Callable[[], Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading pauses, also that of a source which is opened meanwhile; then all is read, and nothing twice."""
    monkeypatch.setattr(daemon_module, "_LAGGING", 20)
    monkeypatch.setattr(daemon_module, "_CAUGHT_UP", 5)
    works, commit = Event(), Store.commit

    def slow_commit(store: Store, batch: Batch, done: Callable[[StoreError | None], None]) -> None:
        def answer(error: StoreError | None) -> None:
            works.wait(BOUND)
            done(error)

        commit(store, batch, answer)

    monkeypatch.setattr(Store, "commit", slow_commit)
    other = one.folder / "other.log"
    other.touch()
    rules = one.rule(script=None), one.rule("Other", file=other, script=None)
    one.configure(rules[0])
    play = stage()

    def reload() -> None:
        one.configure(*rules)
        play.daemon.reload()
        other.write_text("hit other\n")

    play.play(
        does(lambda: one.write(*(f"hit {number}" for number in range(30)))),
        lambda: play.has_said("the store lags behind; reading pauses until it has caught up"),
        does(lambda: one.write("hit last")),
        does(reload),
        lambda: play.has_said("reloaded"),
        lambda: not play.has_said("trigger Other") and play.said.getvalue().count("trigger Hit") == 30,
        does(works.set),
        lambda: play.has_said("the store has caught up; reading goes on"),
        lambda: play.has_said("trigger Other"),
        lambda: play.said.getvalue().count("trigger Hit") == 31,
    )
    assert one.query('SELECT count(*) FROM "trigger"') == [(32,)]


def test_line_that_breaks_the_engine_does_not_end_the_daemon(
    one: Live, stage: Callable[[], Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be read again at the next start, for ever."""
    feed = Engine.feed

    def fragile(engine: Engine, chunk: Chunk, now: float) -> list[Trigger]:
        if b"poison" in chunk.data:
            raise RuntimeError("a fault\x1b[2J of ours")
        return feed(engine, chunk, now)

    monkeypatch.setattr(Engine, "feed", fragile)
    one.configure(one.rule(script=None))
    play = stage()
    play.play(
        does(lambda: one.write("hit poison")),
        lambda: play.has_said("passed over, through a fault of logtrigger's own: RuntimeError('a fault"),
        does(lambda: one.write("hit me")),
        lambda: play.has_said("trigger Hit"),
    )
    assert "\x1b" not in play.said.getvalue()


def test_a_rule_that_has_fallen_silent_is_told_of(one: Live, stage: Callable[..., Stage]) -> None:
    """To the operator, to the action that is to hear of it, and in the history."""
    told = one.folder / "told.log"
    one.configure(
        one.rule(pattern="door[%d]: opened by %s", fields="- who"),
        f"config action tell\n\toption type log\n\toption path '{told}'\n\toption text '{{state}} {{rule}} {{program}}'\n",
        on_rule_silent="tell",
    )
    hour = [0.0]
    play = stage(wall=lambda: clock() + hour[0], uptime=lambda: clock() + hour[0])
    lines = [f"Nov 14 22:00:0{number} h door-session[7]: opened by bob" for number in range(6)]

    def heard() -> bool:
        tally = play.daemon.feeds.tallies.get(str(one.log))
        return tally is not None and tally.lines == len(lines)

    def later() -> None:
        hour[0] = 3601.0
        play.daemon._tidy()

    play.play(does(lambda: one.write(*lines)), heard, does(later), lambda: told.exists() and told.read_text())
    assert told.read_text() == "rule_silent Hit door-session\n"
    assert play.has_said("rule Hit: door-session writes its lines now, and it is for door: ")
    assert play.has_said("(add patterns that begin with door-session[%d]:")
