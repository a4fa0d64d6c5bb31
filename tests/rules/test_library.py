"""The rule library: each file alone and all together, without a complaint, the same with either matcher."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from click.testing import CliRunner

from logtrigger import config, shipped, silence
from logtrigger.cli.check import check
from logtrigger.config import samples, uci
from logtrigger.config.uci import Section
from logtrigger.config.words import Report
from logtrigger.engine import Engine, MatcherFactory
from logtrigger.hyperscan_matcher import HyperscanMatcher
from logtrigger.matcher import LiteralMatcher
from logtrigger.model import Chunk
from logtrigger.patterns.regex import RegexPattern
from logtrigger.places import Look, Places
from logtrigger.rule import SYSTEM_LOG, Settings
from tests import geodata

ROOT = Path(__file__).parents[2]
FILES = shipped.files(shipped.RULES)
# Written before there was `anchored`: what holds others off is the program's tag or a regex that begins with the time.
OLDER = {"pfsense-events", "rsnapshot", "sshd-events", "sshguard-events", "sudo-events", "tty-events"}
FORGED = "10.0.0.9"  # the address that an attacker writes into a sample
NOW = 1_800_000_000.0
MATCHERS = [
    pytest.param(LiteralMatcher, id="plain"),
    pytest.param(HyperscanMatcher, id="hyperscan", marks=pytest.mark.package("hyperscan")),
]
# A main configuration in which every rule has something to do.
MAIN = """
config override
	list rule '*'
	list action 'note'

config action 'note'
	option type 'log'
	option path '/var/log/noted.log'
"""


each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
PLACES: list[Places] = [{}, {"home": "0", "country": "SE"}, {"home": "1", "country": "FI"}]  # where an address may be


def written(folder: Path, *files: Path, main: str = MAIN) -> Path:
    """A main configuration that uses these."""
    folder.chmod(0o700)
    path = folder / "logtrigger"
    own = [f"\tlist use '{' '.join(file.stem for file in files)}'"]
    if any(" home" in file.read_text() for file in files):
        own += [f"\tlist geoip '{geodata.write(folder / 'places.mmdb')}'", "\tlist home_country 'FI'"]
    path.write_text("\n".join(["config logtrigger", *own, main]))
    path.chmod(0o600)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found, warnings = config.load(written(tmp_path, *FILES))
    assert warnings == ()
    return found


def sections(*files: Path) -> Iterator[Section]:
    report = Report()
    for file in files:
        yield from uci.parse(file.read_bytes(), str(file), report)
    assert not report.complaints, "\n".join(map(str, report.complaints))


def rule_sections() -> Iterator[Section]:
    return (section for section in sections(*FILES) if section.type == "rule")


def texts(section: Section, name: str) -> list[str]:
    return [value.text for value in section.options[name].values] if name in section.options else []


@pytest.mark.parametrize("files", [[file] for file in FILES] + [FILES], ids=lambda files: "+".join(f.stem for f in files)[:20])
def test_check_says_nothing(tmp_path: Path, files: list[Path]) -> None:
    """Each file loads alone, and all do together; samples hold, and nothing is doubtful."""
    done = CliRunner().invoke(check, ["-c", str(written(tmp_path, *files)), "--strict"])
    *complaints, summary = done.output.splitlines()
    if complaints or done.exit_code:
        pytest.fail(done.output, pytrace=False)
    count = sum(section.type == "rule" for section in sections(*files))
    assert summary.endswith(f": {count} rule{'s' if count > 1 else ''}, no mistakes"), summary


def test_beside_the_shipped_configuration() -> None:
    """They may be included from it: no name is taken twice."""
    shipped = sections(ROOT / "etc/config/logtrigger")
    names = [texts(section, "name")[0] for section in [*shipped, *rule_sections()] if section.type == "rule"]
    assert len(names) == len(set(names))


@each_file
def test_does_without_a_main_configuration_s_help(tmp_path: Path, file: Path) -> None:
    """`list use` is all it takes."""
    done = CliRunner().invoke(check, ["-c", str(written(tmp_path, file, main="")), "--strict"])
    assert (done.exit_code, ": error:" in done.output) == (0, False), done.output


@each_file
def test_does_without_re2(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where RE2 is not installed, as on a router, no expression is refused, and none fails its samples."""
    monkeypatch.setitem(sys.modules, "re2", None)
    done = CliRunner().invoke(check, ["-c", str(written(tmp_path, file))])
    assert (done.exit_code, ": error:" in done.output) == (0, False), done.output


