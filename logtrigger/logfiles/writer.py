"""Received lines into their files: many at once, few files open, and a full disk stops nothing."""

from __future__ import annotations

import errno
import os
import time
from collections import OrderedDict
from collections.abc import Callable

from logtrigger.durations import amount
from logtrigger.logfiles.folder import Folder
from logtrigger.logfiles.forms import Claims, claims, names_of, written
from logtrigger.logfiles.names import Template
from logtrigger.model import Chunk

MOST_OPEN = 200  # files
MOST_KNOWN = 10_000  # hosts and programs; lines of further ones share the file of OTHERS
OTHERS = "others"
CHECK_EVERY = 1.0  # seconds between looks whether a file still stands under its name

Names = tuple[str, ...]


class _File:
    """An open file."""

    __slots__ = ("checked", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.checked = time.monotonic()


class LogFiles:
    """Writes the lines of one source.

    Args:
        template: which file a line belongs into.
        report: tells the operator (level, text).
        local_time: turns epoch seconds into year, month, day, hour … as time.localtime.

    Raises:
        OSError: the template's folder cannot be made or opened.
    """

    def __init__(
        self,
        template: Template,
        report: Callable[[int, str], None],
        local_time: Callable[[float], time.struct_time] = time.localtime,
        *,
        most_open: int = MOST_OPEN,
        most_known: int = MOST_KNOWN,
    ) -> None:
        self._template, self._report, self._local_time = template, report, local_time
        self._most_open, self._most_known = most_open, most_known
        self._folder = Folder(template.folder)
        self._files: OrderedDict[Names, _File] = OrderedDict()  # the one used last stands at the end
        self._names: dict[tuple[str, Claims], Names] = {}
        self._known: set[tuple[str, Claims]] = set()
        self._is_full = False  # more than most_known have sent lines
        self._rests: dict[Names, bytes] = {}  # ends of lines of which a beginning was written, before the disk was full
        self._day = (0, 0, 0)
        self._dropped = 0
        self._tidied = -CHECK_EVERY  # monotonic
        self._faults: dict[Names, str] = {}
        self._reads_pri = not {"facility", "severity"}.isdisjoint(template.fields)
        self._has_date = not {"year", "month", "day"}.isdisjoint(template.fields)

    @property
    def dropped(self) -> int:
        """How many lines could not be written, all in all."""
        return self._dropped

    def write(self, chunk: Chunk, now: float) -> None:
        """Append the lines of a chunk that arrived at `now` (epoch seconds)."""
        if self._has_date and (day := self._local_time(now)[:3]) != self._day:
            self._day = day
            self._names.clear()
        peer, parts = chunk.peer or "localhost", dict[Names, list[bytes]]()
        for line in chunk.data[:-1].split(b"\n"):
            said = claims(line)
            if not self._reads_pri:
                said = said._replace(pri=b"")
            names = self._names.get((peer, said)) or self._name(peer, said)
            parts.setdefault(names, []).append(written(line))
        for names, lines in parts.items():
            self._append(names, b"\n".join(lines) + b"\n", len(lines))

    def reopen(self) -> None:
        """Open every file anew, as after a rotation."""
        while self._files:
            self._close(next(iter(self._files)))

    def close(self) -> None:
        """Close all files."""
        self.reopen()
        self._folder.close()

    # Names

    def _name(self, peer: str, said: Claims) -> Names:
        who = (peer, said)
        if who not in self._known and len(self._known) >= self._most_known:
            if not self._is_full:
                self._is_full = True
                where = f"{self._template.text}: {self._most_known} hosts and programs have their files"
                self._report(0, f"{where}; lines of others go to files called '{OTHERS}'")
            return self._template.names(dict.fromkeys(self._template.fields, OTHERS))
        self._known.add(who)
        facility, severity = names_of(said.pri)
        year, month, day = self._day
        values = {
            "peer": peer,
            "host": said.host.decode("utf-8", "replace") or peer,
            "program": said.program.decode("utf-8", "replace"),
            "facility": facility,
            "severity": severity,
            "year": f"{year:04}",
            "month": f"{month:02}",
            "day": f"{day:02}",
        }
        names = self._names[who] = self._template.names(values)
        return names

    # Files

    def _append(self, names: Names, data: bytes, lines: int) -> None:
        try:
            file = self._file(names)
            data = self._rests.get(names, b"") + data
            done = os.write(file.fd, data)
        except OSError as error:
            self._fail(names, error.strerror or str(error), lines)
            return
        self._rests.pop(names, None)
        if done < len(data):
            self._keep_rest(names, data, done)
        else:
            self._recovered(names)

    def _keep_rest(self, names: Names, data: bytes, done: int) -> None:
        """The disk took a part: the line that was cut is completed before anything else, whole lines are given up."""
        end = data.index(b"\n", max(done - 1, 0)) + 1
        self._rests[names] = data[done:end]
        self._fail(names, os.strerror(errno.ENOSPC), data.count(b"\n", end))

    def _file(self, names: Names) -> _File:
        file, now = self._files.get(names), time.monotonic()
        if (file is None or now - file.checked > CHECK_EVERY) and not self._folder.stands():
            self._move()
            file = None
        if file is not None and now - file.checked > CHECK_EVERY:
            file.checked = now
            if not self._folder.holds(names, file.fd):
                self._close(names)
                self._rests.pop(names, None)
                file = None
        if file is None:
            if len(self._files) >= self._most_open:
                self._close(next(iter(self._files)))
            file = self._files[names] = _File(self._folder.open(names))
        self._files.move_to_end(names)
        return file

    def _move(self) -> None:
        """Into the folder that stands there now."""
        folder = Folder(self._template.folder)
        self.reopen()
        self._rests.clear()
        self._folder.close()
        self._folder = folder

    def _close(self, names: Names) -> None:
        os.close(self._files.pop(names).fd)

    def _fail(self, names: Names, fault: str, lines: int) -> None:
        self._dropped += lines
        if fault not in self._faults.values():
            where = f"{self._folder.path}/{'/'.join(names)}"
            self._report(0, f"{where}: cannot be written: {fault}; matching goes on, such lines are not kept")
        if len(self._faults) < self._most_known:
            self._faults[names] = fault
        self._let_go_of_deleted()

    def _let_go_of_deleted(self) -> None:
        """A file that somebody has deleted, to make room perhaps, takes up room as long as it is open."""
        if (now := time.monotonic()) - self._tidied < CHECK_EVERY:
            return
        self._tidied = now
        for names in [names for names, file in self._files.items() if not os.fstat(file.fd).st_nlink]:
            self._close(names)
            self._rests.pop(names, None)

    def _recovered(self, names: Names) -> None:
        if not self._faults or (fault := self._faults.get(names)) is None:
            return
        self._faults = {other: its for other, its in self._faults.items() if its != fault}
        where = f"{self._folder.path}/{'/'.join(names)}"
        self._report(0, f"{where}: written again; {amount(self._dropped, 'line')} could not be kept since the start")
