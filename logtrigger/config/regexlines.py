"""Lines that a regular expression matches, made from the expression: as far as that is easily told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from logtrigger.config import readings
from logtrigger.config.readings import Bits

_parser: Any = import_module("re._parser")  # has no public name; what `re` itself parses with

_LONG = 8  # characters: what may be as long is free text
_SETS = (_parser.ANY, _parser.IN, _parser.NOT_LITERAL)
_MOST_PIECES = 24


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text of a line: of a field where it has a name, free where it may be chosen from a set."""

    text: bytes
    name: str = ""
    free: Bits = 0


@dataclass(frozen=True, slots=True)
class Template:
    """A line in pieces."""

    pieces: Sequence[_Piece]

    def text(self) -> bytes:
        """The line."""
        return b"".join(piece.text for piece in self.pieces)


def template(expression: str, values: Mapping[str, bytes]) -> Template | None:
    """A line for an expression, with these texts for the named groups; None where it asks for what is not known here."""
    tree = _parser.parse(expression.encode())
    names = {number: name for name, number in tree.state.groupdict.items()}
    pieces = _joined(_pieces(tree, names, values))
    return Template(pieces) if pieces is not None and len(pieces) <= _MOST_PIECES else None


def forged(line: Template, name: str, other: bytes) -> Iterator[bytes]:
    """Lines in which free text repeats a part of the line with another text for a field."""
    copy = [replace(piece, text=other) if piece.name == name else piece for piece in line.pieces]
    target = next((index for index, piece in enumerate(copy) if piece.name == name), -1)
    ends = range(len(copy), target, -1)
    for slot, piece in enumerate(line.pieces):
        for begin in range(target + 1 if piece.free and target >= 0 else 0):
            for end in ends:
                part = b"".join(one.text for one in copy[begin:end])
                for text in (b"x" + part, part, part + b"x", b"x" + part + b"x", b"x " + part + b" x"):
                    if all(piece.free >> byte & 1 for byte in text):
                        pieces = [*line.pieces[:slot], replace(piece, text=text), *line.pieces[slot + 1 :]]
                        yield Template(pieces).text()


def _joined(pieces: Iterator[_Piece | None]) -> list[_Piece] | None:
    """Fixed texts side by side as one."""
    found: list[_Piece] = []
    for piece in pieces:
        if piece is None:
            return None
        plain = not (piece.name or piece.free)
        if plain and found and not (found[-1].name or found[-1].free):
            found[-1] = _Piece(found[-1].text + piece.text)
        else:
            found.append(piece)
    return found


def _pieces(tree: Any, names: Mapping[int, str], values: Mapping[str, bytes]) -> Iterator[_Piece | None]:
    for kind, argument in tree:
        if kind is _parser.LITERAL:
            yield _Piece(bytes([argument]))
        elif kind in _SETS:
            yield _Piece(readings.liked(readings.bytes_of([(kind, argument)])))
        elif kind in readings.REPEATS:
            yield from _repeated(argument, names, values)
        elif kind is _parser.SUBPATTERN and (name := names.get(argument[0], "")) in values:
            yield _Piece(values[name], name)
        elif kind is _parser.SUBPATTERN:
            yield from _pieces(argument[3], names, values)
        elif kind is _parser.ATOMIC_GROUP:
            yield from _pieces(argument, names, values)
        elif kind is _parser.BRANCH:
            yield from _pieces(argument[1][0], names, values)
        elif kind not in (_parser.AT, _parser.ASSERT, _parser.ASSERT_NOT):
            yield None


def _repeated(argument: Any, names: Mapping[int, str], values: Mapping[str, bytes]) -> Iterator[_Piece | None]:
    least, most, tree = argument
    one = tree[0] if len(tree) == 1 and tree[0][0] in _SETS else None
    chars = readings.bytes_of([one]) if one else 0
    if chars >> ord("x") & 1 and most > _LONG:
        yield _Piece(b"x" * max(least, 1), free=chars)
    else:
        for _ in range(least or int(one is not None)):
            yield from _pieces(tree, names, values)
