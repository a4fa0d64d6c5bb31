"""docs/geoip.md: its examples are one configuration without a mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from logtrigger.cli.check import check
from tests import geodata

pytestmark = pytest.mark.package("geoip2")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/geoip.md").read_text()


def examples() -> str:
    """What is indented and begins with a section or a comment."""
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE, re.MULTILINE)
    return "\n".join(block for block in blocks if block.lstrip().startswith("config "))


def test_examples_are_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "ask.sh").write_text("#!/bin/sh\n")
    geodata.write(tmp_path / "GeoLite2-City.mmdb")
    geodata.write(tmp_path / "GeoLite2-ASN.mmdb", geodata.ASN_NETWORKS, "GeoLite2-ASN")
    path = tmp_path / "logtrigger"
    path.write_text(examples().replace("/etc/logtrigger/", f"{tmp_path}/").replace("/usr/share/GeoIP/", f"{tmp_path}/"))
    for file in (tmp_path, *tmp_path.rglob("*")):
        file.chmod(0o700)
    done = CliRunner().invoke(check, ["-c", str(path), "--strict"])
    assert done.exit_code == 0, done.output
    assert "19 rules, no mistakes" in done.stdout
