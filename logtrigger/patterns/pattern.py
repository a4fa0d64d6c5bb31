"""What a compiled pattern is to those who use it, whatever syntax it was written in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

# Where in a line a pattern must begin: anywhere; at the header's tag; where the message does, behind the program that the
# header names; behind the time.
Anchor = Literal["", "tag", "message", "time"]


@dataclass(frozen=True, slots=True)
class Body:
    """A pattern as a part of an expression for re.MULTILINE, from its anchor or, without one, from where a header ends.

    It goes on to the end of the pattern, not of the line: behind it nothing but white space may follow. Trying an address costs
    more than anything else, so that its group may take other text, too: see `checks`.
    """

    expression: bytes
    checks: tuple[re.Pattern[bytes] | None, ...]  # of each group: what took an address takes all of it; None: it always is one
    longest: int | None  # bytes of a line that it may be shown; None: any number


class Pattern(Protocol):
    """One compiled pattern, whatever syntax it was written in."""

    @property
    def text(self) -> str:
        """The pattern as written."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the captures, in order."""

    @property
    def types(self) -> tuple[str, ...]:
        """Their types, see patterns/types.py."""

    @property
    def literal(self) -> bytes:
        """The longest text every matching line contains; b"" where there is none."""

    @property
    def literals(self) -> Sequence[bytes]:
        """All the texts that are known to be in every matching line."""

    @property
    def coarse(self) -> str:
        """An expression that every matching line matches, Latin-1 for bytes, without lookaround; "": none is known."""

    @property
    def coarse_body(self) -> str:
        """The same without the program's tag that the pattern begins with; "": that would say too little, or there is none."""

    @property
    def nocase(self) -> bool:
        """Whether ASCII letters match in either case."""

    @property
    def anchor(self) -> Anchor:
        """Where it must begin: `headers.begin` tells where that is. "tag" is for one that begins with a program's tag."""

    @property
    def tag(self) -> bytes:
        """The program that it begins with, `program[%d]: `; b"" where it begins otherwise."""

    @property
    def normalisers(self) -> Sequence[Callable[[bytes], bytes] | None]:
        """For each capture what brings it into its one form; None: it is taken as it stands."""

    def quick(self, head: bytes) -> re.Pattern[bytes] | None:
        """One expression for a header of this form and the pattern behind it, the captures its groups, the line without
        trailing white space. Where it matches, so does the pattern, with these captures; None: there is none."""

    def body(self, kept: Sequence[int]) -> Body | None:
        """As `quick`, for many lines at once: only the captures with the indexes `kept` are groups. They are those of `match`
        where all checks hold. An anchored pattern that its body finds nothing of does not match. None: there is none."""

    def captures(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """As `match` for a line without trailing white space, before normalisation."""

    def match(self, data: bytes, start: int, end: int) -> Sequence[bytes] | None:
        """The captures of the line data[start:end] (no line end in it), normalised as their types say; None: no match."""
