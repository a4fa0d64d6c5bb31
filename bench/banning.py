"""How long it takes from a line's write to the address in the kernel: logtrigger beside the peers that are installed.

Each program has a network of its own (ip-netns(8)), with its own nftables and its own log; the kernel itself tells, over
netlink, when an address has got into a set, for all programs alike. Needs root; nothing outside those networks is touched.

Parts: `latency` (one line, one ban; logtrigger also with 100,000 bans there already), `burst` (100,000 lines of failures from
10,000 addresses), `start` (100,000 bans put back) and `fold` (the line that has a whole prefix banned, beside one for a
single address, with 100,000 bans there; nftables and iptables).

Prints Markdown on standard output, or puts it into a page; progress and whatever is missing go to standard error.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import random
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import TypeVar

from bench import latency, report, tools
from bench.latency import Bench, first_line, say
from bench.report import Goal
from logtrigger.firewall import ipset, netlink
from logtrigger.firewall import networks as firewall_networks
from logtrigger.firewall.netlink import Netlink
from logtrigger.model import Ban
from logtrigger.store import Batch, Store

PATIENCE = 10.0  # seconds until a try counts as lost
START = 60.0  # seconds until a program must have reacted to its first line
PAUSE = 1.0  # seconds, at most, before each round: the longest period at which a peer polls
PRESENT = 100_000  # bans
LINES, ADDRESSES = 100_000, 10_000  # of the burst
FOLDED = 20  # addresses of a prefix that are banned in place of them
_CLONE_NEWNET = 0x40000000  # setns(2)
_NETLINK_NETFILTER, _SOL_NETLINK, _ADD_MEMBERSHIP, _NFTABLES_NEWS = 12, 270, 1, 7
_SO_RCVBUFFORCE = 33
# An attribute NFTA_DATA_VALUE of four bytes: an IPv4 address as the element of a set (linux/netfilter/nf_tables.h).
_ELEMENT = re.compile(rb"\x08\x00\x01\x00(....)", re.DOTALL)


Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Network:
    """A network namespace, and what its kernel tells of nftables."""

    name: str
    news: socket.socket

    def command(self, words: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *words]

    def forget(self) -> None:
        """Read whatever has been told so far."""
        while self.heard(0.0):
            pass

    def heard(self, seconds: float) -> list[bytes]:
        """The addresses of the next news; none where there is none for so long."""
        if not select.select([self.news], [], [], seconds)[0]:
            return []
        return _ELEMENT.findall(self.news.recv(1 << 20)) or [b""]


@contextmanager
def network(name: str) -> Iterator[Network]:
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        with _news(name) as news:
            yield Network(name, news)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def made_in(name: str, make: Callable[[], Made]) -> Made:
    """What belongs to a namespace, such as a socket: only the thread that makes it goes there."""
    made: list[Made] = []

    def work() -> None:
        with open(f"/run/netns/{name}", "rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET) == 0:
                made.append(make())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if not made:
        raise RuntimeError("cannot enter a network namespace: this needs root")
    return made[0]


def _news(name: str) -> socket.socket:
    """A socket on the namespace's news of nftables."""
    found = made_in(name, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER))
    found.bind((0, 0))
    found.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
    found.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _NFTABLES_NEWS)
    return found


# What is started


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to measure; `present` bans are there before it starts."""

    name: str
    missing: Callable[[], str]
    version: Callable[[], str]
    prepare: Callable[[Bench], Sequence[str]]
    present: int = 0
    ready: str = ""  # what it prints when it reads; "" where it does not say


def line(address: str) -> str:
    return f"{time.strftime('%b %e %H:%M:%S')} bench sshd[4242]: Failed password for root from {address} port 40022 ssh2\n"


def prepare_logtrigger(maxfail: int, backend: str = "nftables", more: str = "") -> Callable[[Bench], Sequence[str]]:
    def prepare(bench: Bench) -> Sequence[str]:
        config = bench.write(
            "logtrigger",
            f"""config logtrigger
	option state '{bench.folder}/state.db'
	option control '{bench.folder}/control'

config firewall
	option backend '{backend}'

