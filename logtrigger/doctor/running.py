"""The daemon: whether it runs, with this configuration and the rights it needs, and what it has to complain of itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from logtrigger.control.client import NoDaemon
from logtrigger.control.protocol import No, Refused
from logtrigger.doctor.findings import Case, Facts, Finding
from logtrigger.durations import amount, spoken

_NET_ADMIN = 12  # CAP_NET_ADMIN, capabilities(7)
_KERNEL = ("auto", "nftables", "iptables")
_RECENT = 86_400.0  # seconds
_LOOKED_AT = 200  # triggers
_AT_LEAST, _RUNS = 2, 5  # failures in a row; runs that are looked at
_FAILURE = re.compile(r"\bexit [1-9]|^ended by signal|, ended by signal|^cannot be started")


def check(case: Case) -> Iterator[Finding]:
    """What `status` tells, and the kernel of the process."""
    yield from _rights(case)
    status = case.status
    if status is None:
        return
    since = spoken(max(1, round(case.now - status["started"])))
    yield Finding("daemon", "ok", f"{status['version']}, process {status['pid']}, has run for {since}")
    yield from _changed(case, status)
    for one in status["actions"]:
        failing = one["last_error_at"] is not None and one["last_error_at"] >= (one["last_success"] or 0.0)
        if failing and one["waiting"]:
            text = f"{one['action']}: {amount(one['waiting'], 'trigger')} wait, as it fails: {one['last_error']}"
            yield Finding("actions", "error", text, "see that its far end can be reached, and what it answers")
        if one["given_up"]:
            text = f"{one['action']}: {amount(one['given_up'], 'trigger')} were given up since the start"
            yield Finding("actions", "warning", text, "the log says why; give_up says after how long")
    for fault in status["ignore"]["faults"]:
        yield Finding("ignore", "warning", fault.removeprefix("ignore: "), "correct it, or write the addresses themselves")
    yield from _failing(case)
    for name, count in status["evicted"].items():
        text = f"{name}: {amount(count, 'counter')} were given up for others"
        yield Finding("rules", "warning", text, "raise max_keys, or count by something that is less easily varied")


def _failing(case: Case) -> Iterator[Finding]:
    """Scripts whose last runs all failed. Of what has a far end `status` tells."""
    if case.ask is None or case.status is None:
        return
    far = {one["action"] for one in case.status["actions"]}
    results: dict[tuple[str, str], list[str]] = {}
    try:
        for row in case.ask("events", most=_LOOKED_AT):
            for one in row["actions"] if case.now - row["time"] < _RECENT else ():
                if one["state"] == "done" and one["action"] not in far:
                    results.setdefault((row["rule"], one["action"]), []).append(one["result"] or "")
    except (No, Refused, NoDaemon):
        return  # the store, which is told of elsewhere, or its end
    for (rule, name), ends in results.items():
        last = ends[-_RUNS:]
        if len(last) >= _AT_LEAST and all(map(_FAILURE.search, last)):
            text = f"rule {rule}: its last {len(last)} runs of {name} have failed, the last with: {last[-1]}"
            yield Finding("actions", "warning", text, "run it by hand; -D 2 shows what it is given and what it says")


def _changed(case: Case, status: Facts) -> Iterator[Finding]:
    if case.configuration is None:
        return
    if status["configuration"] != str(case.configuration.settings.path.resolve()) and status["configuration"] != str(case.path):
        text = f"the daemon runs with {status['configuration']}, and {case.path} is looked at here"
        yield Finding("daemon", "warning", text, f"name the other one: -c {status['configuration']}")
        return
    files = {value.place.path for given in case.configuration.origins.values() for value in given.values()}
    for path in sorted({str(case.path), *files}):
        try:
            changed = os.stat(path).st_mtime
        except OSError:
            continue  # a default, or gone
        if changed > status["loaded"]:
            text = f"{path} has changed since the daemon read it {spoken(max(1, round(case.now - status['loaded'])))} ago"
            yield Finding("daemon", "warning", text, "logtrigger reload")


def _rights(case: Case) -> Iterator[Finding]:
    """Whether it may change the firewall."""
    if case.configuration is None:
        return
    settings = case.configuration.settings
    if not settings.bans or settings.firewall.backend not in _KERNEL:
        return
    pid = "self" if case.status is None else case.status["pid"]
    mask = _effective(f"/proc/{pid}/status")
    if mask is not None and not mask >> _NET_ADMIN & 1:
        who = "the daemon" if case.status is not None else "whoever runs this"
        text = f"{who} lacks the capability CAP_NET_ADMIN, so nothing can be banned"
        remedy = "run it as root, or give it AmbientCapabilities=CAP_NET_ADMIN in its systemd unit"
        yield Finding("rights", "error" if case.status is not None else "note", text, remedy)


def _effective(path: str) -> int | None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1], 16) for line in file if line.startswith("CapEff:")), None)
    except OSError:
        return None
