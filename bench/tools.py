"""The programs that are measured: how each is told the rules, started, and asked what it found."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import rules as render
from bench.corpora import Corpus
from bench.model import Expected
from bench.rules import Rule

_HERE = Path(__file__).resolve().parent
_SUMMARY = re.compile(r"^  \S+ +([\d,]+) +([\d,]+)$", re.MULTILINE)
_NO_NAMES = 'mount --bind "$0" /etc/nsswitch.conf && exec "$@"'


@dataclass(frozen=True, slots=True)
class Setup:
    """What a program is to do, and the folder that it has for that."""

    folder: Path
    corpus: Corpus
    rules: Sequence[Rule]

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def output(self, name: str) -> str:
        return (self.folder / name).read_text(errors="replace")


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. `shown` is how the documentation has it."""

    words: Sequence[str]
    shown: str
    stdin: str = os.devnull
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """Lines (or events) recognised and detections; None where the program does not tell."""

    matched: int | None = None
    detections: int | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """One program, or one way to use it."""

    name: str
    missing: Callable[[], str]  # why it cannot be measured here; "": it can
    version: Callable[[], str]
    prepare: Callable[[Setup], Command]
    found: Callable[[Setup], Found]
    due: Callable[[Expected], Found] | None = None  # what it ought to find; None: its rules are its own
    good: Sequence[int] = (0,)  # exit statuses


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took."""

    wall: float  # seconds
    busy: float  # seconds of processor time, user and system
    maxrss: int  # KiB


def run(command: Command, folder: Path, *, core: int | None, good: Sequence[int] = (0,)) -> Run:
    """Run a command to its end on one core, with its output in the folder's `stdout` and `stderr`.

    Raises:
        RuntimeError: it failed.
    """
    result = folder / "result.json"
    outputs = [str(folder / name) for name in ("stdout", "stderr")]
    pinned = "-" if core is None else str(core)
    watch = [sys.executable, "-I", "-S", str(_HERE / "stopwatch.py"), str(result), pinned, command.stdin, *outputs]
    environment = {name: value for name, value in os.environ.items() if name != "LOGTRIGGER_ENGINE"}
    subprocess.run([*watch, *command.words], check=True, env=environment | dict(command.environment))
    facts = json.loads(result.read_text())
    if facts["status"] not in good:
        said = (folder / "stderr").read_text(errors="replace").strip()[-2000:]
        raise RuntimeError(f"{command.shown}: exit status {facts['status']}\n{said}")
    return Run(facts["wall"], facts["user"] + facts["system"], facts["maxrss"])


def _needs(*programs: str) -> Callable[[], str]:
    def missing() -> str:
        absent = [program for program in programs if shutil.which(program) is None]
        return f"{', '.join(absent)} not installed" if absent else ""

    return missing


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().partition("\n")[0]


# logtrigger


def engine() -> str:
    """The name and version of what logtrigger matches with by default."""
    if importlib.util.find_spec("hyperscan") is None:
        return "pure Python"
    return f"hyperscan {importlib.metadata.version('hyperscan')}"


def logtrigger_version() -> str:
    return importlib.metadata.version("logtrigger")


def _logtrigger(environment: Mapping[str, str]) -> Callable[[Setup], Command]:
    def prepare(setup: Setup) -> Command:
        text = render.for_logtrigger(setup.rules, str(setup.folder / "state.db"), str(setup.folder / "log"))
        config, log = setup.write("logtrigger", text), str(setup.corpus.path)
        shown = " ".join([*(f"{name}={value}" for name, value in environment.items()), "logtrigger replay -c FILE LOG"])
        return Command([sys.executable, "-m", "logtrigger", "replay", "-c", config, log], shown, environment=environment)

    return prepare


def _logtrigger_found(setup: Setup) -> Found:
    rows = _SUMMARY.findall(setup.output("stderr"))
    if not rows:
        raise RuntimeError(f"logtrigger's summary cannot be read:\n{setup.output('stderr')[-1000:]}")
    events, triggers = zip(*rows, strict=True)
    return Found(*(sum(int(number.replace(",", "")) for number in numbers) for numbers in (events, triggers)))


# fail2ban


def _fail2ban_filter(setup: Setup) -> str:
    return setup.write("filter.conf", render.for_fail2ban(setup.rules, setup.corpus.kind.datepattern))


def _fail2ban_regex(setup: Setup) -> Command:
    options = ["--raw", "--usedns=no", "--no-check-all", "--print-no-missed", "--print-no-ignored"]
    words = ["fail2ban-regex", *options, str(setup.corpus.path), _fail2ban_filter(setup)]
    return Command(words, f"fail2ban-regex {' '.join(options)} LOG FILTER")


def _fail2ban_regex_found(setup: Setup) -> Found:
    found = re.search(r"^Lines: \d+ lines, \d+ ignored, (\d+) matched", setup.output("stdout"), re.MULTILINE)
    if not found:
        raise RuntimeError(f"fail2ban-regex said\n{setup.output('stdout')[-1000:]}")
    return Found(int(found[1]))


def _fail2ban_python() -> list[str]:
    server = shutil.which("fail2ban-server")
    assert server is not None  # it was asked for before
    return Path(server).read_text(errors="replace").partition("\n")[0].removeprefix("#!").split()


def _fail2ban_fed(setup: Setup) -> Command:
    words = [*_fail2ban_python(), str(_HERE / "fail2ban_filter.py"), _fail2ban_filter(setup), str(setup.corpus.path)]
    return Command(words, "python3 bench/fail2ban_filter.py FILTER LOG")


def _fail2ban_fed_found(setup: Setup) -> Found:
    return Found(**json.loads(setup.output("stdout")))


def _fail2ban_version() -> str:
    return _first_line("fail2ban-server", "--version").removeprefix("Fail2Ban v")


# SEC


def _sec(by_program: bool) -> Callable[[Setup], Command]:
    def prepare(setup: Setup) -> Command:
        for old in setup.folder.glob("*.sec"):
            old.unlink()
        for name, text in render.for_sec(setup.rules, counting=True, by_program=by_program).items():
            setup.write(f"{name}.sec", text)
        options = ["--fromstart", "--notail", "--nointevents", "--bufsize=1"]
        words = ["sec", f"--conf={setup.folder}/*.sec", f"--input={setup.corpus.path}", *options]
        return Command(words, f"sec --conf='*.sec' --input=LOG {' '.join(options)}")

    return prepare


def _sec_found(setup: Setup) -> Found:
    """Detections are in its output; the lines take a run of their own, in which each rule tells of every line."""
    detections = setup.output("stdout").count("\n")
    config = setup.write("lines.conf", render.for_sec(setup.rules, counting=False, by_program=False)["rules"])
    words = ["sec", f"--conf={config}", f"--input={setup.corpus.path}", "--fromstart", "--notail"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return Found(done.stdout.count(b"\n"), detections)


def _sec_version() -> str:
    return _first_line("sec", "--version").rpartition(" ")[2]


# sshguard


def sshguard_part(name: str) -> str | None:
    return shutil.which(name, path="/usr/libexec/sshguard:/usr/lib/sshguard:/usr/local/libexec/sshguard")


def _sshguard_missing() -> str:
    if not all(map(sshguard_part, ("sshg-parser", "sshg-blocker", "sshg-fw-null"))):
        return "sshguard not installed"
    tried = subprocess.run([*_without_network(), "true"], capture_output=True)
    return "" if tried.returncode == 0 else "no namespace without network to be had (unshare)"


def _without_network() -> list[str]:
    return ["unshare", "--net", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net", "--mount"]


def _sshguard(setup: Setup, *shell: str) -> list[str]:
    """A shell that runs these words without network and name service: the parser looks up what looks like a host's name."""
    switch = setup.write("nsswitch.conf", "hosts: files\n")
    return [*_without_network(), "sh", "-c", _NO_NAMES, switch, *shell]


