"""What there is to measure about a running daemon: its metrics, out of how it stands."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from logtrigger.control import standing
from logtrigger.daemon import METERED, Daemon
from logtrigger.metrics.families import Family

Facts = Mapping[str, Any]


def families(daemon: Daemon) -> Iterator[Family]:
    """Every metric of a daemon; to be asked for in the loop's thread."""
    status = next(iter(standing.status(daemon, 0)))
    assert isinstance(status, Mapping)
    yield from _process(status)
    yield from _sources(daemon, status)
    yield from _rules(daemon)
    yield from _bans(daemon, status["bans"])
    yield from _actions(daemon, status)
    yield from _store(status["store"])


def _process(status: Facts) -> Iterator[Family]:
    times, page = os.times(), os.sysconf("SC_PAGE_SIZE")
    with open("/proc/self/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1]) * page
    yield Family("logtrigger_build_info", "gauge", "1; the version is a label.", (({"version": status["version"]}, 1),))
    yield _one("logtrigger_start_time_seconds", "gauge", "When the daemon has started, since 1970.", status["started"])
    yield _one("logtrigger_cpu_seconds_total", "counter", "Processor time of the daemon itself.", times.user + times.system)
    yield _one("logtrigger_resident_memory_bytes", "gauge", "Its memory.", resident)


def _sources(daemon: Daemon, status: Facts) -> Iterator[Family]:
    tallies, sources = daemon.feeds.tallies, status["sources"]
    yield _each("logtrigger_source_lines_total", "counter", "Lines read.", "source", _of(tallies, "lines"))
    yield _each("logtrigger_source_bytes_total", "counter", "Bytes of them.", "source", _of(tallies, "bytes"))
    gauges = {
        "last": ("last_line_timestamp_seconds", "When the last line came, since 1970."),
        "lag": ("lag_bytes", "What lies in the source's files unread."),
        "ahead": ("skew_seconds", "By how much the clock in its lines is ahead of ours."),
        "paused": ("paused", "Whether reading waits for the store."),
    }
    for fact, (name, help) in gauges.items():
        found = ((one["source"], one[fact]) for one in sources if one[fact] is not None)
        yield _each(f"logtrigger_source_{name}", "gauge", help, "source", found)


def _rules(daemon: Daemon) -> Iterator[Family]:
    engine, dispatch = daemon.engine, daemon.dispatch
    names = {rule.name: rule for rule in daemon.settings.rules if not rule.of}
    events, seconds = engine.events(), engine.seconds()
    triggers = ((name, dispatch.tallies[name].triggers if name in dispatch.tallies else 0) for name in names)
    last = ((name, dispatch.tallies[name].last) for name in names if name in dispatch.tallies)
    keys = ((name, len(engine.counters.of(rule))) for name, rule in names.items())
    off = (name for name in daemon.configuration.origins if name not in names)
    yield _each("logtrigger_rule_events_total", "counter", "Lines that are events of a rule.", "rule", _chosen(events, names))
    yield _each("logtrigger_rule_triggers_total", "counter", "How often a rule has triggered.", "rule", triggers)
    yield _each("logtrigger_rule_last_trigger_timestamp_seconds", "gauge", "When it did last, since 1970.", "rule", last)
    yield _each("logtrigger_rule_keys", "gauge", "Counters that are open.", "rule", keys)
    running = [*((name, 1) for name in names), *((name, 0) for name in off)]
    yield _each("logtrigger_rule_running", "gauge", "0: the rule is off.", "rule", running)
    help = f"Time to recognise and count a rule's lines, by a sample of one chunk in {METERED}."
    estimate = ((name, seconds.get(name, 0.0) * METERED) for name in names)
    yield _each("logtrigger_rule_matching_seconds_total", "counter", help, "rule", estimate)
    evictions = engine.counters.evictions().items()
    yield _each("logtrigger_rule_evictions_total", "counter", "Counters given up for others.", "rule", evictions)


def _bans(daemon: Daemon, bans: Facts) -> Iterator[Family]:
    counts = daemon.ban_counts
    begun = ((rule, number) for rule, number in counts.items() if rule is not None)
    yield _one("logtrigger_bans", "gauge", "Addresses and networks that are banned.", bans["number"])
    yield _each("logtrigger_bans_total", "counter", "Bans that have begun; no rule: by hand.", "rule", begun)
    yield _one("logtrigger_unbans_total", "counter", "Bans that have ended.", counts[None])
    yield _one("logtrigger_firewall_up", "gauge", "0: the firewall does not do what it should.", not bans["error"])


def _actions(daemon: Daemon, status: Facts) -> Iterator[Family]:
    results = daemon.dispatch.results.items()
    samples = tuple(({"action": name, "result": "done" if ok else "failed"}, number) for (name, ok), number in results)
    yield Family("logtrigger_actions_total", "counter", "Runs of actions by how they ended.", samples)
    queue = status["queue"]
    for state in ("running", "waiting", "spilled"):
        help = {"running": "Actions that run.", "waiting": "Those that wait.", "spilled": "Those that wait in the store."}[
            state
        ]
        yield _one(f"logtrigger_queue_{state}", "gauge", help, queue[state])
    far = status["actions"]
    gauges = {"waiting": "Triggers that wait for a far end.", "last_success": "When it took one last, since 1970."}
    for fact, help in gauges.items():
        name = "last_success_timestamp_seconds" if fact == "last_success" else fact
        found = ((one["action"], one[fact]) for one in far if one[fact] is not None)
        yield _each(f"logtrigger_action_{name}", "gauge", help, "action", found)
    given_up = ((one["action"], one["given_up"]) for one in far)
    yield _each("logtrigger_action_given_up_total", "counter", "Triggers it was not told of in time.", "action", given_up)


def _store(store: Facts) -> Iterator[Family]:
    yield _one("logtrigger_store_bytes", "gauge", "Size of the store.", store["bytes"])
    yield _one("logtrigger_store_pending", "gauge", "Triggers that wait to be stored.", store["pending"])
    yield _one("logtrigger_store_up", "gauge", "0: the store cannot be written.", not store["error"])


def _one(name: str, kind: Literal["counter", "gauge"], help: str, value: float) -> Family:
    return Family(name, kind, help, (({}, float(value)),))


def _each(name: str, kind: Literal["counter", "gauge"], help: str, label: str, values: Iterable[tuple[str, float]]) -> Family:
    return Family(name, kind, help, tuple(({label: of}, float(value)) for of, value in values))


def _of(tallies: Mapping[str, Any], fact: str) -> Iterator[tuple[str, float]]:
    return ((name, getattr(tally, fact)) for name, tally in tallies.items())


def _chosen(values: Mapping[str, float], names: Iterable[str]) -> Iterator[tuple[str, float]]:
    return ((name, values.get(name, 0)) for name in names)
