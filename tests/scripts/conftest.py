"""How the scripts' tests run a script: under each shell, as the daemon would, perhaps with fake firewall tools."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.scripts.netns import PATH

SCRIPTS = Path(__file__).parents[2] / "scripts"

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

# Notes how it was called, below it what it was given to read, and ends as the file "status" beside it says.
FAKE = """#!/bin/sh
folder=${0%/*}
{
    printf '%s' "${0##*/}"
    for argument; do printf ' <%s>' "$argument"; done
    echo
    [ "$*" = '-f -' ] && sed 's/^/    /'
} >>"$folder/../calls"
exit "$(cat "$folder/../${0##*/}.status" 2>/dev/null || echo 0)"
"""


@pytest.fixture(
    params=[
        pytest.param(("dash",), id="dash", marks=pytest.mark.tool("dash")),
        pytest.param(("busybox", "ash"), id="ash", marks=pytest.mark.tool("busybox")),
    ]
)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The shells that every script must run under."""
    found: tuple[str, ...] = request.param
    return found


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Where the scripts write to."""
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def run(shell: tuple[str, ...], logs: Path, tmp_path: Path) -> Run:
    """Runs a shipped script with these variables, in an empty folder."""
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(script: str | Path, variables: Mapping[str, str], path: str = PATH, before: tuple[str, ...] = ()) -> Done:
        env = {"PATH": path, "LOGTRIGGER_LOGDIR": str(logs), **variables}
        command = [*before, *shell, str(SCRIPTS / script)]
        done = subprocess.run(
            command, env=env, cwd=empty, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30
        )
        assert list(empty.iterdir()) == [], "the script has made something of a value"
        return done

    return run


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    """A folder with tools that only note how they are called, in `calls` beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("nft", "iptables", "ip6tables"):
        tool = folder / name
        tool.write_text(FAKE)
        tool.chmod(0o755)
    return folder


@pytest.fixture
def calls(fakes: Path) -> Callable[[], list[str]]:
    """The lines that the fake tools have noted so far."""

    def calls() -> list[str]:
        noted = fakes.with_name("calls")
        return noted.read_text().splitlines() if noted.exists() else []

    return calls
