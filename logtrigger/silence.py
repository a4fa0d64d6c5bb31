"""Rules that have fallen silent: lines that were meant for them come, and they do not know them any more.

So it is after an update renames a program (sshd became sshd-session) or words its messages anew. A rule without events may as
well have nothing to find; what tells is a line that holds what the rule looks for, and is no event of any rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from logtrigger import headers
from logtrigger.addresses import AddressSet
from logtrigger.matcher import LiteralMatcher, Owner
from logtrigger.model import Chunk
from logtrigger.patterns.form import Form, Literal
from logtrigger.patterns.pattern import Pattern
from logtrigger.recognise import Line, Recogniser
from logtrigger.rule import Rule
from logtrigger.text import cut, safe

EVERY = 3600.0  # seconds between two judgements of a source
ENOUGH = 5  # lines that were meant for a rule, before the daemon speaks of it
AGAIN = 86_400.0  # seconds until it speaks of the same rule again
_TELLING = 8  # bytes of text that few lines have
_KEPT = 64 << 10  # bytes of samples of a source
_AT_FIRST = 4 << 10  # of them at once; the others over the time between two judgements
_SOURCES = 16  # of which samples are kept
_SHOWN = 200  # bytes of a line that are shown


@dataclass(frozen=True, slots=True)
class Silent:
    """A rule that has fallen silent; `lines` were meant for it, such as `example`."""

    rule: str
    lines: int
    program: str  # that wrote them
    example: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"rule {self.rule}: {self.why}: {self.example}"


def silent(rules: Sequence[Rule], others: Sequence[Rule], data: bytes) -> Iterator[Silent]:
    """Those of the rules that have no event among the lines of `data`, or none any more, although lines were meant for them.

    Args:
        rules: that are judged.
        others: all that see such lines: what is an event of one of them was not meant for another.
    """
    known = [Recogniser(_alone(rule)) for rule in others]
    for rule in rules:
        if not rule.of and rule.absent is None and (found := _judge(rule, known, data)) is not None:
            yield found


def programs_in(data: bytes) -> Counter[str]:
    """The programs whose lines these are, and how many of each."""
    found = (headers.parse(line).program for line in data.splitlines())
    return Counter(program for program in found if program)


def programs_of(rule: Rule) -> frozenset[str]:
    """The programs whose lines a rule is for, by its option or its patterns' tags; empty: it does not say."""
    tags = [pattern.tag.decode("latin-1") for pattern in rule.patterns]
    return rule.programs or (frozenset(tags) if all(tags) else frozenset())


def _alone(rule: Rule) -> Rule:
    return replace(rule, ignore=AddressSet())


def _judge(rule: Rule, known: Sequence[Recogniser], data: bytes) -> Silent | None:
    own = Recogniser(_alone(rule))
    programs = programs_of(rule)
    events = [end for begin, end in _hits(rule.patterns, data) if own.recognise(Line(data, begin, end))]
    if events:
        renamed = _since(max(events), _Anyone(rule), known, data) if programs else {}
    else:
        renamed = _meant(_Anyone(rule), known, data) if programs else {}
    if renamed:
        program, lines = max(renamed.items(), key=lambda item: len(item[1]))
        whose = ", ".join(sorted(programs))
        is_option = bool(rule.programs)
        remedy = (
            f"add it: option program '{' '.join([*sorted(programs), program])}'"
            if is_option
            else f"add patterns that begin with {program}[%d]:, or with option program and option anchored"
        )
        return _of(rule, program, lines, f"{program} writes its lines now, and it is for {whose}", remedy)
    reworded = _meant(_AnyWording(rule, programs), known, data) if not events else {}
    if not reworded:
        return None
    program, lines = max(reworded.items(), key=lambda item: len(item[1]))
    remedy = "compare it with the pattern: logtrigger match 'PATTERN' LOG shows where it stops"
    return _of(rule, program, lines, "lines with its text are no events of it", remedy)


def _since(at: int, by: _Anyone, known: Sequence[Recogniser], data: bytes) -> Mapping[str, list[bytes]]:
    """The lines that were meant, of programs that have written none before, and several since the rule's last event."""
    before, after = (_meant(by, known, part) for part in (data[:at], data[at:]))
    return {program: lines for program, lines in after.items() if program not in before and len(lines) >= ENOUGH}


def _of(rule: Rule, program: str, lines: Sequence[bytes], why: str, remedy: str) -> Silent:
    return Silent(rule.name, len(lines), program, cut(safe(lines[0]), _SHOWN), why, remedy)


class _Anyone:
    """What a rule would recognise if any program might write it."""

    def __init__(self, rule: Rule) -> None:
        self._programs = programs_of(rule)
        self.patterns = tuple(_behind_tag(pattern) for pattern in rule.patterns)
        self._recogniser = Recogniser(replace(_alone(rule), patterns=self.patterns, programs=frozenset()))

    def meant(self, line: Line) -> bool:
        return line.header.program not in (None, *self._programs) and self._recogniser.recognise(line) is not None


