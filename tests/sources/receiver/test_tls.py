"""TLS: who we are, who may send, and how long that may take to say."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logtrigger.addresses import AddressSet
from logtrigger.errors import SourceError
from logtrigger.sources.receiver import tls
from logtrigger.sources.receiver.addresses import ListenAddress
from logtrigger.sources.receiver.streams import Limits
from logtrigger.sources.receiver.tls import Credentials, TlsListener
from tests import certificates
from tests.certificates import Signed
from tests.sources.host import TestHost, running, until

pytestmark = pytest.mark.tool("openssl")

USUAL = Limits()
HERE = ListenAddress("tls", "127.0.0.1", 0)


class Files:
    """All that is needed for good and bad connections."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = certificates.authority(folder, "authority")
        self.server = certificates.sign(self.authority, folder, "logs", ["DNS:logs.example.net", "IP:127.0.0.1"])
        self.client = certificates.sign(self.authority, folder, "web1", ["DNS:web1.example.net"])
        self.unnamed = certificates.sign(self.authority, folder, "db1")
        stranger = certificates.authority(folder, "stranger")
        self.stranger = certificates.sign(stranger, folder, "intruder", ["DNS:web1.example.net"])
        self.credentials = Credentials(self.server.certificate, self.server.key, self.authority.certificate)

    def client_context(self, who: Signed | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority.certificate)
        if who is not None:
            context.load_cert_chain(who.certificate, who.key)
        return context


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("certificates"))


def listener(host: TestHost, credentials: Credentials, limits: Limits = USUAL) -> TlsListener:
    return TlsListener(host, "net", HERE, AddressSet(), limits, credentials)


