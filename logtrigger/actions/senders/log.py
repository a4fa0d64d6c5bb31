"""Writing a line for each trigger into a file, one for each class of events, say."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from logtrigger.actions.senders.base import MESSAGE, Unreachable, values
from logtrigger.logfiles.folder import Folder
from logtrigger.logfiles.names import Template as Path
from logtrigger.model import Trigger
from logtrigger.templates import Template, unbroken


class LogFile:
    """Appends to the file that a path's fields name; after a rotation to the new one.

    Args:
        path: such as /var/log/events/{name}.log; names are made safe and stay inside the fixed folder.
        text: of a line.
    """

    most = 1  # a batch of which a part was written could not be tried again

    def __init__(self, path: Path, text: Template = MESSAGE) -> None:
        self._path, self._text = path, text
        self._folder: Folder | None = None

    def send(self, triggers: Sequence[Trigger]) -> str:
        for trigger in triggers:
            known = values(trigger)
            names = self._path.names(_dated(known, trigger.time))
            self._append(names, f"{self.line(trigger)}\n")
        return "written"

    def line(self, trigger: Trigger) -> str:
        """What is written of a trigger, without the line end."""
        return self._text.render(values(trigger), unbroken)

    def close(self) -> None:
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _append(self, names: tuple[str, ...], text: str) -> None:
        try:
            if self._folder is None:
                self._folder = Folder(self._path.folder)
            self._folder.append(names, text.encode("utf-8", "replace"))
        except OSError as error:
            raise Unreachable(f"{self._path.folder}/{'/'.join(names)}: {error.strerror or error}") from None


def _dated(
    known: dict[str, str], at: float, local_time: Callable[[float], time.struct_time] = time.localtime
) -> dict[str, str]:
    year, month, day = local_time(at)[:3]
    return {**known, "year": f"{year:04}", "month": f"{month:02}", "day": f"{day:02}"}
