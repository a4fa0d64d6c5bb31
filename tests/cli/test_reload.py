"""`logtrigger reload` says what is wrong, and whether the new configuration is in force."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.asking import NO_FIREWALL, ask, asked


def test_reload(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.configure(one.rule(), one.rule("New", "new %s"), NO_FIREWALL)
        said = ask(one, "reload")
        assert (said.exit_code, said.stdout, said.stderr) == (0, "reloaded; 2 rules\n", "")
        one.write("new one")
        one.wait_runs(1)
        assert json.loads(ask(one, "reload", "--json").stdout) == {"reloaded": True, "rules": 2, "complaints": []}


def test_mistakes(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.configure(one.rule(maxfial=3))
        said = ask(one, "reload")
        path = tmp_path / "rules"
        assert (said.exit_code, said.stdout) == (2, "")
        assert said.stderr == (
            f"{path}:9: error: unknown option 'maxfial' (did you mean 'maxfail'?)\n"
            "not reloaded; the old configuration stays in force (correct it and try again)\n"
        )
        facts = json.loads(ask(one, "reload", "--json").stdout)
        assert (facts["reloaded"], len(facts["complaints"])) == (False, 1)
        one.write("hit me")
        one.wait_runs(1)


def test_the_socket_moves(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        one.configure(one.rule(), NO_FIREWALL, control=tmp_path / "elsewhere")
        assert ask(one, "reload", "--socket", str(tmp_path / "state.db.control")).exit_code == 0
        assert ask(one, "status").exit_code == 0
        assert not (tmp_path / "state.db.control").exists()


def test_source_that_cannot_be_opened(tmp_path: Path) -> None:
    """The new configuration is in force, and what of it does not work is said."""
    with asked(tmp_path) as one:
        source = f"config source 'box'\n\tlist listen 'unix:{tmp_path}/none/log'\n"
        one.configure(one.rule(), source, one.rule("Box", "box %s", file=None, source="box"), NO_FIREWALL)
        said = ask(one, "reload")
        assert (said.exit_code, said.stdout) == (0, "reloaded; 2 rules\n")
        assert f"{tmp_path}/none/log" in said.stderr
        assert ask(one, "reload").stderr == said.stderr
