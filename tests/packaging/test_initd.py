"""The init script for OpenWrt, with a stand-in for procd that does what it is asked to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger import placing, shipped
from tests.live import BOUND

SCRIPT = shipped.path("etc/init.d/logtrigger")
STAND_IN = Path(__file__).with_name("procd.sh")


class Router:
    """A folder in which the stand-in keeps its process, and a configuration."""

    def __init__(self, folder: Path, shell: tuple[str, ...]) -> None:
        self.folder, self.shell = folder, shell
        self.script, self.rules, self.log = folder / "initscript", folder / "rules", folder / "said"
        self.script.write_bytes(
            placing.init_script(SCRIPT.read_bytes(), [sys.executable, "-c", "from logtrigger.cli import main; main()"]).replace(
                b"/etc/config/logtrigger", bytes(self.rules)
            )
        )
        self.log = folder / "log"
        (folder / "app.log").touch()
        self.configure("hit %s")

    def configure(self, pattern: str, option: str = "maxfail") -> None:
        self.rules.write_text(
            f"config logtrigger\n\toption state '{self.folder}/state.db'\n"
            f"config rule\n\toption name 'Hit'\n\toption file '{self.folder}/app.log'\n"
            f"\toption pattern '{pattern}'\n\toption {option} '1'\n"
        )
        self.rules.chmod(0o600)

    def do(self, action: str) -> subprocess.CompletedProcess[str]:
        """What `/etc/init.d/logtrigger ACTION` does. Its output is a file's, which a daemon may go on holding open."""
        with (self.folder / "output").open("w+") as output:
            done = subprocess.run(
                [*self.shell, STAND_IN, self.script, action],
                env={"PROCD": str(self.folder), "PATH": os.environ["PATH"], **_python_path()},
                stdout=output,
                stderr=output,
                timeout=BOUND,
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")

    @property
    def pid(self) -> int | None:
        path = self.folder / "pid"
        return int(path.read_text()) if path.exists() else None

    def wait_for(self, text: str, count: int = 1) -> None:
        end = time.monotonic() + BOUND
        while not self.log.exists() or self.log.read_text().count(text) < count:
            assert time.monotonic() < end, f"in vain: {text}\n{self.log.read_text() if self.log.exists() else ''}"
            time.sleep(0.02)


def _python_path() -> dict[str, str]:
    return {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}


SHELLS = [("dash",), ("busybox", "ash")]


@pytest.fixture(params=SHELLS, ids=" ".join)
def router(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Router]:
    shell: tuple[str, ...] = request.param
    path = shutil.which(shell[0])
    if path is None:
        pytest.skip(f"needs {shell[0]}")
    one = Router(tmp_path, (path, *shell[1:]))
    yield one
    if one.pid is not None:
        os.kill(one.pid, signal.SIGKILL)


def test_what_procd_is_asked_for(router: Router) -> None:
    router.do("start")
    asked = (router.folder / "asked").read_text().splitlines()
    assert asked[0] == "open_instance" and asked[-2:] == ["close_instance", "reload_trigger logtrigger"]
    assert asked[1].endswith(f"-c {router.rules} -D 1")
    assert "set_param stdout 1" in asked and "set_param stderr 1" in asked, "what it says goes to the log"
    assert "set_param respawn 3600 10 0" in asked, "it is started again, however often it ends"


def test_start_reload_restart_and_stop(router: Router) -> None:
    assert router.do("start").returncode == 0
    router.wait_for(" ready\n")
    first = router.pid
    router.configure("other %s")
    done = router.do("reload")
    assert done.returncode == 0 and done.stdout.endswith("\nreloaded; 1 rule\n")
    router.wait_for(" reloaded; 1 rule\n")
    router.do("restart")
    router.wait_for(" ready\n", 2)
    assert router.log.read_text().count(" stopped\n") == 1 and router.pid != first
    assert router.do("stop").returncode == 0
    assert router.log.read_text().count(" stopped\n") == 2 and router.pid is None


def test_mistakes_are_told_to_who_reloads(router: Router) -> None:
    router.do("start")
    router.wait_for(" ready\n")
    router.configure("hit %s", option="maxfial")
    done = router.do("reload")
    assert "unknown option 'maxfial' (did you mean 'maxfail'?)" in done.stdout
    assert "the old configuration stays in force" in done.stdout
    done = router.do("check")
    assert done.returncode == 1 and "maxfial" in done.stdout
    assert router.pid is not None and router.do("stop").returncode == 0


def test_a_reload_starts_what_does_not_run(router: Router) -> None:
    router.do("reload")
    router.wait_for(" ready\n")
    router.do("stop")


@pytest.mark.tool("shellcheck")
def test_shellcheck() -> None:
    for path in (SCRIPT, STAND_IN):
        done = subprocess.run(["shellcheck", "--shell=dash", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")


def test_it_can_be_run() -> None:
    assert os.access(SCRIPT, os.X_OK)
    assert SCRIPT.read_text().startswith("#!/bin/sh /etc/rc.common\n")
