"""The values that travel from a source to an action. They hold no behaviour and touch nothing outside themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple


class Sender(NamedTuple):
    """Who sent a line, in the kernel's word (unix(7) SCM_CREDENTIALS, systemd.journal-fields(7) _UID and _COMM)."""

    uid: int
    program: str = ""  # the sending process's name, at most 15 characters; empty where it was gone already


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines read from one place, as bytes.

    `source` selects the rules that see the lines ("system log", or the `file` of a rule as written there); `origin` is what a
    person would look at (a path, a socket, a command line). `stream` names the run of bytes durably: one file between its
    creation and its deletion or truncation, one connection, one run of a command. Offsets count bytes in that stream, so
    (stream, offset) names a line for ever.
    """

    source: str
    origin: str
    stream: str
    offset: int  # of data[0] in the stream
    end: int  # where the stream goes on after this chunk; more than offset + len(data) where a line was cut
    data: bytes  # lines, each ending in b"\n"
    catching_up: bool = False  # lay there when the file was opened: events happen at the time in their header
    sender: Sender | None = None  # of all these lines; None: the source does not tell
    own: bool = False  # written by our own process or a running script: only rules with `program 'logtrigger'` see it
    peer: str = ""  # the address that a network receiver got these lines from


@dataclass(frozen=True, slots=True)
class Position:
    """How far one followed file has been read: what a restart needs to go on there and nowhere else."""

    stream: str
    source: str
    path: str
    device: int
    inode: int
    offset: int
    head: str = ""  # fingerprint of the first bytes, see sources/fingerprint.py
    tail: str = ""  # fingerprint of the last bytes before offset


@dataclass(frozen=True, slots=True)
class Event:
    """One rule recognising one line."""

    rule: str
    time: float  # epoch seconds at which it counts
    key: tuple[str, ...]
    count: int  # sum of weights in the window, this event included
    line: bytes


@dataclass(frozen=True, slots=True)
class Trigger:
    """A window that filled: what actions get to see.

    `fields` holds the completing event's captures, made safe (see text.py), in the order of the pattern.
    """

    id: str  # unique: rule, stream and offset of the completing line
    rule: str
    time: float  # epoch seconds
    count: int
    key: tuple[str, ...]
    fields: Mapping[str, str]
    message: str  # the whole line, made safe
    body: str  # the message alone, made safe
    source: str  # what the line was read from
    offset: int = 0  # of the completing line, in its stream
    host: str = ""
    program: str = ""
    pid: str = ""
    late: int = 0  # seconds between the event and its being read
    ignored: bool = False  # its address is on the ignore list
    extra: Mapping[str, str] = field(default_factory=dict)  # from enrichment
    state: str = ""  # what has changed, where that is what is told: absent, back, or an event of `Dispatch.notice`

    def bare(self) -> Trigger:
        """The same without its texts, for whom it is enough that there was one: they are most of its size."""
        return replace(self, fields={}, message="", body="", extra={})


Undone = tuple[int, Trigger, tuple[str, ...]]  # number, trigger, names of its actions that are still to be done


@dataclass(frozen=True, slots=True)
class Ban:
    """A network that is blocked until its time is over."""

    network: str  # canonical; an address alone where the prefix is the whole of it: 192.0.2.7, 2001:db8::/64
    since: float  # epoch seconds
    until: float | None  # None: for ever
    rule: str = ""  # what banned it; empty: somebody asked for it
    by: str = ""  # who asked for it; empty: a rule did
    times: int = 1  # how often it was banned anew while it lasted
    trigger: str = ""  # id of the last trigger that banned it
    lines: tuple[str, ...] = ()  # the last ones that did so, oldest first, made safe and cut
    nth: int = 1  # which ban of this network it is, of those that count; see escalation.py


@dataclass(frozen=True, slots=True)
class Offender:
    """A network that was banned, and how often."""

    network: str
    scope: str  # the rule that counts its own bans; empty: those of all others
    count: int  # 0: forget it
    until: float  # when its last ban is over, epoch seconds
    decay: float  # seconds without a ban that halve the count


@dataclass(frozen=True, slots=True)
class Trust:
    """An address from which somebody has logged in."""

    address: str
    user: str  # empty: the network was spared until then
    until: float  # epoch seconds; 0.0: forget it


@dataclass(frozen=True, slots=True)
class Unban:
    """The end of a ban."""

    network: str
    ended: float  # epoch seconds
    how: str  # "expired", or who or what lifted it
