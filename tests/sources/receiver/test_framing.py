"""Messages out of a stream: wherever it is cut, in both framings, whatever somebody sends."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from logtrigger.sources.receiver.framing import Frames, lines_of, one_line


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (b"<13>Feb  5 17:32:18 app: hello", b"<13>Feb  5 17:32:18 app: hello\n"),
        (b"hello\n", b"hello\n"),
        (b"hello\r\n", b"hello\n"),
        (b"hello\0", b"hello\n"),
        (b"hello\n\0", b"hello\n"),
        (b"one\ntwo", b"one#012two\n"),
        (b"a\r\nb\0c", b"a#015#012b#000c\n"),
        (b"\xff\xfe", b"\xff\xfe\n"),
        (b"", b"\n"),
    ],
)
def test_one_message_is_one_line(message: bytes, line: bytes) -> None:
    assert one_line(message) == line
    assert lines_of([message, b"x"], 1000) == line + b"x\n"


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    assert lines_of([b"a" * 50 + b"end", b"b" * 10], 10) == b"aaaaa" + b"aaend\n" + b"b" * 10 + b"\n"


MESSAGES = st.lists(
    st.one_of(st.sampled_from([b"<13>a: b", b"<1>1 - - - - - -", b"x", b"12 x", b"<13>7 y"]), st.binary(max_size=40)),
    max_size=8,
)
CUTS = st.lists(st.integers(1, 30), max_size=20)


def fed(frames: Frames, stream: bytes, cuts: list[int]) -> bytes:
    """What comes out of a stream that arrives in these pieces."""
    out, at = b"", 0
    for size in cuts:
        out += frames.feed(stream[at : at + size])
        at += size
    return out + frames.feed(stream[at:])


@given(MESSAGES, CUTS, st.sampled_from([b"", b"\n", b"\r\n", b"\0"]))
def test_counted(messages: list[bytes], cuts: list[int], between: bytes) -> None:
    """Each frame is one line, wherever the stream is cut and whatever stands between frames."""
    messages = [b"<13>first", *(message for message in messages if message)]
    stream = between.join(b"%d %s" % (len(message), message) for message in messages) + between
    frames = Frames(1000)
    assert fed(frames, stream, cuts) == b"".join(map(one_line, messages))
    assert not frames.unfinished and not frames.fault and frames.finish() == b""


@given(MESSAGES, CUTS, st.sampled_from([b"\n", b"\r\n"]))
def test_ended_by_line_feeds(messages: list[bytes], cuts: list[int], end: bytes) -> None:
    messages = [b"<13>first", *(message.replace(b"\n", b"").rstrip(b"\r") for message in messages)]
    frames = Frames(1000)
    out = fed(frames, end.join(messages) + end, cuts)
    assume(not frames.fault)  # noise at the very beginning
    wanted = [message.replace(b"\r", b"#015").replace(b"\0", b"#000") for message in messages]
    assert out == b"".join(line + b"\n" for line in wanted)
    assert not frames.unfinished and not frames.fault


@given(st.binary(max_size=300), CUTS)
def test_where_it_is_cut_does_not_matter(stream: bytes, cuts: list[int]) -> None:
    """Of noise, too: but for what is noticed at the first octets of a connection."""
    stream = b"<13>" + stream
    whole, pieces = Frames(20), Frames(20)
    assert whole.feed(stream) + whole.finish() == fed(pieces, stream, cuts) + pieces.finish() or whole.fault or pieces.fault
    one, other = Frames(20), Frames(20)
    stream = b"4 <13>" + stream
    assert one.feed(stream) == fed(other, stream, cuts)
    assert one.fault == other.fault or bool(one.fault) == bool(other.fault)


@pytest.mark.parametrize("size", [9, 10, 11, 12, 1000, 200_000])
@pytest.mark.parametrize("step", [1, 7, 10_000_000])
def test_a_long_message_in_either_framing(size: int, step: int) -> None:
    if size * (10_000_000 // step) > 10_000_000_000 and step == 1 and size > 1000:
        step = 13
    message = b"<13>" + b"a" * (size - 7) + b"end"
    for stream in (b"%d %s" % (size, message), message + b"\n"):
        frames = Frames(10)
        out = b"".join(frames.feed(stream[at : at + step]) for at in range(0, len(stream), step))
        assert out == lines_of([message], 10)
        assert frames.held == 0


def test_memory_for_a_long_message_is_bounded() -> None:
    for start in (b"16000000 <13>", b"<13>"):
        frames = Frames(1000)
        frames.feed(start)
        piece = b"x" * 10_000
        tracemalloc.start()
        for _ in range(1500):
            assert frames.feed(piece) == b""
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 500_000 and frames.held < 100_000


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (b"1000000000000 <13>a", "it announces a message of 1000000000000 octets, where 16777216 are the most"),
        (b"3 abc99999999 <", "it announces a message of 99999999 octets"),
        (b"3 abc<13>forged\n", "where a message's length in octets should stand, it sends '<13>forged?'"),
        (b"3 abc12345678901234567 ", "it sends '12345678901234567 '"),
        (b"3 abc12x", "it sends '12x'"),
        (b"3 abc0 x", "it sends '0 x'"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "it sends no text, but '???"),
        (b"a\x01\x02\x03\x04\x05\x06", "it sends no text, but 'a??????'"),
        (bytes(range(256)) * 10, "it sends no text"),
    ],
)
def test_fault(stream: bytes, fault: str) -> None:
    frames = Frames(1000)
    frames.feed(stream)
    assert fault in frames.fault


def test_what_came_before_a_fault_counts() -> None:
    frames = Frames(1000)
    assert frames.feed(b"3 abc3 deffoo") == b"abc\ndef\n"
    assert frames.fault


@pytest.mark.parametrize(
    ("stream", "lines"),
    [
        (b"<13>a\n", b"<13>a\n"),
        (b"\n\n<13>a\n", b"<13>a\n"),
        (b"2023-11-14T22:00:01Z h a: b\n", b"2023-11-14T22:00:01Z h a: b\n"),
        (b"0 a\n", b"0 a\n"),
        (b" 12 a\n", b" 12 a\n"),
        (b"12345678901234567 a\n", b"12345678901234567 a\n"),
        (b"\xef\xbb\xbfa\n", b"\xef\xbb\xbfa\n"),
        (b"<13>a\n5 abcde\n", b"<13>a\n5 abcde\n"),  # once there are line feeds, a count is none
        (b"<13>\x1b[31mred\x1b[0m\tx\n", b"<13>\x1b[31mred\x1b[0m\tx\n"),
    ],
)
def test_which_framing(stream: bytes, lines: bytes) -> None:
    for step in (1, 1000):
        frames = Frames(1000)
        assert b"".join(frames.feed(stream[at : at + step]) for at in range(0, len(stream), step)) == lines
        assert not frames.fault


@pytest.mark.parametrize(
    ("stream", "last"),
    [
        (b"<13>a\n<13>b", b"<13>b\n"),
        (b"<13>b\r", b"<13>b\n"),
        (b"12345", b"12345\n"),
        (b"<13>a\n", b""),
        (b"3 abc12", b""),
        (b"3 abc12 def", b""),
        (b"", b""),
    ],
)
def test_the_end_of_a_connection(stream: bytes, last: bytes) -> None:
    """Ends a line as a line feed would; half a counted message is none."""
    frames = Frames(1000)
    frames.feed(stream)
    assert frames.finish() == last


def test_an_octet_at_a_time_costs_no_more_than_time() -> None:
    """A peer that sends a large message in tiny pieces does not make us copy it again and again."""
    frames = Frames(1 << 20)
    frames.feed(b"1000000 ")
    for _ in range(200_000):
        frames.feed(b"xxxxx")
    assert not frames.unfinished
