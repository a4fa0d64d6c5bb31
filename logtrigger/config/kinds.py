"""The kinds of values an option takes: how each is read, and what to write instead of a wrong one."""

from __future__ import annotations

import ipaddress
import math
import os.path
import pwd
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from logtrigger.addresses import parse_network
from logtrigger.bans import WIDEST
from logtrigger.config.uci import Value
from logtrigger.config.words import listed, suggestion
from logtrigger.distinct import MOST_VALUES
from logtrigger.rule import FED, SenderIs

_FLAGS = {"1": True, "yes": True, "on": True, "true": True, "enabled": True}
_FLAGS |= {"0": False, "no": False, "off": False, "false": False, "disabled": False}  # as libuci and LuCI read them
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20}

# At most nine digits: more would mean nothing here, and int() and float() stay harmless.
_NUMBER = re.compile(r"[0-9]{1,9}")
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
# RFC 1123 2.1, with a domain whose last part is no number.
_HOST_NAME = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?")
_HOST_NAME_MOST = 253
_FACTOR = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")
_PERCENT = re.compile(r"([0-9]{1,3})%")
_SIGNED = re.compile(r"-?[0-9]{1,4}")
_PORT = re.compile(r"[0-9]{1,5}")
_SIZE = re.compile(r"([0-9]{1,9})([KkMm]?)")
# Whatever a person calls a thing, but no glob characters (`config override` finds rules by them) and no controls.
_RULE_NAME = re.compile(r"[\w.:@-]+(?: [\w.:@-]+)*")
_RULE_NAME_MOST = 100
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECTION_NAME = re.compile(r"[A-Za-z0-9_]{1,100}")
_JOURNAL_MATCH = re.compile(r"[A-Z0-9_]{1,64}=.+")  # systemd.journal-fields(7)
_USER_NUMBER = re.compile(r"[0-9]{1,10}")
_PROGRAM_MOST = 15  # bytes of a process's name, proc(5) comm

