"""A real rsyslogd forwards what real programs log: by UDP, TCP and TLS, to the real receiver."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logtrigger.addresses import AddressSet
from logtrigger.errors import Place
from logtrigger.headers import parse
from logtrigger.rule import SourceOptions
from logtrigger.sources.receiver import make
from logtrigger.sources.receiver.streams import StreamListener
from logtrigger.sources.receiver.udp import UdpReceiver
from tests import certificates
from tests.conftest import MUST_HAVE_TOOLS
from tests.live import live
from tests.ports import free_port
from tests.sources.host import TestHost, running, until

pytestmark = pytest.mark.tool("rsyslogd", "logger", "openssl")

FAILED = "Failed password for root from 192.0.2.7 port 22 ssh2"
LOCAL = """\
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/in")
global(workDirectory="{folder}")
"""


@pytest.fixture
def host() -> Iterator[TestHost]:
    host = TestHost()
    yield host
    host.loop.close()


@contextmanager
def forwarding(host: TestHost, folder: Path, *actions: str, before: str = "") -> Iterator[None]:
    """A syslog daemon that forwards what comes to the socket `in` in its folder."""
    configuration = folder / "rsyslog.conf"
    text = [before, LOCAL.format(folder=folder), *(f'*.* action(type="omfwd" {action})' for action in actions), ""]
    configuration.write_text("\n".join(text))
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            ["rsyslogd", "-n", "-f", str(configuration), "-i", str(folder / "pid")], stdout=said, stderr=said
        )
    try:
        until(host.loop, lambda: (folder / "in").exists())
        yield
        assert process.poll() is None, (folder / "said").read_text()
    finally:
        process.terminate()
        process.wait(20)


def log(folder: Path, text: str, tag: str = "sshd") -> None:
    subprocess.run(["logger", "-u", str(folder / "in"), "-t", tag, "--id=7", "-p", "auth.info", text], check=True)


def options(*listen: str, **more: object) -> SourceOptions:
    place = Place("rules.conf", 1)
    return SourceOptions(name="net", place=place, listen=listen, allow=AddressSet(["127.0.0.1"]), **more)  # type: ignore[arg-type]


@pytest.fixture
def port() -> int:
    """Nobody listens on it, by UDP or TCP."""
    return free_port()


@pytest.fixture
def gnutls() -> None:
    """rsyslogd can speak TLS."""
    if not any(Path("/usr/lib").glob("*/rsyslog/lmnsd_gtls.so")) and not Path("/usr/lib/rsyslog/lmnsd_gtls.so").exists():
        (pytest.fail if MUST_HAVE_TOOLS else pytest.skip)("needs rsyslog-gnutls")


TEMPLATES = ["", ' template="RSYSLOG_ForwardFormat"', ' template="RSYSLOG_SyslogProtocol23Format"']
WAYS = ['protocol="udp"', 'protocol="tcp"', 'protocol="tcp" TCP_Framing="octet-counted"']


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_plain(host: TestHost, tmp_path: Path, port: int, way: str, template: str) -> None:
    """In each of its forms, header and message are understood."""
    with running(make(host, options(f"udp:{port}", f"tcp:{port}")), host):
        with forwarding(host, tmp_path, f'target="127.0.0.1" port="{port}" {way}{template}'):
            log(tmp_path, FAILED)
            log(tmp_path, "two\nlines", "app")
            until(host.loop, lambda: sum(b"sshd" in line or b"app" in line for line in host.lines) == 2, 20)
    seen = []
    for line in host.lines:
        header = parse(line)
        if header.program in ("sshd", "app"):
            assert header.time(1.7e9) is not None and header.host and line.startswith(b"<38>")
            seen.append((header.program, header.pid, line[header.body :].decode().strip()))
    assert seen == [("sshd", "7", FAILED), ("app", "7", "two#012lines")]
    assert {chunk.peer for chunk in host.chunks} == {"127.0.0.1"}
    assert not [text for level, text in host.reports if level == 0]


@pytest.mark.usefixtures("gnutls")
@pytest.mark.parametrize("names", [("web1.example.net",), ("*.example.net",), ()])
def test_tls(host: TestHost, tmp_path: Path, port: int, names: tuple[str, ...]) -> None:
    """With a client certificate, checked on both sides; and after a pause nothing is missing."""
    authority = certificates.authority(tmp_path, "authority")
    server = certificates.sign(authority, tmp_path, "logs", ["DNS:logs.example.net"])
    client = certificates.sign(authority, tmp_path, "web1", ["DNS:web1.example.net"])
    source = make(
        host,
        options(
            f"tls:{port}",
            certificate=server.certificate,
            certificate_key=server.key,
            authority=authority.certificate,
            peer_names=names,
        ),
    )
    with running(source, host), forwarding(host, tmp_path, tls_action(port), before=tls_setting(authority, client)):
        log(tmp_path, FAILED)
        until(host.loop, lambda: any(FAILED.encode() in line for line in host.lines), 20)
        source.pause()
        for number in range(100):
            log(tmp_path, f"number {number}")
        source.resume()
        until(host.loop, lambda: any(b"number 99" in line for line in host.lines), 20)
    numbers = [int(found[1]) for line in host.lines if (found := re.search(rb": number (\d+)$", line))]
    assert numbers == list(range(100))
    assert not host.reports, host.reports


@pytest.mark.usefixtures("gnutls")
def test_tls_with_a_certificate_that_is_not_ours(host: TestHost, tmp_path: Path, port: int) -> None:
    authority, stranger = certificates.authority(tmp_path, "authority"), certificates.authority(tmp_path, "stranger")
    server = certificates.sign(authority, tmp_path, "logs", ["DNS:logs.example.net"])
    intruder = certificates.sign(stranger, tmp_path, "web1", ["DNS:web1.example.net"])
    files = {"certificate": server.certificate, "certificate_key": server.key, "authority": authority.certificate}
    with running(make(host, options(f"tls:{port}", **files)), host):
        with forwarding(host, tmp_path, tls_action(port), before=tls_setting(authority, intruder)):
            log(tmp_path, FAILED)
            until(host.loop, lambda: host.said("its certificate was not accepted"), 20)
    assert host.lines == []


def tls_setting(authority: certificates.Signed, client: certificates.Signed) -> str:
    return (
        f'global(DefaultNetstreamDriverCAFile="{authority.certificate}"'
        f' DefaultNetstreamDriverCertFile="{client.certificate}" DefaultNetstreamDriverKeyFile="{client.key}")'
    )


def tls_action(port: int) -> str:
    return (
        f'target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted" StreamDriver="gtls"'
        ' StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="logs.example.net"'
    )


def test_a_restart_of_the_receiver(host: TestHost, tmp_path: Path, port: int) -> None:
    """The sender comes back by itself."""
    retry = 'action.resumeInterval="1" action.resumeRetryCount="-1"'
    with forwarding(host, tmp_path, f'target="127.0.0.1" port="{port}" protocol="tcp" {retry}'):
        with running(make(host, options(f"tcp:{port}")), host):
            log(tmp_path, "before")
            until(host.loop, lambda: any(b"before" in line for line in host.lines), 20)
        again = make(host, options(f"tcp:{port}"))
        with running(again, host):
            assert isinstance(again.parts[0], (StreamListener, UdpReceiver))
            log(tmp_path, "after one")
            log(tmp_path, "after two")
            until(host.loop, lambda: any(b"after two" in line for line in host.lines), 20)


def test_the_daemon_receives(tmp_path: Path, port: int) -> None:
    """From the configuration to the script: a frame that tries to forge a line causes one event, its own."""
    with live(tmp_path) as one:
        kinds = [f"udp:{port}", f"tcp:{port}", f"unix:{tmp_path}/log"]
        section = "config source 'net'\n" + "".join(f"\tlist listen '{kind}'\n" for kind in kinds)
        one.configure(
            section,
            one.rule(program="app", file=None, source="net"),
            one.rule("Root", program="root", file=None, source="net"),
        )
        forged = b"<13>app: hit me\n<13>root: hit nobody"
        with one.running():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto(forged, f"{tmp_path}/log")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(forged, ("127.0.0.1", port))
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.sendall(b"%d %s" % (len(forged), forged))
            one.wait_runs(3)
        assert one.output.count("trigger Hit") == 3 and "trigger Root" not in one.output
        for place in (f"{tmp_path}/log", f"udp 127.0.0.1:{port} from 127.0.0.1", f"tcp 127.0.0.1:{port} from 127.0.0.1"):
            assert place in one.output
    assert not (tmp_path / "log").exists()
