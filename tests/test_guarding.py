"""The real daemon bans, with a command of the user's for a firewall: what comes first, what a crash leaves, floods."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.live import Live, live

ROOT = Path(__file__).parents[1]
PATTERN = "failed from %s"


class Guarded(Live):
    """A daemon whose bans end up in a file, as `+203.0.113.7 3600` and `-203.0.113.7`."""

    @property
    def told(self) -> list[str]:
        path = self.folder / "told"
        return path.read_text().splitlines() if path.exists() else []

    def guard(self, *rules: str, **options: object) -> None:
        told = self.folder / "told"
        ban = self.script("ban.sh", f'echo "+$1 $2" >>{told}')
        unban = self.script("unban.sh", f'echo "-$1" >>{told}')
        lines = ["backend script", f"ban '{ban} {{ip}} {{seconds}}'", f"unban '{unban} {{ip}}'"]
        self.configure("\n\toption ".join(["config firewall", *lines]) + "\n", *rules, **options)

    def banning(self, name: str = "Hit", **options: object) -> str:
        given = {"fields": "ip", "ban": "1h", "script": None, **options}
        return self.rule(name, PATTERN, **given)

    def wait_told(self, *told: str) -> None:
        self.until(lambda: set(told) <= set(self.told), f"{told}")


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Guarded]:
    with live(tmp_path):
        made = Guarded(tmp_path)
        yield made
        made.kill()


def test_ban_comes_before_the_script(one: Guarded) -> None:
    one.guard(one.banning(script=one.note), one.banning("Alone", maxfail=2, time=60))
    with one.running():
        one.write("failed from 203.0.113.7", "failed from 203.0.113.7")
        one.wait_told("+203.0.113.7 3600")
        one.wait_runs(2)
        one.wait_for("trigger Alone: 2 events of 203.0.113.7 within 1m (maxfail 2)")
    assert f"; banning 203.0.113.7 for 1h; running {one.note}\n" in one.output
    assert "; 203.0.113.7 is banned already, for 1h more\n" in one.output
    assert one.told == ["+203.0.113.7 3600"]


def test_ignored_address(one: Guarded) -> None:
    one.guard(one.banning(), ignore="203.0.113.0/24")
    with one.running(level=3):
        one.write("failed from 203.0.113.7", "failed from 198.51.100.7")
        one.wait_told("+198.51.100.7 3600")
    assert "; not banned: 203.0.113.7 is on the ignore list\n" in one.output
    assert "Hit: 203.0.113.7 is not banned: is on the ignore list" in one.output
    assert len(one.told) == 1


def test_dry_run_bans_nobody(one: Guarded) -> None:
    one.guard(one.banning())
    with one.running("--dry-run"):
        one.write("failed from 203.0.113.7")
        one.wait_for("; banning 203.0.113.7 for 1h (dry run)")
    assert one.told == []


def test_crash_forgets_no_ban(one: Guarded) -> None:
    """What was stored is put back for the rest of its time; what was not is read again."""
    one.guard(one.banning())
    with one.running():
        one.write("failed from 203.0.113.7")
        one.wait_told("+203.0.113.7 3600")
    one.start()
    one.wait_ready()
    one.write("failed from 203.0.113.8")
    one.wait_for("banning 203.0.113.8")
    one.kill()
    (one.folder / "told").unlink()
    with one.running():
        one.until(lambda: {"203.0.113.7", "203.0.113.8"} <= {line[1:].split()[0] for line in one.told}, "both are banned again")
    seconds = {line[1:].split()[0]: int(line.split()[1]) for line in one.told}
    assert 3500 < seconds["203.0.113.7"] <= 3600
    assert len(one.query("SELECT 1 FROM ban WHERE ended IS NULL")) == 2


def test_ban_that_ends_while_nobody_is_there_is_lifted_at_the_start(one: Guarded) -> None:
    one.guard(one.banning(ban="2s"))
    with one.running():
        one.write("failed from 203.0.113.7")
        one.wait_told("+203.0.113.7 2")
    time.sleep(2.1)
    with one.running():
        one.wait_told("-203.0.113.7")
    assert one.query("SELECT how FROM ban") == [("expired",)]


def test_late_bans_last_what_is_left(one: Guarded) -> None:
    """What was written while nobody read is banned from the time in its header on."""
    one.guard(one.banning())
    with one.running():
        one.write("failed from 203.0.113.1")
        one.wait_told("+203.0.113.1 3600")
    now = datetime.now(UTC)  # noqa: TID251 - headers of this moment
    for address, minutes in (("203.0.113.2", 20), ("203.0.113.3", 61)):
        one.write(f"{now - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S+00:00} gate app[7]: failed from {address}")
    with one.running():
        one.wait_for("banning 203.0.113.2 for ")
        one.until(lambda: any("203.0.113.2" in line for line in one.told), "the late ban")
        one.wait_for("not banned: 1h for 203.0.113.3 would be over by now")
    [told] = [line for line in one.told if "203.0.113.2" in line]
    assert 2300 < int(told.split()[1]) <= 2400
    assert not any("203.0.113.3" in line for line in one.told)


def test_full_disk_keeps_nobody_from_being_banned(one: Guarded) -> None:
    one.guard(one.banning())
    with one.running(level=1):
        assert one.process is not None
        resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (65_536, resource.RLIM_INFINITY))
        one.write(*(f"failed from 10.0.0.{number}  {' ' * 2000}" for number in range(100)))
        one.wait_for("work goes on")
        one.write("failed from 203.0.113.7")
        one.wait_told("+203.0.113.7 3600")
        resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        one.wait_for("can be written again; nothing was lost")
    assert one.query("SELECT count(*) FROM ban WHERE ended IS NULL") == [(101,)]


def test_reload_keeps_bans_and_a_new_firewall_gets_them(one: Guarded) -> None:
    one.guard(one.banning())
    with one.running():
        one.write("failed from 203.0.113.7")
        one.wait_told("+203.0.113.7 3600")
        one.guard(one.banning("Renamed"))
        one.signal(signal.SIGHUP)
        one.wait_for("reloaded")
        text = (one.folder / "rules").read_text()
        (one.folder / "rules").write_text(text.replace("backend script", "backend script\n\toption cut 1"))
        one.signal(signal.SIGHUP)
        one.wait_for("reloaded", 2)
        one.until(lambda: len(one.told) >= 3, "lifted there and banned here")
    assert [line[0] for line in one.told] == ["+", "-", "+"]


def test_flood_of_spoofed_addresses_does_not_push_out_who_is_hammering(one: Guarded) -> None:
    one.guard(one.banning(maxfail=5, time=600), max_keys=1000)
    with one.running(level=1):
        one.write(*["failed from 203.0.113.7"] * 4)
        for block in range(10):
            one.write(*(f"failed from {IPv4Address(0x0B000000 + block * 10_000 + number)}" for number in range(10_000)))
        one.write("failed from 203.0.113.7")
        one.wait_for("banning 203.0.113.7 for 1h")
    assert [line.split()[0] for line in one.told] == ["+203.0.113.7"]


def test_memory_of_many_keys() -> None:
    """A million would take 100 MB; a fifth of that is counted here, in a process of its own."""
    program = """
from ipaddress import IPv4Address
from tests.script import NOW, Script, rule

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

script = Script(rule("failed from %s", "ip", maxfail=5, time=600.0), max_keys=1_000_000)
before = resident()
for block in range(20):
    script.feed(*(f"failed from {IPv4Address(0x0B000000 + block * 10_000 + number)}" for number in range(10_000)))
    script.engine.counters.changes()
print(resident() - before)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200_000 * 300
