"""How the daemon stands: its sources, rules, queue, bans and store."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logtrigger import __version__
from logtrigger.actions.configured import SCRIPT
from logtrigger.config.options import RULE
from logtrigger.config.uci import Option
from logtrigger.config.words import suggestion
from logtrigger.control.protocol import Refused, Rows
from logtrigger.feeds import Standing
from logtrigger.model import Position
from logtrigger.rule import SourceOptions
from logtrigger.sources.past import is_being_read

if TYPE_CHECKING:
    from logtrigger.daemon import Daemon

Facts = dict[str, Any]


def status(daemon: Daemon, user: int) -> Rows:
    """One row about everything."""
    states = [_rule(daemon, name) for name in daemon.configuration.origins]
    work = daemon.dispatch.work
    scripts = {name: _script(daemon, name) for name in work.owed if daemon.dispatch.actions.is_script(name)}
    options = {source.name: source for source in daemon.settings.sources}
    yield {
        "version": __version__,
        "pid": os.getpid(),
        "started": daemon.clock.present(daemon.started),
        "loaded": daemon.clock.present(daemon.loaded),
        "configuration": str(daemon.settings.path),
        "sources": [_source(one, options.get(one.name)) for one in daemon.feeds.standings()],
        "rules": {
            "running": daemon.settings.number_of_rules,
            "off": [{"rule": state["rule"], "why": state["why"]} for state in states if state["state"] == "off"],
            "paused": [{"rule": state["rule"], "why": state["why"]} for state in states if state["state"] == "paused"],
        },
        "paused": [
            {"rule": pause.rule, "body": pause.body, "until": pause.until, "passed_over": pause.passed_over}
            for pause in daemon.dispatch.pauses
        ],
        "events": sum(state["events"] for state in states),
        "triggers": sum(state["triggers"] for state in states),
        "queue": {"running": work.running, "waiting": work.waiting, "spilled": work.spilled},
        "scripts": {
            **{what: sum(one[what] for one in scripts.values()) for what in ("running", "waiting", "done", "failed")},
            **_last_fault(scripts.values()),
            "actions": [{"action": name, **one} for name, one in scripts.items() if name != SCRIPT],
        },
        "actions": _deliveries(daemon),
        "bans": {
            "number": len(daemon.banning.bans),
            "offenders": len(daemon.banning.offenders),
            "backend": daemon.banning.backend,
            "error": daemon.banning.fault,
        },
        "store": {
            "path": str(daemon.state),
            "bytes": _size(daemon.state) + _size(Path(f"{daemon.state}-wal")),
            "pending": daemon.commits.pending,
            "error": daemon.commits.error,
            "copy": str(copy.path) if (copy := daemon.state_copy) is not None else None,
            "copy_error": copy.fault if copy is not None else "",
        },
        "ignore": {"faults": daemon.banning.ignoring.faults()},
        "evicted": daemon.engine.counters.evictions(),
        "stopping": daemon.is_stopping,
    }


def _script(daemon: Daemon, name: str) -> Facts:
    """How the runs of a script have ended since the start, and how many are still to come."""
    dispatch = daemon.dispatch
    running = dispatch.work.running_of(name)
    failed_at, error = dispatch.failed.get(name, (None, ""))
    return {
        "running": running,
        "waiting": dispatch.work.owed[name] - running,
        "done": dispatch.results[name, True],
        "failed": dispatch.results[name, False],
        "last_error": error,
        "last_error_at": failed_at,
    }


def _last_fault(scripts: Iterable[Facts]) -> Facts:
    """What went wrong last, and when: of all of them."""
    last = max(scripts, key=lambda one: float(one["last_error_at"] or 0), default={})
    return {key: last.get(key) for key in ("last_error", "last_error_at")}


def _deliveries(daemon: Daemon) -> list[Facts]:
    """Of each action that sends something how its far end does."""
    work = daemon.dispatch.work
    return [
        {
            "action": name,
            "waiting": work.owed.get(name, 0),
            "sent": box.health.sent,
            "given_up": box.health.given_up + work.turned_away.get(name, 0),
            "last_success": box.health.last_success,
            "last_error": box.health.last_error,
            "last_error_at": box.health.last_error_at,
            "next": None if (left := box.next_in) is None else daemon.clock() + left,
        }
        for name, box in daemon.dispatch.actions.outboxes.items()
    ]


def rules(daemon: Daemon, user: int) -> Rows:
    """A row for each rule, in the order of the configuration."""
    for name in daemon.configuration.origins:
        yield _rule(daemon, name)


def rule(daemon: Daemon, user: int, *, name: str) -> Rows:
    """One rule: its row, and one for each option with its value and place; no place: the default."""
    origins = daemon.configuration.origins
    if name not in origins:
        raise Refused(f"no rule is called '{name[:100]}'", suggestion(name, origins) or "'logtrigger rules' lists them")
    yield _rule(daemon, name)
    given = origins[name]
    for option, spec in RULE.items():
        if option in given:
            values = [value.text for value in given[option].values]
            yield {"option": option, "values": values, "place": str(given[option].place)}
        else:
            yield {"option": option, "values": [spec.default] if spec.default else [], "place": None}


def _rule(daemon: Daemon, name: str) -> Facts:
    tally = daemon.dispatch.tallies.get(name)
    running = daemon.dispatch.rules.get(name)
    paused = daemon.dispatch.why_not(name)
    return {
        "rule": name,
        "state": "off" if running is None else "paused" if paused else "running",
        "why": paused if running is not None else _why_off(daemon, name),
        "events": daemon.engine.events().get(name, 0),
        "triggers": tally.triggers if tally else 0,
        "last": tally.last if tally else None,
        "keys": len(daemon.engine.counters.of(running)) if running is not None else 0,
        "source": running.source if running is not None else None,
        "actions": _actions(daemon.configuration.origins[name]),
    }


def _why_off(daemon: Daemon, name: str) -> str:
    failed = daemon.configuration.failed.get(name)
    if failed is not None:
        return f"a sample failed: {failed}"
    return f"not enabled, {daemon.configuration.origins[name]['enabled'].place}"


def _actions(given: Mapping[str, Option]) -> list[str]:
    """What a rule does, as its options say it."""
    return [f"{name} {value.text}" for name in ("ban", "script", "action") if name in given for value in given[name].values]


def _source(one: Standing, options: SourceOptions | None) -> Facts:
    files = [_file(position) for position in one.positions if is_being_read(position)]
    found = ", ".join(dict.fromkeys(file["path"] for file in files if file["path"]))
    return {
        "source": one.name,
        "reads": one.reading or found or (_reads(options) if options is not None else one.name),
        "files": files,
        "lag": sum(file["lag"] or 0 for file in files),
        "last": one.heard,
        "ahead": one.skew,
        "paused": one.paused,
        "fault": one.fault,
        "unreadable": list(one.unreadable),
    }


def _reads(options: SourceOptions) -> str:
    """What a `config source` reads, as it is written."""
    kinds = {"the journal": options.journal, "the ring buffer": options.logread, "standard input": options.stdin}
    named = [*options.listen, *options.file, *([shlex.join(options.command)] if options.command else [])]
    return ", ".join([*named, *(kind for kind, is_so in kinds.items() if is_so)])


def _file(position: Position) -> Facts:
    """How far a file has been read; `lag` is the bytes that are left, where the file still stands under its name."""
    lag = None
    try:
        status = os.stat(position.path)
        if (status.st_dev, status.st_ino) == (position.device, position.inode):
            lag = max(0, status.st_size - position.offset)
    except (OSError, ValueError):
        pass  # renamed or gone: its rest is read all the same
    return {"path": position.path, "offset": position.offset, "lag": lag}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