config rule
	option name 'bench'
	option pattern 'sshd[%d]: Failed password for %s from %s port %d ssh2'
	option fields '- user ip port'
	option file '{bench.log}'
	option maxfail '{maxfail}'
	option time '10m'
	option ban '1d'
{more}""",
        )
        return [sys.executable, "-m", "logtrigger", "-c", str(config), "-D", "1"]

    return prepare


def prepare_fail2ban(backend: str) -> Callable[[Bench], Sequence[str]]:
    """As for a script, but with the nftables action of its package."""
    scripted = latency.prepare_fail2ban(backend)

    def prepare(bench: Bench) -> Sequence[str]:
        command = scripted(bench)
        jail = bench.folder / "fail2ban/jail.conf"
        jail.write_text(jail.read_text().replace("action = bench", "action = nftables[type=allports, name=bench]"))
        shutil.copy("/etc/fail2ban/action.d/nftables.conf", bench.folder / "fail2ban/action.d/nftables.conf")
        return command

    return prepare


def prepare_sec(bench: Bench) -> Sequence[str]:
    """SEC starts what it is told to; here nft, on a table made before."""
    config = bench.write(
        "sec.conf",
        r"""type=Single
ptype=RegExp
pattern=sshd\[\d+\]: Failed password for \S+ from (\d+\.\d+\.\d+\.\d+) port \d+ ssh2$
desc=bench
action=shellcmd nft add element inet bench blocked { $1 timeout 1d }
""",
    )
    blocked = "set blocked { type ipv4_addr; flags timeout; };"
    chain = "chain input { type filter hook input priority -10; ip saddr @blocked drop; };"
    table = f"table inet bench {{ {blocked} {chain} }}"
    return ["sh", "-c", f"nft '{table}' && exec sec --conf={config} --input={bench.log}"]


def prepare_sshguard(bench: Bench) -> Sequence[str]:
    """The parts of its pipeline, as its own script joins them."""
    logtail, parser, blocker, firewall = (
        tools.sshguard_part(f"sshg-{part}") for part in ("logtail", "parser", "blocker", "fw-nft-sets")
    )
    return ["sh", "-c", f"{logtail} {bench.log} | {parser} | {blocker} -a 10 -s 600 -p 86400 | {firewall}"]


def _absent(*programs: str) -> Callable[[], str]:
    def missing() -> str:
        absent = [program for program in programs if shutil.which(program) is None]
        return f"{', '.join(absent)} not installed" if absent else ""

    return missing


PEERS = (
    Peer("logtrigger", lambda: "", tools.logtrigger_version, prepare_logtrigger(1), ready="ready"),
    Peer(
        f"logtrigger, {PRESENT:,} bans there",
        lambda: "",
        tools.logtrigger_version,
        prepare_logtrigger(1),
        present=PRESENT,
        ready="ready",
    ),
    Peer("sshguard", tools.SSHGUARD.missing, tools.SSHGUARD.version, prepare_sshguard),
    Peer("SEC", _absent("sec"), lambda: first_line("sec", "--version").rpartition(" ")[2], prepare_sec),
    Peer(
        "fail2ban, pyinotify",
        lambda: "" if latency.has_pyinotify() else "fail2ban or its pyinotify not installed",
        latency.fail2ban_version,
        prepare_fail2ban("pyinotify"),
    ),
    Peer("fail2ban, polling", _absent("fail2ban-server"), latency.fail2ban_version, prepare_fail2ban("polling")),
)


@dataclass(slots=True)
class Run:
    """A started program, and what was measured of it."""

    peer: Peer
    bench: Bench
    network: Network
    process: subprocess.Popen[bytes]
    tries: int = 0
    times: list[float] = field(default_factory=list)  # seconds
    lost: int = 0

    def attempt(self, patience: float = PATIENCE) -> float | None:
        """Seconds from the write of a fresh line to the news of its address; None if none came in time."""
        self.tries += 1
        address = f"198.18.{self.tries >> 8}.{self.tries & 255}"
        wanted, text = IPv4Address(address).packed, line(address).encode()
        self.network.forget()
        log = os.open(self.bench.log, os.O_WRONLY | os.O_APPEND)
        try:
            begin = time.perf_counter()
            os.write(log, text)
            while (left := begin + patience - time.perf_counter()) > 0:
                if wanted in self.network.heard(left):
                    return time.perf_counter() - begin
            return None
        finally:
            os.close(log)

    def wait_until_it_reads(self) -> None:
        """Return when the program has reacted to a line, or raise with what it said."""
        deadline = time.perf_counter() + START
        while time.perf_counter() < deadline and self.process.poll() is None:
            if self.peer.ready and self.peer.ready not in self.output():
                time.sleep(0.05)
            elif self.attempt(patience=2.0) is not None:
                return
        raise RuntimeError(f"{self.peer.name} reacts to no line:\n{self.output().strip()}")

    def measure(self) -> None:
        seconds = self.attempt()
        if seconds is None:
            self.lost += 1
        else:
            self.times.append(seconds)

    def output(self) -> str:
        return (self.bench.folder / "output").read_text(errors="replace")

    def stop(self) -> None:
        """End the process and its group, which hold nothing but what was started here."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
                try:
                    self.process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    continue

    def row(self) -> list[str]:
        if not self.times:
            return [self.peer.name, self.peer.version(), *["–"] * 4, str(self.lost)]
        ranked = sorted(self.times)
        figures = (ranked[0], statistics.median(ranked), _p99(ranked), ranked[-1])
        return [self.peer.name, self.peer.version(), *(f"{seconds * 1000:.2f}" for seconds in figures), str(self.lost)]


