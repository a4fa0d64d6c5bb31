"""Telling systemd how we are: sd_notify(3), for a unit of `Type=notify` with `WatchdogSec`.

Only loaded where NOTIFY_SOCKET is set. The pings come from the loop: where that hangs, systemd starts us anew.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping

from logtrigger.loop import Loop

SOCKET, WATCHDOG, WATCHED = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_OFTEN = 3  # pings within the time after which systemd would give us up


class NotifySocket:
    """The manager that has started us.

    Args:
        address: of its socket: a path, or `@name` in the abstract namespace.
        patience: seconds without a ping after which it takes us for dead; None: it waits for none.
    """

    def __init__(self, address: str, patience: float | None = None) -> None:
        self.patience = patience
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str]) -> NotifySocket:
        """What the environment says, which then says so no more: our children are not to speak for us."""
        address, usec, pid = (environ.pop(name, "") for name in (SOCKET, WATCHDOG, WATCHED))
        watched = usec.isdecimal() and int(usec) > 0 and pid in ("", str(os.getpid()))
        return cls(address, int(usec) / 1_000_000 if watched else None)

    def ready(self, status: str) -> None:
        """We are at work, with this to say about it."""
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        """We read our configuration again; `ready` ends that."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """We come to our end."""
        self._send("STOPPING=1", _status("stopping"))

    def watch(self, loop: Loop, status: Callable[[], str]) -> None:
        """Ping from this loop as often as it takes."""
        if self.patience is not None:
            loop.call_later(self.patience / _OFTEN, lambda: self.watch(loop, status))
            self._send("WATCHDOG=1", _status(status()))

    def _send(self, *lines: str) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)  # a manager that does not read holds nobody up
                out.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            pass  # it is gone, or far behind; the work goes on


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}"  # a line feed would begin another message