@contextmanager
def client(act: Callable[[], None]) -> Iterator[list[Exception]]:
    """Something that a client does while the loop turns; what it raised."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            act()
        except (OSError, ssl.SSLError) as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield raised
    finally:
        thread.join(10)


def sends(source: TlsListener, context: ssl.SSLContext, *parts: bytes, pause: float = 0.0) -> Callable[[], None]:
    def act() -> None:
        with socket.create_connection(("127.0.0.1", source.port), 5) as raw:
            with context.wrap_socket(raw, server_hostname="logs.example.net") as sock:
                for part in parts:
                    sock.sendall(part)
                    time.sleep(pause)
                sock.unwrap()  # waits until everything was read

    return act


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("stream", [b"7 <13>one7 <13>two", b"<13>one\n<13>two\n", b"<13>one\n<13>two"])
def test_lines_arrive(host: TestHost, files: Files, version: ssl.TLSVersion, stream: bytes) -> None:
    context = files.client_context(files.client)
    context.minimum_version = context.maximum_version = version
    with running(source := listener(host, files.credentials), host):
        with client(sends(source, context, stream)) as raised:
            until(host.loop, lambda: len(host.lines) == 2)
            host.settle(0.1)
        assert raised == []
    assert host.lines == [b"<13>one", b"<13>two"] and not host.reports
    assert host.chunks[0].origin == f"{HERE} from 127.0.0.1"


def test_all_of_a_lot_arrives_in_order(host: TestHost, files: Files) -> None:
    lines = [b"<13>line %d %s" % (number, b"x" * (number % 300)) for number in range(20_000)]
    stream = b"".join(b"%d %s" % (len(line), line) for line in lines)
    with running(source := listener(host, files.credentials), host):
        with client(sends(source, files.client_context(files.client), stream)) as raised:
            host.wait_for(*lines)
            host.settle(0.1)
        assert raised == []


def test_a_pause_makes_peers_wait(host: TestHost, files: Files) -> None:
    source = listener(host, files.credentials)
    host.on_deliver = lambda chunk: source.pause()
    lines = [b"<13>line %d" % number for number in range(50_000)]
    with running(source, host):
        with client(sends(source, files.client_context(files.client), b"\n".join(lines) + b"\n")) as raised:
            while len(host.lines) < len(lines):
                until(host.loop, lambda: source.paused)
                host.settle(0.01)
                source.resume()
            host.on_deliver = lambda chunk: None
            host.settle(0.1)
            assert raised == [] and host.lines == lines


def test_without_an_authority_anybody_may_send(host: TestHost, files: Files) -> None:
    with running(source := listener(host, Credentials(files.server.certificate, files.server.key)), host):
        with client(sends(source, files.client_context(None), b"<13>one\n")) as raised:
            host.wait_for(b"<13>one")
            host.settle(0.1)
        assert raised == []


def refused(host: TestHost, source: TlsListener, act: Callable[[], None], fault: str) -> None:
    """This ends the connection, for a reason that is said once, and the next sender is heard all the same."""
    with client(act):
        until(host.loop, lambda: host.reports)
        host.settle(0.1)
    (said,) = host.said("the connection of 127.0.0.1 to tls 127.0.0.1:0 was ended: ")
    assert fault in said
    assert len(host.reports) == 1 and host.lines == []


def test_a_client_without_a_certificate(host: TestHost, files: Files) -> None:
    with running(source := listener(host, files.credentials), host):
        refused(
            host, source, sends(source, files.client_context(None), b"<13>x\n"), "no TLS handshake: it showed no certificate"
        )


def test_a_client_whose_certificate_somebody_else_has_signed(host: TestHost, files: Files) -> None:
    act_context = files.client_context(files.stranger)
    with running(source := listener(host, files.credentials), host):
        fault = "its certificate was not accepted: unable to get local issuer certificate"
        refused(host, source, sends(source, act_context, b"<13>x\n"), fault)


def test_a_client_that_does_not_trust_us(host: TestHost, files: Files) -> None:
    with running(source := listener(host, files.credentials), host):
        context = ssl.create_default_context()
        refused(host, source, sends(source, context, b"x\n"), "it does not know who signed our certificate")


def test_an_old_client(host: TestHost, files: Files) -> None:
    context = files.client_context(files.client)
    with running(source := listener(host, files.credentials), host):
        with pytest.warns(DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        refused(host, source, sends(source, context, b"<13>x\n"), "it speaks only a TLS older than 1.2")


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (b"<13>Nov 14 22:00:01 h a: plain text\n", "it does not speak TLS (let it do so, or listen with tcp:)"),
        (b"GET / HTTP/1.1\r\n\r\n", "it does not speak TLS but HTTP"),
        (bytes(range(255, 0, -1)), "no TLS handshake: it does not speak TLS"),
        (b"\x16\x03\x01", "no TLS handshake: it broke off"),
    ],
)
def test_no_handshake(host: TestHost, files: Files, sent: bytes, fault: str) -> None:
    with running(source := listener(host, files.credentials), host):

        def act() -> None:
            with socket.create_connection(("127.0.0.1", source.port), 5) as sock:
                sock.sendall(sent)
                sock.shutdown(socket.SHUT_WR)
                sock.recv(1000)

        refused(host, source, act, fault)


def test_who_only_looks_whether_we_are_there_is_no_fault(host: TestHost, files: Files) -> None:
    """As load balancers do, every few seconds."""
    before = os.listdir("/proc/self/fd")
    with running(source := listener(host, files.credentials), host):
        for _ in range(3):
            socket.create_connection(("127.0.0.1", source.port), 5).close()
            host.settle(0.05)
    assert not host.reports and os.listdir("/proc/self/fd") == before


def test_a_handshake_takes_only_so_long(host: TestHost, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """And holds nobody up."""
    monkeypatch.setattr(tls, "HANDSHAKE", 0.5)
    with running(source := listener(host, files.credentials), host):
        with socket.create_connection(("127.0.0.1", source.port), 5) as slow:
            slow.sendall(b"\x16\x03\x01")
            with client(sends(source, files.client_context(files.client), b"<13>quick\n")) as raised:
                host.wait_for(b"<13>quick")
                assert not host.reports
                until(host.loop, lambda: host.reports)
            assert raised == []
            assert slow.recv(1) == b""
    assert host.said("was ended: its TLS handshake has not ended in 0.5 s")


def test_silence_after_the_handshake(host: TestHost, files: Files) -> None:
    with running(source := listener(host, files.credentials, Limits(idle=0.3)), host):
        with client(sends(source, files.client_context(files.client), b"20 <13>half", pause=2)):
            until(host.loop, lambda: host.reports)
    assert host.said("was ended: it was silent for 0.3 s, in the middle of a message")


@pytest.mark.parametrize(
    ("wanted", "who", "welcome"),
    [
        (("web1.example.net",), "client", True),
        (("WEB1.Example.NET",), "client", True),
        (("other", "web*.example.net"), "client", True),
        (("*.example.net",), "client", True),
        (("*.net",), "client", False),
        (("*",), "client", False),
        (("web1",), "client", False),  # the common name does not count where there are others
        (("db1",), "unnamed", True),
        (("db*",), "unnamed", True),
        (("db?",), "unnamed", False),
    ],
)
def test_peer_names(host: TestHost, files: Files, wanted: tuple[str, ...], who: str, welcome: bool) -> None:
    server = files.server
    credentials = Credentials(server.certificate, server.key, files.authority.certificate, wanted)
    context = files.client_context(getattr(files, who))
    with running(source := listener(host, credentials), host):
        if welcome:
            with client(sends(source, context, b"<13>one\n")) as raised:
                host.wait_for(b"<13>one")
                host.settle(0.1)
            assert raised == [] and not host.reports
        else:
            name = {"client": "web1.example.net", "unnamed": "db1"}[who]
            fault = f"its certificate is for {name}, which 'peer_name' does not name"
            refused(host, source, sends(source, context, b"<13>x\n"), fault)


def test_certificates_are_read_again(host: TestHost, files: Files, tmp_path: Path) -> None:
    """For new connections; the old ones go on. Bad ones change nothing."""
    certificate, key = tmp_path / "our.crt", tmp_path / "our.key"
    shutil.copy(files.server.certificate, certificate)
    shutil.copy(files.server.key, key)
    source = listener(host, Credentials(certificate, key, files.authority.certificate))
    seen: list[object] = []

    def look() -> None:
        with socket.create_connection(("127.0.0.1", source.port), 5) as raw:
            context = files.client_context(files.client)
            context.check_hostname = False
            with context.wrap_socket(raw) as sock:
                seen.append((sock.getpeercert() or {})["subject"])

    def look_now() -> object:
        count = len(seen)
        with client(look):
            until(host.loop, lambda: len(seen) > count)
        return seen[-1]

    with running(source, host):
        before = look_now()
        shutil.copy(files.unnamed.certificate, certificate)
        with pytest.raises(SourceError, match="is not the key of"):
            source.reload()
        assert look_now() == before
        shutil.copy(files.unnamed.key, key)
        source.reload()
        assert look_now() != before


@pytest.mark.parametrize("rest", [b"", b"<13>half"])
def test_what_was_said_before_a_connection_broke_off_counts(host: TestHost, files: Files, rest: bytes) -> None:
    """But half a line does not: somebody may have cut it short. A sender that goes without saying goodbye is no fault."""
    source = listener(host, files.credentials)
    sent = threading.Event()

    def act() -> None:
        with socket.create_connection(("127.0.0.1", source.port), 5) as raw:
            with files.client_context(files.client).wrap_socket(raw, server_hostname="logs.example.net") as sock:
                sock.sendall(b"<13>first\n")
                sent.wait(5)
                for number in range(10):
                    sock.sendall(b"<13>%d\n" % number)
                sock.sendall(rest)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with running(source, host):
        with client(act) as raised:
            host.wait_for(b"<13>first")
            source.pause()
            sent.set()
        source.resume()
        until(host.loop, lambda: any(event.startswith("forget") for event in host.events))
    assert raised == [] and host.lines[1:] == [b"<13>%d" % number for number in range(10)]
    assert bool(host.said("was ended: it broke off")) == bool(rest)


# Files that are of no use


def fault_of(host: TestHost, credentials: Credentials) -> str:
    with pytest.raises(SourceError) as raised:
        listener(host, credentials).open()
    return str(raised.value)


def test_no_certificate(host: TestHost) -> None:
    assert "needs 'certificate' and 'certificate_key'" in fault_of(host, Credentials(None))


def test_names_without_an_authority(host: TestHost, files: Files) -> None:
    credentials = Credentials(files.server.certificate, files.server.key, peer_names=("web1",))
    assert "'peer_name' needs 'authority'" in fault_of(host, credentials)


def test_a_file_that_is_not_there(host: TestHost, files: Files) -> None:
    missing = files.folder / "missing"
    for credentials in (
        Credentials(missing, files.server.key),
        Credentials(files.server.certificate, missing),
        Credentials(files.server.certificate, files.server.key, missing),
    ):
        assert f"net: {missing} cannot be read: No such file" in fault_of(host, credentials)


def test_a_key_that_others_can_read(host: TestHost, files: Files, tmp_path: Path) -> None:
    key = tmp_path / "our.key"
    shutil.copy(files.server.key, key)
    for mode in (0o640, 0o604, 0o601):
        key.chmod(mode)
        assert f"the key {key} can be read by others (chmod 600 {key})" in fault_of(
            host, Credentials(files.server.certificate, key)
        )
    key.chmod(0o620)
    assert f"{key} can be written by others (chmod go-w {key})" in fault_of(host, Credentials(files.server.certificate, key))
    key.chmod(0o400)
    listener(host, Credentials(files.server.certificate, key)).reload()


@pytest.mark.root
def test_a_key_of_somebody_else(host: TestHost, files: Files, tmp_path: Path) -> None:
    key = tmp_path / "our.key"
    shutil.copy(files.server.key, key)
    os.chown(key, 65534, -1)
    assert f"{key} belongs to user 65534 (chown root {key})" in fault_of(host, Credentials(files.server.certificate, key))


def test_the_key_of_another_certificate(host: TestHost, files: Files) -> None:
    said = fault_of(host, Credentials(files.server.certificate, files.client.key))
    assert f"{files.client.key} is not the key of {files.server.certificate} (these must print the same: openssl x509" in said


def test_a_key_with_a_password(host: TestHost, files: Files, tmp_path: Path) -> None:
    key = tmp_path / "locked.key"
    certificates.openssl("pkey", "-in", files.server.key, "-aes256", "-passout", "pass:secret", "-out", key)
    key.chmod(0o600)
    assert f"{key} asks for a password" in fault_of(host, Credentials(files.server.certificate, key))


def test_files_that_hold_something_else(host: TestHost, files: Files, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("this is no certificate\n")
    other.chmod(0o600)
    server, key = files.server.certificate, files.server.key
    assert "are no certificate and its key in PEM form" in fault_of(host, Credentials(other, key))
    assert "are no certificate and its key in PEM form" in fault_of(host, Credentials(server, other))
    assert f"{other} holds no certificates in PEM form" in fault_of(host, Credentials(server, key, other))


def test_certificate_and_key_in_one_file(host: TestHost, files: Files, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(files.server.certificate.read_bytes() + files.server.key.read_bytes())
    both.chmod(0o600)
    listener(host, Credentials(both)).reload()


def test_no_descriptor_is_left(host: TestHost, files: Files) -> None:
    before = os.listdir("/proc/self/fd")
    with running(source := listener(host, files.credentials), host):
        with client(sends(source, files.client_context(files.client), b"<13>one\n", pause=0.5)):
            host.wait_for(b"<13>one")
            source.close()
    assert os.listdir("/proc/self/fd") == before


def test_the_documented_way_to_certificates(host: TestHost, tmp_path: Path) -> None:
    """The commands of docs/inputs.md make what both sides take."""
    text = (Path(__file__).parents[3] / "docs/inputs.md").read_text()
    (commands,) = re.findall(r"```sh\n(new=.*?)```", text, re.DOTALL)
    subprocess.run(["sh", "-e"], input=commands, text=True, cwd=tmp_path, check=True, capture_output=True)
    ours, theirs = tmp_path / "logs.example.net", tmp_path / "web1.example.net"
    certificate, key = Path(f"{ours}.crt"), Path(f"{ours}.key")
    context = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    context.load_cert_chain(f"{theirs}.crt", f"{theirs}.key")
    with running(source := listener(host, Credentials(certificate, key, tmp_path / "ca.crt", ("*.example.net",))), host):
        with client(sends(source, context, b"<13>one\n")) as raised:
            host.wait_for(b"<13>one")
            host.settle(0.1)
    assert raised == []
