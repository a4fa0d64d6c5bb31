"""The command line: `logtrigger` alone is the daemon, its commands are one file each."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path

import click

from logtrigger import __version__
from logtrigger.cli.check import check
from logtrigger.cli.match import match
from logtrigger.cli.replay import replay
from logtrigger.config import DEFAULT_PATH


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-c", "path", type=click.Path(path_type=Path), metavar="FILE", help=f"The configuration [{DEFAULT_PATH}].")
@click.option(
    "-D",
    "level",
    type=click.IntRange(min=0),
    metavar="N",
    help="How much to tell: 0 errors, 1 a line a trigger, 2 its variables and script, 3 events, 4 lines. "
    "[1 on a terminal, else 0]",
)
@click.option("--dry-run", is_flag=True, help="Read and count, but run no script and remember nothing.")
@click.version_option(__version__, prog_name="logtrigger")
@click.pass_context
def main(context: click.Context, path: Path | None, level: int | None, dry_run: bool) -> None:
    """Watch logs and act: match lines against rules, count, run scripts.

    Without a command: run in the foreground until Ctrl-C or SIGTERM; SIGHUP reads the configuration again.

    \b
    Try a rule in one terminal:  logtrigger -D 2
    and write to the log in another:  logger "the line it should see"
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: no text stops us that a terminal cannot show
    context.obj = path
    if context.invoked_subcommand is None:
        from logtrigger.cli.run import run  # brings the store and the sources, which no other command needs

        context.exit(run(path or DEFAULT_PATH, level, dry_run))
    elif level is not None or dry_run:
        raise click.UsageError("-D and --dry-run are for running, not for commands")


main.add_command(check)
main.add_command(match)
main.add_command(replay)
