"""Who is logged in over SSH at this moment: sessions that have been let in, not those that still try.

A process of sshd names itself after whom it serves, `sshd: bob@pts/0`, once that one is in; until then its name ends in a
bracket (OpenSSH, sshd.c and session.c). One of dropbear tells nothing, but starts shells and commands for those alone whom it
has let in (svr-chansession.c). Their sockets are looked up in the kernel's tables, see proc(5).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv6Address
from pathlib import Path
from typing import NamedTuple

_SSHD = ("sshd", "sshd-session")
_DROPBEAR = ("dropbear", "dropbearmulti")
_IN = re.compile(r"sshd(?:-session)?: (?P<user>[^\0]+)@[^@\0\[\] ]+\0*")
_SOCKET = re.compile(r"socket:\[([0-9]+)\]")
_ESTABLISHED, _LISTEN = "01", "0A"


class _Row(NamedTuple):
    """A TCP socket of this machine."""

    state: str
    inode: str
    port: str  # of this machine
    address: str  # of the other end, as the kernel writes it


def live(proc: Path = Path("/proc")) -> dict[str, str]:
    """The other ends' addresses, and the user of each; what cannot be found out is left out."""
    return _ends(_serving(proc), proc)


def of_process(pid: int, proc: Path = Path("/proc")) -> str:
    """The other end's address of the session that a process is of, however many others are between it and sshd; "" for none."""
    line = set[str]()
    with suppress(OSError):
        while pid > 1 and str(pid) not in line:
            line.add(str(pid))
            pid = int(_parent(proc / str(pid)))
    ours = {process: user for process, user in _serving(proc).items() if process.name in line}
    return next(iter(_ends(ours, proc)), "")


def _ends(serving: Mapping[Path, str], proc: Path) -> dict[str, str]:
    users = {inode: user for process, user in serving.items() for inode in _sockets(process)}
    rows = list(_rows(proc)) if users else []
    # What somebody has forwarded over SSH are sockets of his session, too, to or from anywhere: he is not logged in from there.
    listened = {row.port for row in rows if row.state == _LISTEN and row.inode not in users}
    return {
        _address(row.address): users[row.inode]
        for row in rows
        if row.state == _ESTABLISHED and row.inode in users and row.port in listened
    }


def _serving(proc: Path) -> dict[Path, str]:
    """The processes that serve somebody who is logged in, and whom."""
    found: dict[Path, str] = {}
    dropbear: set[str] = set()
    processes = [name for name in os.listdir(proc) if name.isdecimal()]
    for name in processes:
        with suppress(OSError):  # it has ended meanwhile
            comm = _name(f"{proc}/{name}/comm")
            if comm in _SSHD and (title := _IN.fullmatch((proc / name / "cmdline").read_text())):
                if _runs(proc / name, _SSHD):
                    found[proc / name] = title["user"]
            elif comm in _DROPBEAR and _runs(proc / name, _DROPBEAR):
                dropbear.add(name)
    for name in processes if dropbear else ():
        with suppress(OSError):
            parent = _parent(proc / name)
            if parent in dropbear and name not in dropbear:
                found.setdefault(proc / parent, _owner(proc / name))
    return found


def _name(comm: str) -> str:
    """What a process calls itself. There may be thousands of them: a file object takes three times as long."""
    fd = os.open(comm, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 64).decode("utf-8", "replace").strip()
    finally:
        os.close(fd)


def _parent(process: Path) -> str:
    return (process / "stat").read_text().rpartition(")")[2].split()[1]


def _runs(process: Path, programs: tuple[str, ...]) -> bool:
    """Whether a process runs one of these programs, as root has installed it."""
    program = process / "exe"
    return os.path.basename(os.readlink(program)) in programs and os.stat(program).st_uid == 0


def _owner(process: Path) -> str:
    """Whose a process is. Names are not looked up: that may take its time over a network."""
    uid = os.stat(process).st_uid
    return "root" if uid == 0 else f"user {uid}"


def _sockets(process: Path) -> Iterator[str]:
    """The inodes of a process's sockets."""
    with suppress(OSError):
        for fd in os.listdir(process / "fd"):
            with suppress(OSError):
                if inode := _SOCKET.fullmatch(os.readlink(process / "fd" / fd)):
                    yield inode[1]


def _rows(proc: Path) -> Iterator[_Row]:
    for name in ("tcp", "tcp6"):
        with suppress(OSError), open(proc / "net" / name, encoding="ascii") as table:
            next(table, None)
            for line in table:
                words = line.split()
                if len(words) > 9 and words[3] in (_ESTABLISHED, _LISTEN):
                    yield _Row(words[3], words[9], words[1].partition(":")[2], words[2].partition(":")[0])


def _address(text: str) -> str:
    """An address of these tables: words of 32 bits, each in the order of this machine.

    >>> _address("070200C0") if __import__("sys").byteorder == "little" else "192.0.2.7"
    '192.0.2.7'
    """
    packed = b"".join(struct.pack("=I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8))
    if len(packed) == 4:
        return ".".join(map(str, packed))
    whole = IPv6Address(packed)
    return str(whole.ipv4_mapped or whole)
