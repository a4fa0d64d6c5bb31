"""What a script asks of the shell that only some shells give.

OpenWrt's /bin/sh, BusyBox ash, takes much of what bash does; Debian's, dash, takes what POSIX has. A script moved from the one
to the other does nothing there, and hardly says why.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator
from pathlib import Path

from logtrigger.config.words import listed

SHELL = Path("/bin/sh")
# Shells that know POSIX's constructs and few others, by the name of the file that /bin/sh leads to.
STRICT = frozenset({"dash", "posh"})

_MOST = 1 << 20  # bytes of a script that are looked at
_SHEBANG = re.compile(r"#![ \t]*(\S+)(?:[ \t]+(\S+))?")

# What is text and no syntax: escapes, quotes, parameters, comments, here-documents (from their first line on).
_TEXT = re.compile(
    r"""
      \\ .
    | ' [^']* '
    | " (?: [^"\\] | \\ . )* "
    | \$\{ [^}]* \}
    | (?: (?<=[\s;&|()]) | ^ ) \# [^\n]*
    | (?P<lead> <<-? [ \t]* ) (?P<quote> ['"]? ) (?P<end> \w+ ) (?P=quote) (?P<rest> [^\n]* \n )
      (?: .*? \n )?? [\t]* (?P=end) (?= \n | \Z )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
# A word or a separator; the head of a function, "name ()", is one word.
_TOKEN = re.compile(r"[^\s;&|(){}]+ [ \t]* \( [ \t]* \) | \n | && | \|\| | [;&|(){}] | [^\s;&|(){}]+", re.VERBOSE)
_OPENING = {")": "(", "}": "{"}
_SEPARATORS = frozenset({"\n", "&&", "||", ";", "&", "|", "(", ")", "{", "}"})
_BEFORE_COMMAND = _SEPARATORS | {"if", "then", "elif", "else", "while", "until", "do", "!"}

_EQUALS = "'==' between '[' and ']' is an error in dash; write '='"
_DOUBLE = "'[[' is no command of dash; write '[' and put variables in double quotes"
_SOURCE = "'source' is no command of dash; write '.'"
_FUNCTION = "'function' is no word of dash; write 'name() {'"
_RETURN = "'return' outside a function: shells differ in what it does; write 'exit'"
_WORDS = {"[[": _DOUBLE, "source": _SOURCE, "function": _FUNCTION}

_Token = tuple[str, int]  # text, line


def portability(path: Path, shell: Path = SHELL) -> list[str]:
    """What in a script the system's shell will not take, each kind once with its lines; nothing where that shell is not strict.

    A heuristic: it knows the constructs that turn up in scripts for OpenWrt, and reads shell well enough to leave quoted text,
    comments and here-documents alone. Scripts for another interpreter, and files that cannot be read, are passed over.
    """
    if os.path.basename(os.path.realpath(shell)) not in STRICT:
        return []
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST)
    except OSError:
        return []
    text = raw.decode("utf-8", "replace")
    if b"\0" in raw or not _is_for_sh(text):
        return []
    lines: dict[str, list[int]] = {}
    for fault, line in _faults(_tokens(text)):
        lines.setdefault(fault, []).append(line)
    return [f"{fault} ({_places(found)})" for fault, found in lines.items()]


def _is_for_sh(text: str) -> bool:
    found = _SHEBANG.match(text)
    if found is None:
        return True
    names = [os.path.basename(word or "") for word in found.groups()]
    return names[0] == "sh" or names == ["env", "sh"]


def _tokens(text: str) -> list[_Token]:
    """Words and separators; what is only text has become underscores."""
    bare = _TEXT.sub(_blank, text)
    line, tokens = 1, []
    for found in _TOKEN.finditer(bare):
        tokens.append((found[0], line))
        line += found[0] == "\n"
    return tokens


def _blank(found: re.Match[str]) -> str:
    if found["lead"]:  # what follows on the here-document's first line is syntax again
        return "_" + _TEXT.sub(_blank, found["rest"]) + re.sub(r"[^\n]", "", found[0][found.end("rest") - found.start() :])
    if found[0] == "\\\n":
        return " \n"
    return re.sub(r"[^\n]+", "_", found[0]) if found[0][0] != "#" else ""


def _faults(tokens: list[_Token]) -> Iterator[tuple[str, int]]:
    blocks: list[tuple[str, bool]] = []  # open brackets, and whether each is a function's body
    in_head = False  # the next bracket opens a function's body
    previous = "\n"
    for index, (word, line) in enumerate(tokens):
        starts = previous in _BEFORE_COMMAND
        if word in ("(", "{"):
            blocks.append((word, in_head))
            in_head = False
        elif word in _OPENING:
            if blocks and blocks[-1][0] == _OPENING[word]:  # else it is a pattern's end in "case"
                blocks.pop()
        elif starts and word in _WORDS:
            yield _WORDS[word], line
        elif starts and word in ("[", "test") and "==" in _arguments(tokens, index):
            yield _EQUALS, line
        elif starts and word == "return" and not any(is_body for _, is_body in blocks):
            yield _RETURN, line
        in_head = in_head or word == "function" or (word[-1] == ")" and len(word) > 1)
        previous = "\n" if word[-1] == ")" else word


def _arguments(tokens: list[_Token], index: int) -> Iterator[str]:
    for word, _ in tokens[index + 1 :]:
        if word in _SEPARATORS:
            return
        yield word


def _places(lines: list[int]) -> str:
    return f"line{'s' if len(lines) > 1 else ''} {listed(map(str, lines))}"