FORBIDDEN_VARIABLES = frozenset({"PATH", "IFS", "ENV"})
FORBIDDEN_PREFIXES = ("LD_", "BASH_", "PYTHON", "PERL", "LT_")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

    `read` turns a value into what the rest of the program wants and raises ValueError, whose text says what to write
    instead. Of a kind with `many`, a section may hold a list; `read` then yields a tuple, and the tuples are joined.
    """

    name: str  # as the documentation prints it
    read: Callable[[Value], Any]
    many: bool = False
    one_line: bool = True  # no control characters


def duration(value: Value) -> float:
    """Seconds, more than none.

    >>> from logtrigger.errors import Place
    >>> duration(Value("10m", Place("rules.conf", 1)))
    600.0
    """
    seconds = duration_or_none(value)
    if not seconds:
        raise ValueError("write a time above 0, such as 90s, 10m or 2h")
    return seconds


def duration_or_none(value: Value) -> float:
    """Seconds; `0` is none."""
    found = _DURATION.fullmatch(value.text)
    if not found:
        raise ValueError("write a time such as 90s, 10m or 2h")
    return float(int(found[1]) * _SECONDS[found[2]])


def _flag(value: Value) -> bool:
    if value.text not in _FLAGS:
        raise ValueError("write 1 or 0")
    return _FLAGS[value.text]


def _number(least: int) -> Callable[[Value], int]:
    def read(value: Value) -> int:
        if not _NUMBER.fullmatch(value.text) or int(value.text) < least:
            raise ValueError(f"write a whole number from {least} to 999999999")
        return int(value.text)

    return read


def _size(value: Value) -> int:
    found = _SIZE.fullmatch(value.text)
    size = int(found[1]) * _BYTES[found[2].lower()] if found else 0
    if not size:
        raise ValueError("write a number of bytes such as 4096, 64K or 1M")
    return size


def _rule_name(value: Value) -> str:
    if not _RULE_NAME.fullmatch(value.text):
        raise ValueError("write letters, digits, any of _ . : @ - and single blanks between them")
    if len(value.text) > _RULE_NAME_MOST:
        raise ValueError(f"write at most {_RULE_NAME_MOST} characters")
    return value.text


def _path(value: Value) -> Path:
    """A path; where it is relative, seen from the folder of the file it is written in."""
    return Path(os.path.normpath(Path(value.place.path).absolute().parent / value.text))


def _paths(value: Value) -> tuple[Path, ...]:
    return (_path(value),)


def _absolute(value: Value) -> str:
    if not value.text.startswith("/"):
        raise ValueError("write a path that begins with /")
    return value.text


def _loopback(value: Value) -> tuple[str, int]:
    host, colon, port = value.text.rpartition(":")
    host = host.strip("[]") if colon else "127.0.0.1"
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ValueError("write an address of this machine and a port, such as 127.0.0.1:9273") from None
    if not address.is_loopback:
        raise ValueError(
            "write a loopback address, such as 127.0.0.1:9273: anybody else is to come through a proxy or a tunnel"
        )
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65_535:
        raise ValueError("write a port from 1 to 65535")
    return str(address), int(port)


def _lines(value: Value) -> tuple[Value, ...]:
    return (value,)


def _words(value: Value) -> tuple[str, ...]:
    if not (words := tuple(value.text.split())):
        raise ValueError("write a name, or remove the line")
    return words


def _addresses(value: Value) -> tuple[str, ...]:
    for text in value.text.split():
        try:
            parse_network(text)
        except ValueError as error:
            raise ValueError(str(error).partition("; ")[2]) from None
    return tuple(value.text.split())


def is_host_name(text: str) -> bool:
    """Whether a text is the name of a host with its domain, rather than an address gone wrong."""
    return _HOST_NAME.fullmatch(text) is not None and len(text) <= _HOST_NAME_MOST


def _hosts(value: Value) -> tuple[str, ...]:
    for text in value.text.split():
        if not is_host_name(text):
            _addresses(replace(value, text=text))
    return tuple(value.text.split())


def _name(value: Value) -> str:
    if not _SECTION_NAME.fullmatch(value.text):
        raise ValueError("write the name of a config section: letters, digits and underscores")
    return value.text


def _source_name(value: Value) -> str:
    """A `config source`, or what an action feeds back."""
    _name(Value(value.text.removeprefix(FED), value.place))
    return value.text


def _line(value: Value) -> Value:
    return value


def _absolute_list(value: Value) -> tuple[str, ...]:
    return (_absolute(value),)


def _arguments(value: Value) -> tuple[str, ...]:
    """A program and its arguments, split and unquoted as a shell does it; nothing else is done that a shell does."""
    try:
        arguments = tuple(shlex.split(value.text))
    except ValueError as error:
        raise ValueError(f"{str(error).lower()}: quote an argument as in a shell, such as 'tail -F \"/tmp/my log\"'") from None
    if not arguments or not arguments[0]:
        raise ValueError("write a program and its arguments")
    return arguments


def _where_from(value: Value) -> bool:
    if value.text not in ("end", "start"):
        raise ValueError("write end or start")
    return value.text == "start"


def _match(value: Value) -> tuple[str, ...]:
    if not _JOURNAL_MATCH.fullmatch(value.text):
        raise ValueError("write one such as _COMM=sshd or SYSLOG_FACILITY=10")
    return (value.text,)


def _sender(value: Value) -> tuple[SenderIs, ...]:
    user, _, program = value.text.partition(":")
    if len(program.encode()) > _PROGRAM_MOST:
        shorter = program.encode()[:_PROGRAM_MOST].decode("utf-8", "ignore")
        raise ValueError(f"the kernel keeps {_PROGRAM_MOST} characters of a process's name: write '{user}:{shorter}'")
    if _USER_NUMBER.fullmatch(user):
        return (SenderIs(int(user), program),)
    try:
        return (SenderIs(pwd.getpwnam(user).pw_uid, program),)
    except KeyError:
        near = suggestion(user, [entry.pw_name for entry in pwd.getpwall()])
        raise ValueError(near or "write a user of this machine or a number, perhaps with a process's name: root:sshd") from None


def _variable(value: Value) -> tuple[tuple[str, str], ...]:
    name, equals, text = value.text.partition("=")
    if not equals or not _VARIABLE.fullmatch(name):
        raise ValueError("write one such as 'MAILTO=root'")
    if name in FORBIDDEN_VARIABLES or name.startswith(FORBIDDEN_PREFIXES):
        taken = listed([*sorted(FORBIDDEN_VARIABLES), *(f"{prefix}…" for prefix in FORBIDDEN_PREFIXES)])
        raise ValueError(f"{taken} are not for a configuration to set; choose another name")
    return ((name, text),)


def _ban_time(value: Value) -> float:
    """Seconds; infinite for ever, 0.0 where nothing is to be banned."""
    if value.text == "no":
        return 0.0
    try:
        return duration_or_none(value) or math.inf
    except ValueError:
        raise ValueError("write a time such as 10m, 1h or 7d, 0 for ever, or no") from None


def _prefix(version: int, bits: int) -> Callable[[Value], int]:
    def read(value: Value) -> int:
        if not _NUMBER.fullmatch(value.text) or not WIDEST[version] <= int(value.text) <= bits:
            raise ValueError(f"write a whole number from {WIDEST[version]} to {bits}")
        return int(value.text)

    return read


def _factor(value: Value) -> float:
    if not _FACTOR.fullmatch(value.text) or not 1 <= float(value.text) <= 100:
        raise ValueError("write a number from 1 to 100, such as 2 or 1.5")
    return float(value.text)


def _part(value: Value) -> tuple[float, float]:
    """A part of something (0.1 for 10%), or seconds."""
    percent = _PERCENT.fullmatch(value.text)
    try:
        return (int(percent[1]) / 100, 0.0) if percent else (0.0, duration_or_none(value))
    except ValueError:
        raise ValueError("write a part such as 10%, or a time such as 5m") from None


def _widen(value: Value) -> tuple[tuple[int, int], ...]:
    levels = []
    for text in value.text.split():
        prefix, _, number = text.partition("/")
        least, most = WIDEST[4], 127
        if not (_NUMBER.fullmatch(prefix) and least <= int(prefix) <= most and _NUMBER.fullmatch(number)):
            raise ValueError("write prefixes and numbers of addresses, such as '24/5 16/20' or, for IPv6, '56/5'")
        if not 2 <= int(number) <= MOST_VALUES:
            raise ValueError(f"write a number of addresses from 2 to {MOST_VALUES}")
        levels.append((int(prefix), int(number)))
    return tuple(levels)


def one_of(*words: str) -> Callable[[Value], str]:
    """What reads one of these words."""

    def read(value: Value) -> str:
        if value.text not in words:
            raise ValueError(f"write {listed(words, 'or')}")
        return value.text

    return read


def _hooks(value: Value) -> tuple[str, ...]:
    hooks = tuple(value.text.split())
    if not hooks or not set(hooks) <= {"prerouting", "input", "forward"}:
        raise ValueError("write any of prerouting, input and forward")
    return hooks


def _priority(value: Value) -> int:
    if not _SIGNED.fullmatch(value.text):
        raise ValueError("write a whole number from -9999 to 9999")
    return int(value.text)


def ports(value: Value) -> tuple[int, ...]:
    """Numbers of ports, separated by blanks."""
    numbers = value.text.split()
    if not numbers or not all(_PORT.fullmatch(number) and 0 < int(number) < 65_536 for number in numbers):
        raise ValueError("write numbers from 1 to 65535")
    return tuple(map(int, numbers))


def _countries(value: Value) -> tuple[str, ...]:
    """Codes of ISO 3166-1 alpha-2, in capitals."""
    from logtrigger import countries  # loaded where somebody names one

    codes, written = list[str](), value.text.split()
    for text in written:
        try:
            codes.append(countries.country(text))
        except ValueError as error:
            raise ValueError(f"{text} is none: {error}" if len(written) > 1 else str(error)) from None
    if not codes:
        raise ValueError(countries.WRITE)
    return tuple(codes)


FLAG = Kind("flag", _flag)
COUNT = Kind("number", _number(1))
WEIGHT = Kind("number", _number(0))
DURATION = Kind("duration", duration)
DURATION_OR_NONE = Kind("duration", duration_or_none)
SIZE = Kind("size", _size)
LOOPBACK = Kind("loopback address and port", _loopback)
RULE_NAME = Kind("name", _rule_name)
WORDS = Kind("names", _words)
PATH = Kind("path", _path)
FILE = Kind("absolute path", _absolute)
PATHS = Kind("list of paths", _paths, many=True)
LINES = Kind("list", _lines, many=True)
WORD_LIST = Kind("list of names", _words, many=True)
HOSTS = Kind("list of addresses and names", _hosts, many=True)
ADDRESSES = Kind("list of addresses", _addresses, many=True)
COUNTRIES = Kind("list of countries", _countries, many=True)
VARIABLES = Kind("list of NAME=value", _variable, many=True, one_line=False)
NAME = Kind("name of a section", _name)
SOURCE_NAME = Kind("name of a source", _source_name)
LINE = Kind("text", _line)
FILES = Kind("list of absolute paths", _absolute_list, many=True)
COMMAND = Kind("program and arguments", _arguments)
WHERE_FROM = Kind("end or start", _where_from)
MATCHES = Kind("list of FIELD=value", _match, many=True)
SENDERS = Kind("list of users", _sender, many=True)
BAN_TIME = Kind("duration, 0 or no", _ban_time)
PREFIX4 = Kind("length of a prefix", _prefix(4, 32))
PREFIX6 = Kind("length of a prefix", _prefix(6, 128))
WIDEN = Kind("list of PREFIX/NUMBER", _widen, many=True)
FACTOR = Kind("number", _factor)
PART = Kind("part or duration", _part)
SCOPE = Kind("all or rule", one_of("all", "rule"))
BACKEND = Kind("kind of firewall", one_of("auto", "nftables", "iptables", "script", "null"))
TARGET = Kind("drop or reject", one_of("drop", "reject"))
PROTOCOL = Kind("tcp or udp", one_of("tcp", "udp"))
ON_FLUSH = Kind("restore or forget", one_of("restore", "forget"))
HOOKS = Kind("list of hooks", _hooks, many=True)
PRIORITY = Kind("whole number", _priority)
PORTS = Kind("list of ports", ports, many=True)
