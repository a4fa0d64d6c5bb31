"""Headers: time, host, program, pid and where the message begins, in the forms that daemons write."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logtrigger import headers
from logtrigger.headers import Header, Stamps, parse

NOW = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC).timestamp()
LOCAL = datetime(2023, 11, 14, 22, 0, 1).timestamp()
ZULU = datetime(2023, 11, 14, 22, 0, 1, tzinfo=UTC).timestamp()

# Header, time, host, program, pid: a message is put behind it.
SAMPLES = [
    ("Nov 14 22:00:01 h sshd[7]: ", LOCAL, "h", "sshd", "7"),
    ("<38>Nov 14 22:00:01 h sshd[7]: ", LOCAL, "h", "sshd", "7"),
    ("<38>Nov 14 22:00:01 sshd[7]: ", LOCAL, None, "sshd", "7"),
    ("Nov 14 22:00:01 sshd: ", LOCAL, None, "sshd", None),
    ("Nov 14 22:00:01 fe80::1 sshd[7]: ", LOCAL, "fe80::1", "sshd", "7"),
    ("Nov 14 22:00:01 h.example.org kernel: ", LOCAL, "h.example.org", "kernel", None),
    ("Nov 14 22:00:01 h postfix/smtpd[7]: ", LOCAL, "h", "postfix/smtpd", "7"),
    ("Nov 14 22:00:01 h (systemd)[7]: ", LOCAL, "h", "(systemd)", "7"),
    ("Nov 14 22:00:01 h auth.info sshd[7]: ", LOCAL, "h", "sshd", "7"),
    ("Nov 14 22:00:01 authpriv.warn dropbear[7]: ", LOCAL, None, "dropbear", "7"),
    ("Tue Nov 14 22:00:01 2023 authpriv.warn dropbear[7]: ", LOCAL, None, "dropbear", "7"),
    ("Tue Nov 14 22:00:01 2023 kern.info kernel: ", LOCAL, None, "kernel", None),
    ("daemon.info dnsmasq-dhcp[4273]: ", None, None, "dnsmasq-dhcp", "4273"),
    ("Nov 14 22:00:01 1234 sshd[7]: ", LOCAL, "1234", "sshd", "7"),
    ("2023-11-14T22:00:01Z h sshd[7]: ", ZULU, "h", "sshd", "7"),
    ("2023-11-14T22:00:01.000000+00:00 h sshd[7]: ", ZULU, "h", "sshd", "7"),
    ("1699999201 h sshd[7]: ", 1699999201.0, "h", "sshd", "7"),
    ("[2023-11-14 22:00:01] h sshd[7]: ", LOCAL, "h", "sshd", "7"),
    ("<38>1 2023-11-14T22:00:01Z h sshd 7 ID47 - ", ZULU, "h", "sshd", "7"),
    ("<38>1 2023-11-14T22:00:01Z h sshd 7 - - \ufeff", ZULU, "h", "sshd", "7"),
    ('<38>1 2023-11-14T22:00:01Z h sshd - - [a@1 b="c \\" \\] d"][e] ', ZULU, "h", "sshd", None),
    ("<38>1 - - - - - - ", None, None, None, None),
    ("Tue Nov 14 22:00:01 2023 user.info : luci: ", LOCAL, None, "luci", None),
    ("user.info : luci: ", None, None, "luci", None),
    ("sshd[7]: ", None, None, "sshd", "7"),
    ("sshd: ", None, None, "sshd", None),
]


@pytest.mark.parametrize(("header", "time", "host", "program", "pid"), SAMPLES)
@pytest.mark.parametrize("message", ["", "Failed password", "a b: c", "root: sshd[9]: x", "\u00e9\n\0"])
def test_sample(header: str, time: float | None, host: str | None, program: str | None, pid: str | None, message: str) -> None:
    found = parse((header + message).encode())
    assert (found.time(NOW), found.host, found.program, found.pid) == (time, host, program, pid)
    assert found.body == len(header.encode())
    assert program is None or header.encode()[found.tag :].startswith(program.encode())


@pytest.mark.parametrize(
    "line",
    [
        "Failed password",
        "Nov 14 22:00:01 h some text sshd[7]: x",
        "Nov 14 22:00:01 h sshd[7]x: y",
        "Nov 14 22:00:01 h sshd[7] : y",
        "text 12:00:00: x",
        "sshd[7 8]: x",
        "a[b]c: x",
        "",
        " sshd[7]: x",
    ],
)
def test_line_that_names_no_program(line: str) -> None:
    assert parse(line.encode()).program is None


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ('1.2.3.4 - bob [14/Nov/2023:22:00:01 +0000] "GET / HTTP/1.1" 401 5', ZULU),
        ('2001:db8::7 - - [2023-11-14T22:00:01+00:00] "GET / HTTP/1.1" 200 5', ZULU),
        ('{"reqId":"x","level":2,"time":"2023-11-14T22:00:01+00:00","url":"/"}', ZULU),
        ('{"@timestamp":"2023-11-14T22:00:01.000Z","url":"/"}', ZULU),
        ('{"url":"\\",\\"time\\":\\"2021-11-14T22:00:01Z","time":"2023-11-14T22:00:01+00:00"}', None),  # free text before it
        ('1.2.3.4 - [x [14/Nov/2023:22:00:01 +0000] "GET /', None),  # only what stands in the first brackets
    ],
)
def test_time_of_a_request(line: str, time: float | None) -> None:
    """All of such a line is its message."""
    found = parse(line.encode())
    assert found == Header(stamp=found.stamp)
    assert found.time(NOW) == time


CALL = "7b5b0f2c-9a4e-4c55-8d0e-3f6a2b1c9d8e"


@pytest.mark.parametrize(
    ("header", "time"),
    [
        ("[Tue Nov 14 22:00:01.250000 2023] ", LOCAL + 0.25),  # Apache 2.4
        ("[Tue Nov 14 22:00:01 2023] ", LOCAL),  # Apache 2.2
        ("2023/11/14 22:00:01 ", LOCAL),  # nginx
        ("[Nov 14 22:00:01] ", LOCAL),  # Asterisk
        ("[2023-11-14 22:00:01] ", LOCAL),
        ("[2023-11-14 22:00:01.250] ", LOCAL + 0.25),
        ("2023-11-14 22:00:01.250000 ", LOCAL + 0.25),  # FreeSWITCH
        ("Tue Nov 14 22:00:01 2023 ", LOCAL),  # vsftpd
        ("2023-11-14 22:00:01,250 ", LOCAL + 0.25),  # ProFTPD
        ("2023-11-14 22:00:01 ", LOCAL),  # Exim, MariaDB
        ("2023-11-14 22:00:01 +0000 ", ZULU),  # Exim with log_timezone
        ("2023-11-14  9:00:01 ", LOCAL - 13 * 3600),  # MariaDB
        ("2023-11-14T22:00:01.250000Z ", ZULU + 0.25),  # MySQL
        (f"{CALL} 2023-11-14 22:00:01.250000 ", LOCAL + 0.25),
    ],
)
@pytest.mark.parametrize(
    "message", ["[error] 7#7: x", "99.30% [WARNING] a.c:7 x", "NOTICE[7][C-1] a.c: x: [14/Nov/2021:22:00:01 +0000]"]
)
def test_time_of_a_log_that_a_program_writes_itself(header: str, time: float, message: str) -> None:
    """The message begins behind the time, and times within it are none of the line's."""
    found = parse((header + message).encode())
    assert (found.time(NOW), found.program, found.body) == (time, None, len(header))


