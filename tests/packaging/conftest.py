"""The packages, built once for all tests of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.machine import ROOT, Machine, booted, debian


def build(*command: object) -> None:
    env = {**os.environ, "PYTHON": sys.executable}
    env.pop("PYTHONPATH", None)  # a package is made of this checkout, with nothing of what happens to lie around
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, the wheel made of the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build(sys.executable, "-m", "build", "--outdir", folder)
    return folder


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    (found,) = distributions.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def package(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package."""
    folder = tmp_path_factory.mktemp("deb")
    build("packaging/deb/build.sh", folder, wheel)
    (found,) = folder.glob("*.deb")
    return found


@pytest.fixture(scope="session")
def archive(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """logtrigger.pyz"""
    folder = tmp_path_factory.mktemp("pyz")
    build("packaging/pyz.sh", folder, wheel)
    return folder / "logtrigger.pyz"


@pytest.fixture(scope="session")
def fresh_debian() -> Path:
    """Making one takes a minute, which is no test's fault."""
    return debian()


@pytest.fixture
def machine(fresh_debian: Path, tmp_path: Path) -> Iterator[Machine]:
    """A Debian that runs."""
    with booted(tmp_path) as one:
        yield one
