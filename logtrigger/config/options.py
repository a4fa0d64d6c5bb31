"""Every section and option there is: one line each, from which reading, checking and documentation come.

An option is a field of its section's table: its name, what it becomes (the annotation), what it is written as (the
kind), its default and a line of help. What is not here does not exist, and is a mistake in a configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from logtrigger.config import actionkinds, kinds
from logtrigger.config.kinds import Kind
from logtrigger.config.uci import Option, Section, Value
from logtrigger.config.words import Report, listed, shown, suggestion
from logtrigger.errors import Place
from logtrigger.logfiles.names import Template as PathTemplate
from logtrigger.rule import SenderIs
from logtrigger.templates import Template

Table = TypeVar("Table")


@dataclass(frozen=True, slots=True)
class Spec:
    """What a table says of one option."""

    kind: Kind
    help: str
    default: str = ""  # as one would write it; empty: none
    required: bool = False

    @property
    def default_value(self) -> Any:
        """What the option comes to where nobody sets it."""
        if self.default:
            return self.kind.read(Value(self.default, Place("default", 1)))
        return () if self.kind.many else None


def option(kind: Kind, help: str, default: str = "", *, required: bool = False) -> Any:
    """A row of a table."""
    spec = Spec(kind, help, default, required)
    return field(default=spec.default_value, metadata={"spec": spec})


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonOptions:
    """`config logtrigger`: what holds for the whole daemon."""

    state: Path | None = option(kinds.PATH, "the store file; by default a place that suits the system and the user")
    state_copy: Path | None = option(
        kinds.PATH, "where a copy of the store is kept, hourly and at each stop, that a start without a store begins with"
    )
    control: Path | None = option(kinds.PATH, "the control socket; by default beside the store, or where sockets are kept")
    control_group: str | None = option(kinds.RULE_NAME, "the group whose members may use the control socket too")
    use: tuple[Value, ...] = option(kinds.LINES, "services of the rule library, such as sshd, whose rules are wanted")
    include: tuple[Value, ...] = option(kinds.LINES, "further files or globs, seen from this file's folder")
    ignore: tuple[str, ...] = option(kinds.HOSTS, "addresses, prefixes and names of hosts that are never banned")
    ignore_file: tuple[Path, ...] = option(kinds.PATHS, "files with further ones, read again when they change")
    ignore_command: tuple[str, ...] | None = option(
        kinds.COMMAND, "a command that exits with 0 for an address not to be banned"
    )
    geoip: tuple[Path, ...] = option(kinds.PATHS, "MaxMind databases that tell where addresses are, the best one first")
    home_country: tuple[str, ...] = option(kinds.COUNTRIES, "the countries that are expected, two letters each: FI SE")
    script_timeout: float = option(kinds.DURATION, "how long a script may run", "60s")
    script_parallel: int = option(kinds.COUNT, "how many scripts may run at once", "8")
    max_keys: int = option(kinds.COUNT, "how many keys a rule counts at most", "100000")
    max_line: int = option(kinds.SIZE, "how long a line may be before it is cut", "1M")
    late: float = option(kinds.DURATION, "triggers older than this are recorded, not acted on", "1d")
    metrics: tuple[str, int] | None = option(kinds.LOOPBACK, "address and port, of this machine only, to serve metrics at")
    on_start: tuple[str, ...] = option(kinds.WORD_LIST, "names of `config action` sections that are told of each start")
    on_stop: tuple[str, ...] = option(kinds.WORD_LIST, "those that are told of each stop")
    on_ban: tuple[str, ...] = option(kinds.WORD_LIST, "those that are told of each ban that begins or lasts longer")
    on_unban: tuple[str, ...] = option(kinds.WORD_LIST, "those that are told of each ban that ends")
    on_rule_silent: tuple[str, ...] = option(
        kinds.WORD_LIST, "those that are told of rules that do not know their lines any more"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOptions:
    """`config rule`: what to recognise, how to count it, what to do."""

    name: str = option(kinds.RULE_NAME, "the rule's name, unlike any other's", required=True)
    enabled: bool = option(kinds.FLAG, "whether the rule runs", "1")
    pattern: tuple[Value, ...] = option(kinds.LINES, "what to recognise, with %s and %d; alternatives are tried in order")
    format: tuple[Value, ...] = option(kinds.LINES, "the same in the syntax of format strings, with {name} and {name:type}")
    regex: tuple[Value, ...] = option(kinds.LINES, "the same as regular expressions with named groups")
    nocase: bool = option(kinds.FLAG, "whether upper and lower case are the same", "0")
    anchored: bool = option(kinds.FLAG, "whether patterns must begin where the message does, behind the header", "0")
    excepts: tuple[Value, ...] = option(kinds.LINES, "patterns of lines that are no event all the same")
    fields: tuple[Value, ...] = option(kinds.LINES, "names for the conversions in order: name, name:type, or - to skip")
    program: tuple[str, ...] = option(kinds.WORD_LIST, "only lines of these programs")
    expect: tuple[Value, ...] = option(kinds.LINES, "sample lines that are events, and the fields they give: LINE -> user=bob")
    reject: tuple[Value, ...] = option(kinds.LINES, "sample lines that are no events")
    file: str | None = option(kinds.FILE, "the file or glob to follow instead of the system log")
    source: str | None = option(kinds.SOURCE_NAME, "the `config source`, the action that feeds back, or bans, to read instead")
    sender: tuple[SenderIs, ...] = option(kinds.SENDERS, "only lines of these users, or of their processes of one name")
    maxfail: int = option(kinds.COUNT, "how many events make a trigger", "1")
    time: float | None = option(kinds.DURATION, "within how long; by default without limit")
    key: tuple[str, ...] | None = option(kinds.WORDS, "the fields to count by, or none; by default the first address")
    distinct: str | None = option(kinds.RULE_NAME, "the field whose different values are counted, instead of events")
    group: str | None = option(kinds.RULE_NAME, "rules of one group share their counters")
    weight: int = option(kinds.WEIGHT, "how much an event counts", "1")
    reset_by: tuple[Value, ...] = option(kinds.LINES, "rules whose events empty the counter of the same key")
    suppress: float = option(kinds.DURATION_OR_NONE, "how long after a trigger its key does not count", "0")
    absent: float | None = option(kinds.DURATION, "trigger when there was no event for so long, and when there is one again")
    forget: float = option(kinds.DURATION, "after how long without an event a key is no longer waited for", "30d")
    when: tuple[Value, ...] = option(kinds.LINES, "conditions, all of which must hold")
    ignore: tuple[str, ...] = option(kinds.ADDRESSES, "addresses and prefixes that this rule does not count")
    ban: float | None = option(kinds.BAN_TIME, "how long what triggered is banned: a time, 0 for ever, or no")
    ban_field: str | None = option(kinds.RULE_NAME, "the field of type ip to ban; by default the first")
    ban_prefix4: int = option(kinds.PREFIX4, "count and ban IPv4 addresses by a prefix of so many bits", "32")
    ban_prefix6: int = option(kinds.PREFIX6, "count and ban IPv6 addresses by a prefix of so many bits", "64")
    ban_factor: float = option(kinds.FACTOR, "how many times longer each further ban of one address lasts", "1")
    ban_max: float | None = option(kinds.DURATION, "how long a ban may grow; by default a year")
    ban_random: tuple[float, float] = option(kinds.PART, "how much longer a ban may last at random: 10% or a time", "0")
    ban_decay: float = option(kinds.DURATION, "how much time without a ban halves the number of earlier ones", "7d")
    trust: float | None = option(
        kinds.DURATION, "how long an event, a good login, makes its address trusted with its user's failures"
    )
    widen: tuple[tuple[int, int], ...] = option(
        kinds.WIDEN, "PREFIX/NUMBER: so many addresses of one prefix have all of it banned"
    )
    ban_scope: str = option(kinds.SCOPE, "which bans count: those of all rules, or of this rule", "all")
    script: Path | None = option(kinds.PATH, "the script to run")
    env: tuple[tuple[str, str], ...] = option(kinds.VARIABLES, "further variables for the script")
    action: tuple[str, ...] = option(kinds.WORD_LIST, "names of `config action` sections")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideOptions:
    """`config override`, besides what it sets: the rules it changes."""

    rule: tuple[Value, ...] = option(kinds.LINES, "globs for the names of the rules to change", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """`config source`: where lines come from besides the system log."""

    file: tuple[str, ...] = option(kinds.FILES, "files or globs to follow")
    command: tuple[str, ...] | None = option(kinds.COMMAND, "a program whose output is read, and its arguments")
    stdin: bool = option(kinds.FLAG, "read standard input", "0")
    journal: bool = option(kinds.FLAG, "read the journal of systemd", "0")
    logread: bool = option(kinds.FLAG, "read OpenWrt's ring buffer", "0")
    listen: tuple[Value, ...] = option(kinds.LINES, "addresses to receive log messages at")
    from_: bool = option(kinds.WHERE_FROM, "where the first start ever begins: at the end, or at the start", "end")
    rotated: tuple[str, ...] = option(kinds.FILES, "folders that rotated files are moved to")
    unit: tuple[str, ...] = option(kinds.WORD_LIST, "only these units of the journal")
    match: tuple[str, ...] = option(kinds.MATCHES, "only entries of the journal with these fields, FIELD=value")
    allow: tuple[str, ...] = option(kinds.ADDRESSES, "addresses and prefixes that may send")
    write: Value | None = option(kinds.LINE, "template of the files that received lines are written to")
    certificate: Path | None = option(kinds.PATH, "our certificate, for tls")
    certificate_key: Path | None = option(kinds.PATH, "its private key")
    authority: Path | None = option(kinds.PATH, "certificates of those who sign the senders' certificates")
    peer_name: tuple[str, ...] = option(kinds.WORD_LIST, "names that a sender's certificate may bear")
    max_connections: int = option(kinds.COUNT, "how many connections may be open at once", "500")
    idle: float = option(kinds.DURATION, "after how long a silent connection is closed", "10m")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallTable:
    """`config firewall`: what blocks, and where."""

    backend: str = option(kinds.BACKEND, "what blocks: auto, nftables, iptables, script or null", "auto")
    hook: tuple[str, ...] = option(kinds.HOOKS, "where packets are looked at: prerouting, input, forward", "input forward")
    priority: int = option(kinds.PRIORITY, "when at a hook: the lower, the earlier (nftables)", "-10")
    target: str = option(kinds.TARGET, "drop, or reject: answer", "drop")
    protocol: str | None = option(kinds.PROTOCOL, "block tcp or udp only; by default everything")
    ports: tuple[int, ...] = option(kinds.PORTS, "block these ports of ours only")
    cut: bool = option(kinds.FLAG, "end established connections too", "0")
    on_flush: str = option(kinds.ON_FLUSH, "when somebody removes the bans: restore them, or forget them", "restore")
    guard: bool = option(kinds.FLAG, "ban those who are logged in, or were lately, for a short while at first", "1")
    trial: float = option(kinds.DURATION, "how long they are banned at first", "1m")
    max_bans: int = option(kinds.COUNT, "how many bans there may be", "1000000")
    ban: tuple[str, ...] | None = option(kinds.COMMAND, "for backend script: the command that bans")
    unban: tuple[str, ...] | None = option(kinds.COMMAND, "for backend script: the command that lifts a ban")
    flush: tuple[str, ...] | None = option(kinds.COMMAND, "for backend script: the command that lifts all bans")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTable:
    """`config action`: what every type of action has."""

    type: str = option(actionkinds.TYPE, "what is done: " + ", ".join(actionkinds.TYPES), required=True)
    when: tuple[Value, ...] = option(kinds.LINES, "conditions, all of which must hold")
    every: float | None = option(
        kinds.DURATION_OR_NONE,
        "how much time passes between two deliveries, at least; of mail and notify 1m by default, else 0",
    )
    give_up: float = option(kinds.DURATION, "how long a delivery is tried", "1d")
    max_waiting: int = option(kinds.COUNT, "how many triggers may wait for it", "100000")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptAction:
    """An action of type script."""

    script: Path | None = option(kinds.PATH, "the script to run", required=True)
    env: tuple[tuple[str, str], ...] = option(kinds.VARIABLES, "further variables for the script")
    feed: bool = option(kinds.FLAG, "whether rules see what it prints, as the source action:NAME", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class BanAction:
    """An action of type ban."""

    time: float = option(kinds.BAN_TIME, "for how long the first address is banned; 0 for ever", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAction:
    """An action of type log."""

    path: PathTemplate | None = option(actionkinds.PATH_TEMPLATE, "the file, perhaps with fields", required=True)
    text: Template = option(actionkinds.TEMPLATE, "the line that is written", "{message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAction:
    """An action of type mail."""

    server: str = option(actionkinds.HOST, "the mail server", "localhost")
    port: int | None = option(actionkinds.PORT, "its port; by default 587, 465 with tls, 25 without")
    security: str = option(actionkinds.SECURITY, "tls from the start, starttls, or none", "starttls")
    user: str | None = option(kinds.RULE_NAME, "whom to log in as")
    password_file: Path | None = option(kinds.PATH, "the file with the password")
    authority: Path | None = option(kinds.PATH, "certificates of those who sign the server's certificate")
    sender: str | None = option(actionkinds.MAIL_ADDRESS, "the address it comes from", required=True)
    to: tuple[str, ...] = option(actionkinds.MAIL_ADDRESSES, "whom it is for", required=True)
    subject: Template = option(actionkinds.TEMPLATE, "its subject", "{name}: {key}")
    body: Template = option(actionkinds.TEMPLATE, "what is said of each trigger", "{message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyAction:
    """An action of type notify."""

    url_file: tuple[str, ...] = option(kinds.FILES, "files that hold a URL of apprise each", required=True)
    title: Template = option(actionkinds.TEMPLATE, "its title", "{name}")
    body: Template = option(actionkinds.TEMPLATE, "what is said of each trigger", "{message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAction:
    """An action of type webhook."""

    url: str | None = option(actionkinds.URL, "where to", required=True)
    method: str = option(actionkinds.METHOD, "POST, PUT or PATCH", "POST")
    header: tuple[tuple[str, str], ...] = option(actionkinds.HEADERS, "further headers, NAME: text")
    body: Template | None = option(
        actionkinds.TEMPLATE, "the body, escaped for JSON or its Content-Type; by default all that is known"
    )
    password_file: Path | None = option(kinds.PATH, "the file with a token, sent as Authorization: Bearer")
    authority: Path | None = option(kinds.PATH, "certificates of those who sign the server's certificate")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertaAction:
    """An action of type alerta."""

    url: str | None = option(actionkinds.API, "the API, such as http://127.0.0.1:8080", required=True)
    password_file: Path | None = option(kinds.PATH, "the file with the API key")
    authority: Path | None = option(kinds.PATH, "certificates of those who sign the server's certificate")
    say: str = option(actionkinds.SAYS, "alert or heartbeat", "alert")
    resource: Template = option(actionkinds.TEMPLATE, "what the alert is about", "{host}")
    event: Template = option(actionkinds.TEMPLATE, "what has happened", "{name}")
    environment: str | None = option(kinds.RULE_NAME, "an environment that the server knows")
    severity: str | None = option(actionkinds.SEVERITY, "the alert's severity, or that of a heartbeat that stops")
    service: tuple[str, ...] = option(actionkinds.TEXTS, "services it belongs to")
    correlate: tuple[str, ...] = option(actionkinds.TEXTS, "events that replace each other")
    group: str | None = option(kinds.RULE_NAME, "the group it belongs to")
    value: Template = option(actionkinds.TEMPLATE, "the alert's value", "{count}")
    text: Template = option(actionkinds.TEMPLATE, "what is said", "{message}")
    tag: tuple[Template, ...] = option(actionkinds.TEMPLATES, "tags")
    attribute: tuple[tuple[str, Template], ...] = option(actionkinds.NAMED_TEMPLATES, "further attributes, NAME=text")
    timeout: float | None = option(kinds.DURATION, "after how long the alert expires or the heartbeat is stale")
    origin: Template = option(actionkinds.TEMPLATE, "whose heartbeat it is", "{name}/{host}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogAction:
    """An action of type syslog."""

    server: str | None = option(actionkinds.HOST, "the receiver", required=True)
    port: int | None = option(actionkinds.PORT, "its port; by default 514, 6514 with tls")
    transport: str = option(actionkinds.TRANSPORT, "udp, tcp or tls", "udp")
    facility: str = option(actionkinds.FACILITY, "the messages' facility", "daemon")
    severity: str | None = option(actionkinds.SEVERITY, "their severity; by default notice")
    program: str = option(kinds.RULE_NAME, "what they are said to come from", "logtrigger")
    text: Template = option(actionkinds.TEMPLATE, "what is said", "{message}")
    authority: Path | None = option(kinds.PATH, "certificates of those who sign the receiver's certificate")
    certificate: Path | None = option(kinds.PATH, "our certificate, where the receiver asks for one")
    certificate_key: Path | None = option(kinds.PATH, "its private key")


@dataclass(frozen=True, slots=True, kw_only=True)
class EcsAction:
    """An action of type ecs."""

    path: PathTemplate | None = option(actionkinds.PATH_TEMPLATE, "the file for the documents, perhaps with fields")
    url: str | None = option(actionkinds.API, "Elasticsearch, such as https://127.0.0.1:9200")
    index: str = option(actionkinds.INDEX, "the index or data stream they go to", "logs-logtrigger-default")
    dataset: tuple[str, ...] = option(kinds.WORD_LIST, "datasets that make documents of lines; by default all")
    batch: int = option(kinds.COUNT, "how many documents are sent at once, at most", "500")
    user: str | None = option(kinds.RULE_NAME, "whom to log in as")
    password_file: Path | None = option(kinds.PATH, "the file with the password, or without a user with an API key")
    authority: Path | None = option(kinds.PATH, "certificates of those who sign the server's certificate")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetTable:
    """`config dataset`: whose messages become documents of the Elastic Common Schema."""

    program: tuple[str, ...] = option(kinds.WORD_LIST, "the programs it belongs to; none: what no other dataset knows")
    set: tuple[Value, ...] = option(kinds.LINES, "what every document copies from the line's header, TARGET=FIELD")
    value: tuple[Value, ...] = option(kinds.LINES, "what every document says, TARGET=text")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTable:
    """`config event`: one kind of message, and its document."""

    name: str = option(kinds.RULE_NAME, "the event's name, unlike any other's", required=True)
    dataset: str = option(kinds.NAME, "the `config dataset` it belongs to", required=True)
    pattern: tuple[Value, ...] = option(kinds.LINES, "the whole message, with %s and %d; alternatives are tried in order")
    format: tuple[Value, ...] = option(kinds.LINES, "the same in the syntax of format strings, with {name} and {name:type}")
    regex: tuple[Value, ...] = option(kinds.LINES, "the same as regular expressions with named groups")
    nocase: bool = option(kinds.FLAG, "whether upper and lower case are the same", "0")
    fields: tuple[Value, ...] = option(kinds.LINES, "names for the conversions in order: name, name:type, or - to skip")
    set: tuple[Value, ...] = option(kinds.LINES, "what the document copies, TARGET=FIELD or TARGET=FIELD|TRANSFORM")
    value: tuple[Value, ...] = option(kinds.LINES, "what the document says, TARGET=text, perhaps with {FIELD}")
    expect: tuple[Value, ...] = option(kinds.LINES, "sample lines, and what their documents hold: LINE -> client.port=22")
    reject: tuple[Value, ...] = option(kinds.LINES, "sample lines that are no such event")


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # a tab may stand in a pattern

# A field cannot bear a word of Python's own.
_WRITTEN = {"excepts": "except", "from_": "from"}


def table(of: type[Any]) -> dict[str, Spec]:
    """The rows of a table, by the name one writes."""
    return {_WRITTEN.get(row.name, row.name): row.metadata["spec"] for row in fields(of)}


DAEMON, RULE, OVERRIDE, SOURCE = table(DaemonOptions), table(RuleOptions), table(OverrideOptions), table(SourceTable)
FIREWALL, DATASET, EVENT = table(FirewallTable), table(DatasetTable), table(EventTable)
# Type of action -> its own options.
ACTIONS: dict[str, type[Any]] = {
    "alerta": AlertaAction,
    "ban": BanAction,
    "ecs": EcsAction,
    "log": LogAction,
    "mail": MailAction,
    "notify": NotifyAction,
    "script": ScriptAction,
    "syslog": SyslogAction,
    "webhook": WebhookAction,
}
ACTION = table(ActionTable) | {name: spec for of in ACTIONS.values() for name, spec in table(of).items()}
# What only a rule itself can say, and why.
NOT_IN_DEFAULTS = dict.fromkeys(
    ("name", "pattern", "fields", "expect", "reject", "trust"), "every rule has its own: write it into 'config rule'"
)
NOT_IN_OVERRIDE = {"name": "a name stays: the rule is found by it"}

# Section type -> the options it may hold.
SECTIONS: dict[str, dict[str, Spec]] = {
    "logtrigger": DAEMON,
    "defaults": {name: spec for name, spec in RULE.items() if name not in NOT_IN_DEFAULTS},
    "rule": RULE,
    "override": OVERRIDE | {name: spec for name, spec in RULE.items() if name not in NOT_IN_OVERRIDE},
    "source": SOURCE,
    "firewall": FIREWALL,
    "action": ACTION,
    "dataset": DATASET,
    "event": EVENT,
}
_REASONS = {"defaults": NOT_IN_DEFAULTS, "override": NOT_IN_OVERRIDE}


def check_names(section: Section, report: Report) -> None:
    """Report a section type or options that do not exist."""
    if section.type not in SECTIONS:
        remedy = suggestion(section.type, SECTIONS) or f"there are {listed(SECTIONS)}"
        report.error(section.place, f"unknown section '{section.type}'", remedy)
        return
    for name, given in section.options.items():
        if name not in SECTIONS[section.type]:
            fault, remedy = _why_not(section.type, name)
            report.error(given.place, fault, remedy)


def _why_not(section: str, name: str) -> tuple[str, str]:
    reason = _REASONS.get(section, {}).get(name)
    if reason:
        return f"'{name}' cannot stand in 'config {section}'", reason
    known = SECTIONS[section]
    homes = [f"'config {other}'" for other, options in SECTIONS.items() if name in options]
    if homes:
        return f"'{name}' cannot stand in 'config {section}'", f"it belongs into {listed(homes, 'or')}"
    return f"unknown option '{name}'", suggestion(name, known) or f"'config {section}' knows {listed(known)}"


def read(of: type[Table], options: Mapping[str, Option], report: Report, whose: Place | None = None) -> Table:
    """The options as the table has them; what is wrong is reported and left at its default.

    With `whose`, the place of the section, a missing required option is a mistake too.
    """
    values = {}
    for row in fields(of):  # type: ignore[arg-type]  # TypeVar cannot say "dataclass"
        name, spec = _WRITTEN.get(row.name, row.name), row.metadata["spec"]
        if name in options:
            values[row.name] = read_option(spec, options[name], report)
        elif spec.required and whose is not None:
            report.error(whose, f"'{name}' is missing", f"add: option {name} 'value'")
    return of(**values)


def read_option(spec: Spec, given: Option, report: Report) -> Any:
    """What one option comes to, or its default where it is wrong."""
    if given.is_list and not spec.kind.many:
        report.error(given.place, f"'{given.name}' takes one value", f"write: option {given.name} 'value'")
        return spec.default_value
    read_values = list(_each(spec.kind, given, report))
    if spec.kind.many:
        return tuple(item for items in read_values for item in items)
    return read_values[0] if read_values else spec.default_value


def _each(kind: Kind, given: Option, report: Report) -> Iterator[Any]:
    for value in given.values:
        if kind.one_line and _CONTROL.search(value.text):
            report.error(value.place, f"'{given.name}' holds a line break or control", "is a quote left open?")
            continue
        try:
            yield kind.read(value)
        except ValueError as error:
            report.error(value.place, f"'{given.name}' cannot be {shown(value.text)}", str(error))
