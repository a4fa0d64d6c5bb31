"""Sends a log to a receiver, from buffers made beforehand: python bench/sender.py JOB, as bench/receiving.py writes it (JSON).

It says "ready" and waits for a line on standard input before it begins, and prints at the end how many seconds it took.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

BUFFER = 1 << 16  # bytes sent at once, about
STEP = 100  # datagrams between two looks at the clock


def framed(lines: Sequence[bytes], counted: bool) -> list[bytes]:
    return [b"%d %s" % (len(line), line) if counted else line + b"\n" for line in lines]


def joined(messages: Sequence[bytes]) -> list[bytes]:
    """The messages in buffers."""
    buffers, part, size = list[bytes](), list[bytes](), 0
    for message in messages:
        part.append(message)
        size += len(message)
        if size >= BUFFER:
            buffers.append(b"".join(part))
            part, size = [], 0
    return [*buffers, b"".join(part)] if part else buffers


def connected(job: dict[str, Any]) -> socket.socket:
    if job["kind"] == "udp":
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", job["port"]))
        return sock
    plain = socket.create_connection(("127.0.0.1", job["port"]))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if job["kind"] == "tcp":
        return plain
    context = ssl.create_default_context(cafile=job["authority"])
    context.load_cert_chain(job["certificate"], job["key"])
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def paced(send: Callable[[bytes], object], messages: Sequence[bytes], rate: float) -> None:
    begin = time.perf_counter()
    for at in range(0, len(messages), STEP):
        for message in messages[at : at + STEP]:
            send(message)
        ahead = begin + (at + STEP) / rate - time.perf_counter()
        if ahead > 0.0005:
            time.sleep(ahead)


def main() -> None:
    job = json.loads(sys.argv[1])
    os.sched_setaffinity(0, {job["core"]})
    lines = [b"<38>" + line for line in Path(job["log"]).read_bytes().splitlines()]
    lines = (lines * (job["count"] // len(lines) + 1))[: job["count"]]
    if job["kind"] == "udp":
        parts = lines
    else:
        parts = framed(lines, job["counted"])
        parts = parts if job["each"] else joined(parts)
    sock = connected(job)
    print("ready", flush=True)
    sys.stdin.readline()
    begin = time.perf_counter()
    if job["kind"] == "udp":
        paced(sock.send, parts, job["rate"])
    else:
        for part in parts:
            sock.sendall(part)
    print(time.perf_counter() - begin)
    sock.close()


if __name__ == "__main__":
    main()
