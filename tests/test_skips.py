"""A test that skips itself says why; where all that is needed must be there, it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = """
import pytest

def test_whatever():
    pytest.skip("a reason of its own")

@pytest.mark.skipif(True, reason="another reason")
def test_another():
    pass

def test_known():
    pytest.skip("this is no clone")

@pytest.mark.xfail(strict=True)
def test_wrong():
    assert False
"""


@pytest.mark.root
@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 failed, 1 skipped, 1 xfailed, 1 error"), ("", "3 skipped, 1 xfailed")])
def test_ci_skips_nothing_for_reasons_of_its_own(tmp_path: Path, ci: str, outcome: str) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [*command, "--rootdir", tmp_path, tmp_path], cwd=ROOT, env={**os.environ, "CI": ci}, capture_output=True, text=True
    )
    assert outcome in done.stdout, done.stdout + done.stderr
    assert ("CI may not skip this: a reason of its own" in done.stdout) == bool(ci)
