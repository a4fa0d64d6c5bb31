"""The Hyperscan matcher: it finds what the plain one finds, and trusts nothing but what it kept itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logtrigger import hyperscan_matcher, patterns
from logtrigger.engine import Engine
from logtrigger.hyperscan_matcher import HyperscanMatcher, cache_of
from logtrigger.matcher import LiteralMatcher, Owner
from logtrigger.model import Chunk, Trigger
from logtrigger.patterns import scanf
from logtrigger.patterns.pattern import Pattern
from logtrigger.rule import Rule, Settings
from tests.patterns.test_form import compiled, readings
from tests.script import rule

pytestmark = pytest.mark.package("hyperscan")

WORDS = [b"a", b"b", b"A", b"B", b"1", b" ", b"from 192.0.2.7", b"\xc3\xa9", b"\xc3\x89", b"\xc3\x85", b"\xe9", b"\xff",
         b"\x00", b"\r", b"\v", b"\t", b"x.y", b"10:20:30", b"aa:bb:cc:dd:ee:ff", b"0x1f", b"[", b"*"]  # fmt: skip
TEXTS = {
    "scanf": ["a", "A b", "é", "É%s", "a%d", "%s", "%d", "%c", "a%s", "%sa", "%i%s", "%x", "%o %b", "%f", "%u.", "[*",
              "a %sb %s1", "sshd[%d]: a%s", "x.y", "%%", " a", "\tb", "%s from %s"],
    "format": ["a{}", "{a:d}", "{a:w} {b:S}", "{a:l}1{b:W}", "{a:tt}", "{a:mac}", "é{a:s}b", "{{", "{a:D}é", "{ip:ip}",
               "a{a:word}b", "{a:host}{b}"],
    "regex": ["a+", "ab|é", "(?P<ip>\\S+)", "^a$", "\\x00", "x\\.y", "[a]b", "(?i)a", "é", "\\xff", "\\w b", "(?:a|)b",
              "\\[\\*"],
}  # fmt: skip
SOME = [(text, syntax) for syntax, texts in TEXTS.items() for text in texts]
LINES = st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(b"".join), max_size=6)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Owner], bytes]:
    """Patterns of some owners, and lines likely to have something to do with them, as whole lines."""
    owners, lines = list[list[Pattern]](), draw(LINES)
    for _ in range(draw(st.integers(0, 4))):
        texts = st.lists(st.tuples(st.sampled_from(SOME), st.booleans()), min_size=1, max_size=3)
        owners.append([patterns.compile(text, (), syntax, nocase=nocase) for (text, syntax), nocase in draw(texts)])
        if draw(st.booleans()):
            parts, line = draw(readings())
            owners[-1].append(compiled(parts, nocase=draw(st.booleans())))
            lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from([line, line.swapcase()])))
    return [Owner(some) for some in owners], b"".join(line.replace(b"\n", b"") + b"\n" for line in lines)


def matches(owners: Sequence[Owner], data: bytes) -> set[tuple[int, int, int]]:
    """Line by line and pattern by pattern."""
    found, begin = set(), 0
    for line in data.split(b"\n")[:-1]:
        end = begin + len(line)
        found |= {
            (begin, end, number)
            for number, owner in enumerate(owners)
            if any(p.match(data, begin, end) is not None for p in owner.patterns)
        }
        begin = end + 1
    return found


def in_this_process(owners: Sequence[Owner]) -> HyperscanMatcher:
    """As the daemon would have it, but quicker to make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hyperscan_matcher, "_compiled", hyperscan_matcher._compile_here)
        return HyperscanMatcher(owners)


def by_owner(hits: Iterable[tuple[int, int, int]]) -> dict[int, list[int]]:
    ends: dict[int, list[int]] = {}
    for _, end, owner in hits:
        ends.setdefault(owner, []).append(end)
    return ends


@settings(max_examples=400)
@given(scenes())
@example(([Owner([scanf.compile("a %s b", ["x:word"])])], b"a \xc3\x85 b\n"))
def test_every_true_match_is_a_hit(scene: tuple[list[Owner], bytes]) -> None:
    """By line, then by owner, each once; and what is hit is a whole line."""
    owners, data = scene
    matcher = in_this_process(owners)
    hits = list(matcher.scan(data))
    assert matcher.lines(data) == by_owner(hits)
    assert hits == sorted(set(hits))
    assert matches(owners, data) <= set(hits)
    ends = [at for at, byte in enumerate(data) if byte == 10]
    assert {hit[:2] for hit in hits} <= set(zip([0, *(end + 1 for end in ends)], ends, strict=False))


@settings(max_examples=100)
@given(scenes(), st.data(), st.booleans())
def test_matcher_for_some_owners_finds_what_the_whole_finds_for_them(
    scene: tuple[list[Owner], bytes], draw: st.DataObject, compiled_anew: bool
) -> None:
    owners, data = scene
    some = draw.draw(st.lists(st.sampled_from(range(len(owners))), unique=True).map(sorted)) if owners else []
    whole = in_this_process(owners)
    part = whole.only(some, compiled_anew=compiled_anew)
    found = list(part.scan(data))
    assert part.lines(data) == by_owner(found)
    assert found == [(begin, end, some.index(owner)) for begin, end, owner in whole.scan(data) if owner in some]


