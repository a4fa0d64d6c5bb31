"""What is said of a script that the system's shell will not take, checked against what the shells really do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from logtrigger.config.shell import portability

# The constructs of the logit.sh that came with the C Logtrigger: it relied on BusyBox ash.
OLD_SCRIPT = """#!/bin/sh

ddns={folder}/ddns.log
logins={folder}/logins.log

if [ $LT_name == "DDNS_Status" ]; then
    echo "$LT_message" >> $ddns
elif [ $LT_name == "SIP_Login" ]; then
    echo "$LT_message" >> $logins
elif [ $LT_name == "Dropbear_Login" ]; then
    echo "$LT_message" >> $logins
fi
return 0
"""


@pytest.fixture
def dash(tmp_path: Path) -> Path:
    """What /bin/sh is on Debian: a link to dash."""
    link = tmp_path / "sh"
    link.symlink_to("dash")
    return link


def findings(tmp_path: Path, text: str, shell: Path) -> list[str]:
    script = tmp_path / "script.sh"
    script.write_text(text)
    return portability(script, shell)


def test_old_script(tmp_path: Path, dash: Path) -> None:
    assert findings(tmp_path, OLD_SCRIPT, dash) == [
        "'==' between '[' and ']' is an error in dash; write '=' (lines 6, 8 and 10)",
        "'return' outside a function: shells differ in what it does; write 'exit' (line 13)",
    ]


def run_old_script(tmp_path: Path, *shell: str) -> str:
    script = tmp_path / "logit.sh"
    script.write_text(OLD_SCRIPT.format(folder=tmp_path))
    env = {"PATH": "/usr/bin:/bin", "LT_name": "SIP_Login", "LT_message": "somebody logged in"}
    done = subprocess.run([*shell, str(script)], env=env, capture_output=True, text=True, check=False)
    return done.stderr


@pytest.mark.tool("busybox")
def test_old_script_runs_unchanged_under_ash(tmp_path: Path) -> None:
    assert run_old_script(tmp_path, "busybox", "ash") == ""
    assert (tmp_path / "logins.log").read_text() == "somebody logged in\n"
    assert not (tmp_path / "ddns.log").exists()


@pytest.mark.tool("dash")
def test_old_script_does_nothing_under_dash(tmp_path: Path) -> None:
    """What the findings warn of is so."""
    assert "unexpected operator" in run_old_script(tmp_path, "dash")
    assert not list(tmp_path.glob("*.log"))


@pytest.mark.parametrize("name", ["bash", "busybox", "ksh"])
def test_other_shells_take_more(tmp_path: Path, name: str) -> None:
    shell = tmp_path / "sh"
    shell.symlink_to(name)
    assert findings(tmp_path, OLD_SCRIPT, shell) == []


@pytest.mark.parametrize(
    ("first", "looked_at"),
    [
        ("#!/bin/sh", True),
        ("#! /bin/sh -e", True),
        ("#!/usr/bin/env sh", True),
        ("# no shebang", True),
        ("", True),
        ("#!/bin/bash", False),
        ("#!/usr/bin/env bash", False),
        ("#!/usr/bin/python3", False),
    ],
)
def test_shebang(tmp_path: Path, dash: Path, first: str, looked_at: bool) -> None:
    assert bool(findings(tmp_path, f"{first}\n[ a == b ]\n", dash)) == looked_at


@pytest.mark.parametrize(
    "text",
    [
        "[ a = b ]",
        "x='[ a == b ]'",
        'echo "[ a == b ]"',
        "# [ a == b ]\n[ a = b ] # == or so",
        "echo \\[ a == b",
        "echo == [ a",
        "[ a = b ] && echo ==",
        "cat <<EOF\n[ a == b ]\nreturn 0\nEOF\n",
        "cat <<-'end'\n\tsource it\n\tend\n",
        "cat <<EOF\nEOF\n",
        "f() { return 1; }",
        "f ()\n{\n  if [ a = b ]; then return 1; fi\n}\n",
        "f() (\n return 1\n)",
        "f() { case $1 in a) return 0 ;; *) return 1 ;; esac; }",
        "f() { x=${1%%.*}; y=$((x + 1)); { echo; }; return 0; }",
        "echo return",
        "exit 0",
        "awk '{ if (a == b) return }'",
        "echo source function",
        "[ ${#x} -eq 1 ]",
    ],
)
def test_good_text(tmp_path: Path, dash: Path, text: str) -> None:
    assert findings(tmp_path, text, dash) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("test $a == b", "'=='"),
        ('if [ "$a" == "b" ]; then echo; fi', "'=='"),
        ('while ! [ "$a" == "b" ]; do echo; done', "'=='"),
        ("true && [ a == b ]", "'=='"),
        ("f() { [ a == b ]; }", "'=='"),
        ("[[ $a = b ]]", "'[['"),
        ("source ./functions.sh", "'source'"),
        ("function f { return 0; }", "'function'"),
        ("return", "'return'"),
        ("f() { return 0; }\nreturn 0", "'return'"),
        ("f() { return 0; }; { return 0; }", "'return'"),
        ("case $1 in a) return 0 ;; esac", "'return'"),
        ("[ a = b ] || return", "'return'"),
    ],
)
def test_finding(tmp_path: Path, dash: Path, text: str, word: str) -> None:
    found = findings(tmp_path, text, dash)
    assert [line.partition(" ")[0] for line in found] == [word]


def test_line_is_the_files(tmp_path: Path, dash: Path) -> None:
    text = "#!/bin/sh\nx='a\nb'\ncat <<EOF >/dev/null\none\ntwo\nEOF\ny=1 \\\n  z=2\n[ a == b ]\n"
    assert findings(tmp_path, text, dash)[0].endswith("(line 10)")


def test_first_line_of_a_here_document_goes_on(tmp_path: Path, dash: Path) -> None:
    found = findings(tmp_path, "cat <<EOF; return\n[ a == b ]\nEOF\n", dash)
    assert [line.partition(" ")[0] for line in found] == ["'return'"]


def test_what_is_no_text_is_passed_over(tmp_path: Path, dash: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF\0\n[ a == b ]\n")
    assert portability(program, dash) == []
    assert portability(tmp_path / "missing", dash) == []
    assert portability(tmp_path, dash) == []


@pytest.mark.parametrize(
    "text", ['"' * 30_001, "${" * 30_000, "<<a\n" * 8_000, "f() {" * 20_000, "\\" * 30_001, "[ a " * 8_000]
)
def test_odd_text_costs_little(tmp_path: Path, dash: Path, text: str) -> None:
    """Nothing here should take a second; the test's own time limit would end what never ends."""
    findings(tmp_path, text, dash)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "scripts").glob("*.sh")), ids=lambda path: path.name)
def test_shipped_script(path: Path, dash: Path) -> None:
    assert portability(path, dash) == []