def _sshguard_parser(setup: Setup) -> Command:
    words = _sshguard(setup, str(sshguard_part("sshg-parser")))
    return Command(words, "unshare --net --mount … sshg-parser <LOG", stdin=str(setup.corpus.path))


def _sshguard_parser_found(setup: Setup) -> Found:
    return Found(setup.output("stdout").count("\n"))


def _sshguard_whole(setup: Setup) -> Command:
    blocker = f"sshg-blocker -a {render.MAXFAIL * 10} -s {render.TIME} -p 86400"
    parts = ["sshg-parser", blocker, "sshg-fw-null"]
    pipeline = " | ".join(f"{sshguard_part(part.split()[0])} {' '.join(part.split()[1:])}".strip() for part in parts)
    words = _sshguard(setup, "sh", "-c", pipeline)
    return Command(words, f"unshare --net --mount … sh -c '{' | '.join(parts)}' <LOG", stdin=str(setup.corpus.path))


def _sshguard_whole_found(setup: Setup) -> Found:
    return Found(None, setup.output("stdout").count(">>> Blocking"))


def _sshguard_version() -> str:
    return _first_line("sshguard", "-v").rpartition(" ")[2]


# grep


def _grep(setup: Setup) -> Command:
    words = ["grep", "-cE", "-f", setup.write("expression", render.for_grep(setup.rules) + "\n"), str(setup.corpus.path)]
    return Command(words, "LC_ALL=C grep -cE -f EXPRESSION LOG", environment={"LC_ALL": "C"})


