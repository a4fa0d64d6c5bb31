"""What a service writes in two ways, or sums up, counts in the library as what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.engine import Engine
from logtrigger.model import Chunk
from logtrigger.rule import SYSTEM_LOG

NOW = 1_800_000_000.0
EXIM = "Jan  6 17:26:44 mx exim[812]: 2026-01-06 17:26:44 {}"
FAILED = EXIM.format("plain_server authenticator failed for (x) [192.0.2.7]: 535 Incorrect authentication data (set_id=bob)")
RELAY = EXIM.format("H=(x) [192.0.2.7] F=<a@example.net> rejected RCPT <x@example.com>: relay not permitted")
PAM = "Jan  6 17:26:44 nas login[812]: {}; logname= uid=0 euid=0 tty=/dev/pts/0 ruser= rhost=192.0.2.7  user=bob"
ONE, MORE = "pam_unix(login:auth): authentication failure", "PAM 2 more authentication failures"


def line_of_the_ban(folder: Path, name: str, lines: list[str]) -> int | None:
    """Which line, from 1, is the first one too many for the file of the library."""
    folder.chmod(0o700)
    path = folder / "logtrigger"
    path.write_text(f"config logtrigger\n\tlist use '{name}'\n")
    path.chmod(0o600)
    engine, at = Engine(config.load(path)[0]), 0
    for number, line in enumerate(lines, 1):
        data = f"{line}\n".encode()
        if engine.feed(Chunk(SYSTEM_LOG, "log", "log", at, at + len(data), data), NOW):
            return number
        at += len(data)
    return None


@pytest.mark.parametrize("line", [FAILED, RELAY], ids=["failed", "relay"])
def test_exim_writes_each_failure_twice_to_the_system_log(tmp_path: Path, line: str) -> None:
    """Four failures are forgiven, as elsewhere; the fifth one's first line is the ninth."""
    assert line_of_the_ban(tmp_path, "exim", [line] * 10) == 9


def test_pam_sums_up_what_follows_upon_the_first_failure(tmp_path: Path) -> None:
    """Two connections with three wrong passwords each are six."""
    assert line_of_the_ban(tmp_path, "pam", [PAM.format(text) for text in (ONE, MORE, ONE, MORE)]) == 4
