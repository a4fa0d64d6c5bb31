"""What the commands share that talk to the running daemon: finding it, options, exit statuses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from logtrigger import config
from logtrigger.cli import print_no_more
from logtrigger.config import DEFAULT_PATH
from logtrigger.control.client import Client, Facts, NoDaemon
from logtrigger.control.protocol import No, Refused, line
from logtrigger.text import safe_text

DONE, NO, WRONG, NOBODY = 0, 1, 2, 3  # exit statuses

F = TypeVar("F", bound=Callable[..., Any])


def options(function: F) -> F:
    """The options that each of these commands has."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(options_without_json(function))


def options_without_json(function: F) -> F:
    """Those that tell which daemon is asked."""
    for option in (
        click.option(
            "--socket", type=click.Path(readable=False, path_type=Path), metavar="PATH", help="The daemon's control socket."
        ),
        click.option(
            "-c", "path", type=click.Path(path_type=Path), metavar="FILE", help=f"The daemon's configuration [{DEFAULT_PATH}]."
        ),
    ):
        function = option(function)
    return function


@contextmanager
def daemon(context: click.Context, path: Path | None, socket: Path | None) -> Iterator[Client]:
    """The running daemon. What it refuses, and that it does not run, ends the command with its status and what to do."""
    try:
        client = Client([socket] if socket else sockets(path or context.obj))
        try:
            yield client
            sys.stdout.flush()
        finally:
            client.close()
    except NoDaemon as error:
        _fail(context, NOBODY, error.fault, error.remedy)
    except No as no:
        _flush()
        _fail(context, NO, str(no))
    except Refused as error:
        _flush()
        _fail(context, WRONG, error.error, error.remedy)
    except KeyError as error:  # so it is between an update and the restart that it asks for
        _flush()
        _fail(context, WRONG, f"the daemon does not tell {error}", "restart it: it is of another version than this command")
    except BrokenPipeError:  # whoever reads has seen enough
        print_no_more()
        context.exit(DONE)
    except config.Unreadable as error:
        _fail(context, WRONG, str(error))


def sockets(path: Path | None) -> tuple[Path, ...]:
    """Where the socket of the daemon that runs with this configuration may be. Raises Unreadable."""
    try:
        return config.control_sockets(path or DEFAULT_PATH)
    except config.Unreadable:
        if path is not None:
            raise
        return usual_sockets()


def usual_sockets() -> tuple[Path, ...]:
    """Where it is if no configuration says: our own default and root's, since the daemon may be root's."""
    return tuple(dict.fromkeys([config.default_control(None), config.default_control(None, 0)]))


def _fail(context: click.Context, status: int, fault: str, remedy: str = "") -> None:
    click.echo(said(fault, remedy), err=True)
    context.exit(status)


def said(fault: str, remedy: str = "") -> str:
    """A fault and the way out of it, safe for a terminal."""
    return safe_text(f"{fault} ({remedy})" if remedy else fault)


def _flush() -> None:
    """What was answered comes before what is said of it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        print_no_more()


def write_json(row: Any) -> None:
    """One JSON text a line."""
    sys.stdout.write(line(row).decode("ascii"))


def write_json_list(rows: Iterable[Facts]) -> None:
    """One JSON list, a row a line, as the rows come."""
    joint = "["
    try:
        for row in rows:
            sys.stdout.write(joint + "\n" + line(row).decode("ascii").rstrip("\n"))
            joint = ","
    finally:
        sys.stdout.write("[]\n" if joint == "[" else "\n]\n")