def _grep_found(setup: Setup) -> Found:
    return Found(int(setup.output("stdout")))


LOGTRIGGER = Tool(
    "logtrigger",
    lambda: "",
    lambda: f"{logtrigger_version()}, {engine()}",
    _logtrigger({}),
    _logtrigger_found,
    lambda expected: Found(expected.events, expected.event_windows),
)
PURE = Tool(
    "logtrigger, pure Python",
    lambda: "",
    logtrigger_version,
    _logtrigger({"LOGTRIGGER_ENGINE": "python"}),
    _logtrigger_found,
    lambda expected: Found(expected.events, expected.event_windows),
)
FAIL2BAN_REGEX = Tool(
    "fail2ban-regex",
    _needs("fail2ban-regex", "fail2ban-server"),
    _fail2ban_version,
    _fail2ban_regex,
    _fail2ban_regex_found,
    lambda expected: Found(expected.lines),
)
FAIL2BAN_FED = Tool(
    "fail2ban's filter, fed",
    _needs("fail2ban-server"),
    _fail2ban_version,
    _fail2ban_fed,
    _fail2ban_fed_found,
    lambda expected: Found(expected.lines, expected.windows),
)
SEC = Tool(
    "SEC",
    _needs("sec"),
    _sec_version,
    _sec(by_program=False),
    _sec_found,
    lambda expected: Found(expected.lines, expected.keys),
)
SEC_SETS = Tool(
    "SEC, a rule set for each program",
    _needs("sec"),
    _sec_version,
    _sec(by_program=True),
    _sec_found,
    lambda expected: Found(expected.lines, expected.keys),
)
SSHGUARD_PARSER = Tool("sshguard's parser", _sshguard_missing, _sshguard_version, _sshguard_parser, _sshguard_parser_found)
SSHGUARD = Tool("sshguard", _sshguard_missing, _sshguard_version, _sshguard_whole, _sshguard_whole_found)
GREP = Tool(
    "grep -cE",
    _needs("grep"),
    lambda: _first_line("grep", "--version").rpartition(" ")[2],
    _grep,
    _grep_found,
    lambda expected: Found(expected.lines),
    good=(0, 1),
)
TOOLS = (LOGTRIGGER, PURE, FAIL2BAN_REGEX, FAIL2BAN_FED, SEC, SEC_SETS, SSHGUARD_PARSER, SSHGUARD, GREP)
