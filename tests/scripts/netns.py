"""Network namespaces of a test's own, joined by veth pairs, and sockets inside them."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

_CLONE_NEWNET = 0x40000000  # setns(2)
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_IP = shutil.which("ip", path=PATH) or "ip"
_numbers = itertools.count(1)
# The prefixes of RFC 5737 and RFC 4193 that the two ends of a pair get.
HOST = {4: "192.0.2.1", 6: "fd00:1::1"}
PEER = {4: "192.0.2.2", 6: "fd00:1::2"}
# Those of a third one's cable to the first.
HOST_FOR_GUEST = {4: "198.51.100.1", 6: "fd00:2::1"}
GUEST = {4: "198.51.100.2", 6: "fd00:2::2"}

T = TypeVar("T")


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

    def call(self, function: Callable[[], T]) -> T:
        """What the function returns, or raises, when a thread in here runs it: its sockets are this namespace's, for ever."""

        def visit() -> T:
            with open(f"/run/netns/{self.name}", "rb") as file:
                entered = ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET)
            assert entered == 0, f"cannot enter the namespace {self.name}"
            return function()

        with ThreadPoolExecutor(1) as visitor:
            return visitor.submit(visit).result()

    def socket(self, family: socket.AddressFamily, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A socket of this namespace, for use anywhere: only the thread that makes it visits."""
        return self.call(lambda: socket.socket(family, kind))


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
        _cable("veth0", (host, HOST), (peer, PEER))
        yield host, peer


@contextmanager
def guest_of(host: Namespace) -> Iterator[Namespace]:
    """A third namespace, on a cable of its own to the first of a pair, which it reaches at HOST from GUEST."""
    with namespace() as guest:
        _cable("veth1", (host, HOST_FOR_GUEST), (guest, GUEST))
        for version, gateway in HOST_FOR_GUEST.items():
            _ip("-n", guest.name, f"-{version}", "route", "add", "default", "via", gateway)
        yield guest


def _cable(device: str, *ends: tuple[Namespace, dict[int, str]]) -> None:
    (first, _), (second, _) = ends
    _ip("-n", first.name, "link", "add", device, "type", "veth", "peer", "name", device, "netns", second.name)
    for one, addresses in ends:
        _ip("-n", one.name, "address", "add", f"{addresses[4]}/24", "dev", device)
        _ip("-n", one.name, "address", "add", f"{addresses[6]}/64", "dev", device, "nodad")
        _ip("-n", one.name, "link", "set", device, "up")


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
