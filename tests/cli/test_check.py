"""`logtrigger check`: what it prints where, and its exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from logtrigger.cli.check import check

RULE = "config rule\n option name {0}\n option pattern {0}-line\n option script /bin/sh\n"


def run(*arguments: str, group: Path | None = None) -> Result:
    """The command as the group calls it; `group` is the file given before its name."""
    return CliRunner().invoke(check, arguments, obj=group)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_good_configuration() -> None:
    write(Path("rules.conf"), RULE.format("a") + RULE.format("b"))
    done = run("-c", "rules.conf")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "rules.conf: 2 rules, no mistakes\n", "")


def test_warning_is_no_mistake() -> None:
    write(Path("rules.conf"), "config rule\n option name a\n option pattern a-line\n")
    done = run("-c", "rules.conf")
    assert (done.exit_code, done.stdout) == (0, "rules.conf: 1 rule, no mistakes, 1 warning\n")
    assert done.stderr.startswith("rules.conf:1: warning: rule 'a' does nothing")


@pytest.mark.parametrize(("count", "names"), [(1, "r1"), (3, "r1, r2 and r3"), (9, "r1, r2, r3, r4, r5, r6 and 3 more")])
def test_rules_that_a_file_offers_are_noted(count: int, names: str) -> None:
    """One line a file, which is no warning even where we are strict."""
    write(Path("lib.conf"), "".join(RULE.replace(" option script /bin/sh\n", "").format(f"r{n + 1}") for n in range(count)))
    write(Path("rules.conf"), "config logtrigger\n list include lib.conf\n" + RULE.format("a"))
    done = run("--strict", "-c", "rules.conf")
    assert (done.exit_code, done.stdout) == (0, f"rules.conf: {count + 1} rules, no mistakes\n")
    said = f"{count} rule{'s' * (count > 1)} of this file {'do' if count > 1 else 'does'} nothing yet: {names}"
    remedy = "name those that you need in a 'config override' with list action or option ban"
    assert done.stderr == f"lib.conf:1: note: {said} ({remedy})\n"


@pytest.mark.parametrize("text", ["", "# nothing\n", RULE.format("a") + " option enabled 0\n"])
def test_configuration_that_looks_for_nothing(text: str) -> None:
    write(Path("rules.conf"), text)
    done = run("-c", "rules.conf")
    assert (done.exit_code, done.stdout) == (0, "rules.conf: 0 rules, no mistakes, 1 warning\n")
    assert done.stderr.startswith("rules.conf:1: warning: no rule runs: nothing is looked for (")


def test_mistakes_are_counted_without_warnings() -> None:
    write(Path("rules.conf"), "config rule\n option name a\n option pattern x\n option maxfial 5\n")
    done = run("-c", "rules.conf")
    assert (done.exit_code, done.stdout) == (1, "rules.conf: 1 mistake\n")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["warning", "error"]


def test_missing_file() -> None:
    done = run("-c", "none.conf")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == ("none.conf:1: error: cannot be read: No such file or directory (name another file with -c)\n")


def test_usage() -> None:
    assert run("extra").exit_code == 2


def test_file_given_before_the_command() -> None:
    write(Path("a.conf"), RULE.format("a"))
    write(Path("b.conf"), RULE.format("a"))
    assert run(group=Path("a.conf")).stdout == "a.conf: 1 rule, no mistakes\n"
    assert run("-c", "b.conf", group=Path("a.conf")).stdout == "b.conf: 1 rule, no mistakes\n"


WIDE = "config rule\n option name a\n option pattern x\n option script /bin/sh\n"


def test_lint_warns_and_strict_makes_mistakes_of_it() -> None:
    write(Path("rules.conf"), WIDE)
    done = run("-c", "rules.conf")
    assert (done.exit_code, done.stdout) == (0, "rules.conf: 1 rule, no mistakes, 1 warning\n")
    assert done.stderr.startswith("rules.conf:3: warning: 'pattern': no text of 3 characters")
    strict = run("--strict", "-c", "rules.conf")
    assert (strict.exit_code, strict.stdout) == (1, "rules.conf: 1 rule, 1 mistake\n")
    assert strict.stderr == done.stderr.replace("warning", "error")


def test_strict_counts_warnings_beside_mistakes() -> None:
    write(Path("rules.conf"), "config rule\n option name a\n option pattern x\n option maxfial 5\n")
    done = run("--strict", "-c", "rules.conf")
    assert (done.exit_code, done.stdout) == (1, "rules.conf: 2 mistakes\n")


@pytest.mark.parametrize("widen", ["24/5 16/20 56/5", "32/5"])
def test_rule_that_widens_its_bans_counts_as_one(widen: str) -> None:
    """/32 is one of IPv6: in IPv4 it would be the address itself."""
    rule = f"config rule\n option name a\n option pattern 'sshd[%d]: from %s'\n option fields '- ip'\n option widen '{widen}'\n"
    write(Path("rules.conf"), rule + " option ban 1h\n option maxfail 5\n option time 10m\n")
    done = run("-c", "rules.conf")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "rules.conf: 1 rule, no mistakes\n", "")
