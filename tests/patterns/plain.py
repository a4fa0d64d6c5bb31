"""How a pattern reads a line, told slowly and plainly: every placement is tried in the order of preference.

Nothing here is taken from logtrigger.patterns, so that the two can be held against each other.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

_WORD = rb"[0-9A-Za-z_]"
# What a token's text looks like, and what must not stand behind it.
_TOKENS = {
    "d": (rb"[+-]?[0-9]+", rb"[0-9]"),
    "u": (rb"[0-9]+", rb"[0-9]"),
    "i": (rb"[+-]?(0[xX][0-9A-Fa-f]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)", rb"[0-9]"),
    "o": (rb"[0-7]+", rb"[0-9]"),
    "x": (rb"(0[xX])?[0-9A-Fa-f]+", rb"[0-9A-Fa-f]"),
    "b": (rb"(0[bB])?[01]+", rb"[0-9]"),
    "f": (rb"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE](-[0-9]{1,9}|\+?[12]?[0-9]{1,2})(?![0-9]))?", rb"[0-9]"),
    "c": (rb"[\x00-\x7f]", rb"(?!)"),
    "port": (rb"[0-9]{1,5}", rb"[0-9]"),
}
# What must not stand before a token that free text precedes: a number or an address never begins inside a longer one.
_BEFORE = {"x": rb"[0-9A-Fa-f]", "i": rb"[0-9A-Za-z]", "c": rb"(?!)"}
_BEFORE_ADDRESS = rb"[0-9A-Za-z_.:%-]"
_BEHIND_ADDRESS = _WORD + rb"|%|[.-]" + _WORD
ADDRESSES = ("ip", "net", "host")


@dataclass(frozen=True)
class Part:
    """A literal text, or a conversion: its letter for a number or character, else its field's type."""

    kind: str
    text: bytes = b""

    @property
    def is_gap(self) -> bool:
        return self.kind in ("text", "word")


def read(parts: Sequence[Part], line: bytes, *, nocase: bool = False) -> list[bytes] | None:
    """What each conversion takes of the line, its trailing white space aside; None: the pattern does not match."""
    line = line.rstrip()
    return next((found for start in range(len(line) + 1) if (found := _lay(parts, line, start, nocase)) is not None), None)


def _lay(parts: Sequence[Part], line: bytes, at: int, nocase: bool) -> list[bytes] | None:
    """The captures of a pattern that begins at `at`: gaps first tried at the length they prefer, then at the next."""
    if not parts:
        return [] if at == len(line) else None
    if parts[0].is_gap:
        lengths = list(_lengths(parts[0], line, at))
        if any(part.kind in ADDRESSES for part in parts):
            lengths.reverse()
        for end in lengths:
            rest = _lay(parts[1:], line, end, nocase)
            if rest is not None:
                return [line[at:end], *rest]
        return None
    block = list(takewhile(lambda part: not part.is_gap, parts))
    is_last = len(block) == len(parts)
    for end, found in _block(block, line, at, nocase, after_free_text=True):
        if is_last and end < len(line):
            continue
        if _guarded(block, line, at):
            return None
        rest = _lay(parts[len(block) :], line, end, nocase)
        return None if rest is None else found + rest
    return None


def _lengths(gap: Part, line: bytes, at: int) -> Iterator[int]:
    for end in range(at + 1, len(line) + 1):
        if gap.kind == "word" and line[end - 1 : end].isspace():
            return
        yield end


def _block(
    block: Sequence[Part], line: bytes, at: int, nocase: bool, *, after_free_text: bool
) -> Iterator[tuple[int, list[bytes]]]:
    """Ends and captures of the literals and tokens that begin at `at`, the longest tokens first."""
    if not block:
        yield at, []
        return
    first, rest = block[0], block[1:]
    if first.kind == "literal":
        there = line[at : at + len(first.text)]
        ends = [at + len(there)] if there == first.text or (nocase and there.lower() == first.text.lower()) else []
    else:
        colon = bool(rest) and rest[0].text.startswith(b":")
        ends = [end for end in range(len(line), at, -1) if _is_token(first.kind, line, at, end, after_free_text, colon)]
    for end in ends if first.kind in ("literal", *ADDRESSES) else ends[:1]:
        for last, found in _block(rest, line, end, nocase, after_free_text=False):
            yield last, found if first.kind == "literal" else [line[at:end], *found]


def _is_token(kind: str, line: bytes, at: int, end: int, after_free_text: bool, colon: bool) -> bool:
    text, behind = line[at:end], line[end : end + 2]
    if kind in ADDRESSES:
        if after_free_text and re.match(_BEFORE_ADDRESS, line[max(0, at - 1) : at]):
            return False
        return _is_address(kind, text, behind, colon)
    if after_free_text and re.match(_BEFORE.get(kind, rb"[0-9]"), line[max(0, at - 1) : at]):
        return False
    looks, not_behind = _TOKENS[kind]
    good = re.fullmatch(looks, text) is not None and not re.match(not_behind, behind)
    return good and (kind != "port" or int(text) <= 65535)


def _is_address(kind: str, text: bytes, behind: bytes, colon: bool) -> bool:
    if text.startswith(b"[") and text.endswith(b"]"):
        return kind != "net" and is_ip(text[1:-1])
    if re.match(_BEHIND_ADDRESS, behind):
        return False
    if b":" in text:
        if behind.startswith(b":") and (kind == "net" or not colon):
            return False
        address, slash, length = text.partition(b"/")
        if kind == "net":
            good_length = not slash or (re.fullmatch(rb"0|[1-9][0-9]{0,2}", length) is not None and int(length) <= 128)
            return b"%" not in text and is_ip(address) and good_length
        return is_ip(text)
    if kind == "host":
        return re.fullmatch(_WORD + rb"(([0-9A-Za-z_.-])*" + _WORD + rb")?", text) is not None
    address, slash, length = text.partition(b"/")
    if slash and (kind != "net" or not re.fullmatch(rb"[0-9]|[12][0-9]|3[012]", length)):
        return False
    return is_ip(address)


def is_ip(text: bytes) -> bool:
    """Whether the text is one address, with a zone perhaps."""
    address, percent, zone = text.partition(b"%")
    if percent and not (b":" in address and re.fullmatch(_WORD + rb"([0-9A-Za-z_.-]{0,30}" + _WORD + rb")?", zone)):
        return False
    try:
        ipaddress.ip_address(address.decode("ascii"))
    except ValueError:
        return False
    return True


def _guarded(block: Sequence[Part], line: bytes, at: int) -> bool:
    """Whether the block is text that an address could hold, and an address, and the text before makes that a longer one."""
    if len(block) < 2 or block[1].kind not in ADDRESSES or not re.fullmatch(rb"[0-9A-Fa-f:.%-]+", block[0].text):
        return False
    address = at + len(block[0].text)
    for begin in range(at - 1, max(-1, at - 46), -1):
        if not re.fullmatch(rb"[0-9A-Fa-f:.]", line[begin : begin + 1]):
            return False
        if any(_is_address("ip", line[begin:end], line[end : end + 2], True) for end in range(address + 1, len(line) + 1)):
            return True
    return False
