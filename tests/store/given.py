"""Positions, triggers and bans for the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from logtrigger.model import Ban, Position, Trigger
from logtrigger.store import Batch, Store

StoreAt = Callable[[], Store]


def a_position(stream: str = "1", **changes: object) -> Position:
    values: dict[str, object] = {"source": "system log", "path": "/var/log/auth.log", "device": 7, "inode": 9, "offset": 42}
    return Position(stream=stream, **(values | changes))  # type: ignore[arg-type]


def a_trigger(number: int, message: str = "no") -> Trigger:
    return Trigger(
        id=f"sshd:1:{number}",
        rule="sshd",
        time=1.5e9 + number,
        count=3,
        key=("1.2.3.4", "root"),
        fields={"user": "root", "ip": "1.2.3.4"},
        message=f"sshd: {message}",
        body=message,
        source="/var/log/auth.log",
        extra={"ip_country": "FI"},
    )


def a_batch(*numbers: int) -> Batch:
    return Batch(triggers=tuple((n, a_trigger(n), ("script",)) for n in numbers))


def a_ban(network: str = "192.0.2.7", since: float = 1_000.0, until: float | None = 2_000.0, **values: Any) -> Ban:
    return Ban(network, since, until, **{"rule": "r", "trigger": "r@s:1", "lines": (f"from {network}",), **values})


def numbers(store: Store) -> list[int]:
    return [seq for seq, _, _ in store.undone("script")]
