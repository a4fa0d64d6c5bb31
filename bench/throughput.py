"""How many lines a second: logtrigger beside the peers that are installed; and what else a million lines show.

Parts: `speed` (20 rules, all programs, three logs), `rules` (1,000 rules), `hostile` (a long line), `memory`, `start`, `jobs`.
Programs take turns, A B C A B C, and a figure is the median of its runs: whole processes, from start to end, on one core.

Prints Markdown on standard output, or puts it into a page; progress and whatever is missing go to standard error.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import corpora, report, rules, tools
from bench.corpora import Corpus
from bench.model import Expected, expect
from bench.report import Goal
from bench.rules import RULES
from bench.tools import Command, Found, Run, Setup, Tool

_BYTES_A_LINE = 110  # of the OpenSSH log
_START_PATIENCE = 60.0  # seconds
_TRIES = 7  # of a hostile line


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, and how much of it."""

    lines: int
    runs: int
    seed: int
    memory: int  # MB
    kept: Path  # where logs are kept
    work: Path  # where programs have their files; gone afterwards
    page: Path | None
    core: int


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _kinds() -> Sequence[corpora.Kind]:
    return corpora.KINDS if corpora.real_logs() else (corpora.SYNTHETIC,)


def _corpus(options: Options, kind: corpora.Kind, lines: int, seed: int | None = None) -> Corpus:
    say(f"{kind.name}: {lines:,} lines")
    return corpora.make(kind, options.kept, lines, options.seed if seed is None else seed)


def _setup(options: Options, name: str, corpus: Corpus, rule_list: Sequence[rules.Rule]) -> Setup:
    folder = options.work / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    return Setup(folder, corpus, rule_list)


def _installed(wanted: Sequence[Tool]) -> list[Tool]:
    for tool in wanted:
        if missing := tool.missing():
            say(f"{tool.name}: {missing}, left out")
    return [tool for tool in wanted if not tool.missing()]


