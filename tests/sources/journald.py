"""A journald of our own: the real one, in a mount namespace whose /run is empty, and journalctl as it is seen from there."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = next((path for folder in ("/lib", "/usr/lib") if os.path.exists(path := f"{folder}/systemd/systemd-journald")), "")
needs_journald = pytest.mark.skipif(not PROGRAM, reason="needs systemd-journald")
BOUND = 30.0  # seconds that anything may take

_SETUP = """
set -e
for folder in /run /var/log; do mount -t tmpfs -o mode=755 own "$folder"; done
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d
printf '%s\\n' '[Journal]' Storage=volatile ReadKMsg=no RateLimitIntervalSec=0 ForwardToWall=no \\
    >/run/systemd/journald.conf.d/test.conf
exec "$0"
"""


class Journald:
    """A running journald; `bin` holds the journalctl that reads what it keeps."""

    def __init__(self, process: subprocess.Popen[bytes], bin: Path) -> None:
        self._process = process
        self.bin = bin
        self.root = f"/proc/{process.pid}/root"
        (bin / "journalctl").write_text(f'#!/bin/sh\nexec nsenter --target={process.pid} --mount /usr/bin/journalctl "$@"\n')
        (bin / "journalctl").chmod(0o755)

    def send(self, *messages: str | bytes, **fields: str) -> None:
        """Log with sd_journal_send(3); a message may be any bytes."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            for message in messages:
                text = message.encode() if isinstance(message, str) else message
                given = b"".join(f"{name}={value}\n".encode() for name, value in fields.items())
                data = b"MESSAGE\n%s%s\n" % (len(text).to_bytes(8, "little"), text)
                sock.sendto(given + data, f"{self.root}/run/systemd/journal/socket")

    def syslog(self, datagram: bytes) -> None:
        """Log with syslog(3), as most programs do."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(datagram, f"{self.root}/run/systemd/journal/dev-log")

    def ctl(self, *arguments: str) -> str:
        done = subprocess.run([self.bin / "journalctl", *arguments], check=True, capture_output=True, text=True)
        return done.stdout

    def wait_for(self, text: str) -> None:
        """Wait until an entry holds this text."""
        end = time.monotonic() + BOUND
        while text not in self.ctl("--all", "--output=cat"):
            assert time.monotonic() < end, f"not logged: {text}"


@contextmanager
def journald(folder: Path) -> Iterator[Journald]:
    """A journald that runs and has said so."""
    (folder / "bin").mkdir()
    said = folder / "journald.err"
    with said.open("wb") as output:
        command = ["unshare", "--mount", "--propagation=private", "sh", "-c", _SETUP, PROGRAM]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        one = Journald(process, folder / "bin")
        end = time.monotonic() + BOUND
        while not os.path.exists(f"{one.root}/run/systemd/journal/io.systemd.journal") or not os.path.exists(
            f"{one.root}/run/log/journal"
        ):
            assert process.poll() is None and time.monotonic() < end, said.read_text()
            time.sleep(0.02)
        one.send("the machine is up")
        one.wait_for("the machine is up")
        yield one
    finally:
        process.terminate()
        process.wait(BOUND)
