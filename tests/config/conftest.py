"""A configuration written for one test, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.errors import ConfigError

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file that only we can write, whatever the umask, into what becomes the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(0o700)
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def complaints(write: Write) -> Complaints:
    """All that is said of a configuration, mistakes and warnings, each as the operator reads it."""

    def complaints(text: str) -> list[str]:
        try:
            _, warnings = config.load(write("rules.conf", text))
        except ConfigError as error:
            return list(map(str, error.complaints))
        return list(map(str, warnings))

    return complaints
