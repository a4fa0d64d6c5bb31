"""The sources: whether they grow, whether anybody writes them, their clocks; and the rules that should find lines in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from logtrigger import headers
from logtrigger.doctor import files
from logtrigger.doctor.findings import Case, Facts, Finding
from logtrigger.doctor.tails import tail
from logtrigger.durations import amount, spoken
from logtrigger.rule import FED, SYSTEM_LOG, Rule
from logtrigger.silence import programs_in, programs_of, silent
from logtrigger.sources import machine as machines
from logtrigger.text import cut, safe

_SKEW = 30.0  # seconds between clocks that are nothing to speak of
_ZONE = 900.0  # seconds: zones differ by quarters of an hour
_LAG = 1 << 20  # bytes
_RECENT = 86_400.0  # seconds
_LEFT_OUT = (b"]: Suppressed ", b" due to rate-limiting")  # systemd-journald, rsyslogd
_RATES = {
    "systemd-journald": "raise RateLimitBurst in journald.conf",
    "rsyslogd": "raise SysSock.RateLimit.Burst (module imuxsock) or Ratelimit.Burst (imjournal) in rsyslog.conf",
}


def growth(case: Case) -> Iterator[Finding]:
    """Whether each source is read, and written."""
    if case.status is None:
        return
    written = files.writers(case)
    yield from files.missing(case)
    for source in case.status["sources"]:
        if source["source"].startswith(FED):
            continue  # of the daemon's own making
        found = [*_of_source(case, source, written)]
        yield from found
        if not any(finding.is_wrong for finding in found):
            heard = source["last"]
            when = f"last line {spoken(max(1, round(case.now - heard)))} ago" if heard else "no line since the start"
            yield Finding("source", "ok", f"{_named(source)}: {when}")


def _of_source(case: Case, source: Facts, written: files.Writers) -> Iterator[Finding]:
    if source["fault"]:
        remedy = "mend that; the daemon tries again by itself"
        yield Finding("source", "error", f"{source['source']} is not read: {source['fault']}", remedy)
        return
    if source["paused"]:
        yield Finding(
            "source", "error", f"{_named(source)}: reading waits for the store", "see what keeps the store from writing"
        )
    if source["lag"] > _LAG:
        text = f"{_named(source)}: {source['lag'] >> 10:,} KiB lie there unread"
        yield Finding(
            "source", "warning", text, "wait; if it does not shrink, logtrigger metrics tells which rule takes the time"
        )
    yield from files.check(case, source, written)
    paths = [file["path"] for file in source["files"] if file["path"]]
    if source["source"] == SYSTEM_LOG and paths:
        best, _ = machines.choices(case.machine)
        if best and best[0].files and not set(best[0].files) & set(paths):
            text = f"the system log is read from {' and '.join(paths)}, and is {best[0]} by now ({best[0].reason})"
            yield Finding("source", "error", text, "restart logtrigger, which looks anew")


def _named(source: Facts) -> str:
    return source["source"] if source["source"] == source["reads"] else f"{source['source']} ({source['reads']})"


def clocks(case: Case) -> Iterator[Finding]:
    """Whether the times in the lines are those at which they come."""
    for source in case.status["sources"] if case.status is not None else ():
        ahead = source["ahead"]
        if ahead is None or abs(ahead) <= _SKEW:
            continue
        quarters = round(ahead / _ZONE)
        is_zone = quarters and abs(ahead - quarters * _ZONE) <= _SKEW
        text = f"{_named(source)}: its clock is {_about(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} ours"
        remedy = (
            "its zone differs from ours: let its syslog daemon write times with their zone (RFC 3339), or set one zone"
            if is_zone
            else "set both clocks by NTP: what is read late is counted at the lines' own times"
        )
        yield Finding("clock", "warning", text, remedy)


def _about(seconds: float) -> str:
    """A span, to the minute where it is longer than some: lines take a moment to come."""
    return spoken(round(seconds) if seconds < 600 else round(seconds / 60) * 60)


def rules(case: Case) -> Iterator[Finding]:
    """Whether the rules' programs log at all, and whether rules still know their lines."""
    if case.status is None or case.configuration is None:
        return
    running = {rule.name: rule for rule in case.configuration.settings.rules}
    for source in case.status["sources"]:
        seeing = [rule for rule in running.values() if rule.source == source["source"]]
        data = tail(source) if seeing else b""
        if not data:
            continue
        yield from _left_out(source, data, case.now)
        found = list(silent(seeing, seeing, data))
        for one in found:
            yield Finding("rules", "error", f"{one} ({amount(one.lines, 'such line')})", one.remedy)
        quiet = _absent(seeing, programs_in(data))
        for programs, names in quiet.items():
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            yield Finding("rules", "note", f"{programs} has written none of the last lines of {source['source']}: {shown}")


def _left_out(source: Facts, data: bytes, now: float) -> Iterator[Finding]:
    """What the log's own daemon says of lines that it did not take: an attack may hide in a flood."""
    for line in reversed(data.splitlines()):
        if not any(words in line for words in _LEFT_OUT):
            continue
        header = headers.parse(line)
        remedy = _RATES.get(header.program or "")
        if remedy is None or (when := header.time(now)) is None or now - when > _RECENT:
            continue
        text = f"{source['source']}: lines were left out {spoken(max(1, round(now - when)))} ago: {cut(safe(line), 200)}"
        yield Finding("source", "warning", text, remedy)
        return


def _absent(seeing: list[Rule], programs: Mapping[str, int]) -> dict[str, list[str]]:
    """The programs of which there are no lines, and the rules that are for them."""
    found: dict[str, list[str]] = {}
    for rule in seeing:
        wanted = programs_of(rule)
        if wanted and not wanted & programs.keys() and not rule.of:
            found.setdefault(" ".join(sorted(wanted)), []).append(rule.name)
    return found