def triggers(rules: Sequence[Rule], data: bytes, build: Callable[[Sequence[Owner]], Any]) -> list[Trigger]:
    config = Settings(path=Path("rules.conf"), state=Path("state.db"), rules=tuple(rules))
    return list(Engine(config, every_source=True, build=build).feed(Chunk("", "", "", 0, len(data), data), 1_700_000_000.0))


@settings(max_examples=200)
@given(scenes())
def test_engine_comes_to_the_same_with_either_matcher(scene: tuple[list[Owner], bytes]) -> None:
    owners, data = scene
    rules = [replace(rule("x", name=f"r{number}"), patterns=tuple(owner.patterns)) for number, owner in enumerate(owners)]
    assert triggers(rules, data, in_this_process) == triggers(rules, data, LiteralMatcher)


@pytest.mark.parametrize(
    ("pattern", "line"), [("a", "a"), ("%d", "7"), ("a %s port %d ssh2", "a b port 22 ssh2"), ("a %s|%dpython", "a b|5python")]
)
def test_place_in_a_chunk_does_not_matter(pattern: str, line: str) -> None:
    """Some versions of the library lose what stands at some distance from the beginning or the end."""
    owners = [Owner([scanf.compile(pattern)])]
    matcher = HyperscanMatcher(owners)
    for before in range(130):
        for lead in ("x" * before + " ", "x\n" * before, "a " + "x" * before + " "):
            data = f"{lead}{line}\n".encode()
            assert matches(owners, data) == set(matcher.scan(data)) != set()


def test_lines_that_nobody_wants_are_no_hits() -> None:
    """Not even those that have a pattern's longest text, and lack the rest: that is what makes it quick."""
    matcher = HyperscanMatcher(
        [Owner([scanf.compile("Failed password for %s port %d")]), Owner([scanf.compile("accepted", nocase=True)])]
    )
    data = b"one\nFailed password for x port 1\nACCEPTED\nFailed password for x\nFailed password for x port 1 y\n"
    assert list(matcher.scan(data)) == [(4, 32, 0), (33, 41, 1)]


def test_no_pattern_no_hit() -> None:
    assert list(HyperscanMatcher([]).scan(b"a\n")) == []
    assert list(HyperscanMatcher([Owner([scanf.compile("a")])]).scan(b"")) == []


OWNERS = [Owner([scanf.compile("a%s")]), Owner([scanf.compile("b", nocase=True)])]
DATA, HITS = b"ax\nB\n", [(0, 2, 0), (3, 4, 1)]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return cache_of(tmp_path / "state", OWNERS)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The processes started to compile patterns."""
    started, run = list[list[str]](), subprocess.run

    def counted(command: list[str], **options: Any) -> Any:
        started.append(command)
        return run(command, **options)

    monkeypatch.setattr("subprocess.run", counted)
    return started


def test_cache_is_written_once_and_used_again(cache: Path, compilations: list[list[str]]) -> None:
    for _ in range(3):
        assert list(HyperscanMatcher(OWNERS, cache).scan(DATA)) == HITS
    assert len(compilations) == 1
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]
    assert (cache.stat().st_mode & 0o777, cache.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_cache_may_be_read_only(cache: Path, compilations: list[list[str]]) -> None:
    HyperscanMatcher(OWNERS, cache, keep=False)
    assert not cache.exists()
    HyperscanMatcher(OWNERS, cache)
    assert list(HyperscanMatcher(OWNERS, cache, keep=False).scan(DATA)) == HITS
    assert len(compilations) == 1


def test_many_patterns_are_compiled_in_a_process_of_their_own(cache: Path, compilations: list[list[str]]) -> None:
    """A few are compiled here where nothing is kept: the program will soon end."""
    for count in (50, 51):
        HyperscanMatcher([Owner([scanf.compile(f"{number} a")]) for number in range(count)], cache, keep=False)
        assert len(compilations) == count - 50


def test_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert list(HyperscanMatcher(OWNERS, tmp_path / "file/patterns-0.hs").scan(DATA)) == HITS


def test_other_patterns_have_another_file(tmp_path: Path) -> None:
    joined = Owner([*OWNERS[0].patterns, *OWNERS[1].patterns])
    others = [OWNERS[:1], [OWNERS[0], Owner([scanf.compile("b")])], [joined], [*reversed(OWNERS)]]
    assert len({cache_of(tmp_path, owners) for owners in [OWNERS, *others]}) == 5


def damage(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link_instead(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: damage(path, b""),
    "cut in the head": lambda path: damage(path, path.read_bytes()[:30]),
    "cut": lambda path: damage(path, path.read_bytes()[:-1]),
    "longer": lambda path: damage(path, path.read_bytes() + b"\0"),
    "a bit": lambda path: damage(path, path.read_bytes()[:-9] + bytes([path.read_bytes()[-9] ^ 1]) + path.read_bytes()[-8:]),
    "zeros": lambda path: damage(path, bytes(len(path.read_bytes()))),
    "something else": lambda path: damage(path, b"#!/bin/sh\n" * 1000),
    "for the group to write": lambda path: path.chmod(0o620),
    "for everybody to write": lambda path: path.chmod(0o602),
    "a folder": folder_instead,
    "a link to nowhere": link_instead,
}


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_cache_that_is_not_as_we_wrote_it_is_not_used(
    change: Callable[[Path], object], cache: Path, compilations: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hyperscan believes what it is given: such bytes never reach it."""
    HyperscanMatcher(OWNERS, cache)
    kept = cache.read_bytes()
    change(cache)
    assert list(HyperscanMatcher(OWNERS, cache).scan(DATA)) == HITS
    assert len(compilations) == 2
    if cache.is_file():
        assert (cache.read_bytes(), cache.stat().st_mode & 0o777) == (kept, 0o600)


