"""Asks the running daemon: one connection, requests one after the other, rows as they come."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from logtrigger.control.listener import user_of, within_reach
from logtrigger.control.protocol import VERSION, No, Refused, line

PATIENCE = 30.0  # seconds

Facts = dict[str, Any]


class NoDaemon(Exception):
    """Nobody answers; the texts say where it was tried and why that failed, and what to do."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(fault)
        self.fault, self.remedy = fault, remedy


class Client:
    """A connection to the daemon.

    Args:
        paths: where its socket may be; the first that is there counts.
        patience: seconds that an answer may take, unless one follows what comes.

    Raises:
        NoDaemon: it cannot be reached.
    """

    def __init__(self, paths: Sequence[Path], patience: float = PATIENCE) -> None:
        self.path = next((path for path in paths if os.path.lexists(path)), paths[0])
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(patience)
        try:
            with within_reach(self.path) as name:
                self._socket.connect(name)
        except OSError as error:
            self._socket.close()
            raise _explained(error, self.path, paths) from None
        self._lines = self._socket.makefile("rb")
        self.summary: Facts = {}  # the last line of the last answer

    @property
    def user(self) -> int:
        """The user id of whoever serves the socket."""
        return user_of(self._socket)

    def close(self) -> None:
        """End the connection."""
        self._lines.close()
        self._socket.close()

    def ask(self, command: str, *, patient: bool = False, **arguments: object) -> Iterator[Facts]:
        """The rows of an answer, as they come; `patient`: however long that takes.

        Raises:
            No: the answer is no.
            Refused: the daemon does not do it.
            NoDaemon: it ended, or did not answer in time.
        """
        if patient:
            self._socket.settimeout(None)
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            self._socket.sendall(line({"version": VERSION, "command": command, **given}))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was said why
        except OSError as error:
            raise self._lost(error) from None
        while (row := self._row()).get("end") is None:
            yield row
        if row["end"] == "no":
            raise No(str(row.get("text", "")))
        if row["end"] != "done":
            raise Refused(str(row.get("error", "")), str(row.get("remedy", "")))
        self.summary = row

    def _row(self) -> Facts:
        try:
            raw = self._lines.readline()
        except OSError as error:
            raise self._lost(error) from None
        if not raw.endswith(b"\n"):
            raise NoDaemon(f"{self.path}: the daemon ended before it had answered", "see that it runs, and try again")
        try:
            row = json.loads(raw)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise NoDaemon(f"{self.path}: what answers there is no logtrigger", "name its socket with --socket")
        return row

    def _lost(self, error: OSError) -> NoDaemon:
        why = "does not answer" if isinstance(error, TimeoutError) else f"cannot be asked: {error.strerror}"
        return NoDaemon(f"{self.path}: the daemon {why}", "see whether its process hangs")


def _explained(error: OSError, path: Path, paths: Sequence[Path]) -> NoDaemon:
    tried = " nor ".join(map(str, paths)) if len(paths) > 1 else str(path)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        there = "neither " if len(paths) > 1 else ""
        return NoDaemon(
            f"no daemon answers: there is no socket {there}{tried}",
            "start logtrigger, or name the configuration of the one that runs with -c FILE, or its socket with --socket",
        )
    if isinstance(error, ConnectionRefusedError):
        return NoDaemon(f"no daemon answers: {path} was left behind by one that has ended", "start logtrigger")
    if isinstance(error, PermissionError):
        return NoDaemon(f"{path}: you may not ask this daemon", _who_may(path))
    if isinstance(error, TimeoutError | BlockingIOError):
        return NoDaemon(f"{path}: the daemon does not answer", "see whether its process hangs")
    return NoDaemon(f"{path}: no daemon answers: {error.strerror or error}", "name its socket with --socket")


def _who_may(path: Path) -> str:
    """What to become, to be let in."""
    import grp
    import pwd

    try:
        status = os.stat(path)
        owner = pwd.getpwuid(status.st_uid).pw_name
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return "try it as root"
    if status.st_mode & stat.S_IWGRP:
        return f"try it as {owner}, or become a member of group {group} (and log in anew)"
    return f"try it as {owner}, or let a group in with 'option control_group'"
