"""What is said over the control socket: one request a line, answered by lines of JSON, the last of which has an `end`.

    {"version": 1, "command": "unban", "networks": ["192.0.2.7"]}
    {"network": "192.0.2.7", …}
    {"end": "done"}

`end` is `done`, `no` (the answer is no: `text` says so) or `error` (`error` says what is wrong, `remedy` what to do).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

VERSION = 1
LONGEST = 64 << 10  # bytes of a request

Row = Mapping[str, Any]

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class Refused(Exception):
    """A request that is not done; the texts say why, and what to do."""

    def __init__(self, error: str, remedy: str = "") -> None:
        super().__init__(error)
        self.error, self.remedy = error, remedy


class No(Exception):
    """The answer is no."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Among rows: go on when something has come. `ask` is called once with where to bring it, which may be at once."""

    ask: Callable[[Callable[[Any], None]], None]
    for_ever: bool = False  # it is not an answer that comes: whoever says no more need not be waited for


Rows = Generator[Row | Wait, Any, Any]  # may return a row: what the last line is to say besides


@dataclass(frozen=True, slots=True)
class Request:
    """One command, and who asks."""

    command: str
    arguments: Mapping[str, Any]
    user: int  # the peer's user id, in the kernel's word


def line(row: Row) -> bytes:
    """A row as it is sent: ASCII, without a line break but the last.

    >>> line({"end": "done"})
    b'{"end":"done"}\\n'
    """
    return _encode(row).encode("ascii") + b"\n"


def request(raw: bytes, user: int) -> Request:
    """A line as a request. Raises Refused where it is none."""
    try:
        found = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused("this is no line of JSON", _example()) from None
    if not isinstance(found, dict):
        raise Refused("this is no JSON object", _example())
    version, command = found.pop("version", None), found.pop("command", None)
    if version != VERSION or isinstance(version, bool):
        asked = f"version {version}" if isinstance(version, int) else "a request without a version"
        raise Refused(f"{asked} is not understood here", f"this logtrigger speaks version {VERSION}: {_example()}")
    if not isinstance(command, str):
        raise Refused("'command' is missing", _example())
    return Request(command, found, user)


def _example() -> str:
    return f'write {{"version": {VERSION}, "command": "status"}} and a line break'
