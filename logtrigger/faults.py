"""Faults of logtrigger's own: they do not end the work, and are told once a while."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_EVERY = 60.0  # seconds between reports of one fault


class Faults:
    """Tells the operator of what has failed, by its place in our code: one place every minute at most."""

    def __init__(self, report: Callable[[int, str], None]) -> None:
        self._report = report
        self._told: dict[str, float] = {}  # place -> when it was said last

    def tell(self, error: Exception) -> None:
        """Something that the loop has called has failed."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else "somewhere"
        now = time.monotonic()
        if now - self._told.get(where, -_EVERY) >= _EVERY:
            self._told[where] = now
            self._report(0, f"a fault of logtrigger's own in {where}: {error!r}; work goes on")
