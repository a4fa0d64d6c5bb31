"""Running the rules over old logs, in the time of the logs. Nothing is done about the triggers but to tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader

from logtrigger.engine import Engine, MatcherFactory
from logtrigger.fill import Fill
from logtrigger.matcher import LiteralMatcher
from logtrigger.model import Chunk
from logtrigger.places import Look, nowhere
from logtrigger.rule import Settings
from logtrigger.sources.lines import Lines, Piece

_READ = 1 << 18  # bytes, which fit into a processor's cache
_READ_FOR_MANY = 1 << 20  # for so many rules that each has few lines in a chunk
_MANY = 200

Tell = Callable[[Fill, int], None]  # a trigger, and the number of its line, from 1


@dataclass(frozen=True, slots=True)
class Log:
    """A log to be read: what to call it, and how to open it. `open` raises OSError."""

    name: str
    open: Callable[[], BufferedReader]


@dataclass(slots=True)
class Summary:
    """What a replay came to."""

    lines: int
    events: dict[str, int]
    triggers: dict[str, int]


def replay(settings: Settings, logs: Sequence[Log], now: float, tell: Tell, build: MatcherFactory = LiteralMatcher) -> Summary:
    """Feed the logs, in this order, to every enabled rule; counters run on from one to the next.

    Args:
        settings: the configuration.
        logs: what to read.
        now: epoch seconds that no event may be later than.
        tell: gets each trigger as it happens.
        build: makes the matcher.

    Raises:
        OSError: a log cannot be read; its filename says which.
    """
    engine = Engine(settings, every_source=True, build=build, look=_look(settings))
    triggers = dict.fromkeys((rule.name for rule in settings.rules), 0)
    lines, size = 0, _READ if len(settings.rules) < _MANY else _READ_FOR_MANY
    for log in logs:
        before = lines
        for chunk in _chunks(log, settings.max_line, size):
            at = 0  # counted up to here
            for trigger in engine.fills(chunk, now):
                within = trigger.offset - chunk.offset
                lines, at = lines + chunk.data.count(b"\n", at, within), within
                tell(trigger, lines - before + 1)
                triggers[trigger.rule] += 1
            lines += chunk.data.count(b"\n", at)
    return Summary(lines, engine.events(), triggers)


def _look(settings: Settings) -> Look:
    """What tells where an address is. What is wrong with a database was said when the configuration was read."""
    if not settings.geoip:
        return nowhere
    from logtrigger.geoip import GeoIP

    return GeoIP(settings.geoip, lambda level, text: None, settings.home).look


def _chunks(log: Log, max_line: int, size: int) -> Iterator[Chunk]:
    for piece in _pieces(log, Lines(max_line), size):
        yield Chunk("", log.name, log.name, piece.offset, piece.end, piece.data, catching_up=True)


def _pieces(log: Log, splitter: Lines, size: int) -> Iterator[Piece]:
    with log.open() as stream:
        while data := _read(log, stream, size):
            yield from splitter.feed(data)
    yield from splitter.finish()


def _read(log: Log, stream: BufferedReader, size: int) -> bytes:
    try:
        return stream.read1(size)
    except OSError as error:
        error.filename = log.name  # which only open() says by itself
        raise
