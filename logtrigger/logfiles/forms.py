"""What a received line looks like in a file, and what it says of itself.

The <PRI> of the wire is left away, as every reader of log files expects it, and a message of RFC 5424 is written with its
host and its program where RFC 3164 has them, structured data before the text. Controls become #033 and the like, so that
no line can play with the terminal of who looks at the file.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from logtrigger import headers, timestamps

# RFC 5424, 6.2.1, in the order of their numbers.
FACILITIES = """kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock
local0 local1 local2 local3 local4 local5 local6 local7""".split()
SEVERITIES = "emerg alert crit err warning notice info debug".split()

_PRI = re.compile(rb"<([0-9]{1,3})>")
# The commonest line by far: what it finds, headers.parse would find, too.
_QUICK = re.compile(
    rb"(?:<([0-9]{1,3})>)?(?:[A-Z][a-z]{2} [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|"
    + timestamps.ISO
    + rb") ([A-Za-z0-9][^\s:\[\]]{0,254}) ([^\s:\[\]]{1,128})(?:\[[^\]\s]{0,32}\])?: "
)
_RFC5424 = re.compile(rb"<[0-9]{1,3}>1 (\S+) (\S+) (\S+) (\S+) (\S+) ")
_CONTROLS = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")  # C0, DEL, and C1 in UTF-8, which terminals obey, too


class Claims(NamedTuple):
    """What a line says of itself, as written; empty where it does not say."""

    pri: bytes
    host: bytes
    program: bytes


def claims(line: bytes) -> Claims:
    """What a line says of itself.

    >>> claims(b"<38>Nov 21 10:00:00 gate sshd[7]: Accepted")
    Claims(pri=b'38', host=b'gate', program=b'sshd')
    """
    quick = _QUICK.match(line)
    if quick:
        pri, host, program = quick.groups()
        return Claims(pri or b"", host, program)
    header, pri_found = headers.parse(line), _PRI.match(line)
    host_text, program_text = header.host or "", header.program or ""
    return Claims(pri_found[1] if pri_found else b"", host_text.encode(), program_text.encode())


def names_of(pri: bytes) -> tuple[str, str]:
    """Facility and severity of a <PRI>; empty where there is none, or it is no valid one.

    >>> names_of(b"38")
    ('auth', 'info')
    """
    if not pri or int(pri) > 191:
        return "", ""
    facility, severity = divmod(int(pri), 8)
    return FACILITIES[facility], SEVERITIES[severity]


def written(line: bytes) -> bytes:
    """The line as it stands in a file, without its end.

    >>> written(b'<38>1 2026-11-21T10:00:00Z gate sshd 7 - [x@1 a="b"] Accepted')
    b'2026-11-21T10:00:00Z gate sshd[7]: [x@1 a="b"] Accepted'
    """
    if line[:1] == b"<":
        line = _from_5424(line) if b">1 " in line[:7] else line[len(found[0]) if (found := _PRI.match(line)) else 0 :]
    return _CONTROLS.sub(_escaped, line) if _CONTROLS.search(line) else line


def _from_5424(line: bytes) -> bytes:
    found = _RFC5424.match(line)
    if found is None:
        return _PRI.sub(b"", line, count=1)
    time, host, program, pid, _ = found.groups()
    rest = line[found.end() :]
    rest = rest[1:].lstrip(b" ") if rest[:2] in (b"-", b"- ") else rest
    number = b"[" + pid + b"]" if pid != b"-" else b""
    return b"%s %s %s%s: %s" % (time, host, program, number, rest.removeprefix(b"\xef\xbb\xbf"))


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"".join(b"#%03o" % byte for byte in found[0])