class _AnyWording:
    """Lines of a rule's programs that have the most telling text of one of its patterns.

    Exceptions are left out, and what is like a sample that the rule has for what is no event.
    """

    def __init__(self, rule: Rule, programs: frozenset[str]) -> None:
        self._programs = programs
        self.patterns = tuple(pattern for pattern in rule.patterns if len(pattern.literal) >= _TELLING)
        bare = [replace(_alone(rule), when=()), replace(_alone(rule), patterns=rule.excepts, excepts=(), when=())]
        self._other = [Recogniser(one) for one in bare if one.patterns]  # it is recognised, and left out by a condition
        samples = (text.encode() for text in rule.rejects)
        self._rejects = [_words(Line(text, 0, len(text))) for text in samples]

    def meant(self, line: Line) -> bool:
        if self._programs and line.header.program not in self._programs:
            return False
        if any(recogniser.recognise(line) for recogniser in self._other):
            return False
        words = _words(line)
        return not any(_alike(words, sample) for sample in self._rejects)


def _words(line: Line) -> list[bytes]:
    return line.raw[line.header.body :].split()


def _alike(words: Sequence[bytes], sample: Sequence[bytes]) -> bool:
    """Whether a message says the same as a sample: all but one of its words are the same, or numbers and addresses in both."""
    if len(words) != len(sample):
        return False
    others = [pair for pair in zip(words, sample, strict=True) if pair[0] != pair[1]]
    return sum(not all(any(c in b"0123456789" for c in word) for word in pair) for pair in others) <= 1


def _meant(by: _Anyone | _AnyWording, known: Sequence[Recogniser], data: bytes) -> Mapping[str, list[bytes]]:
    """The lines that were meant, by the program that wrote them."""
    found: dict[str, list[bytes]] = {}
    for begin, end in _hits(by.patterns, data):
        line = Line(data, begin, end)
        if by.meant(line) and not any(recogniser.recognise(line) for recogniser in known):
            found.setdefault(line.header.program or "", []).append(line.raw)
    return found


def _hits(patterns: Sequence[Pattern], data: bytes) -> Iterator[tuple[int, int]]:
    if patterns:
        yield from ((begin, end) for begin, end, _ in LiteralMatcher([Owner(patterns)]).scan(data))


def _behind_tag(pattern: Pattern) -> Pattern:
    """A pattern without its program's tag, at the message's beginning."""
    if not pattern.tag or not isinstance(pattern, Form) or not isinstance(text := pattern.elements[2], Literal):
        return pattern
    rest = text.text.removeprefix(b"]: ")
    elements = [*([Literal(rest)] if rest else []), *pattern.elements[3:]]
    return Form(pattern.text, elements, nocase=pattern.nocase, anchor="message") if elements else pattern


class Samples:
    """Some of what the sources deliver, for a judgement now and then; bounded, however much that is."""

    def __init__(self) -> None:
        self._kept: dict[str, list[bytes]] = {}
        self._size: dict[str, int] = {}
        self._since: dict[str, float] = {}

    def take(self, chunk: Chunk, now: float) -> None:
        """Keep a part of a chunk, if there is room for it by now. Old lines and our own are left out."""
        since = self._since.get(chunk.source)
        if chunk.catching_up or chunk.own or since is None and len(self._since) >= _SOURCES:
            return
        if since is None:
            since = self._since[chunk.source] = now
            self._kept[chunk.source], self._size[chunk.source] = [], 0
        room = min(_KEPT, _AT_FIRST + int((now - since) / EVERY * _KEPT)) - self._size[chunk.source]
        data = chunk.data[: chunk.data.rfind(b"\n", 0, room) + 1] if len(chunk.data) > room > 0 else chunk.data
        if data and len(data) <= room:
            self._kept[chunk.source].append(data)
            self._size[chunk.source] += len(data)

    def due(self, now: float) -> Iterator[tuple[str, bytes]]:
        """The samples of each source that has been listened to for long enough; they are given once."""
        for source, since in list(self._since.items()):
            if now - since >= EVERY or now < since:
                self._size.pop(source)
                self._since.pop(source)
                yield source, b"".join(self._kept.pop(source))


class Vigil:
    """The daemon's ear: samples what is read, and says once a day of each rule that it has fallen silent."""

    def __init__(self) -> None:
        self._samples = Samples()
        self._told: dict[str, float] = {}
        self._events: Mapping[str, int] = {}

    def hear(self, chunk: Chunk, now: float) -> None:
        """A source has delivered this."""
        self._samples.take(chunk, now)

    def judge(self, rules: Iterable[Rule], events: Mapping[str, int], now: float) -> Iterator[Silent]:
        """The rules to be told of now. `events`: how many each rule has had so far."""
        before, rules = self._events, list(rules)
        for source, data in self._samples.due(now):
            self._events = events
            seeing = [rule for rule in rules if rule.source == source]
            quiet = [rule for rule in seeing if events.get(rule.name, 0) == before.get(rule.name, 0)]
            quiet = [rule for rule in quiet if now - self._told.get(rule.name, -AGAIN) >= AGAIN]
            for found in silent(quiet, seeing, data):
                if found.lines >= ENOUGH:
                    self._told[found.rule] = now
                    yield found
