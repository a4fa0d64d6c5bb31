"""A document as JSON text, put together from pieces: what never changes of it is made once for each kind of message.

A shape has *columns*, the texts that a line fills in: its time, itself, its fields. Everything else, the header's host and
program too, is part of a *frame* with places for the columns; there is one for each header and each set of columns that are
not empty, made when it is first asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted
from operator import itemgetter
from typing import Any, NamedTuple

from logtrigger.ecs import fields
from logtrigger.ecs.mapping import HEADER, Copy, Dataset, Event, Set, Text, limits, type_of
from logtrigger.ecs.transforms import TRANSFORMS
from logtrigger.patterns.pattern import Pattern

Values = Sequence[bytes]  # captures of a pattern, not normalised
Places = Callable[[str], str]  # what stands behind `"ip": "…"` in an object: geo and as, with a comma before each, or nothing

TIME, MESSAGE = "@timestamp", "message"
# Header fields that differ from line to line; those of a frame do not.
_MOVING = ("message", "pid", "time")
_WITH_PLACES = ("client.ip", "destination.ip", "server.ip", "source.ip")
_MOST_FRAMES = 512
_IPV4 = re.compile(rb"[0-9.]+").fullmatch  # is in its one form as it stands


class Front(NamedTuple):
    """What stands before a message, besides its time and the process number."""

    key: object  # equal for those that are equal
    facts: Mapping[str, str]  # header field -> its text


NO_FRONT = Front(None, {})
_Frame = tuple[str, Callable[[Sequence[str]], tuple[str, ...]]]
_Part = int | Set  # a column, or what the header or a constant says
_Encode = Callable[[bytes], str]
_Normalise = Callable[[bytes], bytes]


class Shape:
    """The documents of one pattern of an event (of none: of a whole dataset).

    Args:
        dataset: whose it is.
        event: what a line is; None: it is none.
        pattern: that recognised it.
        places: tells where an address is; None: nobody knows.
    """

    def __init__(self, dataset: Dataset, event: Event | None, pattern: Pattern | None, places: Places | None = None) -> None:
        self._dataset, self._places = dataset.name, places
        self._captures = {name: at for at, name in enumerate(pattern.fields if pattern else ())}
        self._kinds = pattern.types if pattern else ()
        self._normalisers = pattern.normalisers if pattern else ()
        self._known: dict[object, int] = {}  # what a column is made of -> its number
        self._encoders: list[tuple[int, _Encode]] = []  # of the columns from captures: which, and what makes text of it
        self._later: list[Callable[[Sequence[str], Values, Front, bytes], str]] = []  # of the columns behind those
        self.needs_header = self._has_pid = False
        self._sets = dataset.sets_of(event)
        by_target = {target: [one for one in self._sets if one.target == target] for target in in_order(self._sets)}
        self._fill_columns(by_target)
        self._leaves = {target: self._parts(target, sets) for target, sets in by_target.items()}
        self._frames: dict[object, _Frame] = {}
        # The frame of the last line that lacked nothing, and the front that it had: mostly the next line's, too.
        self._usual_front: Front | None = None
        self._usual: _Frame = ("", lambda texts: ())

    def text(self, time: str, message: str, values: Values, front: Front = NO_FRONT, pid: str = "", body: bytes = b"") -> str:
        """The document.

        Args:
            time: of the line, as JSON; empty: there is none.
            message: the line as JSON.
            values: the pattern's captures.
            front: where `needs_header`.
            pid: the process number that the header has.
            body: the message alone.
        """
        texts = [time, message, pid if self._has_pid else "-", *[encode(values[at]) for at, encode in self._encoders]]
        for later in self._later:
            texts.append(later(texts, values, front, body))
        if "" not in texts and front is self._usual_front:
            text, order = self._usual
            return text % order(texts)
        present = tuple(map(bool, texts))
        key = (front.key, present)
        frame = self._frames.get(key) or self._frame(key, front, present)
        if "" not in texts:
            self._usual_front, self._usual = front, frame
        text, order = frame
        return text % order(texts)

    def _kind(self, target: str) -> str:
        """The type of a field of the document; that of a port, which Elasticsearch has as long, is "port"."""
        kind = type_of(target, self._dataset) or "keyword"
        return "port" if kind == "long" and limits(target) == limits("port") else kind

    # Columns

    def _fill_columns(self, by_target: Mapping[str, Sequence[Set]]) -> None:
        for target, sets in by_target.items():
            for one in sets:
                if isinstance(one, Copy) and one.field in self._captures:
                    self._capture(one, target)
        for target, sets in by_target.items():
            for one in sets:
                self._from_header(one, self._kind(target))
        for target, sets in by_target.items():
            parts = self._parts(target, sets)
            if len(parts) > 1 and target in fields.MANY and any(isinstance(part, int) for part in parts):
                self._add_later(("joined", target), self._joining(target, parts))

    def _capture(self, one: Copy, target: str) -> None:
        at, kind = self._captures[one.field], self._kind(target)
        encode = _encoder(kind, self._kinds[at], self._normalisers[at], one.transform)
        key: object = (at, _family(kind, self._kinds[at]), one.transform)
        if target in _WITH_PLACES and self._places is not None and not self._says_place(target):
            key, encode = (key, "placed"), _placed(encode, self._places)
        if key not in self._known:
            self._known[key] = 3 + len(self._encoders)
            self._encoders.append((at, encode))
        self._known[id(one)] = self._known[key]

    def _from_header(self, one: Set, kind: str) -> None:
        if isinstance(one, Copy):
            if one.field in self._captures or one.field not in HEADER:
                return
            self.needs_header = True
            if one.field == "time" and not one.transform:
                self._known[id(one)] = 0
            elif one.field == "pid" and kind == "long":
                self._known[id(one)], self._has_pid = 2, True
            elif one.field in _MOVING:
                encode = encoder(kind, one.transform)
                if one.field == "message":
                    self._add_later(id(one), lambda texts, values, front, body: encode(body.decode("utf-8", "replace")))
                elif one.field == "time":
                    self._add_later(id(one), lambda texts, values, front, body: encode(texts[0].strip('"')))
                else:
                    self._has_pid = True
                    self._add_later(id(one), lambda texts, values, front, body: encode(texts[2]))
        elif one.text.names:
            self.needs_header |= not one.text.names <= self._captures.keys()
            self._add_later(id(one), self._rendering(one, kind))

    def _add_later(self, key: object, make: Callable[[Sequence[str], Values, Front, bytes], str]) -> None:
        self._known[key] = 3 + len(self._encoders) + len(self._later)
        self._later.append(make)

    def _rendering(self, one: Text, kind: str) -> Callable[[Sequence[str], Values, Front, bytes], str]:
        captured = [(name, self._captures[name]) for name in one.text.names if name in self._captures]
        others = [name for name in one.text.names if name not in self._captures]
        self._has_pid |= "pid" in others
        normal, encode, render = self._normalisers, encoder(kind, ""), one.text.render

        def rendered(texts: Sequence[str], values: Values, front: Front, body: bytes) -> str:
            known = {name: _normal(values[at], normal[at]).decode("utf-8", "replace") for name, at in captured}
            if others:
                moving = {"time": texts[0].strip('"'), "pid": texts[2], "message": body.decode("utf-8", "replace")}
                known |= {name: moving[name] if name in moving else front.facts.get(name, "") for name in others}
            return encode(render(known))

        return rendered

    def _joining(self, target: str, parts: Sequence[_Part]) -> Callable[[Sequence[str], Values, Front, bytes], str]:
        kind = self._kind(target)

        def joined(texts: Sequence[str], values: Values, front: Front, body: bytes) -> str:
            return _listed(target, [texts[p] if isinstance(p, int) else _fixed(p, kind, front) for p in parts])

        return joined

    def _says_place(self, target: str) -> bool:
        above = target.removesuffix("ip")
        return any(one.target.startswith((f"{above}geo.", f"{above}as.")) for one in self._sets)

    # Frames

    def _parts(self, target: str, sets: Sequence[Set]) -> list[_Part]:
        """What the field may be made of, in order; a column that joins them all stands alone."""
        if ("joined", target) in self._known:
            return [self._known["joined", target]]
        parts: list[_Part] = []
        for one in sets:
            if id(one) in self._known:
                parts.append(self._known[id(one)])
            elif isinstance(one, Text) or one.field in HEADER and one.field not in self._captures:
                parts.append(one)
        return parts

    def _frame(self, key: object, front: Front, present: tuple[bool, ...]) -> _Frame:
        """The document around the columns that are not empty, and what puts these in the order in which they stand there."""
        tree: dict[str, Any] = {}
        order: list[int] = []
        for number, name in enumerate((TIME, MESSAGE)):
            if present[number]:
                tree[name] = "%s"
                order.append(number)
        for target, parts in self._leaves.items():
            text = self._leaf(target, parts, front, present, order)
            if text:
                *above, last = target.split(".")
                node = tree
                for part in above:
                    node = node.setdefault(part, {})
                node[last] = text
        frame = (_written(tree), itemgetter(*order) if len(order) > 1 else lambda texts: (texts[order[0]],))
        if len(self._frames) >= _MOST_FRAMES:
            self._frames.clear()
        self._frames[key] = frame
        return frame

    def _leaf(self, target: str, parts: Sequence[_Part], front: Front, present: tuple[bool, ...], order: list[int]) -> str:
        """What stands for a field in the frame; empty where it has no value."""
        kind, is_joined = self._kind(target), ("joined", target) in self._known
        fixed: list[str] = []
        for part in parts:
            if isinstance(part, int):
                if present[part]:
                    order.append(part)
                    return "[%s]" if target in fields.LISTS and not is_joined else "%s"
            elif text := _fixed(part, kind, front):
                fixed.append(text)
                if target not in fields.MANY:
                    break
        return _listed(target, fixed).replace("%", "%%")


def in_order(sets: Iterable[Set]) -> list[str]:
    """What is set, each once, in the order in which it stands in a document: the fields of an object follow each other."""
    tree: dict[str, Any] = {}
    for one in sets:
        node = tree
        for part in one.target.split("."):
            node = node.setdefault(part, {})
    return list(_paths(tree, ""))


def _paths(tree: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, below in tree.items():
        if below:
            yield from _paths(below, f"{above}{name}.")
        else:
            yield above + name


def _written(tree: Mapping[str, Any]) -> str:
    """The object, the texts in it as they are."""
    parts = (
        f"{quoted(name).replace('%', '%%')}: {_written(below) if isinstance(below, dict) else below}"
        for name, below in tree.items()
    )
    return "{" + ", ".join(parts) + "}"


def _fixed(one: Set, kind: str, front: Front) -> str:
    """What a constant or the header says, as JSON."""
    if isinstance(one, Text):
        return encoder(kind, "")(one.text.render({}))
    return encoder("long" if kind == "custom" and HEADER[one.field] == "int" else kind, one.transform)(
        front.facts.get(one.field, "")
    )


def _listed(target: str, texts: Sequence[str]) -> str:
    """Each value once, in order, as a list where the field holds one; of other fields the first."""
    distinct = [text for text in dict.fromkeys(texts) if text]
    if not distinct:
        return ""
    if target in fields.LISTS or target in fields.MANY and len(distinct) > 1:
        return f"[{', '.join(distinct)}]"
    return distinct[0]


# Values


def encoder(kind: str, transform: str) -> Callable[[str], str]:
    """What makes JSON of a text for a document's field of type `kind`; it gives "" for what has no such value."""
    encode = _ENCODERS.get(kind, _text)
    if not transform:
        return encode
    change = TRANSFORMS[transform]
    return lambda text: encode(change(text)) if text else ""


