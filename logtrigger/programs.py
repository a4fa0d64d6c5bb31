"""Programs that we run: where they are looked for, how they are started, and what they print."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from logtrigger.durations import amount
from logtrigger.text import safe

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

MAX_LINES = 64
MAX_BYTES = 16 << 10

# All that can be set: Python ignores SIGPIPE and SIGXFSZ, and whoever started us may ignore others.
_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def start(
    path: str, arguments: Sequence[str], env: Mapping[str, str] | Mapping[bytes, bytes], out: int, err: int | None = None
) -> int:
    """Start a program in a process group of its own, with default signals and an empty standard input; its process id.

    Args:
        path: of the program; a bare name is looked for in our own PATH.
        arguments: all of them, its name first.
        env: its whole environment.
        out: the descriptor that its output goes to.
        err: the same of its standard error; None: there, too.

    Raises:
        OSError, ValueError: it cannot be started.
    """
    return os.posix_spawnp(
        path,
        list(arguments),
        dict(env),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out, 1),
            (os.POSIX_SPAWN_DUP2, out if err is None else err, 2),
        ],
        setpgroup=0,
        setsigmask=(),
        setsigdef=_SIGNALS,
    )


class Output:
    """What one prints: takes bytes as they come, in bounded memory; the beginning is kept, the rest counted.

    >>> output = Output()
    >>> output.feed(b"blocked 1.2.")
    >>> output.feed(b"3.4\\n\\x1b[2Jgone\\n")
    >>> output.lines()
    ('blocked 1.2.3.4', '?[2Jgone')
    """

    __slots__ = ("_kept", "_lines", "_size")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._size = 0
        self._lines = 0

    def feed(self, data: bytes) -> None:
        """Take what has come; beyond MAX_BYTES it is only counted."""
        self._kept += data[: MAX_BYTES - len(self._kept)]
        self._size += len(data)
        self._lines += data.count(b"\n")

    def whole(self) -> tuple[str, ...]:
        """The lines that were kept whole, made safe; a last one without an end only where nothing is missing."""
        lines = bytes(self._kept).split(b"\n")
        if self._size > len(self._kept) or not lines[-1]:
            del lines[-1]
        return tuple(safe(line.removesuffix(b"\r")) for line in lines[:MAX_LINES])

    def lines(self) -> tuple[str, ...]:
        """The lines, made safe, without their ends; a last one tells how much is missing, if any is."""
        lines = bytes(self._kept).removesuffix(b"\n").split(b"\n") if self._kept else []
        shown = tuple(safe(line.removesuffix(b"\r")) for line in lines[:MAX_LINES])
        if self._size == len(self._kept) and len(lines) <= MAX_LINES:
            return shown
        return (*shown, f"(cut off here; it wrote {amount(self._lines, 'line')}, {amount(self._size, 'byte')} in all)")
