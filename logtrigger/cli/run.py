"""`logtrigger` without a command: the daemon in the foreground."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from logtrigger import config
from logtrigger.config import DEFAULT_PATH
from logtrigger.console import Console
from logtrigger.daemon import Daemon
from logtrigger.errors import ConfigError, SourceError, StoreError
from logtrigger.rule import Settings

_ERROR = 2


def run(path: Path, level: int | None, dry_run: bool) -> int:
    """Run until stopped; the exit status."""
    path = path.absolute()  # the daemon works in /
    console = Console.on(sys.stderr, level, time.time)  # noqa: TID251 - the outer shell

    def load() -> Settings:
        settings, warnings = config.load(path)
        for warning in warnings:
            console.report(0, str(warning))
        return settings

    try:
        daemon = Daemon(load(), console, load, dry_run=dry_run)
        daemon.watch_signals()
        daemon.run()
    except (ConfigError, SourceError, StoreError) as error:
        print(error, file=sys.stderr)
        if isinstance(error, ConfigError) and path == DEFAULT_PATH and not path.exists():
            print("give a configuration with -c FILE", file=sys.stderr)
        return _ERROR
    return 0
