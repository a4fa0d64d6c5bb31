"""Once a start is over: giving back memory that the work does not need, and leaving alone what it has made."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress


def settle() -> None:
    """What a start has made stays, 100,000 bans perhaps: looking through them for garbage would stop the work for 10 ms."""
    gc.freeze()


def give_back() -> None:
    """Let the C library return what is free (malloc_trim(3)), about a megabyte. Where that cannot be done nothing happens."""
    ctypes = sys.modules.get("ctypes")  # whoever follows files has it; for this alone it is too large
    if ctypes is not None:
        with suppress(OSError, AttributeError):  # another C library than GNU's
            ctypes.CDLL(None).malloc_trim(0)
