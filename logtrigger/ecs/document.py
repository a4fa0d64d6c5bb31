"""A document as JSON text, put together from pieces: what never changes of it is made once for each kind of message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from logtrigger.ecs import fields
from logtrigger.ecs.mapping import HEADER, Dataset, Event, Set, Text, type_of
from logtrigger.ecs.transforms import TRANSFORMS
from logtrigger.patterns.pattern import Pattern

Values = Sequence[bytes]  # of a pattern's fields
Around = Mapping[str, str]  # header field (see mapping.HEADER) -> its text
Piece = Callable[[Values, Around], str]  # a value as JSON; empty where there is none
Places = Callable[[str], str]  # what stands behind `"ip": "…"` in an object: geo and as, with a comma before each, or nothing

TIME, MESSAGE = "@timestamp", "message"
_WITH_PLACES = ("client.ip", "destination.ip", "server.ip", "source.ip")
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1  # Elasticsearch's long


class Shape:
    """The documents of one pattern of an event (of none: of a whole dataset).

    Args:
        dataset: whose it is.
        event: what a line is; None: it is none.
        pattern: that recognised it.
        places: tells where an address is; None: nobody knows.
    """

    def __init__(self, dataset: Dataset, event: Event | None, pattern: Pattern | None, places: Places | None = None) -> None:
        self._names = {name: at for at, name in enumerate(pattern.fields if pattern else ())}
        self._types = dict(zip(pattern.fields, pattern.types, strict=True)) if pattern else {}
        self._dataset = dataset.name
        sets = dataset.sets_of(event)
        self._constants: dict[str, str] = {}
        self._pieces: list[Piece] = []
        self._leaves: list[str] = [TIME, MESSAGE]
        self.needs_header = False
        for target in _in_order(one.target for one in sets):
            self._add(target, [one for one in sets if one.target == target], places, sets)
        self._templates: dict[tuple[bool, ...], str] = {}
        self._full = self._template((True,) * len(self._leaves))
        self._without_time = self._template((False, *[True] * (len(self._leaves) - 1)))

    def text(self, time: str, message: str, values: Values, around: Around) -> str:
        """The document.

        Args:
            time: as JSON; empty: there is none.
            message: the line as JSON.
            values: of the pattern's fields.
            around: what stands before the message, where `needs_header`; with `message`, that itself.
        """
        texts = [piece(values, around) for piece in self._pieces]
        if all(texts):
            return self._full % (time, message, *texts) if time else self._without_time % (message, *texts)
        present = (bool(time), True, *map(bool, texts))
        template = self._templates.get(present) or self._template(present)
        return template % tuple(text for text in (time, message, *texts) if text)

    # What it is made of

    def _add(self, target: str, sets: Sequence[Set], places: Places | None, all_sets: Sequence[Set]) -> None:
        kind = type_of(target, self._dataset) or "keyword"
        pieces = [piece for one in sets if (piece := self._piece(one, kind)) is not None]
        constants = [constant(one.text.render({}), kind) for one in sets if isinstance(one, Text) and not one.text.names]
        if not pieces:
            return
        if len(constants) == len(sets):
            self._constants[target] = _joined(target, constants)
            return
        self._leaves.append(target)
        if len(pieces) > 1 or target in fields.LISTS:
            self._pieces.append(_several(target, pieces))
        elif places is not None and target in _WITH_PLACES and not _says_place(target, all_sets):
            self._pieces.append(_placed(pieces[0], places))
        else:
            self._pieces.append(pieces[0])

    def _piece(self, one: Set, kind: str) -> Piece | None:
        """What makes the value; None where the pattern lacks its field."""
        if isinstance(one, Text):
            if not one.text.names:
                fixed = constant(one.text.render({}), kind)
                return lambda values, around: fixed
            return self._template_piece(one, kind)
        if one.field in self._names:
            return _of_capture(self._names[one.field], encoder(kind, self._types[one.field], one.transform))
        if one.field not in HEADER:
            return None
        self.needs_header = True
        encode, name = encoder(kind, HEADER[one.field], one.transform), one.field
        return lambda values, around: encode(around.get(name, ""))

    def _template_piece(self, one: Text, kind: str) -> Piece:
        names, indexes, render = one.text.names, self._names, one.text.render
        header = [name for name in names if name not in indexes]
        self.needs_header |= bool(header)
        captured = [(name, indexes[name]) for name in names if name in indexes]
        encode = encoder(kind, "text", "")

        def piece(values: Values, around: Around) -> str:
            known = {name: values[at].decode("utf-8", "replace") for name, at in captured}
            if header:
                known |= {name: around.get(name, "") for name in header}
            return encode(render(known))

        return piece

    def _template(self, present: tuple[bool, ...]) -> str:
        tree: dict[str, Any] = {}
        leaves = [(name, "%s") for name, is_there in zip(self._leaves, present, strict=True) if is_there]
        constants = [(name, text.replace("%", "%%")) for name, text in self._constants.items()]
        for name, text in [*leaves, *constants]:
            *above, last = [name] if name == TIME else name.split(".")
            node = tree
            for part in above:
                node = node.setdefault(part, {})
            node[last] = text
        made = self._templates[present] = _written(tree)
        return made


def _in_order(targets: Iterable[str]) -> list[str]:
    """Each target once, in the order in which they stand in a document: those of an object follow each other.

    >>> _in_order(["client.ip", "event.reason", "client.nat.ip", "client.port"])
    ['client.ip', 'client.nat.ip', 'client.port', 'event.reason']
    """
    tree: dict[str, Any] = {}
    for target in targets:
        node = tree
        for part in target.split("."):
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


def constant(text: str, kind: str) -> str:
    """A text as JSON; empty where it is none of this type."""
    return encoder(kind, "text", "")(text)


def encoder(kind: str, of: str, transform: str) -> Callable[[str], str]:
    """What makes JSON of a field of type `of` for a document's field of type `kind`; it gives "" for what has no such value."""
    encode = _ENCODERS.get(kind, _text)
    if kind == "custom":
        encode = _whole if of in ("int", "port") and not transform else _text
    if not transform:
        return encode
    change = TRANSFORMS[transform]
    return lambda text: encode(change(text))


