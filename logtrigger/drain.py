"""Writing to a reader who may have stopped reading, without ever waiting for it."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TextIO

_ROOM = 1 << 22  # characters that may wait to be written; what comes beyond is counted and told of
_PATIENCE = 1.0  # seconds that the last texts may take at the end


class Drain:
    """Passes texts on to a stream's descriptor from a thread of its own.

    A terminal on which Ctrl-S was pressed, a pager, a log collector that hangs: none of them stops the work.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._texts: deque[str] = deque()
        self._waiting = self._lost = 0  # characters, texts
        self._ended = False
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Take a text to be written, or count it where too much waits already."""
        with self._more:
            if self._waiting < _ROOM:
                self._texts.append(text)
                self._waiting += len(text)
                self._more.notify()
            else:
                self._lost += 1
        return len(text)

    def flush(self) -> None:
        """Nothing: texts are written as soon as they can be."""

    def close(self) -> None:
        """Write what waits, but do not wait long for a reader who does not read."""
        with self._more:
            self._ended = True
            self._more.notify()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        # Not through the stream itself: Python flushes it at its end, and would wait for a write that never ends.
        descriptor, encoding = self._stream.fileno(), self._stream.encoding
        while text := self._next():
            rest = text.encode(encoding, "backslashreplace")
            try:
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            except OSError:
                pass  # nobody reads any more; the work goes on

    def _next(self) -> str:
        """All that waits; empty at the end."""
        with self._more:
            while not self._texts and not self._ended:
                self._more.wait()
            text = "".join(self._texts)
            if self._lost:
                text += f"{self._lost} texts are left out here: nobody read in time\n"
            self._texts.clear()
            self._waiting = self._lost = 0
        return text
