"""The commands, and the options they share with the daemon."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from logtrigger import __version__
from logtrigger.config import DEFAULT_PATH
from logtrigger.config.words import listed, suggestion

# Each in a module of its name, which is loaded when it is wanted.
GROUPS = {
    "First steps": ("init", "check", "match", "replay"),
    "The running daemon": (
        "status",
        "doctor",
        "top",
        "rules",
        "pause",
        "resume",
        "bans",
        "ban",
        "unban",
        "why",
        "events",
        "reload",
        "metrics",
    ),
    "Others": ("geoip", "ecs", "setup", "completion"),
}
COMMANDS = tuple(name for names in GROUPS.values() for name in names)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"logtrigger.cli.{cmd_name}"), cmd_name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                found = [(name, self.get_command(ctx, name)) for name in names]
                formatter.write_dl([(f"{name:<{width}}", one.get_short_help_str(60)) for name, one in found if one is not None])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            remedy = suggestion(args[0], COMMANDS) or f"there are {listed(COMMANDS)}"
            raise click.UsageError(f"No such command '{args[0]}' ({remedy})", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-c", "path", type=click.Path(path_type=Path), metavar="FILE", help=f"The configuration [{DEFAULT_PATH}].")
@click.option(
    "-D",
    "level",
    type=click.IntRange(min=0),
    metavar="N",
    help="How much to tell: 0 errors, 1 a line a trigger, 2 its variables and script, 3 events, 4 lines. "
    "[1 on a terminal, else 0]",
)
@click.option(
    "--dry-run", is_flag=True, help="Read and count, but ban and tell nobody, run no script, write and remember nothing."
)
@click.version_option(__version__, prog_name="logtrigger")
@click.pass_context
def main(context: click.Context, path: Path | None, level: int | None, dry_run: bool) -> None:
    """Watch logs and act: match lines against rules, count, ban addresses, run scripts.

    Without a command: run in the foreground until Ctrl-C or SIGTERM; SIGHUP reads the configuration again.

    \b
    Try a rule in one terminal:  logtrigger -D 2
    and write to the log in another:  logger "the line it should see"
    What a command is for, with examples:  logtrigger COMMAND --help
    """
    context.obj = path
    if context.invoked_subcommand is None:
        from logtrigger.cli.run import run  # brings the store and the sources, which no other command needs

        context.exit(run(path, level, dry_run))
    elif level is not None or dry_run:
        raise click.UsageError("-D and --dry-run are for running, not for commands")
