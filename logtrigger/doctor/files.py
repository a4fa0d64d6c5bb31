"""The log files: whether they are there, whether they can be read, and whether what writes them writes there still."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from glob import has_magic

from logtrigger.config import Configuration, library
from logtrigger.doctor.findings import Case, Facts, Finding
from logtrigger.durations import spoken
from logtrigger.rule import SYSTEM_LOG
from logtrigger.sources import paths
from logtrigger.sources.generations import bases

_OLD = 2 * 86_400.0  # seconds without a line, in a file that nobody has open
_ROTATED = 900.0  # seconds after which whoever is told to open his log anew has done so
_DELETED = " (deleted)"  # behind the name of an open file, proc(5)

Writers = Mapping[str, str]  # a program by the file that it has open for writing


def writers(case: Case) -> Writers:
    """Who writes where the sources read."""
    sources = case.status["sources"] if case.status is not None else ()
    followed = [path for source in sources for path in _followed(source)]
    folders = {os.path.dirname(name) for path in followed for name in (path, os.path.realpath(path))}
    return case.machine.writers(folders)


def missing(case: Case) -> Iterator[Finding]:
    """Files that are followed and that are not there."""
    if case.configuration is None:
        return
    settings = case.configuration.settings
    followed = [[rule.source] for rule in settings.rules if rule.source.startswith("/")]
    followed += [list(source.file) for source in settings.sources if source.file]
    for globs in dict.fromkeys(map(tuple, followed)):
        if _are_there(globs):
            continue
        several = len(globs) > 1 or has_magic(globs[0])
        text = f"no file is called {' or '.join(globs)}" if several else f"{globs[0]} is not there"
        if len(globs) == 1 and _is_one_of_several(case.configuration, globs[0]):
            yield Finding("source", "note", f"{text}: the service may write to another log, which its other rules read")
        else:
            yield Finding("source", "error", text, "correct the path, or start what writes it")


def _is_one_of_several(configuration: Configuration, source: str) -> bool:
    """Whether only rules of the library want a source, of services that may as well write to another, which is there."""
    by_file: dict[str, set[str]] = {}
    wanting = set()
    for rule in configuration.settings.rules:
        given = configuration.origins[rule.of or rule.name]
        place = given["name"].place.path
        by_file.setdefault(place, set()).add(rule.source)
        if rule.source == source:
            option = given.get("file")
            wanting.add(place if option is not None and option.place.path == place and library.has(place) else "")
    return all(place and any(map(_is_there, by_file[place])) for place in wanting)


def _is_there(source: str) -> bool:
    return source == SYSTEM_LOG or (source.startswith("/") and _are_there([source]))


def _are_there(globs: Sequence[str]) -> bool:
    return any(os.path.lexists(path) for path in paths.expand(globs))


def check(case: Case, source: Facts, written: Writers) -> Iterator[Finding]:
    """The files of one source."""
    for fault in source["unreadable"]:
        is_barred = "cannot be read: Permission" in fault
        remedy = "let the daemon's user read it, and logrotate make it so (create 0640 root adm, say)"
        remedy = remedy if is_barred else "name a file that a program writes its log to, or mend that one"
        yield Finding("source", "error", f"the daemon does not read a file: {fault}", remedy)
    globs = _globs(case, source["source"])
    by_glob: dict[str, list[str]] = {}
    for path in _followed(source):
        glob = next((glob for glob in globs if fnmatch(path, glob)), path)
        by_glob.setdefault(glob, []).append(path)
        yield from _rotated(case, path, written)
    for glob, found in by_glob.items():
        yield from _of_glob(case, glob, found, written)


def _followed(source: Facts) -> list[str]:
    """The files that are read, and the one that is named, be it empty."""
    read = [file["path"] for file in source["files"] if file["path"]]
    named = [source["source"]] if source["source"].startswith("/") and not has_magic(source["source"]) else []
    return list(dict.fromkeys([*read, *named]))


def _globs(case: Case, name: str) -> Sequence[str]:
    """The globs of a source: not each of their files need be written."""
    options = case.configuration.settings.sources if case.configuration is not None else ()
    given = next((source.file for source in options if source.name == name), (name,))
    return [glob for glob in given if has_magic(glob)]


def _of_glob(case: Case, glob: str, found: Sequence[str], written: Writers) -> Iterator[Finding]:
    """Whether the youngest of the files that a glob names is written; that is the file where it is none."""
    youngest: tuple[float, str] | None = None
    for path in found:
        try:
            youngest = max(youngest or (0.0, ""), (os.stat(path).st_mtime, path))
        except FileNotFoundError:
            continue  # renamed, or told of already
        except OSError as error:
            yield Finding("source", "error", f"{path} cannot be seen: {error.strerror}", "see the rights of its folders")
    if youngest is None or case.now - youngest[0] <= _OLD or any(_is_open(path, written) for path in found):
        return
    path = youngest[1] if len(found) == 1 else f"any of the {len(found)} files {glob}"
    text = f"nothing was written to {path} for {spoken(round(case.now - youngest[0]))}"
    if case.machine.sees_all():
        remedy = "start what writes it, or name the file that is written now"
        yield Finding("source", "warning", f"{text}, and no process has it open", remedy)
    else:
        yield Finding("source", "note", f"{text}; whether a process has it open, only root can see")


def _is_open(path: str, written: Writers) -> bool:
    return path in written or os.path.realpath(path) in written


def _rotated(case: Case, path: str, written: Writers) -> Iterator[Finding]:
    """Whether a program goes on to write to what was moved or deleted: nobody has told it to open its log anew."""
    remedy = "have it open its log anew (systemctl reload), by postrotate in /etc/logrotate.d after each rotation"
    real = os.path.realpath(path)
    if program := written.get(real + _DELETED):
        text = f"{program} writes to {path} as it was before it was deleted: its lines are lost as soon as either ends"
        yield Finding("source", "error", text, remedy)
        return
    try:
        status = os.stat(path)
    except OSError:
        return
    if _is_open(path, written) or case.now - max(status.st_mtime, status.st_ctime) <= _ROTATED:
        return
    folder, name = os.path.split(real)
    for other, program in written.items():
        if os.path.dirname(other) == folder and name in bases(os.path.basename(other)):
            text = f"{program} writes to {other} still, and nobody to {path}"
            yield Finding("source", "warning", text, remedy)
            return
