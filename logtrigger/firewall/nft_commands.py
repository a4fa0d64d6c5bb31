"""How nftables is told: through libnftables in this process, or else through the `nft` tool."""

from __future__ import annotations

import importlib
import os
import socket
from contextlib import closing
from typing import Any, Protocol

from logtrigger.errors import FirewallError
from logtrigger.firewall.children import has_program
from logtrigger.firewall.netlink import NETLINK_NETFILTER
from logtrigger.programs import PATH

_TIMEOUT = 60.0  # seconds for the tool
_SO_PROTOCOL = 38
_NO_BINDING = "Python has no libnftables: pip install oxl-libnftables, or install the package python3-nftables"
_NO_LIBRARY = "libnftables is missing: install the package libnftables1 (Debian, Ubuntu) or nftables (elsewhere)"


class Commands(Protocol):
    """Runs the text of a transaction, in this network namespace."""

    def run(self, text: str) -> str:
        """The mistake that nft finds; empty where everything was done."""

    @property
    def port(self) -> int:
        """The netlink port from which the last transaction came; 0 where it is not known."""


class Library:
    """libnftables in this process: an address is banned in less than 0.1 ms."""

    def __init__(self, nftables: Any) -> None:
        """Raises OSError where there is a binding and no library."""
        before = _sockets()
        self._nftables = _made(nftables.Nftables)
        self._socket = next(iter(_sockets().keys() - before.keys()), "")
        self.port = 0

    def run(self, text: str) -> str:
        failed, _, error = self._nftables.cmd(text)
        if not self.port:  # its socket gets one when it is first used
            self.port = _sockets().get(self._socket, 0)
        return (str(error).strip() or "nft says no more than that it failed") if failed else ""


class Tool:
    """The `nft` tool: some milliseconds each time. Its netlink port is the number of its process, unless that is taken."""

    def __init__(self) -> None:
        self.port = 0

    def run(self, text: str) -> str:
        import subprocess

        env = {"PATH": PATH, "LC_ALL": "C"}
        process = subprocess.Popen(
            ["nft", "-f", "-"],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.port = process.pid
        try:
            _, error = process.communicate(text, timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return "nft took too long"
        return (error.strip() or f"nft: exit {process.returncode}") if process.returncode else ""


def find() -> tuple[Commands, str]:
    """The best way there is, and what is missing for a better one (empty: nothing).

    Raises:
        FirewallError: neither the library nor the tool is there.
    """
    try:
        return Library(importlib.import_module("nftables")), ""
    except (ImportError, AttributeError):  # the latter: something else of that name
        missing = _NO_BINDING
    except OSError:
        missing = _NO_LIBRARY
    if not has_program("nft"):
        raise FirewallError(missing)
    return Tool(), missing


def _made(kind: Any) -> Any:
    """An Nftables. One that finds no library stays half made, and its __del__ shall not complain of that on standard error."""
    made = kind.__new__(kind)
    made.nft_ctx_free, made._Nftables__ctx = (lambda context: None), None
    made.__init__()
    return made


def _sockets() -> dict[str, int]:
    """The ports of this process' netlink sockets for netfilter, by the names that the kernel has for sockets."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            inode = os.readlink(f"/proc/self/fd/{fd}")
            if inode.startswith("socket:"):
                with closing(socket.socket(fileno=os.dup(int(fd)))) as one:
                    if one.family == socket.AF_NETLINK and one.getsockopt(socket.SOL_SOCKET, _SO_PROTOCOL) == NETLINK_NETFILTER:
                        found[inode] = one.getsockname()[0]
        except OSError:
            continue  # closed meanwhile
    return found
