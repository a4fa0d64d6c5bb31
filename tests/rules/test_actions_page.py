"""docs/actions.md: its examples are one configuration without a mistake, and it names every script."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from click.testing import CliRunner

from logtrigger.cli.check import check

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/actions.md").read_text()


def examples() -> str:
    """What is indented and begins with a section."""
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE, re.MULTILINE)
    return "\n".join(block for block in blocks if block.lstrip().startswith("config "))


def shown_script() -> str:
    """What is indented and begins as a script does."""
    return PAGE[PAGE.index("    #!/bin/sh") :].partition("\n\n")[0]


def test_examples_are_a_configuration(tmp_path: Path) -> None:
    for script in (ROOT / "scripts").glob("*.sh"):
        shutil.copy(script, tmp_path)
    (tmp_path / "where.sh").write_text("\n".join(line[4:] for line in shown_script().splitlines()))
    for secret in ("mail.password", "alerta.key"):
        (tmp_path / secret).write_text("secret\n")
    path = tmp_path / "logtrigger"
    path.write_text(examples().replace("'/etc/logtrigger/", f"'{tmp_path}/"))
    for file in (tmp_path, *tmp_path.rglob("*")):
        file.chmod(0o700)
    done = CliRunner().invoke(check, ["-c", str(path), "--strict"])
    assert done.exit_code == 0, done.output


def test_every_script_is_told_of() -> None:
    assert {path.name for path in (ROOT / "scripts").glob("*.sh")} == set(re.findall(r"^\| `(\w+\.sh)`", PAGE, re.MULTILINE))
