"""Writing a line for each trigger into a file, one for each class of events, say."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from logtrigger.actions.senders.base import MESSAGE, Refused, Unreachable, values
from logtrigger.logfiles.folder import Folder
from logtrigger.logfiles.names import Template as Path
from logtrigger.model import Trigger
from logtrigger.templates import Template, unbroken

# Something other than a file, or than a folder, stands under a name: a link, a folder, a FIFO (open(2)).
OBSTACLES = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.EINVAL})


class LogFile:
    """Appends to the file that a path's fields name; after a rotation to the new one.

    Args:
        path: such as /var/log/events/{name}.log; names are made safe and stay inside the fixed folder.
        text: of a line.
    """

    most = 1  # a batch of which a part was written could not be tried again

    def __init__(self, path: Path, text: Template = MESSAGE) -> None:
        self._path, self._text = path, text

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
        """Nothing is kept open: what is renamed, or removed and made anew, is noticed with the next line."""

    def _append(self, names: tuple[str, ...], text: str) -> None:
        try:
            with closing(Folder(self._path.folder)) as folder:
                folder.append(names, text.encode("utf-8", "replace"))
        except OSError as error:
            fault = f"{self._path.folder}/{'/'.join(names)}: {error.strerror or error}"
            # Whoever may choose a name must not choose one that holds up the lines for all other files.
            raise (Refused if self._path.fields and error.errno in OBSTACLES else Unreachable)(fault) from None


def _dated(
    known: dict[str, str], at: float, local_time: Callable[[float], time.struct_time] = time.localtime
) -> dict[str, str]:
    year, month, day = local_time(at)[:3]
    return {**known, "year": f"{year:04}", "month": f"{month:02}", "day": f"{day:02}"}