def _family(kind: str, of: str) -> str:
    """Types of Elasticsearch's that have one form in JSON."""
    if kind == "custom":
        return "long" if of in ("int", "port") else ""
    return kind if kind in _ENCODERS else ""


def _encoder(kind: str, of: str, normalise: _Normalise | None, transform: str) -> _Encode:
    """The same of a capture of type `of`."""
    family = _family(kind, of)
    if not transform and not family and of == "ip":
        return lambda raw: f'"{(raw if _IPV4(raw) else _normal(raw, normalise)).decode("ascii")}"' if raw else ""
    if not transform and not family and of in ("mac", "net"):
        return lambda raw: f'"{_normal(raw, normalise).decode("ascii")}"' if raw else ""
    if not transform and family in ("long", "port") and of == "port":
        return lambda raw: str(int(raw)) if raw else ""
    encode = encoder(family if not transform else kind, transform)
    if normalise is None and encode is _text:
        return lambda raw: quoted(raw.decode("utf-8", "replace")) if raw else ""
    return lambda raw: encode(_normal(raw, normalise).decode("utf-8", "replace")) if raw else ""


def _normal(raw: bytes, normalise: _Normalise | None) -> bytes:
    return normalise(raw) if normalise is not None and raw else raw


def _placed(encode: _Encode, places: Places) -> _Encode:
    def placed(raw: bytes) -> str:
        text = encode(raw)
        return text + places(text[1:-1]) if text else ""

    return placed


def _text(text: str) -> str:
    return quoted(text) if text else ""


def _whole(text: str, target: str = "") -> str:
    try:
        number = int(text, 0) if text[:2] in ("0x", "0X", "0b", "0B") else int(text)
    except ValueError:
        return ""
    least, most = limits(target)
    return str(number) if least <= number <= most else ""


def _port(text: str) -> str:
    return _whole(text, "port")


def _decimal(text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return ""
    return repr(number) if abs(number) < float("inf") else ""


def _boolean(text: str) -> str:
    return text if text in ("true", "false") else ""


_ENCODERS: dict[str, Callable[[str], str]] = {"long": _whole, "port": _port, "float": _decimal, "boolean": _boolean}
