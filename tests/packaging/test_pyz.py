"""logtrigger.pyz: one file that a bare Python runs, with all that comes with the program."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.live import live
from tests.packaging.machine import Machine

pytestmark = [pytest.mark.package("build"), pytest.mark.timeout(300)]


def run(archive: Path, home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it with a Python that sees nothing of ours."""
    env = {"HOME": str(home), "XDG_STATE_HOME": str(home), "PATH": "/usr/bin:/bin"}
    return subprocess.run([*python(), archive, *arguments], env=env, capture_output=True, text=True, check=False)


def python() -> list[str]:
    """The system's, without its packages, or what there is: -S leaves site-packages out."""
    return [shutil.which("python3", path="/usr/bin") or sys.executable, "-I", "-S"]


def test_nothing_in_it_is_compiled(archive: Path) -> None:
    with ZipFile(archive) as packed:
        names = packed.namelist()
    assert not [name for name in names if name.endswith((".so", ".pyc")) or name.startswith("bin/")]
    assert {"__main__.py", "logtrigger/cli/run.py", "click/core.py", "inotify_simple.py"} <= set(names)
    assert archive.read_bytes().startswith(b"#!/usr/bin/python3 -I\n")


def test_it_knows_its_library(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("config logtrigger\n\tlist use 'sshd'\n")
    done = run(archive, tmp_path, "check", "-c", tmp_path / "rules")
    assert done.returncode == 0 and "no mistakes" in done.stdout, done.stderr
    done = run(archive, tmp_path, "rules", "--library")
    assert done.returncode == 0 and "\nsshd " in done.stdout, done.stderr


def test_it_runs(archive: Path, tmp_path: Path) -> None:
    """The daemon, too; it finds a line and runs a script."""
    with live(tmp_path) as one:
        one.configure()
        one.process = None
        said = (tmp_path / "said").open("wb")
        one.process = subprocess.Popen([*python(), archive, "-c", "rules", "-D", "2"], cwd=tmp_path, stderr=said)
        said.close()
        one.wait_ready()
        one.write("hit me")
        one.wait_runs(1)
        assert one.stop() == 0


def test_setup_from_it(archive: Path, tmp_path: Path) -> None:
    done = run(archive, tmp_path, "setup", "--root", tmp_path / "root")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "root/etc/logtrigger/ipblock.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "root/usr/local/share/man/man8/logtrigger.8").is_file()


@pytest.mark.root
@pytest.mark.tool("debootstrap", "unshare", "nsenter")
def test_from_one_file_to_a_service(machine: Machine, archive: Path) -> None:
    """All that docs/installing.md tells to do, on a fresh Debian."""
    place = machine.bring(archive)
    machine.run(f"install -m 755 {place} /usr/local/bin/logtrigger; logtrigger setup && systemctl daemon-reload")
    machine.run("echo \"config logtrigger\n\tlist use 'sshd'\" >/etc/config/logtrigger; systemctl enable --now logtrigger")
    assert machine.says("systemctl is-active logtrigger") == "active"
    assert "\nsshd" in machine.says("logtrigger rules")
    assert "/etc/config/logtrigger: kept, as it was changed" in machine.says("logtrigger setup --remove")
    assert machine.run("test -e /etc/systemd/system/logtrigger.service", check=False).returncode == 1
