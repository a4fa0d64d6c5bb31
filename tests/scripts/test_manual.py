"""The manual pages: every option there is, and no example that the program would not take."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from logtrigger import config
from logtrigger.cli import commands
from logtrigger.cli.commands import COMMANDS
from logtrigger.config import options
from tests.scripts.conftest import SCRIPTS

PAGES = SCRIPTS.parent / "man"


def described(section: str) -> set[str]:
    """The options that a section of logtrigger(5) explains."""
    text = (PAGES / "logtrigger.5").read_text().split(f".Ss config {section}")[1]
    return set(re.findall(r"^\.It Ic (\w+)", re.split(r"^\.S[sh] ", text, flags=re.MULTILINE)[0], re.MULTILINE))


def test_every_section_is_described() -> None:
    text = (PAGES / "logtrigger.5").read_text()
    assert set(re.findall(r"^\.Ss config (\w+)", text, re.MULTILINE)) == set(options.SECTIONS)


@pytest.mark.parametrize(
    ("section", "table"),
    [
        ("logtrigger", options.DAEMON),
        ("rule", options.RULE),
        ("override", options.OVERRIDE),
        ("source", options.SOURCE),
        ("firewall", options.FIREWALL),
        ("action", options.ACTION),
    ],
    ids=["logtrigger", "rule", "override", "source", "firewall", "action"],
)
def test_every_option_is_described(section: str, table: dict[str, options.Spec]) -> None:
    assert described(section) == set(table)


def test_example(tmp_path: Path) -> None:
    text = (PAGES / "logtrigger.5").read_text().split(".Sh EXAMPLES\n.Bd -literal\n")[1].split(".Ed\n")[0]
    tmp_path.chmod(0o700)
    for name in ("ipblock.sh", "warn.sh"):
        (tmp_path / name).touch(mode=0o700)
    path = tmp_path / "logtrigger"
    path.write_text(text.replace("/etc/logtrigger/", f"{tmp_path}/"))
    path.chmod(0o600)
    assert config.load(path)[1] == ()


@pytest.mark.tool("mandoc")
@pytest.mark.parametrize("page", sorted(PAGES.iterdir()), ids=lambda page: page.name)
def test_lint(page: Path) -> None:
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described_with_its_options(name: str) -> None:
    text = (PAGES / "logtrigger.8").read_text()
    assert re.search(rf"^\.(It )?Cm (\w+ \| )*{name}\b", text, re.MULTILINE), f"{name} is missing in logtrigger(8)"
    command = commands.main.get_command(click.Context(commands.main), name)
    assert command is not None
    flags = {text.lstrip("-") for one in command.params if isinstance(one, click.Option) for text in one.opts}
    known = {found.lstrip("\\-") for found in re.findall(r"\bFl ((?:\\?-)?\w[\w-]*)", text)}
    assert flags - {"help", "follow", "database"} <= known  # these have a short form, which is
