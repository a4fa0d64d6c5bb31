"""A line sent on its way: whether the system log brings it to the daemon, and what each rule would do about one of its own."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from secrets import token_hex

from logtrigger.config.relations import Built
from logtrigger.config.samples import line_of, recognised
from logtrigger.control.client import NoDaemon
from logtrigger.control.protocol import Refused
from logtrigger.doctor.findings import Case, Finding
from logtrigger.durations import amount
from logtrigger.rule import SYSTEM_LOG, Rule

PROGRAM = "logtrigger-doctor"
_USER_NOTICE = 13  # RFC 5424, 6.2.1: facility 1, severity 5


def arrival(case: Case) -> Iterator[Finding]:
    """Log a line as `logger` does, and wait for the daemon to see it."""
    sources = [one["source"] for one in case.status["sources"]] if case.status is not None else []
    if SYSTEM_LOG not in sources or case.ask is None:
        return
    path, text = str(case.machine.file("dev/log")), f"a line to see whether it arrives, {token_hex(8)}"
    try:
        answer = case.ask("probe", text=text)
        next(answer)
        begun = time.monotonic()
        _log(path, text)
        source = next(answer)["source"]
        for _ in answer:
            pass
    except OSError as error:
        yield Finding(
            "line", "error", f"nothing can be logged: {path}: {error.strerror}", "start the syslog daemon or journald"
        )
        return
    except (NoDaemon, Refused, StopIteration) as error:
        yield Finding("line", "error", f"the daemon did not say whether a line arrives: {error}", "see whether it hangs")
        return
    if source is None:
        reads = next(one["reads"] for one in case.status["sources"] if one["source"] == SYSTEM_LOG) if case.status else ""
        text = f"a line logged to {path} did not come within 5 s by way of {reads}"
        yield Finding("line", "error", text, "start the syslog daemon, or see where it writes, then restart logtrigger")
    else:
        took = (time.monotonic() - begun) * 1000
        yield Finding("line", "ok", f"a line logged to {path} came to the daemon after {took:.0f} ms ({source})")


def _log(path: str, text: str) -> None:
    """Send a message to a syslog daemon of this machine. Raises OSError."""
    stamp = time.strftime("%b %e %H:%M:%S")
    line = f"<{_USER_NOTICE}>{stamp} {PROGRAM}[{os.getpid()}]: {text}".encode()
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_UNIX, kind) as log:
            log.settimeout(5)
            try:
                log.connect(path)
            except OSError:
                if kind == socket.SOCK_STREAM:
                    raise
                continue
            log.sendall(line if kind == socket.SOCK_DGRAM else line + b"\n")
            return


def rules(case: Case) -> Iterator[Finding]:
    """Show each rule a line of its own, its first sample, and see what it would do; nothing is done."""
    if case.configuration is None:
        return
    running = {rule.name: rule for rule in case.configuration.settings.rules}
    tried, idle = list[Rule](), list[str]()
    for built in case.configuration.built:
        rule = running.get(built.options.name)
        if rule is None or (line := _sample(built)) is None:
            continue
        if recognised(rule, line) is None:
            text = f"rule {rule.name} does not know its own sample: {line[:150]}"
            yield Finding("rules", "error", text, "logtrigger check says why")
            continue
        tried.append(rule)
        if rule.ban is None and rule.script is None and not rule.actions and not rule.trust:
            idle.append(rule.name)
    if tried:
        acting = _deeds(tried)
        yield Finding("rules", "ok", f"{amount(len(tried), 'rule')} shown a line of their own: each knows it; {acting}")
    if idle:
        shown = ", ".join(idle[:3]) + (f" and {len(idle) - 3} more" if len(idle) > 3 else "")
        yield Finding("rules", "note", f"nothing is done about {shown}", "give them a script, ban or action, or leave them so")


def _deeds(rules: list[Rule]) -> str:
    counts = {
        "would ban": sum(rule.ban is not None for rule in rules),
        "would run a script": sum(rule.script is not None for rule in rules),
        "would tell an action": sum(bool(rule.actions) for rule in rules),
    }
    return ", ".join(f"{number} {deed}" for deed, number in counts.items() if number) or "none would do anything"


def _sample(built: Built) -> str | None:
    """The first line that the configuration says is an event, without what it must give."""
    if not built.options.expect:
        return None
    return line_of(built.options.expect[0].text)