def test_sees_whole_lines_without_re2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least as much as daemons and their syslog write: nobody gets past a rule with a long name."""
    monkeypatch.setitem(sys.modules, "re2", None)
    found, _ = config.load(written(tmp_path, *FILES))
    shown = {
        rule.name: min(p.longest or 0 for p in (*rule.patterns, *rule.excepts) if isinstance(p, RegexPattern))
        for rule in found.rules
        if any(isinstance(p, RegexPattern) for p in rule.patterns)
    }
    assert {name for name, longest in shown.items() if longest < 8192} == {"exim_blocklist"}


@each_file
def test_says_what_it_watches(file: Path) -> None:
    first = file.read_text().partition("\n")[0]
    assert re.fullmatch(rf"# {re.escape(file.stem)}: \S.*[^.]", first), first


@each_file
def test_only_rules(file: Path) -> None:
    """Whom to tell is said elsewhere; so is what else there is to set up. Files of events leave bans to others, too."""
    assert {section.type for section in sections(file)} == {"rule"}
    for section in sections(file):
        assert not {"script", "action", "enabled"} & set(section.options), texts(section, "name")
        assert texts(section, "source") in ([], ["bans"]), texts(section, "name")
        if file.stem.endswith("-events"):
            assert not {"ban", "trust"} & set(section.options), texts(section, "name")
        else:
            assert texts(section, "name")[0].lower().replace("_", "").startswith(file.stem.replace("-", ""))


@pytest.mark.parametrize("file", [file for file in FILES if file.stem not in OLDER], ids=lambda file: file.stem)
def test_a_line_that_somebody_forges(file: Path) -> None:
    """One at least, rejected or read right; by it the attacker wants this address banned instead of his own."""
    samples = [(section, text) for section in sections(file) for text in texts(section, "expect") + texts(section, "reject")]
    assert any(FORGED in text for _, text in samples), f"write a sample with {FORGED} where a stranger's text stands"
    assert not any(re.search(rf"-> .*\bip={re.escape(FORGED)}", text) for _, text in samples)


# Of docs/library.md: "| `proftpd` | with mod_sftp and a log of its own; not in the system log |".
MADE_UP = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", (ROOT / "docs/library.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("name", "where"), MADE_UP, ids=[name for name, _ in MADE_UP])
def test_forgives_nothing_where_a_stranger_makes_up_lines(name: str, where: str) -> None:
    """Or he would be forgiven, and trusted, for a line that he has written himself."""
    for section in sections(shipped.path(f"{shipped.RULES}/{name}.conf")):
        if "program" not in section.options or "not in the system log" not in where:
            assert not {"trust", "reset_by"} & set(section.options), texts(section, "name")


def test_no_script_that_is_not_shipped() -> None:
    for file in FILES:
        for name in re.findall(r"/\S+\.(?:sh|py)\b", file.read_text()):
            assert (ROOT / "scripts" / Path(name).name).exists(), f"{file.name}: {name}"


def test_samples_on_both_sides() -> None:
    for section in rule_sections():
        assert {"expect", "reject"} <= set(section.options), texts(section, "name")


def test_a_sample_for_every_pattern(settings: Settings) -> None:
    """No alternative stands there untried, those aside that only differ in a name or in how the address is written."""
    expected = {texts(section, "name")[0]: texts(section, "expect") for section in rule_sections()}
    untried = []
    for rule in settings.rules:
        lines = [samples._split(text, rule.fields)[0].encode() for text in expected[rule.name]]
        for pattern in rule.patterns:
            tried = any(pattern.match(line, at, len(line)) is not None for line in lines for at in range(len(line)))
            if not tried and not re.search(r"sshd-session\[|udp[46]:|IPv6 for|\(via ", pattern.text):
                untried.append((rule.name, pattern.text))
    assert untried == []


def test_held_to_programs_and_places() -> None:
    """No pattern begins within a stranger's text: it is anchored, or begins with the program's tag."""
    for section in rule_sections():
        if Path(section.place.path).stem not in OLDER:
            assert {"program", "file", "source"} & set(section.options), texts(section, "name")
            assert texts(section, "anchored") == ["1"], texts(section, "name")
            continue
        patterns = texts(section, "pattern")
        tagged = bool(patterns) and all(re.match(r"[\w-]+\[%d\]: ", pattern) for pattern in patterns)
        assert tagged or "program" in section.options or "file" in section.options, texts(section, "name")
        for regex in texts(section, "regex"):
            assert regex.startswith("^"), texts(section, "name")


@pytest.mark.parametrize("matcher", MATCHERS)
def test_samples_among_all_rules(settings: Settings, matcher: MatcherFactory) -> None:
    """With every rule at work, either matcher shows each sample to the rule it is for, which takes from it what it should."""
    rules = tuple(replace(rule, maxfail=1, time=None, distinct=None) for rule in settings.rules)
    engines = [Engine(replace(settings, rules=rules), every_source=True, build=matcher, look=always(it)) for it in PLACES]
    names = {rule.name: rule.fields for rule in settings.rules}
    for section in rule_sections():
        name = texts(section, "name")[0]
        for text in texts(section, "expect"):
            line, wanted = samples._split(text, names[name])
            found = events(engines, line)
            assert name in found, line
            assert {field: found[name][field] for field in wanted} == wanted
        for line in texts(section, "reject"):
            assert name not in events(engines, line), line


HEADS = [(file, head) for file in FILES if "  option file" in (head := file.read_text().partition("\nconfig ")[0])]


@pytest.mark.parametrize(("file", "head"), HEADS, ids=[file.stem for file, _ in HEADS])
def test_another_log_is_for_the_rules_of_one_log(file: Path, head: str) -> None:
    """The override that a file's head shows leaves alone what reads something else: the system log, say, or a second file."""
    shown = "\n".join(line[1:].strip() for line in head.splitlines() if line.startswith("#     "))
    report = Report()
    for override in uci.parse(f"{shown}\n".encode(), file.name, report):
        meant = {
            tuple(texts(one, "file")) if "file" in one.options else ()
            for one in sections(file)
            if any(fnmatchcase(texts(one, "name")[0], glob) for glob in texts(override, "rule"))
        }
        assert len(meant) == 1 and () not in meant, meant
    assert not report.complaints


