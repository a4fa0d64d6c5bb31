"""Many lines of one rule at once: one expression finds what a flood is counted by, instead of a call for each line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from logtrigger import headers
from logtrigger.headers import KnownStamps
from logtrigger.patterns.form import PID_WIDTH
from logtrigger.recognise import KEY_JOINT, Reading, key_part
from logtrigger.rule import Rule

_LONGEST = 64  # bytes of a capture whose key is remembered
_MOST = 20_000  # keys remembered for one kind of key

Captures = bytes | tuple[bytes, ...]  # what a key is made of; alone where it is one
# For each part of a key: which capture it is, what that must match as a whole, and what brings it into its one form.
Shape = tuple[tuple[int, re.Pattern[bytes] | None, Callable[[bytes], bytes] | None], ...]


Look = Callable[[int, int], tuple[float | None, str | None]]  # a line -> when it was written, and its key if it is an event


@dataclass(frozen=True, slots=True)
class Events:
    """Of one rule, by line: where it begins and ends, when it says that it was written (None: it does not), its key."""

    begins: list[int]
    ends: list[int]
    written: list[float | None]
    keys: list[str]

    def add(self, begin: int, end: int, written: float | None, key: str) -> None:
        self.begins.append(begin)
        self.ends.append(end)
        self.written.append(written)
        self.keys.append(key)


class Keys(dict[Captures, str | None]):
    """Captures -> the key that they make; None, and not remembered, where they are not of their types."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._shape = shape
        self.strangers = 0  # answers that were None

    def __missing__(self, captures: Captures) -> str | None:
        values = captures if isinstance(captures, tuple) else (captures,)
        if not values[0]:
            return None  # nothing was found in the line, which its time tells, too
        parts = []
        for index, check, normalise in self._shape:
            value = values[index]
            if check and not check.fullmatch(value):
                self.strangers += 1
                return None
            parts.append(key_part(normalise(value) if normalise else value))
        key = KEY_JOINT.join(parts)
        if max(map(len, values)) <= _LONGEST:
            if len(self) >= _MOST:
                self.clear()
            self[captures] = key
        return key


class Bulk:
    """Finds times and keys of one rule's lines.

    Args:
        expression: for re.MULTILINE; its groups are a time and the captures of a key.
        keys: the key that such captures make; None: the rule has one counter.
        told: matches lines of which the expression tells all; its group is a time.
    """

    def __init__(self, expression: bytes, keys: Keys | None, told: re.Pattern[bytes] | None) -> None:
        self._find = re.compile(b"(?:" + expression + b"|^.*)", re.MULTILINE).findall
        self._keys, self._told = keys, told

    def events(self, data: bytes, begins: list[int], ends: list[int], stamps: KnownStamps, look: Look) -> Events:
        """The events among these lines; `look` is asked about those that nothing can be said of here."""
        lines = [data[begin:end] for begin, end in zip(begins, ends, strict=True)]
        strangers = self._strangers(stamps)
        written, keys = self._read(lines, stamps)
        if self._strangers(stamps) == strangers:
            return Events(begins, ends, written, cast(list[str], keys))
        events = Events([], [], [], [])
        for begin, end, time, key in zip(begins, ends, written, keys, strict=True):
            if time is None and self._told and (header := self._told.match(data, begin, end)):
                if stamps[header[1]] is not None:
                    continue  # the expression found nothing, so there is nothing
            if time is None or key is None:
                time, key = look(begin, end)
            if key is not None:
                events.add(begin, end, time, key)
        return events

    def _strangers(self, stamps: KnownStamps) -> int:
        return stamps.strangers + (0 if self._keys is None else self._keys.strangers)

    def _read(self, lines: Sequence[bytes], stamps: KnownStamps) -> tuple[list[float | None], list[str | None]]:
        """For each line when it says that it was written, and its key; one of the two is None where nothing is said of it."""
        found = self._find(b"\n".join(lines))
        if len(found) != len(lines):
            stamps.strangers += 1
            return [None] * len(lines), [None] * len(lines)
        if self._keys is None:
            return list(map(stamps.__getitem__, found)), [""] * len(lines)
        texts, *captures = zip(*found, strict=True)
        each = captures[0] if len(captures) == 1 else zip(*captures, strict=True)
        return list(map(stamps.__getitem__, texts)), list(map(self._keys.__getitem__, each))


class Bulks:
    """Makes what rules need to have many lines looked at at once; keys of one kind are remembered together."""

    def __init__(self) -> None:
        self._keys: dict[Shape, Keys] = {}

    def of(self, rule: Rule, reading: Reading, own_program: str) -> Bulk | None:
        """None: the rule's lines are to be looked at one by one.

        Lines of `own_program` are never found where the rule is not for them.
        """
        pattern, kept = reading.pattern, sorted({index for index, _ in reading.key_parts})
        if len(rule.patterns) > 1 or rule.excepts or rule.when or rule.ignore or not (rule.programs or pattern.anchor == "tag"):
            return None
        tag = pattern.tag.decode("latin-1")
        if pattern.anchor == "tag" and (not tag or tag not in (rule.programs or {tag} - {own_program})):
            return None
        head = headers.bulk_head(rule.programs, with_tag=pattern.anchor != "tag")
        found = pattern.bulk(head, kept)
        if found is None:
            return None
        expression, checks = found
        shape = tuple((kept.index(index), checks[kept.index(index)], normalise) for index, normalise in reading.key_parts)
        told = re.compile(headers.bulk_head((), with_tag=True, longest_pid=PID_WIDTH), re.MULTILINE) if pattern.anchor else None
        return Bulk(expression, self._keys.setdefault(shape, Keys(shape)) if shape else None, told)
