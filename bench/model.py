"""What the rules ought to find in a log: one regular expression a line, and counting by hand."""

from __future__ import annotations

import hashlib  # noqa: TID251 - no daemon
import json
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from bench import rules as rules_module
from bench.corpora import Corpus
from bench.rules import MAXFAIL, TIME, Rule, expression

_REPEATED = re.compile(rb"(?P<tag>\S+: )message repeated (?P<times>\d+) times: \[ (?P<message>.*)\]\s*$")
_MOST_REPEATS = 1000


@dataclass(frozen=True, slots=True)
class Expected:
    """Lines that some rule recognises, and what the programs' ways of counting make of them."""

    lines: int
    events: int  # with "message repeated N times" as N events
    windows: int  # detections: an address' events within the time, counted anew after each
    event_windows: int  # the same of events
    keys: int  # detections, where all lines lie within the time and each key is detected once


def expect(corpus: Corpus, rules: Sequence[Rule]) -> Expected:
    """Reads the whole log, unless that was done before."""
    facts = repr((rules, rules_module.TIME, rules_module.MAXFAIL, corpus.path.stat().st_size))
    digest = hashlib.blake2s(facts.encode(), digest_size=6).hexdigest()
    known = corpus.path.with_suffix(f".{digest}.json")
    if not known.is_file():
        known.write_text(json.dumps(asdict(_count(corpus, rules))))
    return Expected(**json.loads(known.read_text()))


def _count(corpus: Corpus, rules: Sequence[Rule]) -> Expected:
    plain, repeating, totals = _Windows(), _Windows(), defaultdict[tuple[str, bytes], int](int)
    lines = events = 0
    for time, rule, key, times in _matches(corpus, rules):
        events += times
        repeating.add((rule, key), time, times)
        if times == 1:
            lines += 1
            plain.add((rule, key), time, 1)
            totals[rule, key] += 1
    keys = sum(total >= MAXFAIL for total in totals.values())
    return Expected(lines, events, plain.full, repeating.full, keys)


class _Windows:
    def __init__(self) -> None:
        self.full = 0
        self._events: dict[tuple[str, bytes], deque[tuple[int, int]]] = defaultdict(deque)

    def add(self, key: tuple[str, bytes], time: int, times: int) -> None:
        events = self._events[key]
        events.append((time, times))
        while events[0][0] < time - TIME:
            events.popleft()
        if sum(count for _, count in events) >= MAXFAIL:
            self.full += 1
            events.clear()


def _matches(corpus: Corpus, rules: Sequence[Rule]) -> Iterator[tuple[int, str, bytes, int]]:
    """(time, rule, key, how often) of each recognised line. A repeated message counts as a line of none."""
    known: dict[bytes, int] = {}
    prepared = [
        (max(rule.texts, key=len).encode(), re.compile(expression(rule).encode()), rule.name, bool(rule.key)) for rule in rules
    ]
    latest = 0
    with corpus.path.open("rb") as log:
        for line in log:
            times = 1
            latest = max(latest, corpus.time_of(line, known))
            if b"message repeated" in line and (found := _REPEATED.search(line)):
                times = min(int(found["times"]), _MOST_REPEATS)
                line = found["tag"] + found["message"]
            for literal, pattern, name, keyed in prepared:
                if literal in line and (match := pattern.search(line)):
                    yield latest, name, match[1] if keyed else b"", times
                    break