@pytest.mark.parametrize("name", ["openvpn", "openvpn-log"])
@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7:8"])
def test_wrong_passwords_ban_without_a_database_of_places(tmp_path: Path, name: str, address: str) -> None:
    """Rules that ask for places tell so when they are used, and no other rule minds; the address is banned as it is written."""
    path = written(tmp_path, main="")
    path.write_text(f"config logtrigger\n\tlist use '{name}'\n")
    found, warnings = config.load(path)
    assert warnings == ()
    engine, client = Engine(found, every_source=True), address if ":" in address else f"{address}:39236"
    stamp = "2026-11-29 17:20:00" if name == "openvpn-log" else "Nov 29 17:20:00 gate openvpn[812]:"
    line = f"{stamp} {client} TLS Auth Error: Auth Username/Password verification failed for peer\n".encode()
    chunk = Chunk(SYSTEM_LOG, "log", "log", 0, 5 * len(line), 5 * line)
    (banning,) = (trigger for trigger in engine.feed(chunk, NOW) if trigger.count == 5)
    (rule,) = (rule for rule in found.rules if rule.name == banning.rule)
    assert (banning.fields["ip"], rule.ban is not None) == (address, True)

    path.write_text(f"{path.read_text()}{MAIN.replace('*', '*_Login_Abroad')}")
    done = CliRunner().invoke(check, ["-c", str(path)])
    assert (done.exit_code, "asks for home, and there is no database" in done.output) == (0, True)


def always(place: Places) -> Look:
    """Every address is there."""
    return lambda _: place


def events(engines: Sequence[Engine], line: str) -> dict[str, Mapping[str, str]]:
    """The rules that recognise a line wherever its addresses may be, and the fields that each takes from it."""
    data = f"{line}\n".encode()
    chunk = Chunk(SYSTEM_LOG, "log", "log", 0, len(data), data)
    return {trigger.rule: trigger.fields for engine in engines for trigger in engine.feed(chunk, NOW)}


EVERY_DAY = """
Accepted publickey for bob from 198.51.100.2 port 44490 ssh2: ED25519 SHA256:0a1b2c
pam_unix(sshd:session): session opened for user bob(uid=1000) by bob(uid=0)
Received disconnect from 198.51.100.2 port 44490:11: disconnected by user
Disconnected from user bob 198.51.100.2 port 44490
Connection closed by user bob 198.51.100.2 port 44490
pam_unix(sshd:session): session closed for user bob
Received disconnect from 198.51.100.2 port 44490:11: Bye Bye [preauth]
Disconnected from authenticating user root 198.51.100.2 port 44490 [preauth]
error: kex_exchange_identification: Connection closed by remote host
drop connection #11 from [198.51.100.2]:56789 on [203.0.113.1]:22 past MaxStartups
"""


def test_a_healthy_sshd_is_no_sign_of_rules_that_have_fallen_silent(tmp_path: Path) -> None:
    """What it writes every day shares text with rules, and is not for them: nobody is to be told of that each day."""
    settings = config.read(written(tmp_path, ROOT / "etc/logtrigger/rules.d/sshd.conf")).settings
    lines = [f"Nov 29 17:20:00 gate sshd-session[4273]: {text}\n".encode() for text in EVERY_DAY.split("\n") if text]
    assert [found for line in lines for found in silence.silent(settings.rules, settings.rules, line)] == []
