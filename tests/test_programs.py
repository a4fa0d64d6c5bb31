"""Programs are started with nothing of ours, and what they print is bounded and safe."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from logtrigger.programs import MAX_BYTES, MAX_LINES, Output, start


def lines_of(*parts: bytes) -> tuple[str, ...]:
    output = Output()
    for part in parts:
        output.feed(part)
    return output.lines()


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        ([], ()),
        ([b""], ()),
        ([b"\n"], ("",)),
        ([b"one\ntwo"], ("one", "two")),
        ([b"on", b"e\nt", b"wo\r\n"], ("one", "two")),
        ([b"\x1b]0;title\x07 \xff \xe2\x80\xae"], ("?]0;title? \ufffd ?",)),
    ],
)
def test_lines(parts: list[bytes], lines: tuple[str, ...]) -> None:
    assert lines_of(*parts) == lines


def test_lines_are_bounded() -> None:
    assert lines_of(b"x\n" * MAX_LINES) == ("x",) * MAX_LINES
    lines = lines_of(*[b"x\n"] * (MAX_LINES + 1))
    assert lines == (*["x"] * MAX_LINES, "(cut off here; it wrote 65 lines, 130 bytes in all)")


def test_bytes_are_bounded() -> None:
    lines = lines_of(*[b"x" * 1000] * 1000, b"\n")
    assert lines == ("x" * MAX_BYTES, "(cut off here; it wrote 1 line, 1,000,001 bytes in all)")


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        ([], ()),
        ([b"one\ntwo"], ("one", "two")),
        ([b"one\r\n", b"two\x1b\n"], ("one", "two?")),
        ([b"one\n", b"x" * MAX_BYTES, b"\nthree\n"], ("one",)),
        ([b"x\n"] * (MAX_LINES + 1), ("x",) * MAX_LINES),
    ],
)
def test_whole_lines(parts: list[bytes], lines: tuple[str, ...]) -> None:
    """What is read as lines of a log: never our own note, nor half of one."""
    output = Output()
    for part in parts:
        output.feed(part)
    assert output.whole() == lines


SHOWS = """
import json, os, signal, sys
defaults = [int(n) for n in signal.valid_signals() if signal.getsignal(n) is signal.SIG_IGN]
print(json.dumps([os.getpgid(0) == os.getpid(), sys.stdin.read(), sorted(os.environ), defaults]))
print("a fault", file=sys.stderr)
"""


def test_program_is_started_with_nothing_of_ours() -> None:
    out, err = os.pipe(), os.pipe()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        pid = start(sys.executable, [sys.executable, "-I", "-c", SHOWS], {"NAME": "value", "LC_ALL": "C.UTF-8"}, out[1], err[1])
    finally:
        signal.signal(signal.SIGHUP, before)
    for end in (out[1], err[1]):
        os.close(end)
    with open(out[0]) as said, open(err[0]) as faults:
        leads, given, names, ignored = json.loads(said.read())
        assert (leads, given, names, faults.read()) == (True, "", ["LC_ALL", "NAME"], "a fault\n")
    assert set(ignored) <= {signal.SIGPIPE, signal.SIGXFSZ}, "which Python itself ignores"
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_bare_name_is_looked_for_and_both_outputs_are_one() -> None:
    reader, writer = os.pipe()
    pid = start("sh", ["sh", "-c", "echo one; echo two >&2"], {}, writer)
    os.close(writer)
    with open(reader) as said:
        assert said.read() == "one\ntwo\n"
    assert os.waitpid(pid, 0)[1] == 0


def test_program_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        start("/no/such/program", ["it"], {}, 1)
