"""The commands that the daemon answers: one table, from which requests are checked and answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from logtrigger.config.words import listed, suggestion
from logtrigger.control import banned, examined, history, measured, standing
from logtrigger.control import why as reasons
from logtrigger.control.protocol import No, Refused, Request, Rows
from logtrigger.durations import spoken
from logtrigger.errors import ConfigError

if TYPE_CHECKING:
    from logtrigger.daemon import Daemon

Argument = Callable[[Any], bool]

PAUSE = 3600.0  # seconds that a rule is paused if nothing else is said: nobody shall forget it for ever
_MOST = 1_000_000_000  # of rows; of seconds some 31 years


def _text(value: object) -> bool:
    """JSON can name halves of characters, too, which nobody else takes."""
    return isinstance(value, str) and not any("\ud800" <= one <= "\udfff" for one in value)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


_KINDS: dict[Argument, str] = {
    _text: "a text",
    _texts: "a list of texts",
    _flag: "true or false",
    _count: f"a whole number from 0 to {_MOST}",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what gives its rows, and the arguments it takes. One that is null is as good as absent."""

    rows: Callable[..., Rows]
    takes: Mapping[str, Argument] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


def reload(daemon: Daemon, user: int) -> Rows:
    """Read the configuration again: its complaints, and whether it is in force."""
    daemon.report(1, f"reload asked for by {banned.named(user)}")
    if daemon.is_stopping:
        raise Refused("logtrigger is stopping", "start it again")
    try:
        with _overheard(daemon) as faults:
            daemon.reload_now()
    except ConfigError as error:
        daemon.report(
            0, f"not reloaded, on the configuration's mistakes; the old one stays in force ({banned.named(user)} asked)"
        )
        for complaint in error.complaints:
            yield {"complaint": str(complaint), "severity": complaint.severity}
        raise Refused("not reloaded; the old configuration stays in force", "correct it and try again") from None
    for complaint in daemon.configuration.complaints:
        yield {"complaint": str(complaint), "severity": complaint.severity}
    for fault in faults:
        yield {"complaint": fault, "severity": "error"}
    yield {"rules": daemon.settings.number_of_rules}


def pause(daemon: Daemon, user: int, *, rule: str, seconds: int | None = None) -> Rows:
    """Do nothing about what a rule finds, for an hour if nothing else is said; a row with what the rule does now.

    A rule that `widen` has made is a part of the one that is written.
    """
    if rule not in daemon.dispatch.rules:
        raise Refused(
            f"no rule called '{rule[:100]}' runs", suggestion(rule, daemon.dispatch.rules) or "'logtrigger rules' lists them"
        )
    rule = daemon.dispatch.rules[rule].of or rule
    span = PAUSE if seconds is None else max(1, seconds)
    daemon.dispatch.suspend(rule, daemon.now() + span)
    daemon.report(1, f"rule {rule}: paused for {spoken(round(span))} by {banned.named(user)}")
    yield next(iter(standing.rule(daemon, user, name=rule)))


def resume(daemon: Daemon, user: int, *, rule: str) -> Rows:
    """Act on what a rule finds again."""
    if rule in daemon.dispatch.rules:
        rule = daemon.dispatch.rules[rule].of or rule
    if not daemon.dispatch.why_not(rule):
        raise No(f"{rule[:100]} is not paused")
    del daemon.dispatch.suspended[rule]
    daemon.report(1, f"rule {rule}: goes on, by word of {banned.named(user)}")
    yield next(iter(standing.rule(daemon, user, name=rule)))


def metrics(daemon: Daemon, user: int) -> Rows:
    """A row for each metric."""
    for family in measured.families(daemon):
        yield {"name": family.name, "kind": family.kind, "help": family.help, "samples": family.samples}


@contextmanager
def _overheard(daemon: Daemon) -> Iterator[list[str]]:
    """The errors that the daemon reports meanwhile, such as of a source that cannot be opened."""
    report, faults = daemon.report, list[str]()

    def overhear(level: int, text: str) -> None:
        report(level, text)
        if level == 0:
            faults.append(text)

    daemon.report = overhear
    try:
        yield faults
    finally:
        daemon.report = report


COMMANDS: dict[str, Command] = {
    "status": Command(standing.status),
    "rules": Command(standing.rules),
    "rule": Command(standing.rule, {"name": _text}, needs=("name",)),
    "bans": Command(banned.bans, {"networks": _texts, "rule": _text, "most": _count}),
    "ban": Command(banned.ban, {"network": _text, "seconds": _count, "force": _flag}, needs=("network",)),
    "unban": Command(banned.unban, {"networks": _texts, "rule": _text, "all": _flag}),
    "events": Command(history.events, {"rule": _text, "most": _count, "follow": _flag}),
    "why": Command(reasons.why, {"network": _text}, needs=("network",)),
    "reload": Command(reload),
    "metrics": Command(metrics),
    "pause": Command(pause, {"rule": _text, "seconds": _count}, needs=("rule",)),
    "resume": Command(resume, {"rule": _text}, needs=("rule",)),
    "firewall": Command(examined.firewall),
    "probe": Command(examined.probe, {"text": _text}, needs=("text",)),
}


class Desk:
    """Answers requests on behalf of a daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def answer(self, request: Request) -> Rows:
        """The rows that answer a request. Raises Refused where it asks for what there is not."""
        command = COMMANDS.get(request.command)
        if command is None:
            raise Refused(
                f"unknown command '{request.command[:40]}'",
                suggestion(request.command, COMMANDS) or f"there are {listed(COMMANDS)}",
            )
        given = {name: value for name, value in request.arguments.items() if value is not None}
        for name, value in given.items():
            if name not in command.takes:
                raise Refused(f"'{request.command}' takes no '{name[:40]}'", suggestion(name, command.takes))
            if not command.takes[name](value):
                raise Refused(f"'{name}' is to be {_KINDS[command.takes[name]]}", "correct the request")
        for name in command.needs:
            if name not in given:
                raise Refused(f"'{name}' is missing", "add it to the request")
        return command.rows(self._daemon, request.user, **given)
