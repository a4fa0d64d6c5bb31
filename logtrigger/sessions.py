"""Who is logged in over SSH at this moment: sessions that sshd has let in, not those that still try.

A process of sshd names itself after whom it serves, `sshd: bob@pts/0`, once that one is in; until then its name ends in a
bracket (OpenSSH, sshd.c and session.c). Its sockets are looked up in the kernel's tables, see proc(5).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv6Address
from pathlib import Path

_PROGRAMS = ("sshd", "sshd-session")
_IN = re.compile(r"sshd(?:-session)?: (?P<user>[^\0]+)@[^@\0\[\] ]+\0*")
_SOCKET = re.compile(r"socket:\[([0-9]+)\]")
_ESTABLISHED = "01"


def live(proc: Path = Path("/proc")) -> dict[str, str]:
    """The other ends' addresses, and the user of each; what cannot be found out is left out."""
    users: dict[str, str] = {}
    for pid in os.listdir(proc):
        if pid.isdecimal():
            with suppress(OSError):  # it has ended meanwhile
                users.update(_sockets(proc / pid))
    return {address: users[inode] for inode, address in _established(proc) if inode in users} if users else {}


def _sockets(process: Path) -> Iterator[tuple[str, str]]:
    """The sockets of a process of sshd that serves somebody, by their inodes, and whom it serves."""
    if (process / "comm").read_text().strip() not in _PROGRAMS:
        return
    found = _IN.fullmatch((process / "cmdline").read_text())
    program = process / "exe"
    if found is None or os.path.basename(os.readlink(program)) not in _PROGRAMS or os.stat(program).st_uid != 0:
        return
    for fd in os.listdir(process / "fd"):
        with suppress(OSError):
            if inode := _SOCKET.fullmatch(os.readlink(process / "fd" / fd)):
                yield inode[1], found["user"]


def _established(proc: Path) -> Iterator[tuple[str, str]]:
    """The inodes of established TCP connections, and the addresses of their other ends."""
    for name in ("tcp", "tcp6"):
        with suppress(OSError), open(proc / "net" / name, encoding="ascii") as table:
            next(table, None)
            for line in table:
                words = line.split()
                if len(words) > 9 and words[3] == _ESTABLISHED:
                    yield words[9], _address(words[2].partition(":")[0])


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
