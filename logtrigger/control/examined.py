"""What an examination asks of the daemon: what the kernel blocks, and whether a line arrives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from logtrigger.control.protocol import Refused, Rows, Wait

if TYPE_CHECKING:
    from logtrigger.daemon import Daemon

_MOST = 20  # networks that are named
_SHORTEST = 16  # characters of a text that no line has by chance
_PATIENCE = 5.0  # seconds for a line to arrive
_ENDING = 2.0  # seconds before its end a ban may be gone already


def firewall(daemon: Daemon, user: int) -> Rows:
    """One row: which bans there are, and whether the kernel blocks them."""
    banning = daemon.banning
    present = yield Wait(banning.present)
    now = daemon.clock()
    expected = [network for network, left in banning.bans.remaining(now) if left is None or left > _ENDING]
    missing = [] if present is None else [network for network in expected if network not in present]
    yield {
        "backend": banning.backend,
        "error": banning.fault,
        "bans": len(expected),
        "blocked": None if present is None else len(present),
        "missing": missing[:_MOST],
        "flushes": banning.flushes,
        "last_flush": banning.last_flush if banning.flushes else None,
    }


def probe(daemon: Daemon, user: int, *, text: str) -> Rows:
    """A row as soon as a line with this text is waited for, and one with the source that brought it; null: none did."""
    if len(text) < _SHORTEST:
        raise Refused("'text' is too short", f"write at least {_SHORTEST} characters that no line has by chance")
    wanted = text.encode()
    source: list[str | None] = []

    def ask(bring: Callable[[Any], None]) -> None:
        def answer(found: str | None) -> None:
            if daemon.probes.pop(wanted, None) is not None or found is not None:
                timer.cancel()
                bring((found,))

        if source:
            bring((source[0],))
            return
        timer = daemon.loop.call_later(_PATIENCE, lambda: answer(None))
        daemon.probes[wanted] = answer

    daemon.probes[wanted] = source.append
    try:
        yield {"waiting": text}
        (found,) = yield Wait(ask)
        yield {"source": found}
    finally:
        daemon.probes.pop(wanted, None)
