"""`logtrigger top` before there is a screen; the screen is tried by tests/top/test_app.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from logtrigger.cli import top
from logtrigger.cli.commands import main


def test_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "find_spec", lambda name: None)
    said = CliRunner().invoke(main, ["top"])
    assert (said.exit_code, said.output) == (2, "top needs the package textual (pip install textual)\n")


@pytest.mark.package("textual")
def test_without_a_daemon(tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["top", "--socket", str(tmp_path / "none")])
    assert said.exit_code == 3
    assert said.output.startswith(f"no daemon answers: there is no socket {tmp_path}/none (start logtrigger")
