"""The wheel: everything in it that the program needs, and nothing else; what pip installs of it works and sets itself up."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from logtrigger.placing import pieces
from tests.packaging.machine import ROOT

pytestmark = [pytest.mark.package("build"), pytest.mark.timeout(300)]


def test_it_has_all_that_is_shipped(wheel: Path) -> None:
    with ZipFile(wheel) as packed:
        names = set(packed.namelist())
    for folder in ("etc", "scripts", "man"):
        files = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert files and {f"logtrigger/share/{path}" for path in files} <= names
    assert {"logtrigger/py.typed", "logtrigger/cli/setup.py"} <= names
    assert not [name for name in names if not name.startswith(("logtrigger/", "logtrigger-"))]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in a virtual environment of its own, with what it is built on taken from this one."""
    folder = tmp_path_factory.mktemp("venv") / "logtrigger"
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(folder / "bin/python")]
    subprocess.run([*command, "install", "--no-deps", str(wheel)], check=True)
    for module in ("click", "parse", "inotify_simple"):
        found = Path(str(__import__(module).__file__))
        place = found.parent if found.name == "__init__.py" else found
        (packages / place.name).symlink_to(place)
    return folder / "bin/logtrigger"


def run(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run([program, *arguments], cwd="/", env=env, capture_output=True, text=True, check=False)


def test_it_sets_itself_up(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "usr/lib/systemd/system").mkdir(parents=True)
    done = run(installed, "setup", "--root", tmp_path)
    assert done.returncode == 0, done.stderr
    assert [piece.target for piece in pieces(tmp_path, "/usr/local", []) if not (tmp_path / piece.target).is_file()] == []
    unit = (tmp_path / "etc/systemd/system/logtrigger.service").read_text()
    assert f"\nExecStart={installed} -D 1\n" in unit and f"\nExecReload={installed} reload\n" in unit


def test_it_knows_its_library(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("config logtrigger\n\tlist use 'sshd'\n")
    done = run(installed, "check", "-c", tmp_path / "rules")
    assert done.returncode == 0 and "no mistakes" in done.stdout, done.stderr
