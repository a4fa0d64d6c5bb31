"""One `config source` with several addresses: all of them, or none."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from logtrigger.addresses import AddressSet
from logtrigger.errors import Place, SourceError
from logtrigger.rule import SourceOptions
from logtrigger.sources.receiver import make
from tests import certificates
from tests.ports import free_port
from tests.sources.host import TestHost, running


def options(*listen: str, **more: object) -> SourceOptions:
    return SourceOptions(name="net", place=Place("rules.conf", 1), listen=listen, **more)  # type: ignore[arg-type]


def test_all_kinds(host: TestHost, tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "log"
    source = make(host, options(f"unix:{path}", f"udp:{port}", f"tcp:{port}"))
    assert source.name == "net"

    def send_all(text: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"unix " + text, str(path))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"udp " + text, ("127.0.0.1", port))
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"tcp " + text + b"\n")

    with running(source, host):
        source.pause()
        send_all(b"paused")
        host.settle(0.1)
        assert host.chunks == []
        source.resume()
        host.wait_for(b"tcp paused")
        send_all(b"now")
        host.settle(0.2)
    assert sorted(host.lines) == [b"tcp now", b"tcp paused", b"udp now", b"unix now"]
    assert {chunk.source for chunk in host.chunks} == {"net"} and list(source.positions()) == []
    assert len(host.said("dropped")) == 2


def test_where_one_address_is_taken_none_is(host: TestHost, tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    path = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as other:
        source = make(host, options(f"unix:{path}", f"tcp:{other.getsockname()[1]}"))
        with pytest.raises(SourceError, match="another program listens there"):
            source.open()
    source.close()
    assert not path.exists() and os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("listen", ["udp:*:5514", "tcp:0.0.0.0:5514", "tls:[::]:5514"])
def test_what_others_reach_needs_allow(host: TestHost, listen: str) -> None:
    with pytest.raises(SourceError, match=r"is open to others \(say who may send, with 'allow'\)"):
        make(host, options(listen))
    make(host, options(listen, allow=AddressSet(["192.0.2.0/24"])))


@pytest.mark.tool("openssl")
def test_certificates_are_read_again(host: TestHost, tmp_path: Path) -> None:
    server = certificates.sign(certificates.authority(tmp_path, "authority"), tmp_path, "logs")
    port = free_port()
    source = make(host, options(f"udp:{port}", f"tls:{port}", certificate=server.certificate, certificate_key=server.key))
    with running(source, host):
        source.reload()
        server.key.unlink()
        with pytest.raises(SourceError, match="cannot be read"):
            source.reload()