@pytest.mark.parametrize(
    ("line", "host", "body"),
    [
        ("Nov 14 22:00:01 h last message repeated 3 times", "h", 18),
        ("Nov 14 22:00:01 last message repeated 3 times", None, 16),
        ("2023-11-14 22:00:01 some program says", None, 20),
    ],
)
def test_time_without_a_tag(line: str, host: str | None, body: int) -> None:
    found = parse(line.encode())
    assert (found.program, found.host, found.body, found.tag) == (None, host, body, body)


@pytest.mark.parametrize("time", ["2023-10-31 15:09:59 ", "Tue Oct 31 15:09:59 2023 ", "<29>Oct 31 15:09:59 "])
def test_microseconds_that_openvpn_writes_behind_the_time(time: str) -> None:
    """They are no part of its message, and nothing else is left out."""
    for behind, message in (("us=123456 ", "192.0.2.7:39236 x"), ("", "us=1234567 x"), ("", "bus=12 x"), ("us=1 ", "us=2 x")):
        line = f"{time}{behind}{message}".encode()
        assert headers.begin("time", parse(line), line, 0, len(line)) == len(line) - len(message)


def test_time_that_does_not_exist_is_none() -> None:
    found = parse(b"Feb 30 22:00:01 h sshd[7]: x")
    assert (found.time(NOW), found.program) == (None, "sshd")


