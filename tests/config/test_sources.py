"""`config source`: one place, options that fit it, a name that rules can use."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.config import build, lint
from logtrigger.rule import SenderIs, SourceOptions

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

RULE = "config rule\n option name a\n option pattern 'x %s'\n option fields ip\n option script /bin/sh\n"
USE = RULE + " option source s\n"


def source(options: str, name: str = "s") -> str:
    return f"config source '{name}'\n" + "".join(f" {line}\n" for line in options.split("; "))


@pytest.fixture
def made(write: Write) -> Callable[[str], SourceOptions]:
    """The only source of a configuration whose only rule reads it."""

    def made(options: str) -> SourceOptions:
        settings, warnings = config.load(write("rules.conf", USE + source(options)))
        assert warnings == ()
        assert settings.rules[0].source == settings.sources[0].name == "s"
        return settings.sources[0]

    return made


def test_files(made: Callable[[str], SourceOptions]) -> None:
    one = made("list file /var/log/a; list file '/var/log/b*'; option from start; option rotated /var/log/old")
    assert (one.file, one.from_start, one.rotated) == (("/var/log/a", "/var/log/b*"), True, ("/var/log/old",))


def test_a_command_is_split_as_a_shell_splits_it(made: Callable[[str], SourceOptions]) -> None:
    assert made("option command \"tail -F '/tmp/a b' $HOME\"").command == ("tail", "-F", "/tmp/a b", "$HOME")


def test_the_journal(made: Callable[[str], SourceOptions]) -> None:
    one = made("option journal 1; option unit 'ssh.service cron.service'; list match _COMM=sshd; option stdin 0")
    assert (one.journal, one.stdin, one.units, one.matches, one.from_start) == (
        True,
        False,
        ("ssh.service", "cron.service"),
        ("_COMM=sshd",),
        False,
    )


def test_a_receiver(made: Callable[[str], SourceOptions]) -> None:
    one = made("list listen tcp:*:601; list listen unix:/dev/log; option allow 10.0.0.0/8; option write /srv/log/{peer}.log")
    assert (one.listen, one.write) == (("tcp:*:601", "unix:/dev/log"), "/srv/log/{peer}.log")
    assert "10.1.2.3" in one.allow and "11.1.2.3" not in one.allow
    assert (one.max_connections, one.idle) == (500, 600.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (source("option unit x"), "1: error: the source does not say where its lines come from"),
        (source("option journal 1; option logread 1"), "1: error: the source has 'journal' and 'logread' (write one of file"),
        ("config source\n option journal 1\n", "1: error: the source has no name (write: config source 'NAME')"),
        (
            source("option journal 1") + source("option stdin 1"),
            "3: error: a source is called 's' at rules.conf:1 already (choose another name)",
        ),
        (
            source("option stdin 1; option from start"),
            "3: error: 'from' says nothing of a source with 'stdin' (it belongs to a source with",
        ),
        (source("option journal 1; option from now"), "3: error: 'from' cannot be 'now' (write end or start)"),
        (source("option journal 1; option match sshd"), "3: error: 'match' cannot be 'sshd' (write one such as _COMM=sshd"),
        (
            source("option stdin 1") + source("option stdin 1", "t"),
            "4: error: standard input is read by source 's' at rules.conf:1 already (write option source 's' into the rules)",
        ),
        (source("option command 'a \"b'"), "2: error: 'command' cannot be 'a \"b' (no closing quotation: quote an argument"),
        (source("option command no-such-program"), "2: error: 'command': there is no program 'no-such-program'"),
        (source("option file log"), "2: error: 'file' cannot be 'log' (write a path that begins with /)"),
        (source("option listen udp:0.0.0.0:514"), "2: error: 'listen': others than this machine reach udp"),
        (source("option listen fax:514"), "2: error: 'listen' cannot be 'fax:514' (write one such as unix:/dev/log"),
        (source("option listen tcp:514; option write log"), "3: error: 'write' cannot be 'log' (write a path that begins"),
        (source("option listen tls:6514"), "1: error: tls needs a certificate and its key"),
        (source("option listen tcp:601; option authority x"), "3: error: 'authority' is for tls alone"),
        (source("option listen unix:/dev/log; option allow 10.0.0.0/8"), "3: error: 'allow' is for the network alone"),
        (
            source("option journal 1", name="bans"),
            "1: error: a source cannot be called 'bans' (choose another name: rules read",
        ),
        (source("option journal 1", name="jour"), "1: warning: no rule reads the source 'jour'"),
    ],
)
def test_mistake(complaints: Complaints, text: str, said: str) -> None:
    found = complaints(text + RULE)
    assert [line for line in found if line.startswith(f"rules.conf:{said}")], found


def test_a_source_that_writes_needs_no_rule(complaints: Complaints) -> None:
    assert complaints(source("option listen udp:514; option write /srv/log/{host}.log") + RULE) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (" option source t\n", "'source': no source is called 't'"),
        (" option source journl\n", "'source': no source is called 'journl' (did you mean 'journal'?)"),
        (" option source journal\n option file /x\n", "the rule has 'file' and 'source' (write one of them)"),
        (" option source 'a b'\n", "'source' cannot be 'a b'"),
        (" option sender zzq9\n", "'sender' cannot be 'zzq9' (write a user of this machine"),
        (" option sender rooot\n", "'sender' cannot be 'rooot' (did you mean 'root'?)"),
        (
            " option sender root:systemd-resolved\n",
            "'sender' cannot be 'root:systemd-resolved' (the kernel keeps 15 characters of a process's name:"
            " write 'root:systemd-resolve')",
        ),
        (
            " option file /x\n option sender root\n",
            "'sender': a file does not tell which user wrote a line (read a source with",
        ),
        (" option source bans\n option sender root\n", "'sender': a line about a ban does not tell which user wrote a line"),
        (" option source pipe\n option sender root\n", "'sender': source 'pipe' does not tell which user wrote a line"),
        (" option source net\n option sender root\n", "'sender': a sender on the network (udp:514) does not tell which user"),
    ],
)
def test_mistake_of_a_rule(complaints: Complaints, options: str, said: str) -> None:
    sources = source("option journal 1", "journal") + source("option stdin 1", "pipe") + source("option listen udp:514", "net")
    found = [line for line in complaints(RULE + options + sources) if ": error: " in line]
    assert len(found) == 1 and said in found[0]


def test_senders(write: Write) -> None:
    settings, _ = config.load(write("rules.conf", RULE + " list sender root:sshd\n list sender 1234\n"))
    assert settings.rules[0].senders == (SenderIs(0, "sshd"), SenderIs(1234))
    assert pwd.getpwuid(0).pw_name == "root"


def test_what_a_rule_names_hides_what_defaults_and_rules_below_name(write: Write) -> None:
    text = "config defaults\n option source s\n" + source("option journal 1") + RULE + " option file /x\n"
    over = "config override\n option rule a\n option source s\n"
    assert config.load(write("rules.conf", text))[0].rules[0].source == "/x"
    assert config.load(write("rules.conf", text + over))[0].rules[0].source == "s"


def test_what_a_datagram_says_of_itself_is_not_to_be_acted_on(write: Write) -> None:
    found = build.read(write("rules.conf", USE + source("list listen tcp:601; list listen udp:514")))
    warnings = [str(one) for one in lint.warnings(found.built, found.settings.rules, found.settings.sources)]
    [said] = [warning for warning in warnings if "datagram" in warning]
    assert said.startswith(
        "rules.conf:6: warning: rule 'a' acts on what udp:514 receives, and a datagram's sender can be forged"
    )


@pytest.mark.tool("openssl")
def test_certificates_are_loaded_and_must_be_ours(complaints: Complaints, write: Write, tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -days 2"
    subprocess.run([*command.split(), "-keyout", "key.pem", "-out", "cert.pem"], cwd=tmp_path, check=True, capture_output=True)
    os.chmod(tmp_path / "key.pem", 0o600)
    os.chmod(tmp_path / "cert.pem", 0o600)
    tls = "option listen tls:6514; option certificate cert.pem; option certificate_key key.pem"
    assert complaints(USE + source(tls)) == []
    assert complaints(USE + source(tls + "; option peer_name x"))[0].endswith(
        "'peer_name' needs an authority (add option authority: names in certificates count where somebody has signed them)"
    )
    assert "cannot be read: No such file" in complaints(USE + source(tls.replace("cert.pem", "none.pem")))[0]
    assert "do not fit" in complaints(USE + source(tls.replace("key.pem", "cert.pem")))[0]
    assert complaints(USE + source(tls + "; option authority cert.pem")) == []
    assert "'authority' holds no certificates" in complaints(USE + source(tls + "; option authority key.pem"))[0]
    os.chmod(tmp_path / "cert.pem", 0o644)
    assert complaints(USE + source(tls)) == []
    os.chmod(tmp_path / "key.pem", 0o640)
    assert "key.pem is open to others (chmod 600 " in complaints(USE + source(tls))[0]
