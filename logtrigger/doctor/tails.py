"""The last lines of what the daemon reads, for a look at what is in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from logtrigger.doctor.findings import Facts
from logtrigger.programs import PATH

_LONGEST = 1 << 20  # bytes of a file
_LINES = "5000"
_TIMEOUT = 20.0  # seconds
# By the words that `status` has for what is read.
_PROGRAMS = {
    "journal": ["journalctl", "--no-pager", "-o", "short-iso", "-n", _LINES],
    "ring buffer": ["logread", "-l", _LINES],
}


def tail(source: Facts) -> bytes:
    """Whole lines of a source; empty where it cannot be told."""
    files = [file["path"] for file in source["files"] if file["path"]]
    if files:
        return b"".join(of_file(Path(path)) for path in dict.fromkeys(files))
    command = next((words for name, words in _PROGRAMS.items() if name in source["reads"]), None)
    return _said(command) if command else b""


def of_file(path: Path, longest: int = _LONGEST) -> bytes:
    """The last whole lines of a file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            begin = file.seek(max(0, size - longest))
            data = file.read(longest)
    except OSError:
        return b""
    data = data[data.find(b"\n") + 1 :] if begin else data
    return data[: data.rfind(b"\n") + 1]


def _said(command: Sequence[str]) -> bytes:
    if shutil.which(command[0], path=PATH) is None:
        return b""
    try:
        done = subprocess.run(command, env={"PATH": PATH}, capture_output=True, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout
