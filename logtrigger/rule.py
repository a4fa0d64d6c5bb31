"""A rule as the engine runs it, and the settings of a whole daemon: what a configuration comes to once it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logtrigger.addresses import AddressSet
from logtrigger.conditions import Condition
from logtrigger.errors import Place
from logtrigger.patterns.pattern import Pattern

SYSTEM_LOG = "system log"  # the source of every rule that names none
FED = "action:"  # and the name of an action: the source of the lines that its scripts print
BANS = "bans"  # the source of a line about each ban that a rule has begun


@dataclass(frozen=True, slots=True)
class SenderIs:
    """One of those whom `option sender` lets through: a user, perhaps running a certain program."""

    uid: int
    program: str = ""  # empty: any


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """How much longer further bans of one network last."""

    factor: float = 1.0  # from one ban to the next
    longest: float | None = None  # seconds; None: a year
    part: float = 0.0  # of its time a ban may last longer, at random
    extra: float = 0.0  # seconds more than that, at random
    decay: float = 7 * 86_400.0  # seconds without a ban that halve the count
    per_rule: bool = False  # count the rule's own bans only


@dataclass(frozen=True, slots=True, kw_only=True)
class BanOptions:
    """What a rule bans, for how long, how widely."""

    field: str  # of type ip
    seconds: float | None  # None: for ever
    prefix4: int = 32
    prefix6: int = 64
    escalation: Escalation | None = None  # None: all bans last equally long
    widen: tuple[tuple[int, int], ...] = ()  # prefixes, and how many different addresses of one have it banned as a whole
    widened: bool = False  # the rule bans such prefixes


@dataclass(frozen=True, slots=True)
class Distinct:
    """The field whose different values a rule counts, instead of events; addresses by their prefix."""

    field: str  # of the rule, of the header, or of a place
    prefix4: int = 32
    prefix6: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to recognise, how to count it, what to do."""

    name: str
    place: Place
    patterns: tuple[Pattern, ...]  # alternatives, tried in order
    excepts: tuple[Pattern, ...] = ()
    rejects: tuple[str, ...] = ()  # sample lines that are no events; whoever looks for lines it should know knows these
    programs: frozenset[str] = frozenset()
    source: str = SYSTEM_LOG
    maxfail: int = 1
    time: float | None = None  # seconds; None: no limit
    key: tuple[str, ...] = ()
    distinct: Distinct | None = None
    of: str = ""  # the rule whose prefixes it bans, where `widen` has brought it about
    group: str = ""
    weight: int = 1
    reset_by: tuple[str, ...] = ()
    suppress: float = 0.0  # seconds
    absent: float | None = None  # seconds without an event that are told; None: events are what is counted
    forget: float = 30 * 86_400.0  # seconds without an event after which nobody waits for the key any more
    when: tuple[Condition, ...] = ()
    ignore: AddressSet = field(default_factory=AddressSet)
    senders: tuple[SenderIs, ...] = ()  # empty: anybody
    ban: BanOptions | None = None
    trust: float = 0.0  # seconds that an event makes its address trusted, a good login
    script: Path | None = None
    env: tuple[tuple[str, str], ...] = ()
    actions: tuple[str, ...] = ()  # names of `config action` sections

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of all alternatives' fields, each once."""
        return tuple(dict.fromkeys(name for pattern in self.patterns for name in pattern.fields))

    @property
    def counts_networks(self) -> bool:
        """Whether the banned field is counted by, and so by the prefix that is banned."""
        return self.ban is not None and self.ban.field in self.key

    @property
    def types(self) -> dict[str, str]:
        """Each field's type, in the order of the fields."""
        types = {n: t for p in reversed(self.patterns) for n, t in zip(p.fields, p.types, strict=True)}
        return {name: types[name] for name in self.fields}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """A `config source`: where its lines come from (one of file, command, journal, logread, stdin, listen), and how."""

    name: str
    place: Place
    file: tuple[str, ...] = ()  # globs
    command: tuple[str, ...] = ()  # an argument list
    journal: bool = False
    units: tuple[str, ...] = ()  # of the journal; empty: all
    matches: tuple[str, ...] = ()  # of the journal, FIELD=value
    logread: bool = False
    stdin: bool = False
    listen: tuple[str, ...] = ()  # unix:PATH, udp:ADDRESS:PORT, tcp:ADDRESS:PORT, tls:ADDRESS:PORT
    from_start: bool = False
    rotated: tuple[str, ...] = ()  # folders of rotated files
    allow: AddressSet = field(default_factory=AddressSet)  # who may send; empty: this machine
    write: str = ""  # template of the files that received lines go to
    certificate: Path | None = None
    certificate_key: Path | None = None
    authority: Path | None = None  # certificates of those who sign clients'
    peer_names: tuple[str, ...] = ()  # that a client's certificate may bear
    max_connections: int = 500
    idle: float = 600.0  # seconds until a silent connection is closed


