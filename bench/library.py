"""What the whole rule library costs: all of its services in use, beside the twenty rules of throughput.py, over the same logs.

    python -m bench.library [--lines 1000000] [--write docs/performance.md]

Both are whole runs of `logtrigger replay`, in turns, on one core, with either matcher; a figure is the median of the runs, by
processor time. In a replay every rule sees every line, also one for a log of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import corpora, report, tools
from bench.corpora import Corpus
from bench.report import Goal
from bench.rules import RULES
from bench.throughput import Measured, Options, in_turns, say, where
from bench.tools import Command, Setup, Tool
from logtrigger import config
from logtrigger.config import library
from logtrigger.errors import ConfigError

# Of the speed with twenty rules, at least; by log and program.
LEAST = {
    ("OpenSSH", tools.LOGTRIGGER.name): 0.6,
    ("Linux", tools.LOGTRIGGER.name): 0.7,
    ("Linux", tools.PURE.name): 0.75,
}


def _text(services: Sequence[str], state: str) -> str:
    return f"config logtrigger\n\toption state '{state}'\n\tlist use '{' '.join(services)}'\n"


def usable(folder: Path) -> tuple[list[str], int]:
    """The services that ban, and need nothing else, such as a database of places; and how many rules they have."""
    path, names, rules = folder / "one", list[str](), 0
    for service in library.services():
        path.write_text(_text([service.name], str(folder / "state.db")))
        path.chmod(0o600)
        if not any("option ban '" in line for line in service.path.read_text().splitlines()):
            continue  # it only recognises, and does nothing by itself
        try:
            rules += len(config.load(path)[0].rules)
            names.append(service.name)
        except ConfigError as error:
            say(f"{service.name}: left out: {error.complaints[0].fault}")
    return names, rules


def _with_library(like: Tool, services: Sequence[str]) -> Tool:
    def prepare(setup: Setup) -> Command:
        command = like.prepare(setup)
        written = setup.write("library", _text(services, str(setup.folder / "state.db")))
        Path(written).chmod(0o600)
        words = [*command.words[:-2], written, command.words[-1]]
        return Command(words, command.shown, command.stdin, command.environment)

    return Tool(f"{like.name}, the library", like.missing, like.version, prepare, like.found, None, like.good)


def measure(options: Options, kinds: Sequence[corpora.Kind]) -> str:
    """The section of the page."""
    services, number = usable(options.work)
    rows, goals = [], []
    for kind in kinds:
        corpus = corpora.make(kind, options.kept, options.lines, options.seed)
        for tool in (tools.LOGTRIGGER, tools.PURE):
            few, all_of_it = _pair(options, corpus, tool, services)
            share = _speed(all_of_it) / _speed(few)
            speeds = [f"{_speed(few):,.0f}", f"{_speed(all_of_it):,.0f}", f"{share:.0%}"]
            rows.append((kind.name, tool.name, *speeds, f"{all_of_it.found.matched:,}"))
            least = LEAST.get((kind.name, tool.name))
            if least:
                what = f"{kind.name}, {tool.name}: the library beside 20 rules"
                goals.append(Goal(what, f"≥ {least:.0%}", f"{share:.0%}", share >= least))
    intro = (
        f"All {len(services)} services that ban, {number} rules, beside the twenty rules above."
        f" {options.lines:,} lines of each log; the start is a part of it."
    )
    head = ("log", "program", "20 rules, lines/cpu s", "the library, lines/cpu s", "of that", "events")
    return "\n\n".join(["### The rule library", where(options), intro, report.table(head, rows), report.goals(goals)])


def _speed(measured: Measured) -> float:
    """Lines a second of processor time, which hardly depends on the machine's other work."""
    return measured.setup.corpus.lines / statistics.median(run.busy for run in measured.runs)


def _pair(options: Options, corpus: Corpus, tool: Tool, services: Sequence[str]) -> tuple[Measured, Measured]:
    setups = []
    for number, one in enumerate((tool, _with_library(tool, services))):
        folder = options.work / f"{corpus.kind.name} {tool.name} {number}"
        folder.mkdir()
        setups.append((one, Setup(folder, corpus, RULES)))
    few, all_of_it = in_turns(options, setups, options.runs)
    return few, all_of_it


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.library", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000, help="of each log (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the logs (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="where logs are kept (%(default)s)")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="to run on (%(default)s)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the result into this page")
    given = parser.parse_args()
    if corpora.real_logs() is None:
        sys.exit("no real logs ($LOGTRIGGER_CORPORA, or ../shared/corpora)")
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="logtrigger-bench-") as work:
        options = Options(given.lines, given.runs, given.seed, 0, given.folder.resolve(), Path(work), None, given.core)
        text = measure(options, corpora.KINDS[:2])
    report.put(given.write, "library", text)


if __name__ == "__main__":
    main()
