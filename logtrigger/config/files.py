"""The configuration's files: the one asked for, what it uses of the library and includes, each read once, in that order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from logtrigger.config import library, options, trust, uci
from logtrigger.config.uci import Section, Value
from logtrigger.config.words import Report, shown
from logtrigger.errors import Complaint, ConfigError, Place

FileId = tuple[int, int]  # device and inode


class Unreadable(ConfigError):
    """A configuration whose main file cannot be read at all."""


def read_all(path: Path, report: Report) -> list[Section]:
    """The sections of a file and, behind the section that names them, those of the library and of its includes.

    Raises:
        Unreadable: the file itself cannot be read. An include that cannot be read is reported.
    """
    reading = _Reading(report)
    try:
        return list(reading.sections(str(path), ()))
    except OSError as error:
        fault = f"cannot be read: {error.strerror}"
        raise Unreadable([Complaint(Place(str(path), 1), fault, "name another file with -c")]) from error


class _Reading:
    """One walk through a file and its includes, and the files it has seen."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._seen: set[FileId] = set()

    def sections(self, path: str, above: tuple[FileId, ...]) -> Iterator[Section]:
        data, status = _read(path)
        identity = (status.st_dev, status.st_ino)
        self._seen.add(identity)
        for fault, remedy in trust.doubts(Path(path), status):
            self._report.error(Place(path, 1), fault, remedy)
        for section in uci.parse(data, path, self._report):
            yield section
            if section.type == "logtrigger" and "use" in section.options:
                yield from self._services(section, (*above, identity))
            if section.type == "logtrigger" and "include" in section.options:
                yield from self._includes(section, (*above, identity))

    def _includes(self, section: Section, above: tuple[FileId, ...]) -> Iterator[Section]:
        for value in options.read(options.DaemonOptions, {"include": section.options["include"]}, self._report).include:
            for path in _expand(value):
                yield from self._include(value, path, above)

    def _services(self, section: Section, above: tuple[FileId, ...]) -> Iterator[Section]:
        for value in options.read(options.DaemonOptions, {"use": section.options["use"]}, self._report).use:
            for name in value.text.split():
                path = library.find(name)
                if path is None:
                    self._report.error(value.place, f"the library has no rules for {shown(name)}", library.way_out(name))
                else:
                    yield from self._include(value, str(path), above)

    def _include(self, value: Value, path: str, above: tuple[FileId, ...]) -> Iterator[Section]:
        try:
            status = os.stat(path)
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                self._report.error(value.place, f"{path} includes itself", "remove this line")
            elif identity not in self._seen:
                yield from self.sections(path, above)
        except OSError as error:
            remedy = "correct the path, or write a glob such as rules.d/*.conf for files that may be missing"
            self._report.error(value.place, f"{path} cannot be included: {error.strerror}", remedy)


def _read(path: str) -> tuple[bytes, os.stat_result]:
    with open(path, "rb") as file:
        return file.read(), os.fstat(file.fileno())


def _expand(value: Value) -> list[str]:
    """The paths that an include names; of a glob, those there are, folders aside."""
    folder = os.path.dirname(value.place.path)
    names = [value.text]
    if glob.has_magic(value.text):
        found = sorted(glob.glob(value.text, root_dir=folder or None))
        names = [name for name in found if not os.path.isdir(os.path.join(folder, name))]
    return [os.path.normpath(os.path.join(folder, name)) for name in names]
