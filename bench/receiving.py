"""How many messages a second are received over the network, matched, counted and written to files.

Receiver and rules run in this process, on one core; the sender is another process on another core, its buffers made beforehand.
Prints Markdown on standard output, or puts it into a page; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import corpora, report, rules, tools
from bench.corpora import Corpus
from bench.report import Goal
from bench.throughput import processor, say
from logtrigger.addresses import AddressSet
from logtrigger.config import build
from logtrigger.engine import Engine
from logtrigger.errors import Place
from logtrigger.logfiles import LogFiles, Template
from logtrigger.loop import Loop
from logtrigger.matchers import fastest
from logtrigger.model import Chunk, Position
from logtrigger.rule import SourceOptions
from logtrigger.sources import receiver

_INTRODUCTION = (
    "How many messages a second does the receiver take over loopback, recognise and count? What is measured, and how it is kept"
    " fair, is in [bench/README.md](../bench/README.md)."
)
_SENDER = Path(__file__).with_name("sender.py")
_SOURCE = "/net"  # what the rules are told to read
_PATIENCE = 120.0  # seconds for one run
_SILENCE = 1.0  # seconds without a datagram after the last one was sent


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send."""

    name: str
    kind: str  # tcp, tls or udp
    counted: bool = False
    each: bool = False  # every message is sent by itself
    written: bool = False  # and written to a file for its host
    rate: int = 0  # messages a second, of UDP
    goal: int = 0  # messages a second to reach


WAYS = (
    Way("TCP, line feeds", "tcp", goal=100_000),
    Way("TCP, octet counts", "tcp", counted=True, goal=100_000),
    Way("TCP, line feeds, and written by host and program", "tcp", written=True),
    Way("TLS, octet counts", "tls", counted=True, goal=50_000),
    Way("TLS, octet counts, each message a record of its own", "tls", counted=True, each=True),
    Way("UDP, 50,000 a second", "udp", rate=50_000, goal=50_000),
)


class Desk:
    """A host that feeds an engine, and perhaps files; it counts what comes."""

    def __init__(self, engine: Engine | None, write: Callable[[Chunk, float], None] | None) -> None:
        self.loop = Loop()
        self.max_line = 1 << 20
        self.lines = 0
        self.first = self.last = 0.0  # when lines came, monotonic
        self.said: list[str] = []
        self._engine, self._write = engine, write

    def deliver(self, chunk: Chunk) -> None:
        now = time.time()  # noqa: TID251 - as the daemon does
        self.first = self.first or time.perf_counter()
        if self._engine is not None:
            self._engine.feed(chunk, now)
        if self._write is not None:
            self._write(chunk, now)
        self.lines += chunk.data.count(b"\n")
        self.last = time.perf_counter()

    def report(self, level: int, text: str) -> None:
        self.said.append(text)

    def register(self, position: Position) -> None: ...

    def forget(self, stream: str) -> None: ...

    def is_own(self, pid: int) -> bool:
        return False

    def positions(self, source: str) -> Sequence[Position]:
        return ()


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure with."""

    seconds: float  # of UDP
    count: int  # messages over TCP and TLS
    runs: int
    corpus: Corpus
    work: Path
    cores: tuple[int, int]  # the receiver's, the sender's


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run."""

    sent: int
    received: int
    wall: float  # seconds from the first to the last chunk
    busy: float  # seconds of processor time of the receiver
    events: int

    @property
    def speed(self) -> float:
        return self.received / self.wall


def measure(options: Options, way: Way, matching: bool, port: int) -> Outcome:
    """One run of one way."""
    config = options.work / "logtrigger"
    config.write_text(rules.for_logtrigger(rules.RULES, str(options.work / "state.db"), _SOURCE))
    config.chmod(0o600)
    engine = Engine(build.read(config).settings, build=fastest(options.work, lambda *_: None))
    files = (
        LogFiles(Template(f"{options.work}/logs/{{host}}/{{program}}.log"), lambda _, text: say(text)) if way.written else None
    )
    desk = Desk(engine if matching else None, files.write if files else None)
    certificate, key = options.work / "logs.crt", options.work / "logs.key"
    source = receiver.make(
        desk,
        SourceOptions(
            name=_SOURCE,
            place=Place("", 0),
            listen=(f"{way.kind}:{port}",),
            allow=AddressSet(["127.0.0.1"]),
            certificate=certificate,
            certificate_key=key,
            authority=certificate,
        ),
    )
    count = int(way.rate * options.seconds) if way.rate else options.count
    job = {
        "kind": way.kind,
        "port": port,
        "counted": way.counted,
        "each": way.each,
        "rate": way.rate,
        "count": count,
        "log": str(options.corpus.path),
        "core": options.cores[1],
        "authority": str(certificate),
        "certificate": str(certificate),
        "key": str(key),
    }
    source.open()
    words = [sys.executable, str(_SENDER), json.dumps(job)]
    sender = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert sender.stdin is not None and sender.stdout is not None
    try:
        os.set_blocking(sender.stdout.fileno(), False)
        end = time.monotonic() + _PATIENCE
        while not (said := sender.stdout.readline()) and time.monotonic() < end:  # while it connects, we have to answer
            desk.loop.turn(0.01)
        assert said == "ready\n", "the sender does not get ready"
        begun = time.process_time()
        sender.stdin.write("\n")
        sender.stdin.flush()
        while desk.lines < count and time.monotonic() < end:
            desk.loop.turn(0.2)
            if way.kind == "udp" and sender.poll() is not None and time.perf_counter() - desk.last > _SILENCE:
                break
        busy = time.process_time() - begun
    finally:
        source.close()
        if files:
            files.close()
        sender.kill()
        sender.communicate()
    for text in desk.said:
        say(f"    {text}")
    return Outcome(count, desk.lines, desk.last - desk.first, busy, sum(engine.events().values()))