@dataclass(slots=True)
class Measured:
    """One program's runs over one log."""

    tool: Tool
    setup: Setup
    command: Command
    runs: list[Run]
    found: Found = Found()

    @property
    def wall(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    @property
    def speed(self) -> float:
        return self.setup.corpus.lines / self.wall

    def go(self, core: int) -> None:
        self.runs.append(tools.run(self.command, self.setup.folder, core=core, good=self.tool.good))


def in_turns(options: Options, setups: Sequence[tuple[Tool, Setup]], runs: int) -> list[Measured]:
    """Each program over its log, A B C A B C. Before that each reads a short log, so that what it caches is there."""
    measured = []
    for tool, setup in setups:
        short = Setup(setup.folder, corpora.make(setup.corpus.kind, options.kept, 2000, options.seed), setup.rules)
        tools.run(tool.prepare(short), short.folder, core=options.core, good=tool.good)
        measured.append(Measured(tool, setup, tool.prepare(setup), []))
    for number in range(runs):
        for one in measured:
            one.go(options.core)
            say(f"  {one.tool.name}: {one.runs[-1].wall:.2f} s")
            if number == runs - 1:
                one.found = one.tool.found(one.setup)
    return measured


# speed


def speed(options: Options) -> str:
    """Twenty rules, every program, every log."""
    wanted = _installed(tools.TOOLS)
    parts: list[str] = []
    goals: list[Goal] = []
    speeds: dict[str, dict[str, float]] = {}
    commands: dict[str, str] = {}
    for kind in _kinds():
        corpus = _corpus(options, kind, options.lines)
        expected = expect(corpus, RULES)
        setups = [(tool, _setup(options, f"{kind.name} {tool.name}", corpus, RULES)) for tool in wanted]
        measured = in_turns(options, setups, options.runs)
        parts.append(_speed_table(corpus, expected, measured))
        by_name = {one.tool.name: one for one in measured}
        goals += _speed_goals(kind.name, by_name)
        speeds[kind.name] = {one.tool.name: one.speed for one in measured}
        commands |= {one.tool.name: one.command.shown for one in measured}
    versions = [(tool.name, tool.version(), f"`{commands[tool.name]}`".replace("|", r"\|")) for tool in wanted]
    parts = [
        where(options),
        *parts,
        report.goals(goals),
        report.table(("program", "version", "command"), versions, right=False),
    ]
    if picture := _plot(options, speeds):
        parts.insert(1, picture)
    return "\n\n".join(filter(None, parts))


def _speed_table(corpus: Corpus, expected: Expected, measured: Sequence[Measured]) -> str:
    rows = []
    for one in sorted(measured, key=lambda one: one.wall):
        busy = statistics.median(run.busy for run in one.runs)
        due = one.tool.due(expected) if one.tool.due else None
        rows.append(
            (
                one.tool.name,
                f"{one.speed:,.0f}",
                f"{one.wall:.2f}",
                f"{busy:.2f}",
                _number(one.found.matched),
                _number(one.found.detections),
                "own rules" if due is None else "yes" if due == one.found else f"**no**, {_due(due)}",
            )
        )
    head = ("program", "lines/s", "wall s", "cpu s", "matched", "detections", "as expected")
    logs = f"**{corpus.kind.name}** log, {corpus.lines:,} lines, {corpus.distinct:.1%} distinct."
    by_hand = (
        f"Counted by hand: {expected.lines:,} lines match, which with repeated messages are {expected.events:,} events and"
        f" {expected.event_windows:,} detections ({expected.windows:,} without repeats, {expected.keys:,} keys)."
    )
    return f"{logs} {by_hand}\n\n{report.table(head, rows)}"


def _number(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _due(due: Found) -> str:
    return f"{_number(due.matched)} and {_number(due.detections)}"


def _speed_goals(kind: str, found: dict[str, Measured]) -> list[Goal]:
    ours = found[tools.LOGTRIGGER.name]
    fastest = {
        "fail2ban": (tools.FAIL2BAN_REGEX, tools.FAIL2BAN_FED),
        "SEC": (tools.SEC, tools.SEC_SETS),
        "sshguard": (tools.SSHGUARD,),
        "sshguard's parser": (tools.SSHGUARD_PARSER,),
        "grep -cE": (tools.GREP,),
    }
    wanted: dict[str, Sequence[tuple[str, float]]] = {
        "OpenSSH": (("fail2ban", 12.0), ("SEC", 6.0), ("sshguard", 1.0), ("sshguard's parser", 1.0)),
        "Linux": (("sshguard's parser", 1.0),),
        "Apache": (("sshguard's parser", 3.0), ("grep -cE", 1 / 2.5)),
    }
    goals = []
    for peer, factor in wanted.get(kind, ()):
        speeds = [found[tool.name].speed for tool in fastest[peer] if tool.name in found]
        if speeds:
            ratio = ours.speed / max(speeds)
            goals.append(Goal(f"{kind}: speed beside {peer}", f"≥ {factor:g} ×", f"{ratio:.2f} ×", ratio >= factor))
    if kind == "OpenSSH" and tools.PURE.name in found:
        pure = found[tools.PURE.name].speed
        goals.append(Goal("OpenSSH: pure Python", "≥ 200,000 lines/s", f"{pure:,.0f} lines/s", pure >= 200_000))
    return goals


def _plot(options: Options, speeds: dict[str, dict[str, float]]) -> str:
    """The Markdown that shows the picture; "" without one."""
    if options.page is None:
        return ""
    path = options.page.with_name("throughput.png")
    why_not = report.plot(path, speeds)
    if why_not:
        say(f"no picture: {why_not}")
        return ""
    return f"![Lines a second on one core, on a logarithmic scale]({path.name})"


def where(options: Options) -> str:
    logs = "real logs, stretched" if corpora.real_logs() else "a synthetic log: the real ones are not here"
    return (
        f"{platform.system()} {platform.release()} {platform.machine()}, {processor()}, Python {platform.python_version()};"
        f" median of {options.runs} runs in turns, on one core; seed {options.seed}; {logs}."
    )


def processor() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in facts.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


# rules


def many_rules(options: Options) -> str:
    """A thousand rules instead of twenty."""
    parts, goals = [where(options)], []
    for kind in _kinds()[:2]:
        corpus = _corpus(options, kind, options.lines)
        thousand = rules.thousand(RULES, kind.name, options.seed)
        for tool in (tools.LOGTRIGGER, tools.PURE):
            few, many = in_turns(
                options,
                [
                    (tool, _setup(options, f"{kind.name} {tool.name} {len(rule_list)}", corpus, rule_list))
                    for rule_list in (RULES, thousand)
                ],
                options.runs,
            )
            factor = many.wall / few.wall
            parts.append(
                f"**{kind.name}**, {tool.name}: {few.wall:.2f} s with {len(RULES)} rules ({_number(few.found.matched)} events),"
                f" {many.wall:.2f} s with {len(thousand)} ({_number(many.found.matched)} events), {factor:.2f} times as long."
            )
            if tool is tools.LOGTRIGGER:
                goals.append(Goal(f"{kind.name}: 1,000 rules for 20", "≤ 1.5 ×", f"{factor:.2f} ×", factor <= 1.5))
    peers = _installed((tools.FAIL2BAN_REGEX, tools.SEC, tools.SEC_SETS))
    parts.append(report.goals(goals))
    parts.append(_peers_with_many_rules(options, peers))
    return "\n\n".join(filter(None, parts))


def _peers_with_many_rules(options: Options, peers: Sequence[Tool]) -> str:
    kind = _kinds()[0]
    corpus = _corpus(options, kind, max(options.lines // 10, 2000))
    thousand = rules.thousand(RULES, kind.name, options.seed)
    factors = []
    for tool in peers:
        few, many = in_turns(
            options,
            [
                (tool, _setup(options, f"many {tool.name} {len(rule_list)}", corpus, rule_list))
                for rule_list in (RULES, thousand)
            ],
            1,
        )
        factors.append(f"{tool.name} {many.wall / few.wall:.1f} times")
    return f"The same for the peers, once, on {corpus.lines:,} lines: {', '.join(factors)}." if factors else ""


# hostile


def hostile(options: Options) -> str:
    """One long line that leaves a pattern many ways to match."""
    pattern = "a %s from %s from %s from %s port %d"
    shapes: dict[str, Callable[[int], bytes]] = {
        "`from from from …`": lambda size: b"from " * (size // 5),
        "`a from from from …`": lambda size: b"a " + b"from " * (size // 5),
        "`a from from … port 5`": lambda size: b"a " + b"from " * (size // 5) + b"x port 5",
        "`a from a from … port x`": lambda size: b"a from " * (size // 7) + b"port x",
        "`a x port 1 from x port 1 …`": lambda size: b"a " + b"x port 1 from " * (size // 14),
    }
    fields = {"free text": "- - - - -", "an address last": "- - - ip -"}
    rows, goals = [], []
    worst_growth = worst_cost = 0.0
    for shape, make in shapes.items():
        for kind, names in fields.items():
            config = options.work / "hostile"
            config.write_text(
                f"config logtrigger\n\toption state '{options.work}/state.db'\n\n"
                f"config rule\n\toption name 'hostile'\n\toption pattern '{pattern}'\n\toption fields '{names}'\n"
            )
            times = [_feed(config, make(size)) for size in (1 << 18, 1 << 19, 1 << 20)]
            growth = (times[2] / times[0]) ** 0.5
            worst_growth, worst_cost = max(worst_growth, growth), max(worst_cost, times[2] * 1e6 / (1 << 20))
            rows.append((shape, kind, *(f"{seconds * 1000:.2f}" for seconds in times), f"{growth:.2f}"))
    goals.append(Goal("twice the length, for the worst line", "≤ 2.4 × the time", f"{worst_growth:.2f} ×", worst_growth <= 2.4))
    goals.append(Goal("a megabyte, for the worst line", "≤ 50 ms", f"{worst_cost * 1000:.1f} ms", worst_cost <= 0.05))
    head = ("line", "fields", "256 KiB, ms", "512 KiB, ms", "1 MiB, ms", "for twice the length")
    return "\n\n".join([f"`{pattern}`, the best of {_TRIES} tries:", report.table(head, rows), report.goals(goals)])


def _feed(config: Path, line: bytes) -> float:
    """Seconds that the engine takes for a chunk of this one line."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from logtrigger import config\n"
        "from logtrigger.engine import Engine\n"
        "from logtrigger.model import Chunk\n"
        "settings, _ = config.load(Path(sys.argv[1]))\n"
        "engine = Engine(settings, every_source=True)\n"
        "data = sys.stdin.buffer.read()\n"
        "best = 1e9\n"
        "for _ in range(int(sys.argv[2])):\n"
        "    begin = time.perf_counter()\n"
        "    engine.feed(Chunk('', 'log', 'log', 0, len(data), data, catching_up=True), 1.7e9)\n"
        "    best = min(best, time.perf_counter() - begin)\n"
        "print(best)\n"
    )
    words = [sys.executable, "-c", program, str(config), str(_TRIES)]
    done = subprocess.run(words, input=line + b"\n", capture_output=True, check=True)
    return float(done.stdout)


# memory


def memory(options: Options) -> str:
    """The most memory that `replay` takes, and whether it grows with the log."""
    kind = _kinds()[0]
    rows, peaks = [], []
    for megabytes in (max(options.memory // 8, 1), options.memory):
        corpus = _corpus(options, kind, megabytes * 1_000_000 // _BYTES_A_LINE)
        size = corpus.path.stat().st_size / 1e6
        setup = _setup(options, f"memory {megabytes}", corpus, RULES)
        done = tools.run(tools.LOGTRIGGER.prepare(setup), setup.folder, core=options.core)
        peaks.append(done.maxrss / 1024)
        rows.append((f"{size:,.0f} MB", f"{corpus.lines:,}", f"{done.wall:.1f}", f"{peaks[-1]:.1f}"))
        corpus.path.unlink()
    growth = peaks[1] / peaks[0]
    goals = [
        Goal(f"`replay` of {options.memory:,} MB", "≤ 80 MiB", f"{peaks[1]:.1f} MiB", peaks[1] <= 80),
        Goal("eight times the log", "the same memory", f"{growth:.2f} ×", growth <= 1.1),
    ]
    head = ("log", "lines", "wall s", "peak MiB")
    return "\n\n".join([f"{kind.name} log, {len(RULES)} rules, `ru_maxrss`:", report.table(head, rows), report.goals(goals)])


# start


def start(options: Options) -> str:
    """From the start of the process until it reads its log."""
    corpus = _corpus(options, _kinds()[0], 2000)
    python = [sys.executable, "-c", "import asyncio, sqlite3"]
    starts: dict[str, Callable[[], float]] = {"python3 -c 'import asyncio, sqlite3'": lambda: _lifetime(python)}
    for rule_list in (RULES, rules.thousand(RULES, _kinds()[0].name, options.seed)):
        setup = _setup(options, f"start {len(rule_list)}", corpus, rule_list)
        (setup.folder / "log").touch()
        text = rules.for_logtrigger(rule_list, str(setup.folder / "state.db"), str(setup.folder / "log"))
        words = [sys.executable, "-m", "logtrigger", "-c", setup.write("logtrigger", text), "-D", "1"]
        starts[f"logtrigger, {len(rule_list):,} rules"] = _starter(words, "ready")
    if not tools.SEC.missing():
        setup = _setup(options, "start SEC", corpus, RULES)
        (setup.folder / "log").touch()
        config = setup.write("rules.sec", rules.for_sec(RULES, counting=True, by_program=False)["rules"])
        words = ["sec", f"--conf={config}", f"--input={setup.folder}/log", "--log=/dev/stdout"]
        starts["SEC, 20 rules"] = _starter(words, "Opening input file")
    if not tools.FAIL2BAN_FED.missing():
        setup = _setup(options, "start fail2ban", corpus, RULES)
        starts["fail2ban-server, 20 expressions"] = _starter(_fail2ban_server(setup), "Server ready")
    taken: dict[str, list[float]] = {name: [] for name in starts}
    for number in range(2 * options.runs + 2):
        for name, begin in starts.items():
            seconds = begin()
            if number:  # the first one may have to compile
                taken[name].append(seconds)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    bare = medians["python3 -c 'import asyncio, sqlite3'"]
    rows = [(f"`{n}`" if n.startswith("python3") else n, f"{s * 1000:.0f}", f"{s / bare:.2f}") for n, s in medians.items()]
    goals = []
    for count, reach in (("20", 2.5), ("1,000", 6.0)):
        ratio = medians[f"logtrigger, {count} rules"] / bare
        goals.append(Goal(f"ready with {count} rules", f"≤ {reach:g} × the imports", f"{ratio:.2f} ×", ratio <= reach))
    head = ("started", "ms", "× the imports")
    intro = f"Until it says that it reads, medians of {2 * options.runs + 1} starts in turns after one that is not counted:"
    return "\n\n".join([intro, report.table(head, rows), report.goals(goals)])


def _lifetime(words: Sequence[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(words, check=True)
    return time.perf_counter() - begin


def _starter(words: Sequence[str], mark: str) -> Callable[[], float]:
    def begin() -> float:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        assert process.stdout is not None
        said = []
        patience = threading.Timer(_START_PATIENCE, process.kill)
        patience.start()
        try:
            for line in process.stdout:
                said.append(line)
                if mark in line:
                    return time.perf_counter() - began
            raise RuntimeError(f"{words[0]} ended before it was ready:\n{''.join(said)[-1000:]}")
        finally:
            patience.cancel()
            _end(process)

    return begin


def _end(process: subprocess.Popen[str]) -> None:
    """End the process and its group, which hold nothing but what was started here."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                continue


def _fail2ban_server(setup: Setup) -> list[str]:
    """A server of its own, with its own socket, nothing of the machine's configuration, and no action."""
    folder = setup.folder
    files = {
        "fail2ban.conf": f"[Definition]\nloglevel = INFO\nlogtarget = STDOUT\nsyslogsocket = auto\nsocket = {folder}/f2b.sock\n"
        f"pidfile = {folder}/f2b.pid\ndbfile = None\n",
        "jail.conf": f"[bench]\nenabled = true\nbackend = polling\nfilter = bench\nlogpath = {folder}/log\nmaxretry = 5\n"
        "findtime = 600\nbantime = 3600\nusedns = no\naction =\n",
        "filter.d/bench.conf": rules.for_fail2ban(setup.rules, setup.corpus.kind.datepattern),
    }
    for name, text in files.items():
        path = folder / "fail2ban" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "log").touch()
    server = ["fail2ban-server", "-c", f"{folder}/fail2ban", "-s", f"{folder}/f2b.sock", "-p", f"{folder}/f2b.pid"]
    return [*server, "-f", "start"]


# jobs


def jobs(options: Options) -> str:
    """Several logs on several cores."""
    helped = subprocess.run([sys.executable, "-m", "logtrigger", "replay", "--help"], capture_output=True, text=True)
    cores = len(os.sched_getaffinity(0))
    if "--jobs" not in helped.stdout or cores < 2:
        why = "one core only" if cores < 2 else "this version's replay has no --jobs"
        say(f"jobs: {why}, left out")
        return f"Not measured: {why}."
    logs = [str(_corpus(options, _kinds()[0], options.lines, options.seed + number).path) for number in range(2)]
    corpus = corpora.make(_kinds()[0], options.kept, options.lines, options.seed)
    setup = _setup(options, "jobs", corpus, RULES)
    words = list(tools.LOGTRIGGER.prepare(setup).words)
    commands = [Command([*words, logs[1], "--jobs", str(number)], f"logtrigger replay --jobs {number}") for number in (1, 2)]
    walls: list[list[float]] = [[], []]
    outputs: list[str] = ["", ""]
    for _ in range(options.runs):
        for number, command in enumerate(commands):
            walls[number].append(tools.run(command, setup.folder, core=None).wall)
            outputs[number] = setup.output("stdout")
    one, two = map(statistics.median, walls)
    same = "the same" if outputs[0] == outputs[1] else "**another**"
    goals = [Goal("two logs on two cores", "≥ 1.8 × the speed", f"{one / two:.2f} ×", one / two >= 1.8)]
    text = f"Two {corpus.kind.name} logs: {one:.2f} s with `--jobs 1`, {two:.2f} s with `--jobs 2`, and {same} output."
    return "\n\n".join([text, report.goals(goals)])


# the whole


PARTS: dict[str, tuple[str, Callable[[Options], str]]] = {
    "speed": ("Twenty rules", speed),
    "rules": ("A thousand rules", many_rules),
    "hostile": ("Hostile lines", hostile),
    "memory": ("Memory", memory),
    "start": ("Start", start),
    "jobs": ("Several logs", jobs),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=PARTS, help="measure just this part; may be repeated")
    parser.add_argument("--lines", type=int, default=1_000_000, help="of each log (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of each program (%(default)s)")
    parser.add_argument("--memory", type=int, default=1000, metavar="MB", help="log for the memory part (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of logs and rules (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="where logs are kept (%(default)s)")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="to run on (%(default)s)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the result into this page, the picture beside it")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that what was started is ended, too
    if corpora.real_logs() is None:
        say("no real logs ($LOGTRIGGER_CORPORA, or ../shared/corpora): a synthetic one is used")
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="logtrigger-bench-") as work:
        options = Options(
            given.lines, given.runs, given.seed, given.memory, given.folder.resolve(), Path(work), given.write, given.core
        )
        for name in given.only or PARTS:
            title, measure = PARTS[name]
            say(f"{name}:")
            text = f"### {title}\n\n{measure(options)}"
            report.put(given.write, f"throughput {name}", text)


if __name__ == "__main__":
    main()
