"""Network namespaces of a test's own, joined by veth pairs, and sockets inside them."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_CLONE_NEWNET = 0x40000000  # setns(2)
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_IP = shutil.which("ip", path=PATH) or "ip"
_numbers = itertools.count(1)
# The prefixes of RFC 5737 and RFC 4193 that the two ends of a pair get.
HOST = {4: "192.0.2.1", 6: "fd00:1::1"}
PEER = {4: "192.0.2.2", 6: "fd00:1::2"}


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace that `ip netns` knows by name."""

    name: str

    def command(self, *command: str) -> list[str]:
        """A command line that runs the command in here."""
        return [_IP, "netns", "exec", self.name, *command]

    def run(self, *command: str) -> str:
        """Run a command in here; what it prints. Raises CalledProcessError where it fails."""
        env = {**os.environ, "PATH": PATH}
        done = subprocess.run(self.command(*command), env=env, capture_output=True, text=True, check=True)
        return done.stdout

    def socket(self, family: socket.AddressFamily, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A socket of this namespace, for use anywhere: only the thread that makes it visits."""
        made: list[socket.socket] = []

        def make() -> None:
            with open(f"/run/netns/{self.name}", "rb") as file:
                if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET) == 0:
                    made.append(socket.socket(family, kind))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        assert made, f"cannot enter the namespace {self.name}"
        return made[0]


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A fresh namespace with its loopback up; removed in the end."""
    made = Namespace(f"logtrigger-test-{os.getpid()}-{next(_numbers)}")
    _ip("netns", "add", made.name)
    try:
        made.run("ip", "link", "set", "lo", "up")
        yield made
    finally:
        _ip("netns", "delete", made.name)


@contextmanager
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces joined by a cable; the first has the addresses HOST, the second PEER."""
    with namespace() as host, namespace() as peer:
        _ip("-n", host.name, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", peer.name)
        for one, addresses in ((host, HOST), (peer, PEER)):
            _ip("-n", one.name, "address", "add", f"{addresses[4]}/24", "dev", "veth0")
            _ip("-n", one.name, "address", "add", f"{addresses[6]}/64", "dev", "veth0", "nodad")
            _ip("-n", one.name, "link", "set", "veth0", "up")
        yield host, peer


def _ip(*arguments: str) -> None:
    subprocess.run([_IP, *arguments], capture_output=True, check=True)


def family_of(version: int) -> socket.AddressFamily:
    """The address family of IPv4 or IPv6."""
    return socket.AF_INET if version == 4 else socket.AF_INET6


def answers(peer: Namespace, version: int, port: int, seconds: float = 1.0) -> bool:
    """Whether a connection from the peer to the host comes about in time; a refusal is an answer."""
    with peer.socket(family_of(version)) as client:
        client.settimeout(seconds)
        try:
            client.connect((HOST[version], port))
        except TimeoutError:
            return False
        except ConnectionRefusedError:
            pass
    return True


def echoed(client: socket.socket, server: socket.socket, seconds: float = 1.0) -> bool:
    """Whether a word sent by the client reaches the server and its answer comes back, in time for each way."""
    client.settimeout(seconds)
    server.settimeout(seconds)
    try:
        client.sendall(b"word")
        server.sendall(server.recv(4))
        return client.recv(4) == b"word"
    except TimeoutError:
        return False
