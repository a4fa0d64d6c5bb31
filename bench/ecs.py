"""How many lines a second become documents of the Elastic Common Schema, on one core; by hand, from the checkout's folder.

    python -m bench.ecs [--lines 500000] [--log FILE --dataset NAME] [--write docs/performance.md]

Without a log it is one of OpenVPN's messages, in a file of their own and in syslog's form, and one of sshd's. What is timed is
the way from bytes in memory to the text of the documents, in processor time, which hardly depends on the machine's other work.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import random
import time
from collections.abc import Iterator
from pathlib import Path

from bench import report
from logtrigger.config.ecs import with_shipped
from logtrigger.config.words import Report
from logtrigger.ecs.mapping import Mapping
from logtrigger.ecs.normaliser import Normaliser
from logtrigger.engine import MatcherFactory
from logtrigger.matcher import LiteralMatcher
from logtrigger.matchers import fastest
from logtrigger.sources.lines import Lines

_SAMPLES = Path(__file__).parents[1] / "tests/ecs/openvpn.jsonl"
_CHUNK = 1 << 18  # bytes, as the command reads them
_SSHD = (
    "Failed password for {user} from {ip} port {port} ssh2",
    "Failed password for invalid user {user} from {ip} port {port} ssh2",
    "Invalid user {user} from {ip} port {port}",
    "Accepted publickey for {user} from {ip} port {port} ssh2: ED25519 SHA256:abc",
    "Connection closed by authenticating user {user} {ip} port {port} [preauth]",
    "Received disconnect from {ip} port {port}:11: Bye Bye [preauth]",
)


def openvpn(lines: int, *, in_syslog: bool) -> Iterator[str]:
    """The sample messages in a row, each with an address, a port and a second of its own."""
    messages = [json.loads(line)["message"] for line in _SAMPLES.read_text().splitlines()]
    chance = random.Random(7)
    for number in range(lines):
        stamp = time.gmtime(1_698_764_400 + number // 50)
        message = messages[number % len(messages)]
        body = message[20:] if message[:4] == "2023" else message
        body = body.replace("165.225.204.88", f"10.{chance.randrange(250)}.{chance.randrange(250)}.7")
        if in_syslog:
            yield f"{time.strftime('%b %d %H:%M:%S', stamp)} gate openvpn[812]: {body}"
        else:
            yield f"{time.strftime('%Y-%m-%d %H:%M:%S', stamp)} {body}"


def sshd(lines: int) -> Iterator[str]:
    chance = random.Random(7)
    for number in range(lines):
        stamp = time.strftime("%b %d %H:%M:%S", time.gmtime(1_698_764_400 + number // 50))
        address = f"10.{chance.randrange(250)}.{chance.randrange(250)}.7"
        body = _SSHD[number % len(_SSHD)].format(user=f"user{number % 100}", ip=address, port=chance.randrange(1024, 65536))
        yield f"{stamp} gate sshd[{number % 30000}]: {body}"


def rate(mapping: Mapping, log: bytes, build: MatcherFactory) -> tuple[float, int]:
    """Lines a second of processor time, and how many bytes of documents came out."""
    normaliser = Normaliser(mapping, 1_700_000_000.0, build=build)
    splitter = Lines(1 << 20)
    pieces = [piece.data for at in range(0, len(log), _CHUNK) for piece in splitter.feed(log[at : at + _CHUNK])]
    "".join(normaliser.documents(pieces[0]))  # expressions are compiled when a line first asks for them
    began, size = time.process_time(), 0
    for piece in pieces:
        size += len("\n".join(normaliser.documents(piece)))
    return log.count(b"\n") / (time.process_time() - began), size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=300_000, help="of each log (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of each; the best one counts (%(default)s)")
    parser.add_argument("--log", type=Path, help="a log of your own")
    parser.add_argument("--dataset", action="append", default=[], help="for it")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the result into this page")
    asked = parser.parse_args()
    mapping = with_shipped(Mapping(()), Report())
    if asked.log:
        logs = {asked.log.name: (mapping.only(asked.dataset), asked.log.read_bytes())}
    else:
        logs = {
            "OpenVPN, its own file": (mapping.only(["openvpn"]), _bytes(openvpn(asked.lines, in_syslog=False))),
            "OpenVPN, syslog": (mapping.only(["openvpn"]), _bytes(openvpn(asked.lines, in_syslog=True))),
            "OpenVPN, syslog, all datasets": (mapping, _bytes(openvpn(asked.lines, in_syslog=True))),
            "sshd, syslog": (mapping.only(["sshd"]), _bytes(sshd(asked.lines))),
            "sshd, syslog, all datasets": (mapping, _bytes(sshd(asked.lines))),
        }
    report.put(asked.write, "ecs", measure(logs, asked.runs))


def measure(logs: dict[str, tuple[Mapping, bytes]], runs: int) -> str:
    """Each log with either matcher, in turns, as Markdown."""
    ways: list[tuple[str, MatcherFactory]] = [("pure Python", LiteralMatcher)]
    if importlib.util.find_spec("hyperscan"):
        ways.insert(0, ("extra speed", fastest(None, lambda level, text: print(text), keep=False)))
    rows = []
    for name, (datasets, log) in logs.items():
        best, size, count = dict.fromkeys((way for way, _ in ways), 0.0), 0, log.count(b"\n")
        for _ in range(runs):
            for way, build in ways:
                speed, size = rate(datasets, log, build)
                best[way] = max(best[way], speed)
        rows.append([name, *(f"{speed:,.0f}" for speed in best.values()), f"{size / count:.0f}"])
    lines = max(log.count(b"\n") for _, log in logs.values())
    where = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    head = ["lines/s of processor time", *(way for way, _ in ways), "bytes a document"]
    return f"{where}; {lines:,} lines of each, the best of {runs} runs.\n\n{report.table(head, rows)}"


def _bytes(lines: Iterator[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


if __name__ == "__main__":
    main()
