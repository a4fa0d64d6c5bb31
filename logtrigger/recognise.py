"""Recognising: whether a line is an event of a rule, and what its fields hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from logtrigger import headers, places
from logtrigger.addresses import widened
from logtrigger.conditions import HEADER_FIELDS
from logtrigger.digests import blake2s
from logtrigger.headers import Header
from logtrigger.patterns.pattern import Pattern
from logtrigger.rule import Rule
from logtrigger.text import safe, safe_start, safe_text

MAX_VALUE = 16_384  # bytes of a line or field that a trigger carries; a little more tells that it was cut
Normalise = Callable[[bytes], bytes]
Widening = Mapping[str, Normalise]  # field -> what makes a network of its value
KEY_JOINT = "\x1f"  # between the fields of a key; cannot stand in one that was made safe
LONG_KEY = "#"  # stands in every key that does not hold all of a field
_KEY_PART = 256  # bytes of a field that stand in a key as they are


class Line:
    """One line under the eyes of several rules: what they all need of it is found out once."""

    __slots__ = ("_header", "begin", "data", "end")

    def __init__(self, data: bytes, begin: int, end: int) -> None:
        self.data, self.begin, self.end = data, begin, end
        self._header: Header | None = None

    @property
    def header(self) -> Header:
        if self._header is None:
            self._header = headers.parse(self.data[self.begin : self.end])
        return self._header

    @property
    def raw(self) -> bytes:
        return self.data[self.begin : self.end].rstrip(b"\r")

    def header_fields(self) -> dict[str, str]:
        """host, program and pid, made safe; empty where the line does not say."""
        _, host, program, pid, *_ = self.header
        return {"host": safe_text(host or ""), "program": safe_text(program or ""), "pid": safe_text(pid or "")}


class Reading:
    """What one pattern of a rule makes of its captures: fields by name, and the text a key is made of."""

    def __init__(self, rule: Rule, pattern: Pattern) -> None:
        self.pattern = pattern
        self._index = {name: i for i, name in enumerate(pattern.fields)}
        self._key = rule.key
        self.widening = widening(rule)
        self._address = next((i for i, kind in enumerate(pattern.types) if kind == "ip"), -1)

    def key(self, values: Sequence[bytes], names: Sequence[str] | None = None, widen: Widening | None = None) -> str:
        """What the event is counted by: the rule's key, or the fields of these names, and as wide as another rule has them."""
        index = self._index
        names, widen = (self._key, self.widening) if names is None else (names, widen or {})
        values = [values[index[name]] if name in index else b"" for name in names]
        if widen:
            values = [
                widen[name](value) if name in widen and value else value for name, value in zip(names, values, strict=True)
            ]
        return KEY_JOINT.join(map(key_part, values))

    def value(self, values: Sequence[bytes], name: str) -> bytes:
        """One field, as it was captured; empty where the pattern has none of that name."""
        return values[self._index[name]] if name in self._index else b""

    def address(self, values: Sequence[bytes]) -> str:
        """The first field of type ip; empty where the pattern has none."""
        return values[self._address].decode("ascii") if self._address >= 0 else ""

    def fields(self, values: Sequence[bytes], names: Iterable[str]) -> dict[str, str]:
        index = self._index
        return {name: safe_start(values[index[name]], MAX_VALUE) if name in index else "" for name in names}


def widening(rule: Rule) -> Widening:
    """How a rule's fields become parts of keys, where they are addresses that are counted and banned by their prefix."""
    ban = rule.ban
    if ban is None or not rule.counts_networks or (ban.prefix4, ban.prefix6) == (32, 128):
        return {}
    return {ban.field: _widener(ban.prefix4, ban.prefix6)}


@cache
def _widener(prefix4: int, prefix6: int) -> Normalise:
    """The same for all rules with these prefixes, so that they can share what they remember of addresses."""

    def widen(address: bytes) -> bytes:
        try:
            return widened(address.decode("ascii"), prefix4, prefix6).encode("ascii")
        except ValueError:
            return address  # a field of this name of another rule, which is no address

    return widen


def key_part(value: bytes) -> str:
    """A field as part of a key: whole, or the beginning and a digest of a long one, so that keys stay small."""
    if len(value) <= _KEY_PART:
        return safe(value)
    return f"{safe(value[:_KEY_PART])}{LONG_KEY}{blake2s(value, digest_size=16).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Match:
    """One rule recognising one line."""

    reading: Reading
    values: Sequence[bytes]


class Recogniser:
    """Tells which lines are events of one rule, and what is captured of them."""

    def __init__(self, rule: Rule, look: places.Look = places.nowhere) -> None:
        self.rule = rule
        self._look = look
        self._readings = [Reading(rule, pattern) for pattern in rule.patterns]
        self.first = self._readings[0]
        self._names = rule.fields

    def recognise(self, line: Line) -> Match | None:
        """The event this line is for this rule; None: it is none."""
        rule = self.rule
        if rule.programs and line.header.program not in rule.programs:
            return None
        for reading in self._readings:
            values = _match(reading.pattern, line)
            if values is not None:
                break
        else:
            return None
        if any(_match(pattern, line) is not None for pattern in rule.excepts):
            return None
        found = Match(reading, values)
        if rule.when and not self._conditions_hold(found, line):
            return None
        return None if rule.ignore and reading.address(values) in rule.ignore else found

    def fields(self, found: Match) -> dict[str, str]:
        """The event's fields, made safe; those that its alternative lacks are empty."""
        return found.reading.fields(found.values, self._names)

    def key(self, fields: Mapping[str, str]) -> tuple[str, ...]:
        """What the event is counted by, to be shown."""
        widen = self.first.widening
        return tuple(widen[n](fields[n].encode()).decode() if n in widen and fields[n] else fields[n] for n in self.rule.key)

    @cached_property
    def _asks_for_places(self) -> bool:
        gained = places.types(self.rule.types)
        return any(condition.field in gained for condition in self.rule.when)

    def places(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Where the addresses among an event's fields are, by `address_place`."""
        return places.of(fields, self.rule.types, self._look)

    def distinct(self, found: Match, line: Line) -> bytes:
        """What a rule with `distinct` counts of this event; empty where it has no such value."""
        wanted = self.rule.distinct
        assert wanted is not None
        if wanted.field in self._names:
            value = found.reading.value(found.values, wanted.field)
            if value and self._types[wanted.field] == "ip":
                return widened(value.decode("ascii"), wanted.prefix4, wanted.prefix6).encode("ascii")
            return value
        if wanted.field in HEADER_FIELDS:
            return line.header_fields()[wanted.field].encode("utf-8", "replace")
        known = places.with_first(self.places(self.fields(found)), self._types)
        return known.get(wanted.field, "").encode("utf-8", "replace")

    @cached_property
    def _types(self) -> Mapping[str, str]:
        return self.rule.types

    def _conditions_hold(self, found: Match, line: Line) -> bool:
        fields = self.fields(found)
        values = {**line.header_fields(), **fields}
        if self._asks_for_places:
            values |= places.with_first(self.places(fields), self.rule.types)
        return all(condition.holds(values) for condition in self.rule.when)


def _match(pattern: Pattern, line: Line) -> Sequence[bytes] | None:
    if not pattern.anchor:
        return pattern.match(line.data, line.begin, line.end)
    begin = headers.begin(pattern.anchor, line.header, line.data, line.begin, line.end)
    return None if begin is None else pattern.match(line.data, begin, line.end)
