"""Which process gets which rules: those that count together to one, and to each about the same work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from logtrigger.engine import Engine, MatcherFactory
from logtrigger.matcher import Matcher
from logtrigger.model import Chunk
from logtrigger.parallel.frames import Once
from logtrigger.parallel.worker import Task
from logtrigger.replay import Log
from logtrigger.rule import Rule, Settings
from logtrigger.together import together

_LARGE, _QUICKLY_COMPILED = 1 << 24, 100  # bytes of logs, and rules: when compiling their patterns anew pays
_SAMPLES, _SAMPLE = 50, 1 << 14  # how many at most, of how many bytes: what share of the work each rule is
_TIMED = 12  # rules that are timed with these
_EVENT = 5e-6  # seconds that an event of the others takes, about


def shared_out(settings: Settings, weights: Mapping[str, float], jobs: int) -> list[list[int]]:
    """The rules in at most `jobs` shares of about the same weight; those that count together are in one."""
    families: dict[int, list[int]] = {}
    for index, first in enumerate(together(settings.rules)):
        families.setdefault(first, []).append(index)
    load = {number: sum(weights[settings.rules[index].name] for index in rules) for number, rules in families.items()}
    shares: list[tuple[float, list[int]]] = [(0.0, []) for _ in range(jobs)]
    for number in sorted(families, key=lambda number: (-load[number], number)):
        lightest = min(range(jobs), key=lambda share: (shares[share][0], len(shares[share][1])))
        weight, rules = shares[lightest]
        shares[lightest] = weight + load[number], sorted([*rules, *families[number]])
    return [rules for _, rules in shares if rules]


def weigh(task: Task, matcher: Matcher) -> dict[str, float]:
    """How much work each rule is, about: its events in samples of the logs, or for the busiest rules the time they take."""
    samples = list(_samples([log for log in task.logs if not isinstance(log, Once)]))
    rules = task.settings.rules
    events = _try_out(task, rules, samples, matcher)
    weights = {name: count * _EVENT + 1e-9 for name, count in events.items()}
    only: Callable[..., Matcher] | None = getattr(matcher, "only", None)
    if only is not None:
        for index in sorted(range(len(rules)), key=lambda index: -weights[rules[index].name])[:_TIMED]:
            alone = only([index], compiled_anew=False)
            began = time.process_time()
            _try_out(task, [replace(rules[index], reset_by=())], samples, alone)
            weights[rules[index].name] = time.process_time() - began
    return weights


def share_of(matcher: Matcher, share: Sequence[int], logs: Sequence[Log], build: MatcherFactory) -> MatcherFactory:
    """What makes the matcher of a share: out of the one for all, where that can be had."""
    only: Callable[..., Matcher] | None = getattr(matcher, "only", None)
    if only is None:
        return build
    pays = len(share) <= _QUICKLY_COMPILED and sum(map(_size, logs)) >= _LARGE
    return lambda _: only(share, compiled_anew=pays)


def _try_out(task: Task, rules: Sequence[Rule], samples: Sequence[bytes], matcher: Matcher) -> dict[str, int]:
    """Have some rules look at samples; how many events each has."""
    engine = Engine(replace(task.settings, rules=tuple(rules)), every_source=True, build=lambda _: matcher)
    for number, data in enumerate(samples):
        for trigger in engine.fills(Chunk("", "", str(number), 0, len(data), data, catching_up=True), task.now):
            task.form(trigger, 0)
    return engine.events()


def _samples(logs: Sequence[Log]) -> Iterator[bytes]:
    """Whole lines from here and there, a hundredth of all, or less. What cannot be read is left to those who read all."""
    every = max(100 * _SAMPLE, sum(map(_size, logs)) // _SAMPLES)
    for log in logs:
        with suppress(OSError), log.open() as stream:
            for place in range(every // 2, os.fstat(stream.fileno()).st_size, every):
                stream.seek(place)
                data = stream.read(_SAMPLE)
                yield data[data.find(b"\n") + 1 : data.rfind(b"\n") + 1]


def _size(log: Log) -> int:
    """Bytes of a log, as far as that can be known."""
    if isinstance(log, Once):
        return _LARGE
    try:
        with log.open() as stream:
            return os.fstat(stream.fileno()).st_size
    except OSError:
        return 0
