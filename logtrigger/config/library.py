"""The rule library: one file of rules for each service, in use where `list use` names it.

What stands in `/etc/logtrigger/rules.d` goes before what comes with the program.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from logtrigger import shipped
from logtrigger.config import uci
from logtrigger.config.words import Report, listed, suggestion

LOCAL = Path("/etc/logtrigger/rules.d")
_ENDING = ".conf"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_HEAD = re.compile(r"# (?P<name>[\w-]+): (?P<watches>.+)")


@dataclass(frozen=True, slots=True)
class Service:
    """A file of the library."""

    name: str
    path: Path
    hides: Path | None = None  # the file of that name that comes with the program, where this is a local one

    def watches(self) -> str:
        """What it says of itself in its first line, behind its name.

        Raises:
            OSError: it cannot be read.
        """
        with self.path.open(encoding="utf-8", errors="replace") as file:
            found = _HEAD.match(file.readline())
        return found["watches"].strip() if found else ""

    def rules(self) -> list[str]:
        """The names of its rules. Raises OSError where it cannot be read."""
        sections = uci.parse(self.path.read_bytes(), str(self.path), Report())
        return [s.options["name"].values[0].text for s in sections if s.type == "rule" and "name" in s.options]


def find(name: str) -> Path | None:
    """The file of that name; None where there is none."""
    if not _NAME.fullmatch(name):
        return None
    local, ours = LOCAL / f"{name}{_ENDING}", shipped.path(f"{shipped.RULES}/{name}{_ENDING}")
    if os.path.lexists(local):  # one that cannot be read is told of, not passed over
        return local
    return ours if ours.is_file() else None


def has(path: str) -> bool:
    """Whether a file is one of the library's."""
    return find(Path(path).stem) == Path(path)


def services() -> Iterator[Service]:
    """All there are, in the order of their names."""
    local = {path.stem: path for path in LOCAL.glob(f"*{_ENDING}")}
    ours = {path.stem: path for path in shipped.files(shipped.RULES)}
    for name in sorted({*local, *ours}):
        yield Service(name, local[name], ours.get(name)) if name in local else Service(name, ours[name])


def way_out(name: str) -> str:
    """What to write instead of a name that there is not."""
    if "/" in name or name.endswith(_ENDING):
        return "write the name alone, such as sshd; a file of your own is named by list include"
    known = [service.name for service in services()]
    there = f"there are {listed(known)}" if known else "the library is empty"
    near = suggestion(name, known)
    return f"{near} {there}" if near else there
