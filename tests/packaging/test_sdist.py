"""The sdist: a checkout without its history, from which everything can be made again; conftest.py makes the wheel of it."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.packaging.machine import ROOT

pytestmark = [pytest.mark.package("build"), pytest.mark.timeout(300)]

HISTORY = {".gitignore", ".gitattributes"}  # of use in a clone only; hatch adds the first


@pytest.mark.tool("git")
def test_it_is_the_checkout(distributions: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no clone")
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as packed:
        names = {member.name.partition("/")[2]: member.mode for member in packed if member.isfile()}
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()} - HISTORY
    assert tracked - names.keys() == set(), "left out"
    assert names.keys() - tracked - HISTORY - {"PKG-INFO"} == set(), "what happened to lie around"
    assert names["packaging/deb/build.sh"] & 0o100 and names["scripts/ipblock.sh"] & 0o100
