"""The fast matcher: Hyperscan looks for all patterns at once (extra `speed`).

Hyperscan is given a coarse form of each pattern, which every line matches that the pattern matches; the engine then looks at
the line itself. Compiling takes a second for a thousand patterns and much memory, so it is done in a process of its own, and
the result is kept in a file beside the state.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from importlib import import_module
from pathlib import Path
from typing import Any

from logtrigger import sealed
from logtrigger.digests import blake2b
from logtrigger.matcher import Hit, Owner, distinct, every_line, line_ends
from logtrigger.patterns.pattern import Pattern

_MAGIC = b"logtrigger patterns 1\n"
_SUFFIX = ".hs"
# Versions of the library that miss lines, https://github.com/VectorCamp/vectorscan/pull/368: "port [0-9]+ ssh2" finds nothing.
_UNSOUND = frozenset({"5.4.12"})
_FEW = 50  # expressions that take less time to compile than a process to start; 10 MB, of a program that soon ends
_KEPT = 16  # caches in a folder: one for each source of a configuration, and some to go back to

Expression = tuple[str, bool]  # Latin-1 text for Hyperscan, and whether case does not matter


class HyperscanMatcher:
    """Raises ImportError where hyperscan is not installed, ValueError where it cannot compile the patterns.

    Args:
        owners: whose lines are looked for.
        cache: a file for the compiled patterns; None: compile each time.
        keep: write that file where it is missing or for other patterns.
    """

    def __init__(self, owners: Sequence[Owner], cache: Path | None = None, *, keep: bool = True) -> None:
        hyperscan: Any = import_module("hyperscan")
        self._always = [number for number, owner in enumerate(owners) if not all(pattern.coarse for pattern in owner.patterns)]
        searched = [(n, p) for n, owner in enumerate(owners) if n not in self._always for p in owner.patterns]
        self._owner = [owner for owner, _ in searched]
        self._to_end = [pattern.coarse.endswith("]*$") for _, pattern in searched]  # found where the line ends
        self._count = len(searched)
        self._expressions = _expressions([pattern for _, pattern in searched])
        self._database: Any = None
        self._is_part = False  # whether it is to find less than the database does
        if searched:
            check_library()
            try:
                self._database = _database(hyperscan, self._expressions, cache, keep)
            except hyperscan.error as error:
                raise ValueError(f"{type(error).__name__} {error}") from None

    def only(self, owners: Sequence[int], *, compiled_anew: bool) -> HyperscanMatcher:
        """A matcher for some of the owners, numbered anew in this order.

        It shares what was compiled for all, or has its own, which scans quicker and is made here and now.
        """
        number = {owner: index for index, owner in enumerate(owners)}
        part = copy(self)
        part._always = [number[owner] for owner in self._always if owner in number]
        part._owner = [number.get(owner, -1) for owner in self._owner]
        part._is_part = True
        wanted = [index for index, owner in enumerate(part._owner) if owner >= 0]
        if compiled_anew and wanted:
            part._expressions = [self._expressions[index] for index in wanted]
            part._owner = [part._owner[index] for index in wanted]
            part._to_end = [part._to_end[index] for index in wanted]
            part._count, part._is_part = len(wanted), False
            part._database = _loaded(import_module("hyperscan"), _compile_here(part._expressions))
        return part

    def scan(self, data: bytes) -> Iterable[Hit]:
        count, found = self._count, list[int]()
        append = found.append

        def on_match(pattern: int, begin: int, end: int, flags: int, context: object) -> None:
            append(end * count + pattern)

        if self._database is not None:
            self._database.scan(data, match_event_handler=on_match)
        if self._is_part:
            owner_of = self._owner
            found = [number for number in found if owner_of[number % count] >= 0]
        found.sort()
        hits = self._hits(data, found)
        return sorted([*hits, *every_line(data, self._always)]) if self._always else hits

    def lines(self, data: bytes) -> Mapping[int, list[int]]:
        found: defaultdict[int, list[int]] = defaultdict(list)

        def on_match(pattern: int, begin: int, end: int, flags: int, context: object) -> None:
            found[pattern].append(end)

        if self._database is not None:
            self._database.scan(data, match_event_handler=on_match)
        ends: dict[int, list[int]] = {owner: line_ends(data) for owner in self._always if data}
        for pattern, places in found.items():
            if self._owner[pattern] < 0:
                continue
            if not self._to_end[pattern]:
                places = [data.find(b"\n", at) for at in places]
            ends.setdefault(self._owner[pattern], []).extend(places)
        return {owner: distinct(places) for owner, places in ends.items()}

    def _hits(self, data: bytes, found: Sequence[int]) -> list[Hit]:
        """Each (line, owner) once, by line, then by owner."""
        hits: list[Hit] = []
        count, owner_of, line_end, first = self._count, self._owner, -1, 0
        begin = 0
        for number in found:
            at, pattern = divmod(number, count)
            hit_owner = owner_of[pattern]
            if at > line_end:
                begin, line_end, first = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at), len(hits)
                hits.append((begin, line_end, hit_owner))
            elif hit_owner > hits[-1][2]:
                hits.append((begin, line_end, hit_owner))
            elif hit_owner != hits[-1][2]:
                hits[first:] = sorted({*hits[first:], (begin, line_end, hit_owner)})
        return hits


def _expressions(patterns: Sequence[Pattern]) -> list[Expression]:
    """What to look for: without the program's tag, which many patterns share, where no other one goes on in the same way."""
    bodies = Counter(pattern.coarse_body for pattern in patterns)
    return [(p.coarse_body if p.coarse_body and bodies[p.coarse_body] == 1 else p.coarse, p.nocase) for p in patterns]


