"""What `check` warns of, and where: rule by rule, the exact warning or none; and the rules that are shipped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.config import build, lint
from logtrigger.errors import Place

Write = Callable[[str, str], Path]
Lint = Callable[..., list[str]]

ROOT = Path(__file__).parents[2]
HEAD = "config rule\n option name {}\n option script /bin/sh\n"
HEADER = "Nov 29 17:20:00 gate "


@pytest.fixture
def linted(write: Write, monkeypatch: pytest.MonkeyPatch) -> Lint:
    """The warnings of rules, each given by its options; rules are called a, b and so on. `root`: whether root runs them."""

    def linted(*rules: str, root: bool = False) -> list[str]:
        text = "".join(HEAD.format("abc"[number]) + options + "\n" for number, options in enumerate(rules))
        path = write("rules.conf", text)
        monkeypatch.setattr(lint, "_is_root", lambda place: root)
        found = build.read(path)
        return [str(warning) for warning in lint.warnings(found.built, found.settings.rules)]

    return linted


def pattern(text: str, fields: str = "", rest: str = "") -> str:
    named = f"option fields '{fields}'\n" if fields else ""
    return f"option pattern '{text}'\n{named}{rest}"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        # free text on both sides of the address
        (pattern("login of %s from %s: %s", "user ip why"), "login of x from 192.0.2.1: from 203.0.113.9: x"),
        (pattern("%s login from %s: %s", "user ip why"), "x login from 192.0.2.1:  login from 203.0.113.9: x"),
        # the first of two addresses
        (
            pattern("%s from %s via %s to %s", "user src:ip via dst:ip"),
            "x from 192.0.2.1 via  from 203.0.113.9 via x to 198.51.100.7",
        ),
        # a word that is left empty
        (
            pattern("login of %s from %s: %s", "user:word ip why"),
            "login of  from 192.0.2.1: login of x from 203.0.113.9: x",
        ),
        # nothing that parts the address from free text
        (pattern("login %s:%s", "user ip"), "login =x=:2001::3.0.113.9"),
        (pattern("login %s:%s", "ip user"), "login 2001:db8::1:9:=x="),
        # a key that is no address
        (pattern("seat %s badge %d: %s", "who badge why", "option key badge"), None),
        # alternatives
        ("list pattern 'from %s'\nlist pattern 'hello %s'\nlist fields ip\nlist fields user", "hello from 203.0.113.9"),
        # other syntaxes
        ("option format 'login of {user} from {ip}: {why}'", "login of x from 192.0.2.1: from 203.0.113.9: x"),
        ("option regex 'login of .* from (?P<ip>[0-9.]+): .*'", None),
    ],
)
def test_forged_fields(linted: Lint, options: str, line: str | None) -> None:
    [warning] = linted(options)
    place = "rules.conf:5" if "hello" in options else "rules.conf:4"
    assert warning.startswith(f"{place}: warning: '") and "free text can forge '" in warning
    assert line is None or HEADER in warning and normal(line) in normal(warning)


def normal(text: str) -> str:
    """Without what a search may choose either way: how many blanks there are."""
    return " ".join(text.split())


@pytest.mark.parametrize(
    "options",
    [
        # nothing but the pattern's own text and the line's end behind the address
        pattern("login of %s from %s", "user ip"),
        pattern("login of %s from %s port %d ssh2", "user ip"),
        pattern("login from %s to %s", "src:ip dst:ip"),
        # nothing but text of the daemon before it
        pattern("login from %s: %s", "ip why"),
        pattern("sshd[%d]: from <%s:%d>: (user %s, %d fails): %s", "- ip - user fails why"),
        pattern("%s failed for %s", "ip user"),
        # words, behind the tag
        pattern("sshd[%d]: user %s failed from %s: %s", "- user:word ip why"),
        pattern("sshd[%d]: (%s) %s %s %s", "- interface:word ip mac:mac client"),
        # words only
        pattern("user=%s rhost=%s tty=%s", "user:word ip tty:word"),
        # an exception for whoever tries
        pattern("login of %s from %s: %s", "user ip why", "option except ' from %s from %s'"),
        "list pattern 'Failed %s for invalid user %s from %s port %d ssh2'\n"
        "list pattern 'Failed %s for %s from %s port %d ssh2'\noption fields 'method:word user ip'",
        # a key that is the stranger's own text
        pattern("login of %s: %s", "user why", "option key user"),
        "option regex 'login of (?P<user>.*) from (?P<ip>[0-9.]+)$'",
        "option regex '^login from (?P<ip>[0-9.]+) (?P<why>.*)$'",
    ],
)
def test_fields_that_cannot_be_forged(linted: Lint, options: str) -> None:
    assert [warning for warning in linted(options) if "forge" in warning or "beside" in warning] == []


def test_conditions_may_forbid_the_line(linted: Lint) -> None:
    [warning] = linted(pattern("login of %s from %s: %s", "user ip why", "option when 'user in root admin'"))
    assert "is read, unless option when forbids it from: " in warning


@pytest.mark.parametrize(
    ("rules", "warnings"),
    [
        (
            ["option pattern 'x %s'"],
            [
                "rules.conf:4: warning: 'pattern': no text of 3 characters that every such line holds: all lines are looked at"
                " (write more of the line into it)"
            ],
        ),
        (["option pattern 'xyz'"], []),
        (["option pattern 'äöü'"], []),
        (
            [pattern("login from %s", "addr")],
            [
                "rules.conf:5: warning: the field 'addr' sounds like an address but takes any text"
                " (write addr:ip, or addr:text to mean this)"
            ],
        ),
        (
            ["option format 'login from {rhost}'"],
            [
                "rules.conf:4: warning: the field 'rhost' sounds like an address but takes any text"
                " (write rhost:ip, or rhost:text to mean this)"
            ],
        ),
        ([pattern("login from %s", "addr:text")], []),
        ([pattern("login from %s", "addr:word")], []),
        ([pattern("port %d of peer", "peer")], []),
        ([pattern("lease of %s for %s", "ip client")], []),
        (
            ["list pattern 'one line'\nlist pattern 'another'\nlist pattern 'one line'"],
            [
                "rules.conf:6: warning: 'pattern': the pattern 'one line' stands at rules.conf:4 already (drop one of the two)",
            ],
        ),
        (
            ["option pattern 'one line'", "option pattern 'one line'"],
            [
                "rules.conf:6: warning: every event of rule 'b' is one of rule 'a' at rules.conf:1 too,"
                " which runs the same script (drop one of the two, or the script runs twice)"
            ],
        ),
        (
            [pattern("Failed %s from %s", "user ip"), pattern("Failed %s for x from %s", "user ip")],
            [
                "rules.conf:8: warning: every event of rule 'b' is one of rule 'a' at rules.conf:1 too,"
                " which runs the same script (drop one of the two, or the script runs twice)"
            ],
        ),
        (
            ["option pattern 'one line'\noption anchored 1"],
            [
                "rules.conf:5: warning: the message begins behind the time, with the host, as the rule names no program"
                " (add option program 'NAME')"
            ],
        ),
        (["option pattern 'one line'\noption anchored 1\noption file /var/log/x"], []),
        (["option pattern 'one line'\noption anchored 1\noption program x"], []),
        # the narrow one first, other fields, counting, conditions, programs, files or scripts: no warning
        ([pattern("Failed %s for x from %s", "user ip"), pattern("Failed %s from %s", "user ip")], []),
        ([pattern("Failed %s from %s", "user ip"), pattern("Failed %s from %s", "- ip")], []),
        (["option pattern 'one line'", "option pattern 'one line'\noption maxfail 2"], []),
        (["option pattern 'one line'\noption when 'host == gate'", "option pattern 'one line'"], []),
        (["option pattern 'one line'\noption program sshd", "option pattern 'one line'"], []),
        (["option pattern 'one line'", "option pattern 'one line'\noption file /var/log/x"], []),
        (["option pattern 'one line'", "option pattern 'one line'\noption env A=1"], []),
        (["option pattern 'lines %u'", "option pattern 'lines %d'"], []),
        (["option pattern 'one line'", "option pattern 'one line'", "option pattern other\noption reset_by b"], []),
    ],
)
def test_other_warnings(linted: Lint, rules: list[str], warnings: list[str]) -> None:
    assert linted(*rules) == warnings


LOGIN = pattern("login from %s", "ip")


def test_root_and_lines_of_strangers(linted: Lint, tmp_path: Path) -> None:
    [warning] = linted(LOGIN, root=True)
    assert warning == (
        "rules.conf:4: warning: root runs a script for an address of rule 'a', and any local user can"
        " write such a line with logger (add option program, or begin the pattern with the program's tag as in sshd[%d]:)"
    )
    log = tmp_path / "a.log"
    log.touch(mode=0o640)
    assert linted(LOGIN) == []
    assert linted(LOGIN + "option program sshd", root=True) == []
    assert linted(pattern("sshd[%d]: login from %s", "- ip"), root=True) == []
    assert linted(pattern("login from %s", "user"), root=True) == []
    assert linted(LOGIN + f"option file '{log}'", root=True) == []
    [warning] = linted(LOGIN + "option ban 1h", root=True)
    assert "root bans an address of rule 'a', and any local user" in warning
    log.chmod(0o666)
    [warning] = linted(LOGIN + f"option file '{log}'", root=True)
    assert f"and anybody can write to {log}" in warning


def test_expression_that_backtracks(linted: Lint) -> None:
    [warning] = linted(r"option regex '(a+) such line \1'")
    assert warning.startswith("rules.conf:4: warning: 'regex' backtracks, so it sees the first 2048 bytes of a line only: ")


def test_rules_that_are_off_are_left_alone(linted: Lint) -> None:
    assert linted("option pattern x\noption enabled 0") == []


@pytest.mark.parametrize("root", [False, True])
def test_shipped_rules(write: Write, monkeypatch: pytest.MonkeyPatch, root: bool) -> None:
    """They give no cause for a warning, whoever runs them."""
    monkeypatch.setattr(lint, "_is_root", lambda place: root)
    text = (ROOT / "etc/config/logtrigger").read_text()
    found = build.read(
        write(
            "rules.conf", text.replace("/etc/logtrigger/ipblock.sh", "/bin/sh").replace("/etc/logtrigger/logit.sh", "/bin/sh")
        )
    )
    assert len(found.settings.rules) > 10
    assert [str(warning) for warning in lint.warnings(found.built, found.settings.rules)] == []


@pytest.mark.parametrize("root", [False, True])
def test_quickstart(write: Write, monkeypatch: pytest.MonkeyPatch, root: bool) -> None:
    """For root there is one, and it is right: anybody may try the rule with logger, which is what it is for."""
    monkeypatch.setattr(lint, "_is_root", lambda place: root)
    text = (ROOT / "examples/quickstart/logtrigger").read_text().replace("./show.sh", "/bin/sh")
    found = build.read(write("rules.conf", text))
    warnings = [warning.fault for warning in lint.warnings(found.built, found.settings.rules)]
    assert (
        warnings
        == ["root runs a script for an address of rule 'SIP_WrongPass', and any local user can write such a line with logger"]
        * root
    )


def test_whether_root_is_concerned(tmp_path: Path) -> None:
    place = Place(str(tmp_path), 1)
    assert lint._is_root(place) == (os.geteuid() == 0)
