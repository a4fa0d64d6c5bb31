"""A replay on several processes comes to what it comes to on one, ends when it is to, and says so when a process dies."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logtrigger import parallel
from logtrigger.fill import Fill
from logtrigger.matcher import LiteralMatcher
from logtrigger.matchers import fastest
from logtrigger.parallel import Once, WorkerError
from logtrigger.replay import Log, Summary
from logtrigger.rule import Rule, Settings
from tests.script import NOW, rule

BUILDS = [LiteralMatcher, fastest(None, lambda *_: None)]


def made(*rules: Rule, **options: Any) -> Settings:
    return Settings(path=Path("rules"), state=Path("state.db"), rules=rules, **options)


def form(trigger: Fill, line: int) -> str:
    return f"{trigger.time} {trigger.rule} {trigger.key} {trigger.count} {trigger.source}:{line} {trigger.message}\n"


def piped(data: bytes) -> Callable[[], BufferedReader]:
    def open_it() -> BufferedReader:
        return io.BufferedReader(io.BytesIO(data))

    return open_it


def run(given: Settings, logs: Sequence[Log], jobs: int, build: Any = LiteralMatcher) -> tuple[list[str], Summary]:
    told: list[str] = []
    summary = parallel.replay(given, logs, NOW, form, told.append, build, jobs)
    return "".join(told).splitlines(), summary


WORDS = ["alpha", "beta", "gamma", "delta"]
TIMES = ["2023-11-14T22:00:{:02}Z h x[1]: ", "2023-11-14T22:00:{:02}Z h x[1]: ", "x[1]: "]
REPEATED = "2023-11-14T22:01:00Z h x[1]: message repeated 3 times: [ {}]"


@st.composite
def rule_lists(draw: st.DrawFn) -> list[Rule]:
    rules = []
    for number in range(draw(st.integers(1, 5))):
        group = draw(st.sampled_from(["", "", "g"]))
        resets = draw(st.lists(st.sampled_from([f"r{n}" for n in range(5) if n != number]), max_size=1))
        pattern = draw(st.sampled_from([f"{word} %s" for word in WORDS] + ["%s 1", "a %s"]))
        options: dict[str, Any] = {"maxfail": 2, "time": 9.0} if group else {"maxfail": draw(st.integers(1, 3))}
        key = draw(st.sampled_from([(), ("w",)])) if not group else ("w",)
        options |= {"group": group, "reset_by": tuple(resets), "key": key, "weight": draw(st.integers(1, 2))}
        rules.append(rule(pattern, "w", name=f"r{number}", suppress=draw(st.sampled_from([0.0, 5.0])), **options))
    return rules


@st.composite
def log_texts(draw: st.DrawFn) -> bytes:
    lines = []
    for _ in range(draw(st.integers(0, 12))):
        text = f"{draw(st.sampled_from(WORDS))} {draw(st.sampled_from('12'))}"
        head = draw(st.sampled_from(TIMES)).format(draw(st.integers(0, 59)))
        lines.append(draw(st.sampled_from([head + text, REPEATED.format(text), "x" * 70 + text])))
    return "\n".join(lines).encode() + draw(st.sampled_from([b"", b"\n"]))


@settings(max_examples=60)
@given(rule_lists(), st.lists(st.tuples(log_texts(), st.booleans()), max_size=3), st.integers(2, 5), st.sampled_from(BUILDS))
def test_any_number_of_processes_gives_the_same(rules: list[Rule], texts: list[Any], jobs: int, build: Any) -> None:
    logs = [(Once if once else Log)(f"log{number}", piped(text)) for number, (text, once) in enumerate(texts)]
    config = made(*rules, max_line=60, max_keys=2)
    assert run(config, logs, jobs, build) == run(config, logs, 1, build)


@pytest.mark.parametrize("once", [False, True])
def test_many_lines(once: bool, tmp_path: Path) -> None:
    """More than any buffer on the way holds, with the triggers of one rule far apart."""
    lines = [f"2023-11-14T22:00:00Z h x[1]: alpha {number}\n" for number in range(30_000)]
    lines[29_000] = "2023-11-14T22:00:00Z h x[1]: beta 1\n"
    path = tmp_path / "log"
    path.write_text("".join(lines))
    logs = [(Once if once else Log)("log", lambda: path.open("rb"))] * 2
    config = made(rule("alpha %s", name="a"), rule("beta %s", name="b"), rule("alpha %d", name="c"))
    told, summary = run(config, logs, 3)
    assert (told, summary) == run(config, logs, 1)
    assert (len(told), summary.lines) == (2 * (2 * 29_999 + 1), 60_000)


TWO = rule("alpha %s", name="a"), rule("beta %s", name="b")


@pytest.mark.parametrize("kind", [Log, Once])
def test_log_that_cannot_be_read(kind: type[Log], tmp_path: Path) -> None:
    """All before it is told, as with one process, and nothing behind it."""
    good = Log("good", piped(b"alpha 1\nbeta 2\n"))
    for bad in (kind("bad", lambda: (tmp_path / "none").open("rb")), kind("bad", lambda: open(os.open(tmp_path, 0), "rb"))):
        said: list[tuple[str, str | None]] = []
        for jobs in (1, 2):
            told: list[str] = []
            with pytest.raises(OSError) as error:
                parallel.replay(made(*TWO), [good, bad, good], NOW, form, told.append, LiteralMatcher, jobs)
            said.append(("".join(told), error.value.strerror))
        assert said[0] == said[1]
        assert said[0][0].count("\n") == 2


def test_process_that_dies_is_told() -> None:
    us = os.getpid()

    def deadly(trigger: Fill, line: int) -> str:
        if os.getpid() != us:
            os.kill(os.getpid(), signal.SIGKILL)
        return ""

    logs = [Once("log", piped(b"alpha 1\n"))]
    with pytest.raises(WorkerError, match=r"was ended by signal 9 \(Killed\)"):
        parallel.replay(made(*TWO), logs, NOW, deadly, lambda _: None, LiteralMatcher, 2)


def test_process_that_fails_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    us = os.getpid()

    def failing(trigger: Fill, line: int) -> str:
        return "" if os.getpid() == us else str(1 // 0)

    with pytest.raises(WorkerError, match="failed"):
        parallel.replay(made(*TWO), [Once("log", piped(b"alpha 1\n"))], NOW, failing, lambda _: None, LiteralMatcher, 2)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_nobody_is_left_when_telling_fails() -> None:
    def broken(text: str) -> None:
        raise BrokenPipeError

    before = set(children(os.getpid()))  # of other tests, perhaps
    with pytest.raises(BrokenPipeError):
        parallel.replay(made(*TWO), [Log("log", piped(b"alpha 1\n" * 9))], NOW, form, broken, LiteralMatcher, 2)
    assert set(children(os.getpid())) <= before


def children(of: int) -> list[int]:
    return [int(word) for path in Path(f"/proc/{of}/task").glob("*/children") for word in path.read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_interrupt_ends_all(tmp_path: Path) -> None:
    """As from a terminal, where Ctrl-C reaches all processes."""
    text = "".join(f"config rule\noption name {n}\noption pattern '{n} %s'\noption script /bin/sh\n" for n in "ab")
    (tmp_path / "rules").write_text(text)
    (tmp_path / "rules").chmod(0o600)
    command = [sys.executable, "-m", "logtrigger", "replay", "-c", "rules", "--jobs", "2", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, start_new_session=True
    ) as running:
        assert running.stdin is not None and running.stdout is not None and running.stderr is not None
        running.stdin.write(b"a 1\nb 2\n")
        running.stdin.flush()
        patience = time.monotonic() + 20
        while len(found := children(running.pid)) < 2:
            assert time.monotonic() < patience
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(20) == 1
        assert b"Traceback" not in running.stderr.read()
    assert not any(Path(f"/proc/{pid}").exists() for pid in found)
