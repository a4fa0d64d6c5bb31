"""Whether a file may tell a daemon what to do: nobody but root and ourselves can have written it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from logtrigger.programs import PATH

Doubt = tuple[str, str]  # fault, remedy

_LONGEST_FIRST_LINE = 4096  # bytes
_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

_daemon: ContextVar[int] = ContextVar("daemon")  # the user whose daemon is looked at, where it is not ours


@contextmanager
def on_behalf_of(user: int) -> Iterator[None]:
    """Meanwhile look with the eyes of this user's daemon, if we are root: what belongs to him is then his own."""
    token = _daemon.set(user)
    try:
        yield
    finally:
        _daemon.reset(token)


def _us() -> int:
    ours = os.geteuid()
    return _daemon.get(ours) if ours == 0 else ours


def is_missing(path: Path) -> bool:
    """Whether nothing stands there. Where we may not look, something may: whoever uses it will say."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def script_doubts(path: Path, us: int | None = None) -> Iterator[Doubt]:
    """What speaks against running a script: the file itself, and the folders it and what it links to lie in.

    `us` is the user we run as; by default whoever runs this process, or `on_behalf_of` whom it does.
    """
    try:
        status = path.stat()
    except OSError as error:
        yield f"the script {path} cannot be run: {error.strerror}", _missing_remedy(path)
        return
    if not stat.S_ISREG(status.st_mode):
        yield f"the script {path} is no file", "give the path of a script"
        return
    yield from _first_line_doubts(path, status)
    yield from doubts(path, status, us)
    for folder in dict.fromkeys((path.parent, path.resolve().parent)):
        yield from doubts(folder, folder.stat(), us)


def _first_line_doubts(path: Path, status: os.stat_result) -> Iterator[Doubt]:
    """Why the system would not start a script that reads well: its interpreter is not there, or not under this name."""
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST_FIRST_LINE)
    except OSError:
        return  # a program need not be read to be run
    if line.endswith(b"\r\n") and b"\0" not in line:
        yield f"the script {path} has the line ends of Windows, CR LF", f"sed -i 's/\\r$//' {path}"
    elif line.startswith(b"#!") and status.st_mode & 0o111:  # one that has no run bit is given to /bin/sh
        words = os.fsdecode(line[2:]).split()
        missing = _missing_interpreter(words)
        if missing:
            yield f"the script {path} is for {missing}, which is not there", "install it, or correct the script's first line"


def _missing_interpreter(words: list[str]) -> str:
    """The program that a first line names and the system does not have; empty where it does."""
    if not words:
        return "no interpreter"
    if not os.access(os.path.join("/", words[0]), os.X_OK):  # scripts run in /
        return words[0]
    is_env = os.path.basename(words[0]) == "env" and len(words) == 2 and "=" not in words[1] and words[1][0] != "-"
    is_found = any(os.access(os.path.join(folder, words[1]), os.X_OK) for folder in PATH.split(":")) if is_env else True
    return "" if is_found else words[1]


def doubts(path: Path, status: os.stat_result, us: int | None = None) -> Iterator[Doubt]:
    """What speaks against trusting what a file or folder holds; nothing, where it is root's or ours alone to write."""
    us = _us() if us is None else us
    if status.st_uid not in (0, us):
        yield f"{path} belongs to {_user(status.st_uid)}", f"chown root {path}"
    others = status.st_mode & _BY_OTHERS
    sticky_folder = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if others and not sticky_folder:
        who = "everybody" if others & stat.S_IWOTH else f"group {_group(status.st_gid)}"
        letters = ("g" if others & stat.S_IWGRP else "") + ("o" if others & stat.S_IWOTH else "")
        yield f"{path} can be written by {who}", f"chmod {letters}-w {path}"


def _missing_remedy(path: Path) -> str:
    if " " in path.name:
        return "give a path alone; what the script needs besides goes into: list env 'NAME=value'"
    return "create it, or correct the path"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
