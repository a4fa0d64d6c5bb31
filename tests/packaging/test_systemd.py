"""The systemd unit: valid, and as closed as docs/installing.md says. tests/packaging/test_deb.py runs it under a systemd."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from logtrigger import placing, shipped
from logtrigger.config.places import default_control, default_state

UNIT = shipped.path("etc/systemd/logtrigger.service")
DOCS = Path(__file__).parents[2] / "docs/installing.md"
MOST = 3.0  # of 10, by systemd's own reckoning


def option(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


@pytest.mark.tool("systemd-analyze")
def test_verify(tmp_path: Path) -> None:
    program = tmp_path / "my logtrigger"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "logtrigger.service"
    unit.write_bytes(placing.unit(UNIT.read_bytes(), [str(program)]))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    about_us = [line for line in done.stderr.splitlines() if "logtrigger" in line]
    assert (done.returncode, about_us) == (0, [])


@pytest.mark.tool("systemd-analyze")
def test_it_is_closed(tmp_path: Path) -> None:
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", UNIT], capture_output=True, text=True, check=True)
    found = re.search(r"exposure level for logtrigger.service: ([0-9.]+)", done.stdout)
    assert found is not None and float(found[1]) <= MOST


def test_the_places_are_the_daemon_s() -> None:
    """Where it keeps its state and its socket by itself, systemd makes the folders and lets it write."""
    assert Path("/var/lib", *option("StateDirectory")) == default_state(0, {}, openwrt=False).parent
    assert Path("/run", *option("RuntimeDirectory")) == default_control(None, 0, {}).parent


def test_what_is_told_of_it_is_so() -> None:
    """The page's table of capabilities is the unit's."""
    given = {name for line in option("CapabilityBoundingSet") for name in line.split()}
    assert set(re.findall(r"^\| `(CAP_[A-Z_]+)`", DOCS.read_text(), re.MULTILINE)) == given
