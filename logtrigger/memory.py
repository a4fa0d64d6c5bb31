"""Giving memory back that a start has taken and the work does not need."""

from __future__ import annotations

import sys
from contextlib import suppress


def give_back() -> None:
    """Let the C library return what is free (malloc_trim(3)), about a megabyte. Where that cannot be done nothing happens."""
    ctypes = sys.modules.get("ctypes")  # whoever follows files has it; for this alone it is too large
    if ctypes is not None:
        with suppress(OSError, AttributeError):  # another C library than GNU's
            ctypes.CDLL(None).malloc_trim(0)