def test_cache_of_somebody_else_is_not_used(
    cache: Path, compilations: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    HyperscanMatcher(OWNERS, cache)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    HyperscanMatcher(OWNERS, cache)
    assert len(compilations) == 2


def test_cache_for_other_patterns_is_not_used(cache: Path, compilations: list[list[str]]) -> None:
    HyperscanMatcher([Owner([scanf.compile("c%s")]), OWNERS[1]], cache)
    assert list(HyperscanMatcher(OWNERS, cache).scan(DATA)) == HITS
    assert len(compilations) == 2


def test_cache_of_another_version_is_not_used(
    cache: Path, compilations: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("hyperscan.__version__", "0.0")
        HyperscanMatcher(OWNERS, cache)
    assert list(HyperscanMatcher(OWNERS, cache).scan(DATA)) == HITS
    assert len(compilations) == 2


def test_cache_that_hyperscan_refuses_is_made_again(
    cache: Path, compilations: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One from a processor that could do more: a machine may move."""
    HyperscanMatcher(OWNERS, cache)
    hyperscan: Any = import_module("hyperscan")
    load, loaded = hyperscan.loadb, list[bytes]()

    def refuse_first(serialised: bytes, mode: int) -> Any:
        loaded.append(serialised)
        if len(loaded) == 1:
            raise hyperscan.DatabasePlatformError
        return load(serialised, mode)

    monkeypatch.setattr(hyperscan, "loadb", refuse_first)
    assert list(HyperscanMatcher(OWNERS, cache).scan(DATA)) == HITS
    assert (len(compilations), len(loaded)) == (2, 2)


def test_left_over_file_of_a_crash_is_no_hindrance(cache: Path, compilations: list[list[str]]) -> None:
    cache.parent.mkdir()
    cache.with_name(f"{cache.name}.{os.getpid()}").write_bytes(b"half")
    for _ in range(3):
        HyperscanMatcher(OWNERS, cache)
    assert len(compilations) == 2
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]


def test_newest_caches_are_kept(cache: Path) -> None:
    """Other files in the folder are not ours to remove."""
    cache.parent.mkdir()
    for number in range(40):
        old = cache.with_name(f"patterns-{number}.hs")
        old.write_bytes(b"")
        os.utime(old, (number, number))
    (cache.parent / "state.db").write_bytes(b"")
    HyperscanMatcher(OWNERS, cache)
    names = {path.name for path in cache.parent.iterdir()}
    assert names == {cache.name, "state.db", *(f"patterns-{number}.hs" for number in range(25, 40))}


class Odd:
    """A pattern whose coarse form is no expression that Hyperscan takes."""

    def __init__(self, coarse: str) -> None:
        self.coarse, self.coarse_body, self.nocase = coarse, "", False


@pytest.mark.parametrize(
    ("coarse", "said"), [("a(?=b)", "Zero-width assertions"), ("(", "Missing close parenthesis"), ("\\1", "back reference")]
)
def test_expression_that_hyperscan_refuses(coarse: str, said: str, cache: Path) -> None:
    odd: Any = Odd(coarse)
    with pytest.raises(ValueError, match=said):
        HyperscanMatcher([Owner([odd])], cache)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda *_, **__: subprocess.CompletedProcess([], -9, b"", b""), "the compiler ended with status -9"),
        (lambda *_, **__: subprocess.CompletedProcess([], 0, b"", b""), "InvalidError"),
    ],
)
def test_compiler_that_fails(run: Callable[..., object], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(ValueError, match=said):
        HyperscanMatcher(OWNERS)


def test_compiler_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(ValueError, match="No such file or directory"):
        HyperscanMatcher(OWNERS)


def test_compiler_imports_nothing_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write there would run as the daemon."""
    for name in ("json.py", "hyperscan.py"):
        (tmp_path / name).write_text("raise SystemExit('caught')")
    monkeypatch.chdir(tmp_path)
    assert list(HyperscanMatcher(OWNERS).scan(DATA)) == HITS
