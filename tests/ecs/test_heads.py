"""What stands before a message is what headers.parse finds there."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logtrigger import headers
from logtrigger.ecs.heads import Heads
from tests.ecs.conftest import NOW

pieces = st.sampled_from(
    ["<38>", "<999>", "Oct 31 15:09:55", "2023-10-31T15:09:55.123Z", "2023-10-31 15:09:55", " ", "gate", "sshd", "[812]", "[x]"]
    + [": ", ":", "auth.info ", "hello", "é", "1 ", "us=12 ", "-"]
)


@given(st.lists(pieces, max_size=10).map("".join))
@example("<38>:  ")
def test_as_headers_parse(line: str) -> None:
    data = line.encode()
    wanted, every = headers.parse(data), Heads(None, NOW).of(data, 0, len(data))
    if wanted.program is not None:
        more = line.startswith("<38>1 ") and data.startswith(b" ", wanted.body)  # the blank of rsyslog's
        assert (every.program, every.body) == (wanted.program, wanted.body + more)
        assert every.front.facts.get("host", "") == (wanted.host or "")
        assert every.pid == (wanted.pid if wanted.pid == "812" else "")
    one = Heads(["sshd"], NOW).of(data, 0, len(data))
    assert (one.program == "sshd") == (wanted.program == "sshd")
    if one.program:
        assert one == every


@pytest.mark.parametrize(
    ("line", "time", "body"),
    [
        ("2023-10-31 15:09:59 x", "2023-10-31T15:09:59Z", 20),
        ("2023-10-31 15:09:59  x", "2023-10-31T15:09:59Z", 21),
        ("2023-10-31 15:09:59,5 x", "2023-10-31T15:09:59.500Z", 22),
        ("2023-10-31 15:09:59", "2023-10-31T15:09:59Z", 19),
        ("2023-10-31 15:09:59x", "", 0),
        ("[2023-10-31 15:09:59] x", "2023-10-31T15:09:59Z", 22),
        ("<13>Oct 31 15:09:59 x", "2023-10-31T15:09:59Z", 20),
        ("1698764995.25 x", "2023-10-31T15:09:55.250Z", 14),
        ("2023-10-31 15:09:59 us=7 x", "2023-10-31T15:09:59.000Z", 25),
        ("2023-10-31 15:09:59 us=7x", "2023-10-31T15:09:59Z", 20),
        ("x", "", 0),
        ("", "", 0),
    ],
)
def test_a_time_and_a_message(line: str, time: str, body: int) -> None:
    heads = Heads([], NOW)
    for _ in range(3):  # what is remembered makes no difference
        head = heads.of(line.encode(), 0, len(line))
        assert (head.time, head.body) == (time, body)
        heads.of(b"2023-10-31 15:09:59 y", 0, 21)


def test_what_is_remembered_is_bounded() -> None:
    heads = Heads(None, NOW)
    for number in range(10_000):
        line = f"2023-10-31 15:{number // 60 % 60:02}:{number % 60:02}.{number} h{number} x: m".encode()
        assert heads.of(line, 0, len(line)).program == "x"
    assert len(heads._times) <= 4096 and len(heads._fronts) <= 4096


@pytest.mark.parametrize("programs", [None, ["openvpn"], ["sshd"]])
def test_one_header_after_another_is_read_as_if_it_were_the_first(programs: list[str] | None) -> None:
    """What is remembered of the line before changes nothing, wherever the next one begins."""
    front = "Oct 31 15:09:55 gate openvpn[812]: "
    lines = [
        f"{front}hello",
        f"{front}",
        f"{front}sshd[1]: hello",
        "Oct 31 15:09:55 gate openvpn[813]: hello",
        "Oct 31 15:09:55 gate openvpn[81]: hello",
        "Oct 31 15:09:55 gate sshd[812]: hello",
        f"<29>{front}hello",
        f"{front}again",
        f"x{front}hello",
        "",
        f"{front}and again",
    ]
    heads = Heads(programs, NOW)
    for line in lines:
        for before in (b"", b"noise\n"):
            data = before + line.encode() + b"\n"
            begin = len(before)
            for end in (len(data) - 1, begin + len(line.rstrip().encode())):
                assert heads.of(data, begin, end) == Heads(programs, NOW).of(data, begin, end)