def section(options: Options, ways: Sequence[Way], port: int) -> str:
    """All of it as Markdown."""
    rows, goals = [], list[Goal]()
    for way in ways:
        found = {matching: [measure(options, way, matching, port) for _ in range(options.runs)] for matching in (True, False)}
        for matching, outcomes in found.items():
            speeds = ", ".join(f"{one.speed:,.0f}" for one in outcomes)
            say(f"  {way.name}{'' if matching else ', not matched'}: {speeds} a second")
        matched, bare = (sorted(found[key], key=lambda one: one.speed)[len(found[key]) // 2] for key in (True, False))
        lost = sum(one.sent - one.received for one in found[True])
        cpu = statistics.median(one.busy / max(one.received, 1) for one in found[True]) * 1e6
        rows.append(
            (way.name, f"{matched.speed:,.0f}", f"{cpu:.1f}", f"{matched.events / max(matched.received, 1):.0%}", f"{lost:,}",
             f"{bare.speed:,.0f}", f"{bare.busy / max(bare.received, 1) * 1e6:.1f}")
        )  # fmt: skip
        if way.rate:
            total = sum(one.sent for one in found[True])
            what = f"{way.name.split(',')[0]}: lost of {total:,}, {way.rate:,} a second for {options.seconds:g} s"
            goals.append(Goal(what, "none", f"{lost:,}", lost == 0))
        elif way.goal:
            goals.append(Goal(way.name, f"≥ {way.goal:,}/s", f"{matched.speed:,.0f}/s", matched.speed >= way.goal))
    head = ("way", "messages/s", "µs each", "events", "lost", "not matched: messages/s", "µs each")
    where = (
        f"{platform.system()} {platform.release()} {platform.machine()}, {processor()}, Python {platform.python_version()},"
        f" {tools.engine()}; median of {options.runs} runs; {options.corpus.kind.name} log, {len(rules.RULES)} rules,"
        f" {options.count:,} messages over TCP and TLS, {options.seconds:g} s of UDP."
    )
    return "\n\n".join([where, report.table(head, rows), report.goals(goals)])


def certify(folder: Path) -> None:
    """A certificate that signs itself, for both sides."""
    files = ["-keyout", str(folder / "logs.key"), "-out", str(folder / "logs.crt")]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(["openssl", "req", "-x509", *curve, "-days", "2", *name, *files], check=True, capture_output=True)
    (folder / "logs.key").chmod(0o600)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.receiving", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=("tcp", "tls", "udp"), help="just this kind; may be repeated")
    parser.add_argument("--count", type=int, default=1_000_000, help="messages over TCP and TLS (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of UDP (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of each way (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the log (%(default)s)")
    parser.add_argument("--port", type=int, default=15_514, help="to receive at, on 127.0.0.1 (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="where logs are kept (%(default)s)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the result into this page")
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    given.folder.mkdir(parents=True, exist_ok=True)
    kind = corpora.KINDS[0] if corpora.real_logs() else corpora.SYNTHETIC
    corpus = corpora.make(kind, given.folder.resolve(), 200_000, given.seed)
    say("receiving:")
    with tempfile.TemporaryDirectory(prefix="logtrigger-bench-") as work:
        os.sched_setaffinity(0, {cores[-1]})
        certify(Path(work))
        options = Options(given.seconds, given.count, given.runs, corpus, Path(work), (cores[-1], cores[0]))
        ways = [way for way in WAYS if not given.only or way.kind in given.only]
        text = f"## Receiving\n\n{_INTRODUCTION}\n\n{section(options, ways, given.port)}"
    report.put(given.write, "receiving", text)


if __name__ == "__main__":
    main()
