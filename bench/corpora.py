"""Logs to measure with: real ones, stretched to any length, with process id, user, address and port varied on every line.

The lines of a real log are its templates, used in their order over and over; the few in which nothing can vary are left out.
Times rise by one second every 20 lines. Every process id is another, so that no line's text comes twice and nothing is won by
remembering lines. Each line's address is one of 100, which make way for another 100 every 500 seconds and return 1,000 seconds
later; one user name in two is one of a hundred that attackers try. There are no more than 300 addresses because programs that
know no time but the clock's keep all they have seen while such a log rushes by, as they never would in real life.

The same seed and number of lines always make the same log. It is kept, and made only once.
"""

from __future__ import annotations

import calendar
import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LINES_A_SECOND = 20
SEGMENT = 500 * LINES_A_SECOND  # lines between one set of attackers and the next, less than a rule's time
ATTACKERS = 100  # in a set
SETS = 3
_BATCH = 1000  # lines written at once

COMMON_USERS = """root admin test guest user oracle postgres mysql ftp ubuntu pi git deploy jenkins hadoop nagios tomcat www
web webmaster support info backup student teacher demo temp office sales service operator manager monitor system sysadmin
administrator default apache nginx redis elastic kafka spark zabbix docker vagrant ansible centos debian fedora ec2user
azureuser minecraft steam csgo teamspeak ts3 bot discord dev developer devops prod staging qa tester build ci svn cvs nobody
daemon bin sync mail news uucp proxy list irc games man lp alice bob carol dave eve frank grace heidi ivan judy mallory
oscar peggy trent victor walter zoe sam""".split()[:100]
_COMMON_SHARE = 0.52  # of the user names: each of the hundred in 0.1 % of the lines, where one line in five has a user


@dataclass(frozen=True, slots=True)
class Kind:
    """A real log to start from, and how to read its header."""

    name: str
    file: str
    header: re.Pattern[bytes]  # groups: time, and what stands between it and the part that is varied
    time_format: str  # of strptime(3)
    datepattern: str  # the same for fail2ban


_SYSLOG = re.compile(rb"(?P<time>[A-Z][a-z]{2} [ \d]\d [\d:]{8})(?P<rest> \S+ )")
_APACHE = re.compile(rb"\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d [\d:]{8} \d{4})(?P<rest>\] )")
_F2B_SYSLOG = r"{^LN-BEG}%%b %%d %%H:%%M:%%S"
KINDS = (
    Kind("OpenSSH", "OpenSSH_2k.log", _SYSLOG, "%b %d %H:%M:%S", _F2B_SYSLOG),
    Kind("Linux", "Linux_2k.log", _SYSLOG, "%b %d %H:%M:%S", _F2B_SYSLOG),
    Kind("Apache", "Apache_2k.log", _APACHE, "%a %b %d %H:%M:%S %Y", r"{^LN-BEG}\[%%a %%b %%d %%H:%%M:%%S %%Y\]"),
)
SYNTHETIC = Kind("synthetic", "", _SYSLOG, "%b %d %H:%M:%S", _F2B_SYSLOG)

# Where no real logs are: what a machine under attack writes, in about the proportions of the OpenSSH log.
_SYNTHETIC_LINES = (
    *["sshd[1]: Received disconnect from 192.0.2.1: 11: Bye Bye [preauth]"] * 4,
    *["sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2"] * 4,
    *["sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root"]
    * 4,
    "sshd[1]: pam_unix(sshd:auth): check pass; user unknown",
    "sshd[1]: Failed password for invalid user admin from 192.0.2.1 port 22 ssh2",
    "sshd[1]: Invalid user admin from 192.0.2.1",
    "sshd[1]: input_userauth_request: invalid user admin [preauth]",
    "sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1 ",
    "sshd[1]: reverse mapping checking getaddrinfo for a.example.net [192.0.2.1] failed - POSSIBLE BREAK-IN ATTEMPT!",
    "CRON[1]: pam_unix(cron:session): session opened for user root by (uid=0)",
)

