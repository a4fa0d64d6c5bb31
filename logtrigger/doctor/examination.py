"""All checks, in the way of a line: configuration, daemon, sources, rules, firewall, store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from logtrigger.control.client import Client, NoDaemon
from logtrigger.control.protocol import No, Refused
from logtrigger.doctor import configured, disk, logs, packets, running, trial
from logtrigger.doctor.findings import Case, Check, Finding

CHECKS: tuple[Check, ...] = (
    configured.check,
    running.check,
    logs.growth,
    trial.arrival,
    logs.clocks,
    logs.rules,
    trial.rules,
    packets.check,
    disk.check,
)


def examine(path: Path, sockets: Sequence[Path], now: float) -> Iterator[Finding]:
    """What is found, check after check.

    Args:
        path: the configuration.
        sockets: where the daemon may answer.
        now: epoch seconds.
    """
    case, client = Case(path, now), None
    try:
        client = Client(sockets)
        case.ask, case.user, case.socket = client.ask, client.user, client.path
        case.status = next(iter(list(client.ask("status"))), None)
        case.firewall = next(iter(list(client.ask("firewall"))), None)
    except NoDaemon as error:
        yield Finding("daemon", "error", error.fault, error.remedy)
    except (No, Refused) as error:
        yield Finding(
            "daemon", "error", f"the daemon does not say how it stands: {error}", "it may be another version: restart it"
        )
    try:
        for check in CHECKS:
            try:
                yield from check(case)
            except KeyError as error:  # so it is between an update and the restart that it asks for
                text = f"the daemon does not tell {error}, so not all can be looked at"
                yield Finding("daemon", "error", text, "restart it: it is of another version than this command")
    finally:
        if client is not None:
            client.close()
