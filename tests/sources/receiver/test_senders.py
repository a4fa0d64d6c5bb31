"""What real senders say: their header is understood, and each message is a line."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest

from logtrigger.addresses import AddressSet
from logtrigger.headers import parse
from logtrigger.sources.receiver.addresses import ListenAddress
from logtrigger.sources.receiver.streams import Limits, StreamListener
from logtrigger.sources.receiver.udp import UdpReceiver
from tests.sources.host import TestHost, running, until

TEXT = "Failed password for root from 192.0.2.7 port 22 ssh2"
# Time is given or not, host, program, pid; then the message.
SAMPLES = [
    ("<134>Nov 14 22:00:01 filterlog[12345]: 4,,,igb0", True, None, "filterlog", "12345", "4,,,igb0"),  # pfSense
    ("<134>1 2023-11-14T22:00:01.1+00:00 fw.lan filterlog 12345 - - 4,igb0", True, "fw.lan", "filterlog", "12345", "4,igb0"),
    ('<134>1 2023-11-14T22:00:01+00:00 fw filterlog 7 - [meta sequenceId="1"] 9,,', True, "fw", "filterlog", "7", "9,,"),
    ("<13>Nov  4 09:07:58 dropbear[7]: Bad password", True, None, "dropbear", "7", "Bad password"),  # BusyBox
    ("<30>Nov 14 22:00:01 OpenWrt dnsmasq-dhcp[1234]: DHCPACK", True, "OpenWrt", "dnsmasq-dhcp", "1234", "DHCPACK"),
    ("<38>Nov 14 22:00:01 192.0.2.1 sshd[7]: x", True, "192.0.2.1", "sshd", "7", "x"),
    ("<38>2023-11-14T22:00:01.123456+01:00 host sshd[7]: x", True, "host", "sshd", "7", "x"),  # RSYSLOG_ForwardFormat
    ("<38>sshd[7]: x", False, None, "sshd", "7", "x"),
    ('<13>1 - - prog - ID7 [a@1 b="\\"q\\" \\] \\\\"][c@1] hello', False, None, "prog", None, "hello"),
    ("<13>1 2026-11-21T09:07:56.893887Z vm sshd 16051 - -  x", True, "vm", "sshd", "16051", " x"),  # rsyslog keeps a blank
    ("<38>no header at all", False, None, None, None, "<38>no header at all"),
]


@pytest.mark.parametrize(("line", "timed", "host", "program", "pid", "message"), SAMPLES)
def test_header(line: str, timed: bool, host: str | None, program: str | None, pid: str | None, message: str) -> None:
    found = parse(line.encode())
    assert (found.time(1.7e9) is not None, found.host, found.program, found.pid) == (timed, host, program, pid)
    assert line[found.body :] == message


LOGGER = [
    (["--rfc3164"], ["-d"]),
    (["--rfc5424"], ["-d"]),
    (["--rfc5424=notq,notime,nohost"], ["-d"]),
    (["--rfc5424", "--msgid", "ID7", "--sd-id", "a@1", "--sd-param", 'b="c \\"q\\" \\] d"'], ["-d"]),
    (["--rfc3164"], ["-T"]),
    (["--rfc3164", "--octet-count"], ["-T"]),
    (["--rfc5424", "--octet-count"], ["-T"]),
]


@pytest.mark.tool("logger")
@pytest.mark.parametrize(("form", "way"), LOGGER)
def test_logger(host: TestHost, form: Sequence[str], way: Sequence[str]) -> None:
    """util-linux' logger(1), in all its forms."""
    source: UdpReceiver | StreamListener
    if way == ["-d"]:
        source = UdpReceiver(host, "net", ListenAddress("udp", "127.0.0.1", 0), AddressSet())
    else:
        source = StreamListener(host, "net", ListenAddress("tcp", "127.0.0.1", 0), AddressSet(), Limits())
    with running(source, host):
        place = ["-n", "127.0.0.1", "-P", str(source.port), *way]
        subprocess.run(["logger", *place, *form, "-t", "sshd", "-p", "auth.info", "--id=7", TEXT], check=True)
        until(host.loop, lambda: host.lines)
        host.settle(0.05)
    (line,) = host.lines
    assert line.startswith(b"<38>") and not host.reports
    header = parse(line)
    assert (header.program, header.pid, line[header.body :].decode()) == ("sshd", "7", TEXT)
    assert (header.stamp is None or header.time(1.7e9) is None) == ("notime" in form[0])