_SLOT = re.compile(
    rb"(?P<address>(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]))"
    rb"|(?<=rhost=)(?P<rhost>\S*[A-Za-z]\S*)"
    rb"|(?<=getaddrinfo for )(?P<name>\S+)"
    rb"|(?<= \()(?P<paren>[\w.-]+\.[a-z]+)(?=\))"
    rb"|(?<=\[)(?P<pid>\d+)(?=\]: )"
    rb"|(?<= port )(?P<port>\d+)"
    rb"|(?<=forbidden by rule: /var/www/html/)(?P<folder>)"
    rb"|(?<=user=)(?P<user>\S+)"
    rb"|(?<=user )(?!unknown)(?P<user2>\S+)(?= from | by | \[preauth\]|$)"
    rb"|(?<=for )(?!user |invalid )(?P<user3>\S+)(?= from | \[preauth\])"
)
# What is varied in a line with none of these: a number that is no part of a name, such as a child's in Apache's log.
_NUMBER = re.compile(rb"(?<![A-Za-z\d.])\d+|\d+(?=\.properties)")
_Piece = bytes | str  # text as it is, or the name of a slot


@dataclass(frozen=True, slots=True)
class Corpus:
    """A log to measure with."""

    kind: Kind
    path: Path
    lines: int
    distinct: float  # share of the lines whose text behind time and host is not that of an earlier line; 0.0: not counted

    def time_of(self, line: bytes, known: dict[bytes, int]) -> int:
        """The line's time in epoch seconds, as UTC and, where it names no year, in 2005; `known` remembers times."""
        found = self.kind.header.match(line)
        assert found is not None  # the templates were read with the same expression
        raw = found["time"]
        if raw not in known:
            known[raw] = _epoch(raw, self.kind.time_format)
        return known[raw]


