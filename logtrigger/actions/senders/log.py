"""Writing a line for each trigger into a file, one for each class of events, say."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from contextlib import closing

from logtrigger.actions.senders.base import MESSAGE, Refused, Unreachable, values
from logtrigger.logfiles.folder import Folder
from logtrigger.logfiles.names import Template as Path
from logtrigger.logfiles.writer import OTHERS
from logtrigger.model import Trigger
from logtrigger.templates import Template, unbroken

MOST_FILES = 10_000  # that the lines of a day go to; those of further names share one
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
        self._known: set[int] = set()  # digests of the names of this day
        self._day = ""

    def send(self, triggers: Sequence[Trigger]) -> str:
        for trigger in triggers:
            self._append(self._names(trigger), f"{self.line(trigger)}\n")
        return "written"

    def line(self, trigger: Trigger) -> str:
        """What is written of a trigger, without the line end."""
        return self._text.render(values(trigger), unbroken)

    def close(self) -> None:
        """Nothing is kept open: what is renamed, or removed and made anew, is noticed with the next line."""

    def _names(self, trigger: Trigger) -> tuple[str, ...]:
        """The file of a trigger; where somebody invents name after name, one for all further ones."""
        known, date = values(trigger), _date(trigger.time)
        if self._day != date["day"]:
            self._day, self._known = date["day"], set()
        names = self._path.names({**known, **date})
        if len(self._known) >= MOST_FILES and hash(names) not in self._known:
            return self._path.names({**dict.fromkeys(self._path.fields, OTHERS), **date, "name": trigger.rule})
        self._known.add(hash(names))
        return names

    def _append(self, names: tuple[str, ...], text: str) -> None:
        try:
            with closing(Folder(self._path.folder)) as folder:
                folder.append(names, text.encode("utf-8", "replace"))
        except OSError as error:
            fault = f"{self._path.folder}/{'/'.join(names)}: {error.strerror or error}"
            # Whoever may choose a name must not choose one that holds up the lines for all other files.
            raise (Refused if self._path.fields and error.errno in OBSTACLES else Unreachable)(fault) from None


def _date(at: float) -> dict[str, str]:
    year, month, day = time.localtime(at)[:3]
    return {"year": f"{year:04}", "month": f"{month:02}", "day": f"{day:02}"}
