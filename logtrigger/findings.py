"""What there is on this machine that a first configuration has to know: its log, its firewall, its daemons, who is logged in.

Nothing is asked and nothing changed; what cannot be found out is left out.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

from logtrigger import sessions
from logtrigger.config import library, uci
from logtrigger.config.library import Service
from logtrigger.config.words import Report
from logtrigger.errors import FirewallError
from logtrigger.firewall import auto
from logtrigger.sources.machine import Choice, Machine, choices

_DAEMON = "# daemon:"  # in the head of a library file: what its processes or units are called, where not like file or program
_ELSEWHERE = "-"  # so where it runs on other machines, whose lines come here
# Where it stands what is started with the machine, though it may not run yet: systemd's wants, and OpenWrt's rc.d(S19dropbear).
_WANTS = ("etc/systemd/system/multi-user.target.wants", "etc/systemd/system/sockets.target.wants")
_RC = "etc/rc.d"
_OURSELVES = "logtrigger"  # whoever asks; rules about our own bans are for who names them


@dataclass(frozen=True, slots=True)
class Found:
    """A service of the library that is at work here."""

    name: str
    watches: str  # what its file says of itself
    bans: bool  # or it only recognises, for actions that one has to name
    instead: bool = False  # of another one that was found: vsftpd-pam, say, of vsftpd


@dataclass(frozen=True, slots=True)
class Findings:
    """All of it."""

    log: Choice | None
    against: tuple[str, ...]  # why not, where there is no system log
    firewall: str  # empty: none can be used
    why: str  # this firewall, or none
    services: tuple[Found, ...]
    session: str  # the address that whoever asks is logged in from, over SSH
    networks: tuple[tuple[str, str], ...]  # private ones that this machine is in, and at which interface
    forgets: bool = False  # the state is in memory, where nobody says else: this is OpenWrt


def gather(machine: Machine) -> Findings:
    """As things are now."""
    found, against = choices(machine)
    try:
        firewall, why = auto.choose()
    except FirewallError as error:
        firewall, why = "", str(error)
    return Findings(
        log=found[0] if found else None,
        against=tuple(against),
        firewall=firewall,
        why=why,
        services=tuple(_kept_apart(list(_services(names(machine) - {_OURSELVES})))),
        session=_session(machine.proc),
        networks=tuple(dict(_networks(machine.proc)).items()),
        forgets=machine.file("etc/openwrt_release").exists(),
    )


def names(machine: Machine) -> set[str]:
    """What runs here or starts with the machine, by the names of processes, programs, their folders, and units."""
    return {*_running(machine.proc), *_started(machine)}


def _running(proc: Path) -> Iterator[str]:
    for process in (proc / name for name in os.listdir(proc) if name.isdecimal()):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[0]:  # the kernel's own threads have none
                yield (process / "comm").read_text().strip()
                yield from Path(os.fsdecode(words[0])).parts
                yield from Path(os.readlink(process / "exe")).parts


def _started(machine: Machine) -> Iterator[str]:
    for folder in _WANTS:
        with suppress(OSError):
            for name in os.listdir(machine.file(folder)):
                yield from (name, Path(name).stem.partition("@")[0])
    with suppress(OSError):
        yield from (name[3:] for name in os.listdir(machine.file(_RC)) if name[:1] == "S" and name[1:3].isdigit())


def _services(present: set[str]) -> Iterator[Found]:
    """Services whose daemon is among these. Files of events are for who asks for them."""
    for service in library.services():
        with suppress(OSError):
            if not service.name.endswith("-events") and _called(service) & present:
                sections = uci.parse(service.path.read_bytes(), str(service.path), Report())
                yield Found(service.name, service.watches(), any("ban" in section.options for section in sections))


def _kept_apart(found: list[Found]) -> Iterator[Found]:
    """Rules for another way of one service to log would count each failure once more."""
    for one in found:
        yield replace(one, instead=any(one.name.startswith(f"{other.name}-") for other in found))


def _called(service: Service) -> set[str]:
    """What its daemon may be called: as the file, the program in the header (postfix/smtpd is of postfix), or as it says."""
    data = service.path.read_bytes()
    text = data.decode("utf-8", "replace")
    said = " ".join(line.removeprefix(_DAEMON) for line in text.splitlines() if line.startswith(_DAEMON)).split()
    if said == [_ELSEWHERE]:
        return set()
    programs = [
        word.partition("/")[0]
        for section in uci.parse(data, str(service.path), Report())
        if (given := section.options.get("program")) is not None
        for value in given.values
        for word in value.text.split()
    ]
    return {service.name, *programs, *said}


def _session(proc: Path) -> str:
    """What sshd says of the session, or the kernel where that got lost on the way, by sudo say."""
    said = os.environ.get("SSH_CONNECTION", "").partition(" ")[0] or sessions.of_process(os.getpid(), proc)
    try:
        address = ip_address(said.partition("%")[0])
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    return "" if address.is_loopback or address.is_link_local else str(address)


def _networks(proc: Path) -> Iterator[tuple[str, str]]:
    """From the routing tables, proc(5): what is reached without a gateway, and is nobody else's."""
    with suppress(OSError), open(proc / "net/route", encoding="ascii") as table:
        for words in (line.split() for line in table.readlines()[1:]):
            if len(words) > 7 and words[2] == "00000000" and words[1] != "00000000":
                base, mask = (struct.pack("=I", int(words[at], 16)) for at in (1, 7))
                four = IPv4Network((base, ".".join(map(str, mask))), strict=False)
                if four.is_private and not four.is_link_local and not four.is_loopback and four.prefixlen < 32:
                    yield str(four), words[0]
    with suppress(OSError), open(proc / "net/ipv6_route", encoding="ascii") as table:
        for words in (line.split() for line in table):
            if len(words) > 9 and words[4] == "0" * 32:
                six = IPv6Network((IPv6Address(bytes.fromhex(words[0])), int(words[1], 16)), strict=False)
                if six.subnet_of(IPv6Network("fc00::/7")) and six.prefixlen < 128:
                    yield str(six), words[9]
