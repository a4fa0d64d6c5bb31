"""The engine as a script: rules from pattern texts, lines and times in, triggers out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from logtrigger import conditions
from logtrigger.addresses import AddressSet
from logtrigger.engine import Engine
from logtrigger.errors import Place
from logtrigger.model import Chunk, Trigger
from logtrigger.patterns import scanf
from logtrigger.patterns.pattern import Anchor
from logtrigger.rule import SYSTEM_LOG, Rule, Settings

NOW = 1_700_000_000.0
SSHD = "Failed password for %s from %s port %d ssh2"


def rule(
    pattern: str, fields: str = "", *, name: str = "r", excepts: Iterable[str] = (), anchor: Anchor = "", **options: Any
) -> Rule:
    """A rule as the configuration would make it; `|` stands between alternatives of the pattern, and between their fields."""
    texts, names = pattern.split("|"), fields.split("|")
    patterns = tuple(
        scanf.compile(text, (names[i] if len(names) > 1 else names[0]).split(), anchor=anchor) for i, text in enumerate(texts)
    )
    if "key" not in options:
        addresses = [n for p in patterns for n, kind in zip(p.fields, p.types, strict=True) if kind == "ip"]
        options["key"] = tuple(addresses[:1])
    types = {n: kind for p in reversed(patterns) for n, kind in zip(p.fields, p.types, strict=True)}
    options["when"] = tuple(conditions.compile(text, types) for text in options.get("when", ()))
    options["ignore"] = AddressSet(options.get("ignore", ()))
    options["programs"] = frozenset(options.get("programs", ()))
    return Rule(
        name=name,
        place=Place("rules.conf", 1),
        patterns=patterns,
        excepts=tuple(scanf.compile(text, anchor=anchor) for text in excepts),
        **options,
    )


def engine(*rules: Rule, ignore: Iterable[str] = (), every_source: bool = False, max_keys: int = 1000) -> Engine:
    settings = Settings(
        path=Path("rules.conf"), rules=rules, state=Path("state.db"), ignore=AddressSet(ignore), max_keys=max_keys
    )
    return Engine(settings, every_source=every_source)


class Script:
    """Feeds an engine line by line, each chunk behind the one before."""

    def __init__(self, *rules: Rule, source: str = SYSTEM_LOG, **options: Any) -> None:
        self.engine = engine(*rules, **options)
        self.source = source
        self.offset = 0

    def feed(self, *lines: str | bytes, at: float = 0.0, old: bool = False) -> list[Trigger]:
        """What these lines, read together `at` seconds after NOW, cause."""
        data = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
        chunk = Chunk(self.source, "log", "stream", self.offset, self.offset + len(data), data, catching_up=old)
        self.offset = chunk.end
        return self.engine.feed(chunk, NOW + at)

    def names(self, *lines: str | bytes, at: float = 0.0, old: bool = False) -> list[str]:
        """The rules that these lines trigger."""
        return [trigger.rule for trigger in self.feed(*lines, at=at, old=old)]


def failed(ip: str = "192.0.2.7", user: str = "root", header: str = "Nov 14 22:00:00 h sshd[7]: ") -> str:
    """A line that SSHD matches."""
    return f"{header}Failed password for {user} from {ip} port 22 ssh2"