PIECES = [
    "Nov 14 22:00:01 ",
    "<38>",
    "1 ",
    "h ",
    "sshd",
    "[7]",
    ": ",
    ":",
    "[",
    "]",
    " ",
    '"',
    "\\",
    "=",
    "auth.info ",
    "- ",
    "\u00e9",
    "x" * 300,
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_header_lies_in_the_line(line: str) -> None:
    raw = line.encode()
    found = parse(raw)
    assert 0 <= found.tag <= found.body <= len(raw)


@pytest.mark.parametrize("piece", [b"[", b'[a b="', b"\\", b"a ", b": ", b"<1>1 ", b"Nov 14 22:00:01 ", b'[a b="c"]'])
def test_header_is_found_in_linear_time(piece: bytes) -> None:
    """However a megabyte is made."""
    for head in (b"", b"<38>1 2023-11-14T22:00:01Z h sshd 7 - ", b"Nov 14 22:00:01 "):
        parse(head + piece * (1_000_000 // len(piece)))


TIMES = [
    "",
    "Nov 14 22:00:01.5 h a: ",
    "Nov 14 22:00:01 2022 h a: ",
    "[Nov 14 22:00:01] NOTICE",
    "[Nov 14 22:00:01]NOTICE",
    "[Nov 14 22:00:01 2022] [error]",
    "2023/11/14 22:00:01 [error]",
    "2023/11/14 22:00:01.5 [error]",
    "2023-11-14 22:00:01 [error]",
    "2023-11-14 22:00:01]error",
    "2023-11-14 22:00:01] error",
    "2023-11-14 22:00:01+01:00 error",
    "[2023-11-14 22:00:01] error",
    "[2023-11-14 22:00:01]error",
]


@settings(max_examples=200)
@given(st.lists(st.sampled_from([sample[0] for sample in SAMPLES] + TIMES), min_size=1))
def test_remembered_times_are_those_of_the_lines(lines: list[str]) -> None:
    """`Stamps` is quicker than `parse` and says the same."""
    stamps = Stamps()
    for line in lines:
        raw = b"before\n" + line.encode() + b"\nbehind"
        assert stamps.time(raw, 7, len(raw) - 7, NOW) == parse(line.encode()).time(NOW)


@pytest.mark.parametrize("header", [sample[0] for sample in SAMPLES])
@pytest.mark.parametrize("message", ["x", "sshd[9]: x", "h sshd: x", "Nov 14 22:00:01 h sshd: x"])
@pytest.mark.parametrize("programs", [[], ["sshd"], ["kernel", "sshd"]])
def test_usual_head_finds_only_what_is_there(header: str, message: str, programs: list[str]) -> None:
    """Where it matches and the time is known, `parse` finds the same place, and one of these programs or another one."""
    line, stamps = (header + message).encode(), Stamps()
    stamps.known.now = NOW
    head, thorough = re.match(headers.USUAL_HEAD, line, re.MULTILINE), parse(line)
    if head is None or (time := stamps.known[head[1]]) is None:
        return
    usual = re.compile(headers.usual_tag(programs)).match(line, head.end())
    other = re.compile(headers.other_tag(programs)).match(line, head.end()) if programs else None
    assert time == thorough.time(NOW) == stamps.known[head[1]]
    assert not (usual and other)
    for tag in filter(None, (usual, other)):
        assert (head.end(), tag.end()) == (thorough.tag, thorough.body)
        assert not programs or (thorough.program in programs) is (tag is usual)


@pytest.mark.parametrize("header", [sample[0] for sample in SAMPLES] + ["Nov 14 22:00:01 ", "[2023-11-14 22:00:00.5]  ", ""])
@pytest.mark.parametrize("message", ["x", "h sshd: x", "  Nov 14 22:00:01 h sshd: x", " "])
def test_time_head_ends_where_the_time_does(header: str, message: str) -> None:
    line = (header + message).encode()
    head = re.match(headers.TIME_HEAD, line, re.MULTILINE)
    assert head is not None and head[1]
    assert headers.begin("time", parse(line), line, 0, len(line)) == head.end()


@pytest.mark.parametrize("tag", ["-", "-[7]"])
@pytest.mark.parametrize("programs", [[], ["-", "sshd"]])
def test_a_dash_is_no_program(tag: str, programs: list[str]) -> None:
    """It stands where there is none, and the quick ways know that, too."""
    line = f"Nov 14 22:00:01 h {tag}: x".encode()
    assert parse(line).program is None
    assert not re.match(headers.USUAL_HEAD + headers.usual_tag(programs), line)
    assert not re.match(headers.USUAL_HEAD + headers.other_tag(programs or ["sshd"]), line)


def test_stamps_of_one_minute() -> None:
    stamps = Stamps().known
    stamps.now = NOW
    for text in (b"Nov 14 22:00:07 ", b"Nov 14 22:00:08 ", b"Nov 14 22:00:59 ", b"Nov 14 22:00:60 ", b"Nov 14 22:01:00 "):
        assert stamps[text] == parse(text + b"h a: b").time(NOW)
    assert [stamps[text] for text in (b"Nov 14 22:00:7 x", b"Nov 14 22:00:07x", b"Nov 14 22:00:61 ")] == [None] * 3


def test_stamps_that_are_none_are_counted() -> None:
    stamps = Stamps().known
    texts = (
        b"",
        b"Nov 31 22:00:00 ",
        b"Nov 14 22:00:61 ",
        b"2023-11-14T22:00 ",
        b"2023-11-31T22:00:00Z ",
        b"2023-11-14T22:00:00Z",
    )
    assert [stamps[text] for text in texts] == [None] * 6
    assert (stamps.strangers, len(stamps)) == (6, 0)


@pytest.mark.parametrize("end", [b"", b"Z", b"+01:00", b".5", b".123456+0100", b",5Z"])
def test_iso_stamps(end: bytes) -> None:
    text = b"2023-11-14T22:00:07" + end + b" "
    assert Stamps().known[text] == parse(text + b"h a: b").time(NOW)


@pytest.mark.parametrize(
    "header", ["Nov 14 22:00:01 h sshd[7]: ", "<38>Nov 14 22:00:01 h sshd[7]: ", "<38>2023-11-14T22:00:01Z h sshd: "]
)
def test_usual_head_finds_the_commonest_headers(header: str) -> None:
    """Which many lines have: files', and those that syslog daemons forward."""
    assert re.match(headers.USUAL_HEAD + headers.usual_tag(["sshd"]), header.encode())


@pytest.mark.parametrize("header", [sample[0] for sample in SAMPLES])
@pytest.mark.parametrize("message", ["x", "sshd[9]: x", "h sshd: x", "Nov 14 22:00:01 h sshd: x"])
def test_programs_in_lines_are_those_of_their_headers(header: str, message: str) -> None:
    line = (header + message).encode()
    assert headers.programs_in(line + b"\n") in (None, {parse(line).program} - {None})
    usual = b"Nov 14 22:00:01 h cron: x\n"
    assert headers.programs_in(usual + line + b"\n" + usual) == {"cron", parse(line).program} - {None}


def test_programs_are_not_told_where_that_takes_long() -> None:
    usual = b"Nov 14 22:00:01 h cron[7]: x\n"
    assert headers.programs_in(usual * 500 + b"x\n" * 500) == {"cron"}
    assert headers.programs_in(usual + b"".join(b"%d\n" % number for number in range(500))) is None
    assert headers.programs_in(b"x\n" + usual) is None
    assert headers.programs_in(b"") is None
