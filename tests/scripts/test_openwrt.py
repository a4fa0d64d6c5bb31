"""What OpenWrt's firewall runs: a restart that somebody asked for lifts the bans, a reload does not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.scripts.conftest import SCRIPTS

INCLUDE = SCRIPTS.parent / "etc/openwrt/firewall.include"


@pytest.mark.parametrize(
    ("words", "lifted"),
    [
        (["fw4", "restart"], True),
        (["fw4", "-q", "restart"], True),
        (["fw3", "restart"], True),
        (["rc.common", "/etc/init.d/firewall", "restart"], True),
        (["fw4", "reload"], False),
        (["fw4", "-q", "reload"], False),
        (["fw4", "start"], False),
        (["rc.common", "/etc/init.d/firewall", "reload"], False),
        (["rc.common", "/etc/init.d/network", "restart"], False),
    ],
)
def test_who_restarts_lets_everybody_in(shell: tuple[str, ...], tmp_path: Path, words: list[str], lifted: bool) -> None:
    """fw4 is a shell script that runs its includes by others."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "logtrigger").write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\nexit 3\n')
    (fake / "logtrigger").chmod(0o755)
    name, *arguments = words
    caller = fake / name
    caller.write_text(f"sh -c 'sh -c \". {INCLUDE}\"; exit 0'\nexit $?\n")
    env = {"PATH": f"{fake}:/usr/bin:/bin"}
    done = subprocess.run([*shell, str(caller), *arguments], env=env, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    asked = tmp_path / "asked"
    assert (asked.read_text() if asked.exists() else "") == ("unban --all\n" if lifted else "")


def test_run_by_itself_it_lifts_nothing(shell: tuple[str, ...]) -> None:
    done = subprocess.run([*shell, str(INCLUDE)], env={"PATH": "/nowhere:/usr/bin:/bin"}, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
