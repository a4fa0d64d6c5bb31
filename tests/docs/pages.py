"""Pages of Markdown: their blocks of code, headings and links.

A block of code is fenced, or indented by four blanks (in a list by six). What it is shows its first line:

    config …        a configuration: goes through `logtrigger check`
    option …        goes on with the last configuration before it
    $ …             a session: its commands are run, and what they say is compared
    ```sh           a script: is run
    make …          commands (any of COMMANDS) for a reader to type
    else            text, such as a log line

A comment `<!-- not run: why -->` on the line above a block, or `<!-- sessions not run: why -->` for all of a kind in a
page, says why it is not tried. Commands are never run: they need one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "bench/README.md", *sorted((ROOT / "docs").glob("*.md"))]

# What a command line begins with.
COMMANDS = (
    "make logtrigger logger python python3 pip apt apt-get git install mkdir cp sudo systemctl opkg apk zcat tail cd".split()
)

_FENCE = re.compile(r"^( *)```(\w*)$")
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
_FILE = re.compile(r"\bfile\b[^`]*`([\w.]+)`")
_GROUPS = {"fragment": "configuration", "commands": "command"}
_KINDS_NOT_RUN = re.compile(r"^<!-- (configuration|session|script|command)s not run: (.+) -->$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code of a page."""

    page: str
    line: int  # of the page, from 1
    kind: str  # configuration, fragment, session, script, commands, text
    text: str  # without its indentation
    spared: str  # why it is not run; empty: it is
    file: str  # where the line above says that it is to be put: "into a file `ftp.conf`"

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def blocks(path: Path) -> tuple[Block, ...]:
    """All blocks of a page, in order."""
    text = path.read_text()
    spared = {kind: why for kind, why in _KINDS_NOT_RUN.findall(text)}
    page = str(path.relative_to(ROOT))
    found = []
    for line, language, lines, above in _raw(text.split("\n")):
        kind = _kind(language, lines)
        reason, file = _NOT_RUN.search(above), _FILE.search(above)
        body = "\n".join(lines).rstrip() + "\n"
        group = _GROUPS.get(kind, kind)
        found.append(Block(page, line, kind, body, reason[1] if reason else spared.get(group, ""), file[1] if file else ""))
    return tuple(found)


def of_kind(path: Path, *kinds: str) -> list[Block]:
    return [block for block in blocks(path) if block.kind in kinds]


def headings(path: Path) -> set[str]:
    """The anchors of a page, as GitHub names them."""
    anchors: dict[str, int] = {}
    found = set()
    for line in _prose(path.read_text()).split("\n"):
        if heading := re.match(r"#{1,6} +(.*)", line):
            plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1])
            anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
            number = anchors.get(anchor, 0)
            anchors[anchor] = number + 1
            found.add(f"{anchor}-{number}" if number else anchor)
    return found


def links(path: Path) -> list[str]:
    """The targets of all links and pictures, code aside."""
    text = re.sub(r"`[^`\n]*`", "", _prose(path.read_text()))
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href|srcset)="([^"]+)"', text)


def _prose(text: str) -> str:
    """The page with its blocks of code left blank."""
    lines = text.split("\n")
    for line, _, body, _ in _raw(lines):
        for number in range(line - 1, line - 1 + len(body)):
            lines[number] = ""
    return "\n".join(lines)


def _raw(lines: list[str]) -> Iterator[tuple[int, str, list[str], str]]:
    """Line of the first code, language, lines without their indentation, and what stands above."""
    number, in_list = 0, False
    while number < len(lines):
        line = lines[number]
        above = _above(lines[:number])
        if fence := _FENCE.match(line):
            end = next(n for n in range(number + 1, len(lines)) if lines[n].strip() == "```")
            indent = len(fence[1])
            yield number + 2, fence[2], [one[indent:] for one in lines[number + 1 : end]], above
            number = end + 1
            continue
        if re.match(r"([*-]|\d+\.) ", line):
            in_list = True
        elif line and not line.startswith(" "):
            in_list = False
        indent = 6 if in_list else 4
        if line.startswith(" " * indent) and (number == 0 or not lines[number - 1].strip()):
            end = number
            while end < len(lines) and (lines[end].startswith(" " * indent) or not lines[end].strip()):
                end += 1
            while not lines[end - 1].strip():
                end -= 1
            yield number + 1, "", [one[indent:] for one in lines[number:end]], above
            number = end
            continue
        number += 1


def _above(lines: list[str]) -> str:
    """The last line with something in it; and where that is a comment, also the one before it."""
    last = [line for line in lines[-6:] if line.strip()][-2:]
    return " ".join(last if last and last[-1].startswith("<!--") else last[-1:])


def _kind(language: str, lines: list[str]) -> str:
    first = next((line.strip() for line in lines if line.strip() and not line.startswith(("# ", "<"))), "")
    if language:
        return {"sh": "script", "uci": "configuration", "console": "session"}.get(language, "text")
    if re.match(r"config [a-z]+($| )", first):
        return "configuration"
    if re.match(r"(option|list) +\w+ +['\"]", first):
        return "fragment"
    if first.startswith("$ "):
        return "session"
    return "commands" if (first.split() or [""])[0] in COMMANDS or re.match(r"# [a-z]", lines[0]) else "text"
