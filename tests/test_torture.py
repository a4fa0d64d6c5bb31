"""No line is missed and none counted twice, whatever becomes of files and daemon; `make torture` does it at length."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.torture import torture

SEED = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().randrange(1 << 30))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kill", [False, True], ids=["orderly", "kill"])
def test_every_line_once(tmp_path: Path, kill: bool) -> None:
    faults = torture(tmp_path, SEED, 25_000, kill, pause=0.0005)
    assert not faults, f"TORTURE_SEED={SEED}: {faults}"