NOTICE = ""  # what is told of the daemon itself and of bans, where a rule's name stands else


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOptions:
    """A `config action` that rules name, or who is told of the daemon itself."""

    name: str
    place: Place
    type: str
    own: Any  # the options of its type, a table of config/options.py
    every: float = 0.0  # seconds between two deliveries, at least
    give_up: float = 86_400.0  # seconds
    max_waiting: int = 100_000  # triggers
    when: Mapping[str, tuple[Condition, ...]] = field(default_factory=dict)  # rule, or NOTICE -> what must hold


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallOptions:
    """`config firewall`: what blocks, and where."""

    backend: str = "auto"  # auto, nftables, iptables, script, null
    hooks: tuple[str, ...] = ("input", "forward")
    priority: int = -10  # of the nftables chains
    reject: bool = False  # answer instead of dropping
    protocol: str = ""  # tcp or udp; empty: all
    ports: tuple[int, ...] = ()  # empty: all
    cut: bool = False  # end established connections too
    restore: bool = True  # bring the bans back when somebody flushes them
    max_bans: int = 1_000_000
    guard: bool = True  # spare those who are logged in, at first
    trial: float = 60.0  # seconds that they are banned then
    ban: tuple[str, ...] = ()  # argument lists of the script backend
    unban: tuple[str, ...] = ()
    flush: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration, checked."""

    path: Path
    rules: tuple[Rule, ...]  # the enabled ones, in the order of the configuration
    state: Path
    ignore: AddressSet = field(default_factory=AddressSet)
    ignore_names: tuple[str, ...] = ()  # whose addresses are ignored, too
    ignore_files: tuple[Path, ...] = ()  # that hold further addresses
    ignore_command: tuple[str, ...] = ()  # an argument list; asked about who is banned
    script_timeout: float = 60.0  # seconds
    script_parallel: int = 8
    max_keys: int = 100_000
    max_line: int = 1 << 20  # bytes
    late: float = 86_400.0  # seconds
    state_copy: Path | None = None  # where the store is copied to each hour; None: nowhere
    sources: tuple[SourceOptions, ...] = ()
    actions: tuple[ActionOptions, ...] = ()
    notices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what `Dispatch.notice` tells -> actions told of it
    geoip: tuple[Path, ...] = ()  # databases, the best one first
    home: frozenset[str] = frozenset()  # the countries that are expected
    firewall: FirewallOptions = FirewallOptions()
    control: Path | None = None  # the control socket; None: none is served
    control_group: str = ""  # who besides root may use it
    metrics: tuple[str, int] | None = None  # address and port of the loopback interface; None: they are not served

    @property
    def number_of_rules(self) -> int:
        """How many of the rules somebody has written; others were made for them."""
        return sum(not rule.of for rule in self.rules)

    @property
    def bans(self) -> bool:
        """Whether some rule or action bans."""
        return any(rule.ban is not None for rule in self.rules) or any(action.type == "ban" for action in self.actions)
