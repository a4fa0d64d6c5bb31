"""What received lines say of themselves, and how they stand in a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger import headers
from logtrigger.logfiles.forms import claims, names_of, written


@pytest.mark.parametrize(
    ("line", "pri", "host", "program"),
    [
        (b"<38>Nov 21 10:00:00 gate sshd[7]: x", b"38", b"gate", b"sshd"),
        (b"<38>2026-11-21T10:00:00.5+01:00 gate sshd: x", b"38", b"gate", b"sshd"),
        (b"<29>Aug 21 15:01:32 openvpn[9739]: x", b"29", b"", b"openvpn"),  # pfSense
        (b"<38>1 2026-11-21T10:00:00Z gate sshd 7 - - x", b"38", b"gate", b"sshd"),
        (b"Nov 21 10:00:00 gate postfix/smtpd[7]: x", b"", b"gate", b"postfix/smtpd"),
        (b"no header at all", b"", b"", b""),
        (b"", b"", b"", b""),
    ],
)
def test_claims(line: bytes, pri: bytes, host: bytes, program: bytes) -> None:
    assert claims(line) == (pri, host, program)


@given(
    st.lists(
        st.sampled_from(
            [b"<38>", b"1 ", b"Nov 21 10:00:00 ", b"gate ", b"sshd", b"[7]", b": ", b"x", b" ", b"<", b"-", b"kern.info "]
        )
        | st.binary(max_size=4),
        max_size=8,
    ).map(b"".join)
)
def test_the_quick_look_sees_what_the_thorough_one_sees(line: bytes) -> None:
    header, said = headers.parse(line), claims(line)
    assert said.host == (header.host or "").encode()
    assert said.program == (header.program or "").encode()


@pytest.mark.parametrize(
    ("pri", "names"),
    [
        (b"0", ("kern", "emerg")),
        (b"165", ("local4", "notice")),
        (b"191", ("local7", "debug")),
        (b"192", ("", "")),
        (b"", ("", "")),
    ],
)
def test_names_of_numbers(pri: bytes, names: tuple[str, str]) -> None:
    assert names_of(pri) == names


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"<38>Nov 21 10:00:00 gate sshd[7]: x\ty", b"Nov 21 10:00:00 gate sshd[7]: x\ty"),
        (b"Nov 21 10:00:00 gate sshd[7]: <38>x", b"Nov 21 10:00:00 gate sshd[7]: <38>x"),
        (b"<38>1 2026-11-21T10:00:00Z gate sshd 7 ID1 - x y", b"2026-11-21T10:00:00Z gate sshd[7]: x y"),
        (b"<38>1 2026-11-21T10:00:00Z gate sshd - - - \xef\xbb\xbfx", b"2026-11-21T10:00:00Z gate sshd: x"),
        (b'<38>1 2026-11-21T10:00:00Z g p - - [a@1 b="\\"]"] x', b'2026-11-21T10:00:00Z g p: [a@1 b="\\"]"] x'),
        (b"<38>1 2026-11-21T10:00:00Z gate sshd 7 - -", b"2026-11-21T10:00:00Z gate sshd[7]: "),
        (b"<38>1 too short", b"1 too short"),
        (b"<13>evil\x1b[2Jtext\x7f\x00", b"evil#033[2Jtext#177#000"),
        (b"<13>evil\xc2\x9b2Jtext \xc2\xa0\xc3\x9b", b"evil#302#2332Jtext \xc2\xa0\xc3\x9b"),
        (b"<", b"<"),
    ],
)
def test_what_stands_in_the_file(line: bytes, text: bytes) -> None:
    assert written(line) == text


def test_a_written_line_names_the_same_host_and_program() -> None:
    for line in (b"<38>1 2026-11-21T10:00:00Z gate sshd 7 - - x", b"<38>Nov 21 10:00:00 gate sshd[7]: x"):
        header, again = headers.parse(line), headers.parse(written(line))
        assert (header.host, header.program, header.pid) == (again.host, again.program, again.pid)
