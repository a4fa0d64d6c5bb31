"""Ports for tests to listen on."""

from __future__ import annotations

import socket


def free_port() -> int:
    """One on which nobody listens by UDP or TCP; somebody else may take it, though hardly so soon."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        stream.bind(("127.0.0.1", 0))
        port = int(stream.getsockname()[1])
        datagrams.bind(("127.0.0.1", port))
        return port