def check_library() -> None:
    """Raises ValueError where the library misses lines: being slower is better."""
    hyperscan: Any = import_module("hyperscan")
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=[b"a"], ids=[0], elements=1, flags=[0])
    found = re.search(rb"Version: ([0-9.]+)", database.info())
    if found and found[1].decode() in _UNSOUND:
        raise ValueError(f"its version {found[1].decode()} misses lines; install 'hyperscan<0.7.20'")


def _database(hyperscan: Any, expressions: Sequence[Expression], cache: Path | None, keep: bool) -> Any:
    """What looks for the expressions: out of the cache where that holds just these, else compiled."""
    name = _name(expressions)
    if cache is not None and (kept := sealed.read(cache, name)) is not None:
        with contextlib.suppress(hyperscan.error):  # it was made on a processor that could do more
            return _loaded(hyperscan, kept)
    is_quick = not keep and len(expressions) <= _FEW
    compiled = _compile_here(expressions) if is_quick else _compiled(expressions)
    database = _loaded(hyperscan, compiled)
    if cache is not None and keep and sealed.write(cache, name, compiled):
        with contextlib.suppress(OSError):
            _tidy(cache)
    return database


def _loaded(hyperscan: Any, serialised: bytes) -> Any:
    database = hyperscan.loadb(serialised, hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)
    return database


def _compiled(expressions: Sequence[Expression]) -> bytes:
    """The expressions as a serialised database, made by a process of its own. Raises ValueError where that fails."""
    import json  # both take milliseconds to load, which a start with a cache is spared
    import subprocess

    # The path is that of this process: its packages may be in a place of their own, we ourselves in an archive.
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
    command = [sys.executable, "-c", program]
    try:
        done = subprocess.run(command, input=json.dumps(expressions).encode(), capture_output=True, check=False)
    except OSError as error:
        raise ValueError(error.strerror) from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ValueError(said or f"the compiler ended with status {done.returncode}")
    return done.stdout


def cache_of(folder: Path, owners: Sequence[Owner]) -> Path:
    """The file that holds these patterns compiled, in a folder of ours."""
    facts = repr([[(pattern.coarse, pattern.nocase) for pattern in owner.patterns] for owner in owners])
    return folder / f"patterns-{blake2b(facts.encode(), digest_size=6).hexdigest()}{_SUFFIX}"


def _name(expressions: Sequence[Expression]) -> bytes:
    """The cache's label: it was made for these expressions, by this version of the library, on such a processor."""
    hyperscan: Any = import_module("hyperscan")
    facts = repr([hyperscan.__version__, os.uname().machine, expressions])
    return _MAGIC + sealed.digest(facts.encode())


def _tidy(path: Path) -> None:
    """Of the caches beside this one keep the newest few."""
    caches = sorted(path.parent.glob(f"patterns-*{_SUFFIX}"), key=lambda cache: cache.stat().st_mtime)
    for cache in caches[:-_KEPT]:
        cache.unlink(missing_ok=True)


def _compile_here(expressions: Sequence[Expression]) -> bytes:
    hyperscan: Any = import_module("hyperscan")
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    flags = [hyperscan.HS_FLAG_MULTILINE | (hyperscan.HS_FLAG_CASELESS if nocase else 0) for _, nocase in expressions]
    database.compile(
        expressions=[text.encode("latin-1") for text, _ in expressions],
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=flags,
    )
    return bytes(hyperscan.dumpb(database))


def main() -> None:
    """Compile what standard input says, in a process of its own."""
    import json

    sys.stdout.buffer.write(_compile_here(json.load(sys.stdin)))
