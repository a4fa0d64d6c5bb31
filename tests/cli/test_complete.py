"""What is offered for a word that is being typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from logtrigger import shipped
from logtrigger.cli import complete
from logtrigger.cli.commands import main
from tests.cli.asking import ask, asked
from tests.live import Live


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Live]:
    with asked(tmp_path) as one:
        assert ask(one, "ban", "2001:db8::7").exit_code == ask(one, "ban", "192.0.2.7").exit_code == 0
        yield one


def context(**given: object) -> click.Context:
    """That of a command whose line has these options so far."""
    one = click.Context(click.Command("any"), parent=click.Context(main))
    one.params.update(given)
    return one


PARAMETER = click.Argument(["any"])


def test_banned_addresses(running: Live) -> None:
    here = context(path=running.folder / "rules")
    assert complete.banned(here, PARAMETER, "") == ["192.0.2.7", "2001:db8::7"]
    assert complete.banned(here, PARAMETER, "2001:") == ["2001:db8::7"]


def test_rules(running: Live) -> None:
    here = context(path=running.folder / "rules")
    (name,) = complete.rules(here, PARAMETER, "")
    assert complete.rules(here, PARAMETER, name[:1]) == [name] and complete.rules(here, PARAMETER, "x") == []


def test_configuration_before_the_command(running: Live) -> None:
    here = context()
    assert here.parent is not None
    here.parent.params["path"] = str(running.folder / "rules")
    assert complete.banned(here, PARAMETER, "192") == ["192.0.2.7"]


@pytest.mark.parametrize("given", [{"socket": "/nowhere/control.sock"}, {"path": "/nowhere/rules"}])
def test_nobody_answers(given: dict[str, object], capfd: pytest.CaptureFixture[str]) -> None:
    assert complete.banned(context(**given), PARAMETER, "") == complete.rules(context(**given), PARAMETER, "") == []
    assert capfd.readouterr() == ("", "")


def test_what_is_shipped() -> None:
    services = complete.rules(context(library=True), PARAMETER, "")
    assert services == [file.stem for file in shipped.files(shipped.RULES)] != []
    assert complete.datasets(context(), PARAMETER, "ssh") == ["sshd"]
    assert complete.spans(context(), PARAMETER, "1") == ["10m", "1h", "12h", "1d"]
