"""The command line: `logtrigger` alone is the daemon, its commands are one file each (see commands.py).

A start of the daemon is to cost little, so the parser of the commands is not loaded for one that is asked for plainly.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

Daemon = tuple[Path | None, int | None, bool]  # configuration, level of -D, dry run

COMPLETE = "_LOGTRIGGER_COMPLETE"  # by this variable a shell asks what may follow; click's name for it


def main() -> None:
    """Do what the command line says, and end with its status."""
    never_fail_to_print()
    asked = None if COMPLETE in os.environ else plain_daemon(sys.argv[1:])
    if asked is None:
        from logtrigger.cli import commands

        if COMPLETE in os.environ:
            from logtrigger.cli import completion  # noqa: F401 - knows more of bash than click does
        try:
            commands.main(prog_name="logtrigger")
        except OSError as error:  # of standard output: the disk behind it is full, say
            print_no_more()
            sys.exit(_failed(error))
    else:
        gc.disable()  # `run` says when there may be garbage
        from logtrigger.cli.run import run

        sys.exit(run(*asked))


def print_no_more() -> None:
    """Standard output takes nothing any more: not even at its end shall Python try to write what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _failed(error: OSError) -> int:
    print(f"logtrigger: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
    return 2


def plain_daemon(words: Sequence[str]) -> Daemon | None:
    """What the daemon is asked to do, where nothing else is asked for; None: the words take a parser.

    >>> plain_daemon(["-D", "2", "--dry-run"]), plain_daemon(["-D", "two"]), plain_daemon(["check"])
    ((None, 2, True), None, None)
    """
    path, level, dry_run = None, None, False
    left = iter(words)
    for word in left:
        value = "" if word == "--dry-run" else next(left, "")
        if word == "--dry-run":
            dry_run = True
        elif word == "-c" and value:
            path = Path(value)
        elif word == "-D" and value.isascii() and value.isdigit():
            level = int(value)
        else:
            return None
    return path, level, dry_run


def never_fail_to_print() -> None:
    """No text stops us that a terminal cannot show; standard error is so by itself."""
    stdout: Any = sys.stdout
    if isinstance(stdout, TextIOWrapper):
        stdout.reconfigure(errors="backslashreplace")
