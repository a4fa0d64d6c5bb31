"""Whether a file may tell a daemon what to do: nobody but root and ourselves can have written it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

Doubt = tuple[str, str]  # fault, remedy

_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def script_doubts(path: Path, us: int | None = None) -> Iterator[Doubt]:
    """What speaks against running a script: the file itself, and the folders it and what it links to lie in.

    `us` is the user we run as; by default whoever runs this process.
    """
    try:
        status = path.stat()
    except OSError as error:
        yield f"the script {path} cannot be run: {error.strerror}", _missing_remedy(path)
        return
    if not stat.S_ISREG(status.st_mode):
        yield f"the script {path} is no file", "give the path of a script"
        return
    yield from doubts(path, status, us)
    for folder in dict.fromkeys((path.parent, path.resolve().parent)):
        yield from doubts(folder, folder.stat(), us)


def doubts(path: Path, status: os.stat_result, us: int | None = None) -> Iterator[Doubt]:
    """What speaks against trusting what a file or folder holds; nothing, where it is root's or ours alone to write."""
    us = os.geteuid() if us is None else us
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
