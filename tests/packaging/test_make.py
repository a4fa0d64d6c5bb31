"""`make test` installs what tests need on a machine that has no compiler, too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Takes the place of a virtual environment's Python: notes what it is to install, and fails where that takes a compiler.
PYTHON = """#!/bin/sh
echo "$*" >>"$(dirname "$0")/asked"
case $* in *iptables*) echo "error: command 'gcc' failed" >&2; exit 1 ;; esac
"""


@pytest.mark.tool("make")
def test_without_a_compiler(tmp_path: Path) -> None:
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text(PYTHON)
    python.chmod(0o755)
    stamp = tmp_path / ".installed-dev"
    done = subprocess.run(["make", f"VENV={tmp_path}", str(stamp)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "did without python-iptables" in done.stdout
    assert stamp.exists() and "gcc" in (tmp_path / ".installed-dev.log").read_text()
    assert [line.split("--editable ")[1] for line in (tmp_path / "bin/asked").read_text().splitlines()] == [
        ".[dev]",
        ".[iptables]",
    ]


@pytest.mark.root
@pytest.mark.tool("make")
@pytest.mark.parametrize("owner", [0, 65534])
def test_root_may_try_it_in_the_checkout_of_a_user(tmp_path: Path, owner: int) -> None:
    """`sudo make run`, as the system log is root's to read; whose files these are is looked at."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "pyproject.toml").touch()
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, owner, owner)
    program = tmp_path / ".venv/bin/logtrigger"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m logtrigger check -c "$2"\n')
    for path in (program, tmp_path / ".venv/bin/python", tmp_path / ".venv/.installed"):
        path.touch()
        path.chmod(0o755)
    done = subprocess.run(["make", "run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "3 rules, no mistakes" in done.stdout) == (0, True), done.stdout + done.stderr
    assert (tmp_path / "run/quickstart").exists() == (owner != 0)


@pytest.mark.root
@pytest.mark.tool("make")
@pytest.mark.parametrize("owner", [0, 65534])
def test_why_tests_fail_in_the_checkout_of_a_user(tmp_path: Path, owner: int) -> None:
    """Many do for root, as they use rules and scripts of the checkout."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    os.chown(tmp_path / "Makefile", owner, owner)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n")
    for path in (python, tmp_path / ".venv/.installed-dev"):
        path.touch()
        path.chmod(0o755)
    done = subprocess.run(["make", "test"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert ("run it as that user, or as root in a clone of your own" in done.stderr) == (owner != 0)


def test_nothing_else_is_compiled() -> None:
    """What make asks for first are wheels."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert "python-iptables" in str(extras["iptables"])
    assert "iptables" not in str([extras["dev"], extras["all"]])