def real_logs() -> Path | None:
    """The folder of the real logs: $LOGTRIGGER_CORPORA, or shared/corpora beside the checkout."""
    named = os.environ.get("LOGTRIGGER_CORPORA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "corpora"
    return folder if all((folder / kind.file).is_file() for kind in KINDS) else None


def make(kind: Kind, folder: Path, lines: int, seed: int) -> Corpus:
    """A log of that many lines; one that was made before is used again."""
    path = folder / f"{kind.name}-{lines}-{seed}.log"
    notes = path.with_suffix(".json")
    if not (path.is_file() and notes.is_file()):
        partial = path.with_suffix(".partial")
        distinct = _write(partial, kind, lines, seed)
        partial.rename(path)
        notes.write_text(json.dumps({"distinct": distinct}))
    return Corpus(kind, path, lines, json.loads(notes.read_text())["distinct"])


def _write(path: Path, kind: Kind, lines: int, seed: int) -> float:
    """Returns the share of distinct lines, 0.0 where they are too many to remember."""
    seen: set[int] | None = set() if lines <= 2_000_000 else None
    source = _lines(kind, seed)
    with path.open("wb") as log:
        left = lines
        while left > 0:
            batch = [next(source) for _ in range(min(left, _BATCH))]
            if seen is not None:
                seen.update(hash(body) for _, body in batch)
            log.write(b"".join(head + body for head, body in batch))
            left -= len(batch)
    return len(seen) / lines if seen else 0.0


def _lines(kind: Kind, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """(time and host, the rest with its line feed) of one line after the other, without end."""
    begin, templates = _templates(kind)
    chance = random.Random(f"{kind.name} {seed}")
    fill = _Filler(chance)
    number = 0
    stamp, moment = b"", -1
    opening = b"[" if kind.header is _APACHE else b""
    while True:
        for rest, pieces in templates:
            if moment != number // LINES_A_SECOND:
                moment = number // LINES_A_SECOND
                stamp = opening + time.strftime(kind.time_format, time.gmtime(begin + moment)).encode()
                if kind.header is _SYSLOG and stamp[4:5] == b"0":
                    stamp = stamp[:4] + b" " + stamp[5:]  # RFC 3164, section 4.1.2
            yield stamp + rest, fill(number, pieces)
            number += 1


class _Filler:
    """Puts this line's process id, address and so on into a template."""

    def __init__(self, chance: random.Random) -> None:
        self._random = chance.random
        self._bits = chance.getrandbits
        self._offset = chance.getrandbits(22)
        self._users = [name.encode() for name in COMMON_USERS]

    def __call__(self, number: int, pieces: Sequence[_Piece]) -> bytes:
        values: dict[str, bytes] = {}
        parts = []
        for piece in pieces:
            if isinstance(piece, bytes):
                parts.append(piece)
                continue
            if piece not in values:
                if piece in ("address", "host"):
                    values["address"], values["host"] = self._address(number)
                else:
                    values[piece] = _MAKERS[piece](self, number)
            parts.append(values[piece])
        return b"".join(parts)

    def pid(self, number: int) -> bytes:
        """Another one for each of 2 ** 22 lines, which is as high as Linux counts."""
        return b"%d" % ((number * 2_654_435_761 + self._offset) % (1 << 22) + 1)

    def port(self, number: int) -> bytes:
        return b"%d" % (1024 + int(self._random() * 64_000))

    def user(self, number: int) -> bytes:
        if self._random() < _COMMON_SHARE:
            return self._users[int(self._random() * len(self._users))]
        bits = self._bits(40)
        return bytes(97 + (bits >> shift) % 26 for shift in range(0, 20 + bits % 20, 5))

    def _address(self, number: int) -> tuple[bytes, bytes]:
        """An IPv4 address, and the name of a host that has it."""
        which = number // SEGMENT % SETS * ATTACKERS + int(self._random() * ATTACKERS)
        scattered = which * 1_103_515_245 % (1 << 30)
        octets = (60 + (scattered >> 24), scattered >> 16 & 255, scattered >> 8 & 255, scattered & 255)
        return b"%d.%d.%d.%d" % octets, b"%d-%d-%d-%d.dynamic.example.net" % octets


_MAKERS: dict[str, Callable[[_Filler, int], bytes]] = {
    "pid": _Filler.pid,
    "number": _Filler.pid,
    "port": _Filler.port,
    "user": _Filler.user,
}
_SLOTS = {"rhost": "host", "name": "host", "paren": "host", "folder": "number", "user2": "user", "user3": "user"}


def _templates(kind: Kind) -> tuple[int, list[tuple[bytes, list[_Piece]]]]:
    """The time of the first line (epoch), and for each line its host and what is to be put together behind that."""
    logs = real_logs()
    if kind.file and logs is not None:
        lines = (logs / kind.file).read_bytes().splitlines()
    else:
        lines = [f"Dec 10 06:55:46 host {text}".encode() for text in _SYNTHETIC_LINES]
    templates = []
    for line in lines:
        found = kind.header.match(line)
        if found and len(pieces := _pieces(line[found.end() :] + b"\n")) > 1:
            templates.append((found["rest"], pieces))
    first = kind.header.match(lines[0])
    assert first is not None
    return _epoch(first["time"], kind.time_format), templates


def _pieces(body: bytes) -> list[_Piece]:
    pieces: list[_Piece] = []
    end = 0
    for slot in list(_SLOT.finditer(body)) or [found for found in [_NUMBER.search(body)] if found]:
        name = slot.lastgroup or "number"
        pieces += [body[end : slot.start()], _SLOTS.get(name, name)]
        end = slot.end()
    return [*pieces, body[end:]]


def _epoch(raw: bytes, form: str) -> int:
    text = raw.decode("ascii")
    return calendar.timegm(time.strptime(text, form) if "%Y" in form else time.strptime(f"2005 {text}", f"%Y {form}"))
