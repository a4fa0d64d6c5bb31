"""`logtrigger` without a command: the daemon in the foreground."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from logtrigger import config
from logtrigger.config import DEFAULT_PATH, Configuration
from logtrigger.console import Console
from logtrigger.daemon import Daemon
from logtrigger.drain import Drain
from logtrigger.errors import ConfigError, ControlError, SourceError, StoreError
from logtrigger.serving import Serving

if TYPE_CHECKING:
    from logtrigger.notify_socket import NotifySocket

_ERROR = 2


def run(given: Path | None, level: int | None, dry_run: bool) -> int:
    """Run until stopped; the exit status."""
    path = (given or DEFAULT_PATH).absolute()  # the daemon works in /
    _fill_standard_descriptors()
    _keep_descriptors()
    drain = Drain(sys.stderr or open(os.devnull, "w"))
    console = Console.on(drain, level, time.time)  # noqa: TID251 - the outer shell

    def load() -> Configuration:
        configuration = config.read(path, trust=True, keep=not dry_run)
        for complaint in configuration.complaints:
            off = "; the rule is off" if complaint.severity == "error" else ""
            console.report(0, f"{complaint}{off}")
        return replace(configuration, built=())  # that is for `check`

    try:
        with _uncollected():
            service = None if dry_run else Serving  # a dry run is nobody's to command: a daemon may be at work beside it
            daemon = Daemon(load(), console, load, dry_run=dry_run, service=service, manager=_manager())
        daemon.watch_signals()
        daemon.run()
    except (ConfigError, ControlError, SourceError, StoreError) as error:
        drain.write(f"{error}\n")
        if isinstance(error, ConfigError) and path == DEFAULT_PATH and not path.exists():
            drain.write("give a configuration with -c FILE\n")
        return _ERROR
    finally:
        drain.close()
    return 0


def _manager() -> NotifySocket | None:
    """Who has started us and wants to hear how we are: systemd."""
    if not os.environ.get("NOTIFY_SOCKET"):
        return None
    from logtrigger.notify_socket import NotifySocket

    return NotifySocket.taken_from(os.environ)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """What a start makes stays: to look through all of it for garbage again and again takes time and finds nothing."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _fill_standard_descriptors() -> None:
    """Where we were started without some of 0, 1 and 2, no file of ours may get such a number: others write to those."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)


def _keep_descriptors() -> None:
    """Scripts inherit nothing that we were started with but standard output and error."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        numbers = list(range(256))  # no /proc here
    for number in numbers:
        if number > 2:
            with contextlib.suppress(OSError):
                os.set_inheritable(number, False)