def _p99(ranked: Sequence[float]) -> float:
    return ranked[-(-len(ranked) * 99 // 100) - 1]  # nearest rank


@contextmanager
def started(peer: Peer, folder: Path) -> Iterator[Run]:
    """The program in a network of its own; with its bans, if it is to have some."""
    bench = Bench.made_in(folder)
    command = peer.prepare(bench)
    if peer.present:
        store_bans(folder / "state.db", peer.present)
    with network(f"logtrigger-bench-{os.getpid()}-{folder.name}") as net, (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            net.command(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        run = Run(peer, bench, net, process)
        try:
            yield run
        finally:
            run.stop()


def store_bans(path: Path, count: int) -> None:
    """A store as a daemon leaves it that has banned so many; each for another time."""
    now = time.time()  # noqa: TID251 - a process's outer shell
    first = int(IPv4Address("100.64.0.0"))
    store = Store(path)
    store.commit_now(
        Batch(
            bans=[
                Ban(
                    str(IPv4Address(first + number)),
                    now - 60.0,
                    now + 86_400.0 + number,
                    "bench",
                    trigger=f"bench@{number}",
                    lines=(line(str(IPv4Address(first + number))),),
                )
                for number in range(count)
            ]
        )
    )
    store.close()


# What is measured


def measure_latency(folder: Path, tries: int, seed: int) -> tuple[str, list[Goal]]:
    """Start every peer, let each react, then measure them in turns."""
    chance = random.Random(seed)
    runs: list[Run] = []
    with ExitStack() as stack:
        for number, peer in enumerate(PEERS):
            if missing := peer.missing():
                say(f"{peer.name}: {missing}, left out")
                continue
            run = stack.enter_context(started(peer, folder / str(number)))
            run.wait_until_it_reads()
            for _ in range(3):
                run.attempt()
            runs.append(run)
            say(f"{peer.name} {peer.version()}: bans")
        for done in range(tries):
            time.sleep(chance.uniform(0, PAUSE))
            for run in chance.sample(runs, len(runs)):
                run.measure()
            if (done + 1) % 10 == 0:
                say(f"{done + 1} of {tries} rounds")
    head = ("program", "version", "min", "median", "p99", "max", "lost")
    text = f"Line written to address in the kernel's set, milliseconds, {tries} tries each, in turns:\n\n"
    goals = []
    for run in runs[:2]:
        median, p99 = statistics.median(run.times) * 1000, _p99(sorted(run.times)) * 1000
        goals.append(Goal(f"{run.peer.name}: median", "≤ 1.5 ms", f"{median:.2f} ms", median <= 1.5))
        goals.append(Goal(f"{run.peer.name}: p99", "≤ 5 ms", f"{p99:.2f} ms", p99 <= 5))
    return text + report.table(head, [run.row() for run in runs]), goals


def measure_burst(folder: Path, seed: int) -> tuple[str, list[Goal]]:
    """Lines of failures as fast as they can be written; then who is in the set, and when the last one came."""
    chance = random.Random(seed)
    first = int(IPv4Address("100.64.0.0"))
    addresses = [str(IPv4Address(first + number)) for number in range(ADDRESSES)]
    spared = [str(IPv4Address(first + ADDRESSES + number)) for number in range(ADDRESSES // 10)]
    lines = [line(address) for address in addresses * (LINES // ADDRESSES) + spared * 4]  # four failures are one too few
    chance.shuffle(lines)
    peer = Peer("logtrigger", lambda: "", tools.logtrigger_version, prepare_logtrigger(5), ready="ready")
    with started(peer, folder / "burst") as run:
        while "ready" not in run.output():
            time.sleep(0.05)
        run.network.forget()
        missing = {IPv4Address(address).packed for address in addresses}
        begin = time.perf_counter()
        with run.bench.log.open("ab", buffering=1 << 16) as log:
            for text in lines:
                log.write(text.encode())
        written = last = time.perf_counter()
        while missing and (heard := run.network.heard(PATIENCE)):
            missing.difference_update(heard)
            last = time.perf_counter()
        say(f"{len(missing)} addresses not told of")
        held = _held(run.network)
        wrong = held ^ set(addresses)
    rows = [
        ("written within", f"{written - begin:.2f} s"),
        ("all banned after the last write", f"{max(0.0, last - written):.2f} s"),
        ("missing", str(len(set(addresses) - held))),
        ("extra", str(len(held - set(addresses)))),
    ]
    text = f"{len(lines):,} lines; {ADDRESSES:,} addresses fail ten times (`maxfail` 5), {len(spared):,} four times:\n\n"
    late = max(0.0, last - written)
    goals = [
        Goal(f"{ADDRESSES:,} bans after the last line of a burst", "≤ 2 s", f"{late:.2f} s", late <= 2),
        Goal("missing or extra in the kernel", "none", str(len(wrong)), not wrong),
    ]
    return text + report.table(("burst", ""), rows), goals


def _held(net: Network) -> set[str]:
    """All single addresses in the namespace's sets. While a set is growing its list may lack some: it is asked for again."""
    before, now = {""}, _listed(net)
    while now != before:
        time.sleep(0.5)
        before, now = now, _listed(net)
    return now


def _listed(net: Network) -> set[str]:
    listed = subprocess.check_output(net.command(["nft", "-j", "list", "ruleset"]))
    found = set()
    for item in json.loads(listed)["nftables"]:
        for element in item.get("set", {}).get("elem", []):
            value = element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element
            if isinstance(value, str) and "." in value:
                found.add(value)
    return found


def measure_start(folder: Path) -> tuple[str, list[Goal]]:
    """From the start of the process to the last of its bans in the kernel, with bans and without; the difference is theirs."""
    whole: dict[int, float] = {}
    for count in (0, PRESENT):
        peer = Peer("logtrigger", lambda: "", tools.logtrigger_version, prepare_logtrigger(5), present=count, ready="ready")
        times = []
        for number in range(3):
            place = folder / f"start-{count}-{number}"
            with _timed_start(peer, place) as (run, begin):
                while "ready" not in run.output():
                    time.sleep(0.005)
                times.append(time.perf_counter() - begin)
                if count and len(held := _held(run.network)) != count:
                    raise RuntimeError(f"{len(held):,} of {count:,} bans were put back")
        whole[count] = statistics.median(times)
        say(f"start with {count:,} bans: {whole[count]:.2f} s")
    rows = [(f"{count:,}", f"{seconds:.2f} s") for count, seconds in whole.items()]
    text = "From the start of the process until it is ready, all bans in the kernel; median of 3:\n\n"
    took = whole[PRESENT]
    goals = [Goal(f"start with {PRESENT:,} bans", "≤ 2 s", f"{took:.2f} s", took <= 2)]
    return text + report.table(("bans in the store", "ready after"), rows), goals


def measure_fold(folder: Path, tries: int) -> tuple[str, list[Goal]]:
    """Lines of one address after the other; the last one of a prefix has the prefix banned, and the others folded into it."""
    rows, goals = [], []
    for backend in ("nftables", "iptables"):
        if missing := _absent("ipset", "iptables")() if backend == "iptables" else "":
            say(f"fold: {missing}, {backend} left out")
            continue
        prepare = prepare_logtrigger(1, backend, f"\toption widen '24/{FOLDED}'\n")
        peer = Peer(backend, lambda: "", tools.logtrigger_version, prepare, present=PRESENT, ready="ready")
        with started(peer, folder / f"fold-{backend}") as run:
            while "ready" not in run.output():
                time.sleep(0.05)
            asked = made_in(run.network.name, Netlink) if backend == "iptables" else None
            single, fold = [], []
            for number in range(tries):
                hosts = [f"198.18.{number}.{host}" for host in range(1, FOLDED + 1)]
                single += [_timed(run, host, host, asked) for host in hosts[:-1]]
                fold.append(_timed(run, hosts[-1], f"198.18.{number}.0", asked))
            if asked is not None:
                asked.close()
            deadline = time.perf_counter() + PATIENCE
            while (told := run.output().count(f"in place of {FOLDED} bans within")) != tries:
                if time.perf_counter() > deadline:
                    raise RuntimeError(f"{told} of {tries} prefixes were banned")
                time.sleep(0.05)
        one, all_of_it = statistics.median(single) * 1000, statistics.median(fold) * 1000
        rows.append([backend, f"{one:.2f}", f"{all_of_it:.2f}", f"{_p99(sorted(fold)) * 1000:.2f}", f"{all_of_it - one:+.2f}"])
        more = all_of_it - one
        goals.append(Goal(f"{backend}: what folding adds to a ban", "≤ 5 ms", f"{more:.2f} ms", more <= 5))
        say(f"fold, {backend}: {one:.2f} ms, {all_of_it:.2f} ms")
    text = (
        f"Line written to address blocked by the kernel, milliseconds, {PRESENT:,} bans there: of a single address, and of\n"
        f"the one that has its /24 banned in place of {FOLDED} single bans. Medians of {tries * (FOLDED - 1)} and {tries}:\n\n"
    )
    return text + report.table(("firewall", "single", "folding", "p99", "difference"), rows), goals


def _timed(run: Run, address: str, element: str, asked: Netlink | None) -> float:
    """Seconds from the write of a line of an address until the kernel blocks it, by an element of a set.

    Args:
        element: the address itself, or the first one of its prefix.
        asked: who is asked again and again whether it is blocked, some microseconds each, as ipsets tell no news.
    """
    wanted = IPv4Address(element).packed
    run.network.forget()
    with run.bench.log.open("ab", buffering=0) as log:
        begin = time.perf_counter()
        log.write(line(address).encode())
        while (left := begin + PATIENCE - time.perf_counter()) > 0:
            if wanted in run.network.heard(left) if asked is None else _blocks(asked, address):
                return time.perf_counter() - begin
    raise RuntimeError(f"{address} was not banned:\n{run.output()[-2000:]}")


def _blocks(asked: Netlink, address: str) -> bool:
    """Whether an address is in our ipset, by itself or by a prefix."""
    entry = ipset._data(firewall_networks.Network.of(address), None)
    try:
        asked.ask(ipset._TEST, socket.AF_INET, ipset._PROTOCOL + netlink.name(ipset._SETNAME, ipset.NAMES[4]) + entry)
    except OSError:
        return False
    return True


@contextmanager
def _timed_start(peer: Peer, folder: Path) -> Iterator[tuple[Run, float]]:
    with started(peer, folder) as run:
        status = Path(f"/proc/{run.process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(status[19]) / os.sysconf("SC_CLK_TCK")  # starttime, since the machine's start
        yield run, time.perf_counter() - (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks)


PARTS: dict[str, str] = {
    "latency": "### One line, one ban",
    "burst": "### A burst",
    "start": "### A start",
    "fold": "### A prefix in place of addresses",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tries", type=int, default=100, help="measured tries for each program (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of random pauses, turns and lines (%(default)s)")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure just this part; may be repeated")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the results into this page")
    options = parser.parse_args()
    if missing := _absent("ip", "nft")():
        sys.exit(missing)
    if os.geteuid() != 0:
        say("banning: needs root, left out")
        return
    where = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    with tempfile.TemporaryDirectory(prefix="logtrigger-bench-") as made:
        for part in options.only or PARTS:
            folder = Path(made)
            if part == "latency":
                text, goals = measure_latency(folder, options.tries, options.seed)
            elif part == "burst":
                text, goals = measure_burst(folder, options.seed)
            elif part == "fold":
                text, goals = measure_fold(folder, min(options.tries, 100))
            else:
                text, goals = measure_start(folder)
            whole = f"{PARTS[part]}\n\n{where}. {text}\n\n{report.goals(goals)}"
            if options.write:
                report.place(options.write, f"banning {part}", whole)
            else:
                print(f"{whole}\n")


if __name__ == "__main__":
    main()
