"""Bans that begin, as lines that rules may read: the source `bans`, by which who is banned again and again is found."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from logtrigger.model import Ban, Chunk
from logtrigger.rule import BANS

_LIVE = 1.0  # seconds; a ban that began longer ago is counted at the time it began


def chunk(ban: Ban, address: str, now: float) -> Chunk:
    """One line about a ban that a rule has begun, a stream of its own.

    The stream's name comes from the trigger's: where a ban is found again after a crash, the same line causes the same.

    Args:
        address: whose line triggered; of a ban that was widened the prefix, in which no rule finds an address.

    >>> ban = Ban("192.0.2.7", 1_795_245_373.5, 1_795_248_973.5, "sshd_failed", trigger="sshd_failed@f00:172")
    >>> chunk(ban, "192.0.2.7", 1_795_245_373.5).data.decode().partition(" logtrigger: ")[2]
    'ban 192.0.2.7 rule=sshd_failed time=3600\\n'
    """
    began = datetime.fromtimestamp(ban.since, UTC).isoformat(timespec="microseconds")
    seconds = 0 if ban.until is None else max(1, round(ban.until - ban.since))
    text = f"{began} {os.uname().nodename} logtrigger: ban {address} rule={ban.rule} time={seconds}\n"
    data = text.encode("utf-8", "replace")
    return Chunk(BANS, BANS, f"{BANS} {ban.trigger}", 0, len(data), data, catching_up=now - ban.since > _LIVE)