def _text(text: str) -> str:
    return quoted(text) if text else ""


def _whole(text: str) -> str:
    try:
        number = int(text)
    except ValueError:
        return ""
    return str(number) if _LEAST <= number <= _MOST else ""


def _decimal(text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return ""
    return repr(number) if abs(number) < float("inf") else ""


def _boolean(text: str) -> str:
    return text if text in ("true", "false") else ""


_ENCODERS: dict[str, Callable[[str], str]] = {"long": _whole, "float": _decimal, "boolean": _boolean}


def _of_capture(at: int, encode: Callable[[str], str]) -> Piece:
    if encode is _text:
        return lambda values, around: quoted(values[at].decode("utf-8", "replace")) if values[at] else ""
    return lambda values, around: encode(values[at].decode("utf-8", "replace"))


def _several(target: str, pieces: Sequence[Piece]) -> Piece:
    """A list of each value once, in order; of a field that holds one value, the first there is."""
    if target in fields.MANY:
        return lambda values, around: _joined(target, [piece(values, around) for piece in pieces])
    return lambda values, around: next((text for piece in pieces if (text := piece(values, around))), "")


def _joined(target: str, texts: Sequence[str]) -> str:
    distinct = [text for text in dict.fromkeys(texts) if text]
    if not distinct:
        return ""
    if target in fields.LISTS or target in fields.MANY and len(distinct) > 1:
        return f"[{', '.join(distinct)}]"
    return distinct[0]


def _says_place(target: str, sets: Sequence[Set]) -> bool:
    above = target.removesuffix("ip")
    return any(one.target.startswith((f"{above}geo.", f"{above}as.")) for one in sets)


def _placed(piece: Piece, places: Places) -> Piece:
    def placed(values: Values, around: Around) -> str:
        text = piece(values, around)
        return text + places(text[1:-1]) if text else ""

    return placed
